"""A drill on the virtual clock: sockets in memory, time that jumps, the keeper as a task of the same loop.

Shell. The venue, the network, the proxies, the keeper and every byte between them are those of a drill on real sockets. What
follows from the seed is everything: the same seed gives the same actions, bit for bit, in a process made repeatable.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import trio
from solders.keypair import Keypair

from keeper.drills.alarms import DrillMonitor
from keeper.drills.attempts import AttemptsRead, attempts_in
from keeper.drills.keeper_task import KeeperTask
from keeper.drills.machine import Machine
from keeper.drills.memory_net import MemoryNet
from keeper.drills.model import DrillResult
from keeper.drills.play import play_drill
from keeper.drills.repeatable import make_repeatable
from keeper.drills.scenario import Scenario
from keeper.drills.virtual_clock import VirtualClock, pass_time
from state.in_loop import InLoopStores

_EPOCH_MS: Final = 1_782_000_000_000
"""When virtual time begins, Unix milliseconds: a Sunday in June 2026, so that every time looks like one."""
_PLAY_TIMEOUT_S: Final = 30 * 86_400.0
"""Virtual: a script that waits for ever ends for nothing."""


def play_to_end(scenario: Scenario, *, seed: int) -> DrillResult:
    """Play one drill in a loop of its own, from here to its verdict; for a process that does nothing else.

    Raises:
        DrillError: the world or the keeper did not come up, or the script did not end; alone or in a group.
    """
    make_repeatable(seed)
    clock = VirtualClock()
    return trio.run(_play, scenario, seed, clock, clock=clock)


async def _play(scenario: Scenario, seed: int, clock: VirtualClock) -> DrillResult:
    stores = InLoopStores()
    with MemoryNet().plugged_in():
        async with trio.open_nursery() as nursery:
            await nursery.start(pass_time, clock)
            result = await play_drill(scenario, virtual_machine(seed, stores))
            nursery.cancel_scope.cancel(reason="the drill is over")
    stores.close()
    return result


def virtual_machine(seed: int, stores: InLoopStores) -> Machine:
    """Return the machine that a seed makes; its disk is the memory of `stores`."""
    keeper = sha256(f"drill {seed}".encode()).digest()
    return Machine(
        wall_ms=_wall_ms,
        genesis_seed=seed,
        keeper=Keypair.from_seed(keeper),
        make_keeper=_TaskMaker(stores=stores),
        read_attempts=_AttemptsReader(stores=stores),
        play_timeout_s=_PLAY_TIMEOUT_S,
        is_virtual=True,
    )


def _wall_ms() -> int:
    return _EPOCH_MS + round(trio.current_time() * 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskMaker:
    stores: InLoopStores

    def __call__(self, *, config: Path, recording: Path, monitor: DrillMonitor) -> KeeperTask:
        return KeeperTask(
            config=config,
            recording=recording,
            monitor=monitor,
            wall_ms=_wall_ms,
            stores=self.stores,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _AttemptsReader:
    stores: InLoopStores

    def __call__(self, _folder: Path) -> AttemptsRead:
        return attempts_in(self.stores.databases)
