"""RPC endpoints that lag, fall silent, or tell of another chain."""

from typing import Final

import trio

from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, on_stage
from bench.alerts.settings import TWO_ENDPOINTS
from keeper.drills.faults import Refuse
from keeper.drills.proxy import Proxy
from programs.localnet.bank import BankConfig
from programs.localnet.server import Localnet, LocalnetConfig, serve

_LAG_BLOCKS: Final = 120
_OTHER_SEED: Final = 99


async def _one_lags(scene: Scene) -> None:
    node = scene.world.localnet.nodes[1]
    scene.cause()
    node.lag_blocks = _LAG_BLOCKS
    await scene.fires()
    scene.mend()
    node.lag_blocks = 0


async def _one_refuses(scene: Scene) -> None:
    scene.cause()
    scene.world.rpc_doors[1].set(Refuse())
    await scene.fires()
    scene.mend()
    scene.world.rpc_doors[1].set()


async def _all_refuse(scene: Scene) -> None:
    scene.cause()
    for door in scene.world.rpc_doors:
        door.set(Refuse())
    await scene.fires()
    scene.mend()
    for door in scene.world.rpc_doors:
        door.set()


async def _one_is_of_another_chain(scene: Scene) -> None:
    """Let a name lead to another network: the same programs are not there, and never will be."""
    door = scene.world.rpc_doors[1]
    bank = BankConfig(seed=_OTHER_SEED, slot_ms=scene.stage.settings.slot_ms)
    other: Localnet = await scene.nursery.start(serve, LocalnetConfig(port=0, bank=bank))
    own_port, door.target_port = door.target_port, other.port
    scene.cause()
    await _connect_anew(door)
    await scene.fires()
    scene.mend()
    door.target_port = own_port
    await _connect_anew(door)


async def _connect_anew(door: Proxy) -> None:
    door.set(Refuse())
    await trio.sleep(1.0)
    door.set()


CAUSES: Final = (
    Cause(
        rule="rpc_behind",
        how="one of two nodes answers as if it were 120 blocks ago",
        run=on_stage("rpc_behind", _one_lags, TWO_ENDPOINTS),
    ),
    Cause(
        rule="rpc_down",
        how="one of two endpoints refuses connections",
        run=on_stage("rpc_down", _one_refuses, TWO_ENDPOINTS),
        is_quick=True,
    ),
    Cause(
        rule="rpc_all_down",
        how="both endpoints refuse connections",
        run=on_stage("rpc_all_down", _all_refuse, TWO_ENDPOINTS),
        also=frozenset({"rpc_down", "platform_unseen", "work_overdue", "lane_stalled"}),
    ),
    Cause(
        rule="rpc_disbelieved",
        how="one of two endpoints leads to another cluster",
        run=on_stage("rpc_disbelieved", _one_is_of_another_chain, TWO_ENDPOINTS),
        also=frozenset({"rpc_behind", "rpc_down"}),
    ),
)
