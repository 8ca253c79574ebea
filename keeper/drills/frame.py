"""What every page of a report shares: its head, tables, lists of facts.

Core.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.drills.markup import Markup, joined, tag
from keeper.drills.scales import span

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A browser is told to load nothing at all: what a page shows is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    class_: str | None = None


def document(title: str, style: str, *body: str) -> str:
    """Return a whole page.

    Args:
        title: of the window.
        style: the sheet, which is ours.
        body: its elements.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", content=_POLICY, http_equiv="Content-Security-Policy"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', *body), lang='en')}\n"


def table(
    columns: Sequence[Column],
    rows: Sequence[tuple[str | None, Sequence[str]]],
    *,
    caption: str,
    class_: str | None = None,
) -> Markup:
    """Return a table in a frame that a narrow screen scrolls.

    Args:
        columns: headings.
        rows: a CSS class or None, and the cells.
        caption: what it lists.
        class_: of the table.
    """
    heads = [tag("th", each.name, scope="col", class_=each.class_) for each in columns]
    lines = [
        tag(
            "tr",
            *(
                tag("td", cell, class_=column.class_, data_name=column.name)
                for column, cell in zip(columns, cells, strict=True)
            ),
            class_=row_class,
        )
        for row_class, cells in rows
    ]
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *heads)),
        tag("tbody", joined(lines, "\n")),
        class_=class_,
    )
    return tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def facts(pairs: Sequence[tuple[str, str, bool]]) -> Markup:
    """Return names and figures as tiles; the flag raises the alarm of one."""
    tiles = [
        tag("div", tag("dt", name), tag("dd", value), class_="alarm" if is_alarming else None)
        for name, value, is_alarming in pairs
    ]
    return tag("dl", *tiles, class_="facts")


def badge(*, has_passed: bool) -> Markup:
    """Say in a word how it ended."""
    if has_passed:
        return tag("span", "✓ passed", class_="badge")
    return tag("span", "✗ FAILED", class_="badge failed")


def span_or(length_ms: int | None, without: str) -> str:
    """Write a length of time, or what it means that there is none."""
    return without if length_ms is None else span(length_ms)


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
