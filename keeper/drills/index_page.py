"""The page of all drills: which passed, what each took to notice and to recover, and the class of its prices at a glance.

Core.
"""

from collections.abc import Sequence
from typing import Final

from keeper.drills.frame import badge, count, document, facts, span_or
from keeper.drills.markup import Markup, joined, tag
from keeper.drills.model import DrillResult
from keeper.drills.scales import clock
from keeper.drills.story import in_words, stories
from keeper.drills.strip import strip

_HEADINGS: Final = (
    ("drill", None),
    ("ended", None),
    ("class of the price over time", None),
    ("noticed after", "count"),
    ("acted again after", "count"),
    ("landed", "count"),
    ("refused", "count"),
    ("on a bad price", "count"),
)


def index_page(results: Sequence[tuple[str, DrillResult]], style: str) -> str:
    """Return the whole page.

    Args:
        results: file of the drill's page, and the drill.
        style: the sheet.
    """
    failed = sum(not each.passed for _, each in results)
    return document(
        f"Outage drills: {count(failed, 'failure') if failed else 'all passed'}",
        style,
        tag("header", tag("h1", "Outage drills ", badge(has_passed=not failed)), _figures(results)),
        tag("main", _list(results), _note()),
    )


def _figures(results: Sequence[tuple[str, DrillResult]]) -> Markup:
    drills = [each for _, each in results]
    failed = sum(not each.passed for each in drills)
    bad = sum(each.bad_price_actions for each in drills)
    missed = sum(not verdict.passed for each in drills for verdict in each.verdicts)
    return facts(
        [
            ("drills passed", f"{len(drills) - failed} of {len(drills)}", failed > 0),
            (
                "expectations missed",
                f"{missed} of {sum(len(each.verdicts) for each in drills)}",
                missed > 0,
            ),
            ("actions landed", f"{sum(each.actions_landed for each in drills):,}", False),
            ("actions refused", f"{sum(each.actions_refused for each in drills):,}", False),
            ("on a bad price", f"{bad:,}", bad > 0),
            ("took", clock(round(sum(each.took_s for each in drills), 1)), False),
        ]
    )


def _list(results: Sequence[tuple[str, DrillResult]]) -> Markup:
    heads = [tag("th", name, scope="col", class_=class_) for name, class_ in _HEADINGS]
    lines = [_line(file, result, f"d{number}") for number, (file, result) in enumerate(results)]
    return tag(
        "table",
        tag("thead", tag("tr", *heads)),
        tag("tbody", joined(lines, "\n")),
        class_="drills",
    )


def _line(file: str, result: DrillResult, id_: str) -> Markup:
    told = stories(result)
    words = f"{result.name}: {in_words(told[0]) if told else 'nothing was recorded'}"
    cells = (
        ("noticed after", span_or(result.detected_ms, "never shows")),
        ("acted again after", span_or(result.recovered_ms, "no return")),
        ("landed", f"{result.actions_landed:,}"),
        ("refused", f"{result.actions_refused:,}"),
        ("on a bad price", f"{result.bad_price_actions:,}"),
    )
    return tag(
        "tr",
        tag("th", tag("a", result.name, href=file), tag("small", result.title), scope="row"),
        tag("td", badge(has_passed=result.passed)),
        tag("td", strip(told[0] if told else None, words, id_)),
        *(tag("td", value, class_="count", data_name=name) for name, value in cells),
        class_=None if result.passed else "failed",
    )


def _note() -> Markup:
    return joined(
        [
            tag(
                "p",
                "Whether an action was right is judged from the chain against the script of the drill, never from what "
                "the keeper said. A strip is the market where most went wrong, else where most happened; the line "
                "above it marks when something was broken.",
                class_="quiet",
            ),
            tag(
                "p",
                tag("a", "results.json", href="results.json"),
                " has every figure of every page.",
            ),
        ]
    )
