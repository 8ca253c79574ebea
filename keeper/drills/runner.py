"""Drills one after the other: each on the clock it was written for, none left out.

Shell.
"""

from collections.abc import Callable, Sequence

import structlog
import trio

from keeper.drills.model import DrillResult
from keeper.drills.play import play_drill
from keeper.drills.scenario import Scenario
from keeper.drills.summary import unplayable
from keeper.errors import KeeperError
from programs.deploy import DeploymentFailed
from programs.localnet.listen import ListenError
from programs.rpc import RpcFailure

log = structlog.get_logger()

_FORESEEN = (KeeperError, ListenError, DeploymentFailed, RpcFailure, OSError)
"""What keeps a drill from being played, but none of the others."""


async def run_drills(
    scenarios: Sequence[Scenario],
    *,
    started: Callable[[Scenario], None],
    ended: Callable[[DrillResult], None],
) -> list[DrillResult]:
    """Play every scenario, telling of each as it starts and ends."""
    results: list[DrillResult] = []
    for scenario in scenarios:
        started(scenario)
        result = await _played(scenario)
        ended(result)
        results.append(result)
    return results


async def _played(scenario: Scenario) -> DrillResult:
    began_s = trio.current_time()
    reason = ""
    try:
        return await play_drill(scenario)
    except* _FORESEEN as group:
        reason = _sentence(group)
    return unplayable(scenario, reason, trio.current_time() - began_s)


def _sentence(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
