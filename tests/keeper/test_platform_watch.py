"""keeper/platform_watch.py, on a virtual clock over a scripted cluster. On a real process: tests/pipeline/test_operating.py."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import trio
from scripted import GENESIS, PROGRAM, put_platform
from solders.pubkey import Pubkey
from structlog.testing import capture_logs

from keeper.cluster import ClusterFacts
from keeper.interrupt import Orders
from keeper.newest import Newest
from keeper.platform_watch import changed_parameters, tell_halts, watch_platform
from keeper.snapshot import Snapshot
from keeper.tally import Tally
from programs.accounts import Global
from programs.addresses import global_address
from programs.loader import LOADER, program_data_address
from programs.rpc import Account, RpcTimeout
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster

CODE = b"code"
CODE_SHA256 = "5694d08a2e53ffcae0c3103e5ad6f6076abd960eb1f8a56577040bc1028f702b"
HOLDER, GENESIS_ACCOUNT = program_data_address(PROGRAM), global_address(PROGRAM)[0]


def holder_of(code=CODE, authority=None):
    head = (3).to_bytes(4, "little") + (77).to_bytes(8, "little")
    data = head + bytes([authority is not None]) + bytes(authority or 32) + code
    return Account(owner=LOADER, lamports=1, data=data, is_executable=False)


@dataclass
class Platform:
    rpc: FakeRpc
    orders: Orders
    chain: Newest
    parameters: Global

    def scan(self, **changed):
        """Publish a scan whose genesis account has other values."""
        self.chain.publish(
            Snapshot(
                slot=1,
                global_=replace(self.parameters, **changed),
                vault=None,
                markets=None,
                positions=(),
                addresses=(),
            )
        )


@asynccontextmanager
async def watched():
    rpc = FakeRpc(ScriptedCluster(trio.current_time))
    put_platform(rpc, markets=[], positions=[])
    program = Account(owner=LOADER, lamports=1, data=b"", is_executable=True)
    rpc.accounts[PROGRAM], rpc.accounts[HOLDER] = program, holder_of()
    parameters = Global.from_bytes(rpc.accounts[GENESIS_ACCOUNT].data)
    facts = ClusterFacts(
        genesis_hash=GENESIS,
        slot=0,
        program=PROGRAM,
        program_sha256=CODE_SHA256,
        upgrade_authority=None,
        parameters=parameters,
    )
    found = Platform(rpc, Orders(), Newest(), parameters)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_platform, rpc, facts, found.chain, found.orders, 60.0, SLOT_S)
        yield found
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("address", "account", "words"),
    [
        (PROGRAM, None, "is gone from the cluster"),
        (HOLDER, None, "was closed"),
        (HOLDER, holder_of(b"other"), "was replaced in slot 77"),
        (HOLDER, holder_of(authority=bytes([4] * 32)), "can now be upgraded by"),
        (GENESIS_ACCOUNT, None, "the genesis account of"),
    ],
)
async def test_a_platform_that_became_another_ends_the_run_and_is_named(
    autojump_clock, address, account, words
):
    async with watched() as platform:
        await trio.sleep(150)
        assert not platform.orders.stop.is_set()
        platform.rpc.accounts[address] = account
        with trio.fail_after(60 + 20 * SLOT_S):
            await platform.orders.stop.wait()
    assert words in platform.orders.faults.get()


async def test_one_false_answer_ends_nothing_and_an_outage_does_not_either(autojump_clock):
    async with watched() as platform:
        await trio.sleep(50)
        platform.rpc.accounts[HOLDER] = holder_of(b"other")
        await trio.sleep(11)  # the look of the first minute
        assert 1 == platform.rpc.calls["get_multiple_accounts"]
        platform.rpc.accounts[HOLDER] = holder_of()
        platform.rpc.faults["get_multiple_accounts"] = [RpcTimeout("late")] * 3
        await trio.sleep(300)
        assert not platform.orders.stop.is_set()
        assert platform.rpc.calls["get_multiple_accounts"] > 4


async def test_a_scan_with_other_parameters_is_looked_into_at_once_and_a_fork_is_forgiven(
    autojump_clock,
):
    async with watched() as platform:
        platform.scan(season_slots=1)
        await trio.sleep(10 * SLOT_S)
        assert platform.rpc.calls["get_multiple_accounts"]
        platform.scan()
        await trio.sleep(150)
        # The finalized chain never said so.
        assert not platform.orders.stop.is_set()


def test_a_halt_takes_its_authority_along_and_nothing_else():
    rpc = FakeRpc(ScriptedCluster(lambda: 0.0))
    put_platform(rpc, markets=[], positions=[])
    founded = Global.from_bytes(rpc.accounts[GENESIS_ACCOUNT].data)
    before = replace(founded, halt_authority=PROGRAM)
    gone = Pubkey.default()
    assert [] == changed_parameters(before, replace(before, halted=1, halt_authority=gone))
    assert changed_parameters(before, replace(before, halt_authority=gone))
    assert changed_parameters(before, replace(before, halted=1, halt_authority=HOLDER))
    assert changed_parameters(
        before, replace(before, halted=1, halt_authority=gone, oracle_authority=HOLDER)
    )


async def test_a_halt_is_told_once_when_it_comes_and_once_when_it_goes(autojump_clock):
    tally = Tally()
    with capture_logs() as logs:
        async with watched() as platform, trio.open_nursery() as nursery:
            nursery.start_soon(tell_halts, platform.chain, tally)
            for halted in (0, 1, 1, 0):
                platform.scan(halted=halted)
                await trio.sleep(SLOT_S)
            nursery.cancel_scope.cancel()
            assert not platform.orders.stop.is_set()
    assert ["platform.halted", "platform.resumed"] == [line["event"] for line in logs]
    assert not tally.is_halted
