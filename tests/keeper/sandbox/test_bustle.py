"""The actors' shell where the network fails; where it works, test_process.py runs it whole."""

import trio
from solders.pubkey import Pubkey
from structlog.testing import capture_logs

from keeper.sandbox.bustle import LOOK_INTERVAL_S, bustle
from keeper.sandbox.cast import cast_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.founding import Platform
from programs.rpc import RpcTimeout

ADDRESS = Pubkey.from_bytes(bytes([1] * 32))
PLATFORM = Platform(program=ADDRESS, quote_mint=ADDRESS, markets=(ADDRESS,), active=(ADDRESS,))


class SilentRpc:
    """A network that never answers."""

    def __init__(self):
        self.asked_at_s = []

    async def get_latest_blockhash(self, commitment):
        self.asked_at_s.append(trio.current_time())
        raise RpcTimeout(f"no answer at {commitment}")


async def test_a_silent_network_is_asked_again_at_the_same_pace(autojump_clock):
    rpc, started_s = SilentRpc(), trio.current_time()

    with capture_logs() as logs, trio.move_on_after(10 * LOOK_INTERVAL_S - 0.01):
        await bustle(rpc, SandboxConfig(), cast_of(1), PLATFORM)

    assert len(rpc.asked_at_s) == 10
    assert rpc.asked_at_s[-1] - started_s < 9.01 * LOOK_INTERVAL_S
    assert [each["event"] for each in logs] == ["actors.unanswered"] * 10 + ["actors.ended"]
    assert logs[-1]["refusals"] == {"rpc: RpcTimeout": 10}


def test_nobody_acts_twice_under_one_key():
    cast = cast_of(3)

    addresses = {actor.address for actor in cast.actors}
    assert len(addresses) == len(cast.actors)
    assert addresses.isdisjoint(actor.address for actor in cast_of(4).actors)
    assert cast == cast_of(3)
