"""The report of a run of drills, on disk: a page of all, a page of each, and every figure as JSON.

Edge. The pages load nothing and run nothing: they can be mailed, printed, and read in ten years.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from keeper.drills.drill_page import drill_page
from keeper.drills.index_page import index_page
from keeper.drills.model import DrillResult
from keeper.errors import ReportError

INDEX: Final = "index.html"
RESULTS: Final = "results.json"
_STYLE: Final = Path(__file__).with_name("report.css")


def write_report(results: Sequence[DrillResult], folder: Path) -> Path:
    """Write the report into a folder, which is made when missing; what is failed comes first.

    Args:
        results: the drills, in the order in which they ran.
        folder: where to; an earlier report in it is overwritten.

    Returns:
        The page to open.

    Raises:
        ReportError: it cannot be written.
    """
    # Sorting is stable: within the failed and the passed ones the order stays.
    ordered = sorted(results, key=lambda result: result.passed)
    files = _files(ordered)
    style = _STYLE.read_text()
    named = list(zip(files, ordered, strict=True))
    pages = {INDEX: index_page(named, style)}
    for at, (file, result) in enumerate(named):
        pages[file] = drill_page(
            result,
            style,
            before=_link(named[at - 1]) if at > 0 else None,
            after=_link(named[at + 1]) if at + 1 < len(named) else None,
        )
    pages[RESULTS] = _everything(results)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in pages.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"the drills have run, but their report cannot be written to {folder} ({error.strerror}): "
            "name another folder with --report"
        ) from error
    return folder / INDEX


def _everything(results: Sequence[DrillResult]) -> str:
    """Write all that is left of the drills as one JSON object, a drill a line."""
    lines = ",\n".join(
        json.dumps(
            {"name": each.name, "passed": each.passed, "bad_price_actions": each.bad_price_actions}
            | asdict(each)
        )
        for each in results
    )
    return f'{{"drills": [\n{lines}\n]}}\n'


def _link(named: tuple[str, DrillResult]) -> tuple[str, str]:
    return named[0], named[1].name


def _files(results: Sequence[DrillResult]) -> list[str]:
    """Name each drill's page after it; a drill that ran twice gets a number."""
    taken = {INDEX}
    files = []
    for result in results:
        stem = re.sub(r"[^a-z0-9]+", "-", result.name.lower()).strip("-") or "drill"
        number, file = 1, f"{stem}.html"
        while file in taken:
            number += 1
            file = f"{stem}-{number}.html"
        taken.add(file)
        files.append(file)
    return files
