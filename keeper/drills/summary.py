"""Results as JSON and as lines for a terminal.

Core.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from keeper.drills.model import DrillResult, PhaseName, Verdict
from keeper.drills.scenario import Scenario


def results_json(results: Sequence[DrillResult]) -> dict[str, Any]:
    """Return the one object that `keeper drill run --json` prints."""
    return {"drills": [_result_json(result) for result in results]}


def scenarios_json(scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """Return the one object that `keeper drill list --json` prints."""
    return {
        "drills": [
            {"name": each.name, "title": each.title, "is_virtual": each.is_virtual}
            for each in scenarios
        ]
    }


def result_lines(result: DrillResult) -> Iterator[str]:
    """Yield what a person is told of a drill: one line when it passed, what was missed when not."""
    verdict = "passed" if result.passed else "FAILED"
    yield (
        f"{verdict}  {result.name:<28} {result.took_s:5.1f} s   detected {_ms(result.detected_ms)}, "
        f"recovered {_ms(result.recovered_ms)}, {result.actions_landed} actions, {result.bad_price_actions} bad"
    )
    for missed in result.verdicts:
        if not missed.passed:
            yield f"        {missed.phase}: expected {missed.expected}; seen: {missed.seen}"


def closing_line(results: Sequence[DrillResult]) -> str:
    """Return the last line of a run."""
    passed = sum(result.passed for result in results)
    return f"{passed} of {len(results)} drills passed"


def unplayable(scenario: Scenario, reason: str, took_s: float) -> DrillResult:
    """Return the result of a drill whose world or keeper did not come up: it is failed, not left out."""
    verdict = Verdict(
        phase=PhaseName.BEFORE, expected="the drill can be run", seen=reason, passed=False
    )
    return DrillResult(
        name=scenario.name,
        title=scenario.title,
        is_virtual=scenario.is_virtual,
        slot_ms=scenario.settings.slot_ms,
        phases=(),
        verdicts=(verdict,),
        detected_ms=None,
        recovered_ms=None,
        actions_landed=0,
        actions_refused=0,
        truths=(),
        heard=(),
        beliefs=(),
        actions=(),
        notices=(),
        alarms=(),
        took_s=took_s,
    )


def _result_json(result: DrillResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "title": result.title,
        "passed": result.passed,
        "is_virtual": result.is_virtual,
        "slot_ms": result.slot_ms,
        "detected_ms": result.detected_ms,
        "recovered_ms": result.recovered_ms,
        "actions_landed": result.actions_landed,
        "actions_refused": result.actions_refused,
        "bad_price_actions": result.bad_price_actions,
        "bad": [action.bad for action in result.actions if action.bad is not None],
        "expectations": [
            {
                "phase": verdict.phase,
                "expected": verdict.expected,
                "seen": verdict.seen,
                "passed": verdict.passed,
            }
            for verdict in result.verdicts
        ],
        "alarms": [
            {
                "rule": alarm.rule,
                "labels": dict(alarm.labels),
                "fired_s": round(alarm.fired_s, 3),
                "resolved_s": None if alarm.resolved_s is None else round(alarm.resolved_s, 3),
            }
            for alarm in result.alarms
        ],
        "took_s": round(result.took_s, 3),
    }


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value} ms"
