"""The report of stress runs, on disk: one page, and every figure as JSON.

Edge. The page loads nothing and runs nothing: it can be mailed, printed, and read in ten years.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from keeper.drills.frame import Column, badge, document, facts, table
from keeper.drills.markup import Markup, joined, tag
from keeper.drills.scales import clock
from keeper.errors import ReportError
from keeper.stress.model import StressResult, written
from keeper.stress.plot import plot
from keeper.stress.summary import results_json

INDEX: Final = "index.html"
RESULTS: Final = "results.json"
_STYLE: Final = Path(__file__).parents[1] / "drills" / "report.css"
_VERDICTS: Final = (Column(name=""), Column(name="stated before"), Column(name="seen"))
_MEASURES: Final = (
    Column(name="figure"),
    Column(name="value", class_="count"),
    Column(name="unit"),
)


def write_report(results: Sequence[StressResult], folder: Path) -> Path:
    """Write the report into a folder, which is made when missing.

    Returns:
        The page to open.

    Raises:
        ReportError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / INDEX).write_text(page(results, _STYLE.read_text()), encoding="utf-8")
        (folder / RESULTS).write_text(json.dumps(results_json(results), indent=1) + "\n")
    except OSError as error:
        raise ReportError(
            f"the stress runs are over, but their report cannot be written to {folder} ({error.strerror}): "
            "name another folder with --report"
        ) from error
    return folder / INDEX


def page(results: Sequence[StressResult], style: str) -> str:
    """Return the page of all runs."""
    passed = sum(result.passed for result in results)
    missed = sum(not verdict.passed for result in results for verdict in result.verdicts)
    return document(
        "Stress runs",
        style,
        tag("h1", "Stress runs"),
        facts(
            [
                ("runs passed", f"{passed} of {len(results)}", passed < len(results)),
                ("verdicts missed", f"{missed}", missed > 0),
                ("took", clock(round(sum(result.took_s for result in results), 1)), False),
            ]
        ),
        tag(
            "p",
            "The real keeper, program and network; what landed is read from the chain, never from what the keeper said.",
            class_="quiet",
        ),
        joined([_run(result) for result in results]),
        tag("p", tag("a", RESULTS, href=RESULTS), " has every figure of this page."),
    )


def _run(result: StressResult) -> Markup:
    verdicts = [
        (
            None if verdict.passed else "bad",
            (
                tag(
                    "span",
                    "✓" if verdict.passed else "✗ missed",
                    class_="mark met" if verdict.passed else "mark missed",
                ),
                verdict.expected,
                verdict.seen,
            ),
        )
        for verdict in result.verdicts
    ]
    measures = [
        (
            None,
            (measure.name, written(measure.value), measure.unit),
        )
        for measure in result.measures
    ]
    return tag(
        "section",
        tag("h2", result.name, " ", badge(has_passed=result.passed)),
        tag("p", f"At scale {result.scale:g}: {result.load}."),
        tag("p", result.reason, class_="wrong")
        if result.reason
        else tag("p", f"Alarms that fired: {', '.join(result.alarms) or 'none'}.", class_="quiet"),
        *(plot(curve, result.phases) for curve in result.curves),
        table(_VERDICTS, verdicts, caption=f"What was stated of {result.name}, and what was seen"),
        table(_MEASURES, measures, caption=f"Figures of {result.name}"),
    )
