"""Stress runs one after the other: each wants the machine for itself.

Shell.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import trio

from keeper.errors import KeeperError
from keeper.stress.model import StressResult
from keeper.stress.play import play_stress
from keeper.stress.scenario import Scenario
from programs.deploy import DeploymentFailed
from programs.localnet.listen import ListenError
from programs.rpc import RpcFailure

_FORESEEN: Final = (KeeperError, ListenError, DeploymentFailed, RpcFailure, OSError)
"""What keeps a run from being played, but none of the others."""


async def run_stress(
    scenarios: Sequence[Scenario],
    scale: float,
    *,
    tell: Callable[[Scenario, str], None],
    ended: Callable[[StressResult], None],
) -> list[StressResult]:
    """Play every scenario, telling of each act as it begins; the results are in the order of the scenarios."""
    results = []
    for scenario in scenarios:
        result = await _played(scenario, scale, partial(tell, scenario))
        ended(result)
        results.append(result)
    return results


async def _played(scenario: Scenario, scale: float, tell: Callable[[str], None]) -> StressResult:
    began_s = trio.current_time()
    reason = ""
    try:
        return await play_stress(scenario, scale, tell)
    except* _FORESEEN as group:
        reason = _sentence(group)
    return StressResult(
        name=scenario.name,
        title=scenario.title,
        scale=scale,
        load=scenario.settings(scale).load,
        phases=(),
        verdicts=(),
        measures=(),
        curves=(),
        took_s=trio.current_time() - began_s,
        reason=reason,
    )


def _sentence(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
