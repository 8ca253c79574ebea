"""Drills in two queues: those on real sockets, two at once, and beside them those on the virtual clock; none left out.

Shell. A virtual drill computes all the time and waits for nothing; its process lets those on real sockets go first.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

import structlog
import trio

from keeper.drills.model import DrillResult
from keeper.drills.play import play_drill
from keeper.drills.scenario import Scenario
from keeper.drills.summary import unplayable
from keeper.drills.virtual_run import play_in_process
from keeper.errors import KeeperError
from programs.deploy import DeploymentFailed
from programs.localnet.listen import ListenError
from programs.rpc import RpcFailure

log = structlog.get_logger()

_REAL_AT_ONCE: Final = 2
"""A drill on real sockets waits more than it computes: two of them keep one core and a half busy."""
_FORESEEN: Final = (KeeperError, ListenError, DeploymentFailed, RpcFailure, OSError)
"""What keeps a drill from being played, but none of the others."""


async def run_drills(
    scenarios: Sequence[Scenario],
    *,
    started: Callable[[Scenario], None],
    ended: Callable[[DrillResult], None],
) -> list[DrillResult]:
    """Play every scenario, telling of each as it starts and ends; the results are in the order of the scenarios."""
    results: dict[str, DrillResult] = {}

    async def play_all(queue: Iterator[Scenario]) -> None:
        for scenario in queue:
            started(scenario)
            results[scenario.name] = await _played(scenario)
            ended(results[scenario.name])

    virtual = iter([each for each in scenarios if each.is_virtual])
    real = iter([each for each in scenarios if not each.is_virtual])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(play_all, virtual)
        for _ in range(_REAL_AT_ONCE):
            # Done with theirs, they take from what is left of the others.
            nursery.start_soon(play_all, chain(real, virtual))
    return [results[scenario.name] for scenario in scenarios]


async def _played(scenario: Scenario) -> DrillResult:
    began_s = trio.current_time()
    reason = ""
    try:
        return await (play_in_process if scenario.is_virtual else play_drill)(scenario)
    except* _FORESEEN as group:
        reason = _sentence(group)
    return unplayable(scenario, reason, trio.current_time() - began_s)


def _sentence(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
