"""The page of one drill: how it ended, its pictures, the verdict per expectation, what an operator would have seen.

Core.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from keeper.drills.frame import Column, badge, count, document, facts, span_or, table
from keeper.drills.lanes import flags
from keeper.drills.legend import legend
from keeper.drills.markup import Markup, joined, tag
from keeper.drills.model import DrillResult, Verdict
from keeper.drills.scales import clock
from keeper.drills.story import Row, Story, rows, stories
from keeper.drills.timeline import timeline

_MARKETS_DRAWN_MOST: Final = 8
_ROWS_MOST: Final = 240
"""On a page, all tables together."""
_NOTICES_MOST: Final = 300
_WRONG_MOST: Final = 50
_ROW_COLUMNS: Final = (
    Column(name="time", class_="word"),
    Column(name="what", class_="word"),
    Column(name="price", class_="count"),
    Column(name="band", class_="count"),
    Column(name="class", class_="word"),
    Column(name="source", class_="word"),
    Column(name="reason", class_="text"),
)
_VERDICT_COLUMNS: Final = (
    Column(name="", class_="word"),
    Column(name="phase", class_="word"),
    Column(name="expected", class_="text"),
    Column(name="seen", class_="text"),
)
_NOTICE_COLUMNS: Final = (
    Column(name="time", class_="word"),
    Column(name="level", class_="word"),
    Column(name="event", class_="word"),
    Column(name="text", class_="text"),
)


def drill_page(
    result: DrillResult,
    style: str,
    *,
    before: tuple[str, str] | None,
    after: tuple[str, str] | None,
) -> str:
    """Return the whole page.

    Args:
        result: the drill.
        style: the sheet.
        before: file and name of the drill before it, if any.
        after: of the one after it.
    """
    told = stories(result)
    return document(
        f"{result.name}: {'passed' if result.passed else 'FAILED'}",
        style,
        _way(before, after),
        tag("header", tag("h1", result.name, " ", badge(has_passed=result.passed)), _lead(result)),
        tag(
            "main",
            _figures(result),
            tag("section", tag("h2", "What happened"), *_pictures(told)),
            tag("section", tag("h2", "What was expected"), _verdicts(result)),
            tag("section", tag("h2", "What an operator would have seen"), _notices(result)),
        ),
    )


def _way(before: tuple[str, str] | None, after: tuple[str, str] | None) -> Markup:
    links = [tag("a", "All drills", href="index.html")]
    if before is not None:
        links.append(tag("a", f"← {before[1]}", href=before[0], rel="prev"))
    if after is not None:
        links.append(tag("a", f"{after[1]} →", href=after[0], rel="next"))
    return tag("nav", *links, aria_label="Drills")


def _lead(result: DrillResult) -> Markup:
    ground = (
        "on a virtual clock, with transports in memory that pass the same bytes"
        if result.is_virtual
        else "on real sockets"
    )
    return joined(
        [
            tag("p", result.title),
            tag(
                "p",
                f"Ran {ground}, slots of {result.slot_ms} ms; took {clock(round(result.took_s, 1))} of real time.",
                class_="quiet",
            ),
        ]
    )


def _figures(result: DrillResult) -> Markup:
    missed = sum(not each.passed for each in result.verdicts)
    met = len(result.verdicts) - missed
    return facts(
        [
            ("expectations met", f"{met} of {len(result.verdicts)}", missed > 0),
            ("noticed after", span_or(result.detected_ms, "never shows"), False),
            ("acted again after", span_or(result.recovered_ms, "no return"), False),
            ("actions landed", f"{result.actions_landed:,}", False),
            ("actions refused", f"{result.actions_refused:,}", False),
            ("on a bad price", f"{result.bad_price_actions:,}", result.bad_price_actions > 0),
        ]
    )


def _pictures(told: tuple[Story, ...]) -> Iterator[Markup]:
    if not told:
        yield tag("p", "Nothing was recorded: no price, no belief, no action.")
    drawn = told[:_MARKETS_DRAWN_MOST]
    for index, story in enumerate(drawn):
        # What one picture may weigh, all of them share.
        coarse = replace(story, column_px=len(drawn))
        yield _picture(coarse, f"m{index}", _ROWS_MOST // len(drawn))
    if len(told) > _MARKETS_DRAWN_MOST:
        yield tag(
            "p",
            f"{count(len(told) - _MARKETS_DRAWN_MOST, 'more market')}, where less happened: see results.json.",
        )


def _picture(story: Story, id_: str, rows_most: int) -> Markup:
    listed, left_out = rows(story, rows_most)
    caption = f"Market {story.market}: truth, beliefs and actions in order"
    if left_out:
        caption += f"; {left_out:,} more, evenly left out here, are in results.json"
    drawn = tag(
        "div",
        timeline(story, f"Market {story.market}", id_),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=f"Picture of market {story.market}",
    )
    return joined(
        [
            tag("h3", "Market ", tag("code", story.market)),
            _wrong(story),
            tag("figure", drawn, tag("figcaption", legend(story))),
            tag(
                "details",
                tag("summary", "The same as a table"),
                table(
                    _ROW_COLUMNS,
                    [("bad" if each.is_bad else None, _cells(each)) for each in listed],
                    caption=caption,
                ),
            ),
        ]
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (row.at, row.what, row.price, row.band, row.price_class, row.source, row.reason)


def _wrong(story: Story) -> Markup:
    """Say of each flag on the picture what was done wrong there."""
    lines = [
        tag(
            "li",
            tag("b", f"{flag}"),
            f" at {clock(action.at_s)}, slot {action.slot}: {action.kind} on a bad price: {action.bad}. ",
            tag("code", action.signature),
        )
        for flag, together in enumerate(flags(story), start=1)
        for action in together
    ]
    if not lines:
        return Markup("")
    if len(lines) > _WRONG_MOST:
        more = tag("li", f"{len(lines) - _WRONG_MOST:,} more: see results.json.")
        lines = [*lines[:_WRONG_MOST], more]
    return tag("ul", *lines, class_="wrong")


def _verdicts(result: DrillResult) -> Markup:
    if not result.verdicts:
        return tag("p", "Nothing was expected of it.")
    return table(
        _VERDICT_COLUMNS,
        [
            (
                None if each.passed else "failed",
                (_mark(each), each.phase.value, each.expected, each.seen),
            )
            for each in result.verdicts
        ],
        caption="Every expectation, beside what was seen",
    )


def _mark(verdict: Verdict) -> Markup:
    if verdict.passed:
        return tag("span", "✓ met", class_="mark met")
    return tag("span", "✗ missed", class_="mark missed")


def _notices(result: DrillResult) -> Markup:
    if not result.notices:
        return tag("p", "Nothing: the log said nothing at info and above.")
    caption = "The keeper's log at info and above"
    if len(result.notices) > _NOTICES_MOST:
        caption += f": the first {_NOTICES_MOST} lines of {len(result.notices):,}, the others are in results.json"
    return table(
        _NOTICE_COLUMNS,
        [
            (
                None,
                (
                    clock(each.at_s),
                    tag("span", each.level, class_=f"level-{each.level}"),
                    tag("code", each.event),
                    each.text,
                ),
            )
            for each in result.notices[:_NOTICES_MOST]
        ],
        caption=caption,
    )
