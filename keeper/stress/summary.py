"""Results of stress runs as JSON and as lines for a terminal.

Core.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from keeper.stress.model import StressResult, written


def results_json(results: Sequence[StressResult]) -> dict[str, Any]:
    """Return the one object that `keeper stress run --json` prints."""
    return {"scenarios": [_result_json(result) for result in results]}


def result_lines(result: StressResult) -> Iterator[str]:
    """Yield what a person is told of a run: its verdicts, then its figures."""
    word = "passed" if result.passed else "FAILED"
    yield f"{word}  {result.name} at scale {result.scale:g} in {result.took_s:.0f} s: {result.load}"
    if result.reason:
        yield f"        {result.reason}"
    for verdict in result.verdicts:
        yield f"    {'ok' if verdict.passed else 'NO'}  {verdict.expected}: {verdict.seen}"
    for measure in result.measures:
        yield f"        {measure.name}: {written(measure.value)} {measure.unit}".rstrip()
    if not result.reason:
        yield f"        alarms that fired: {', '.join(result.alarms) or 'none'}"


def closing_line(results: Sequence[StressResult]) -> str:
    """Say how many passed."""
    passed = sum(result.passed for result in results)
    failed = [result.name for result in results if not result.passed]
    more = f"; failed: {', '.join(failed)}" if failed else ""
    return f"{passed} of {len(results)} scenarios passed{more}"


def _result_json(result: StressResult) -> dict[str, Any]:
    told = asdict(result)
    return {"name": told.pop("name"), "passed": result.passed, **told}
