"""Price rows as a table for a terminal.

Edge.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keeper.price_rows import PriceRow, SourceWord, count_by_class
from keeper.prices.numerals import dollars
from keeper.prices.price import PriceClass

CLASS_STYLES: Final[Mapping[PriceClass, str]] = {
    PriceClass.VALID: "green",
    PriceClass.DEGRADED: "yellow",
    PriceClass.UNCERTAIN: "yellow",
    PriceClass.STALE: "red",
    PriceClass.HALTED: "bold red",
}
_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS
_MARKET_WIDTH_MAX: Final = 40


def price_table(rows: Sequence[PriceRow], *, rows_max: int | None = None) -> RenderableType:
    """Draw rows in the order given; what does not fit is counted by class.

    Args:
        rows: what is known of every token.
        rows_max: most table rows; None draws all.
    """
    shown = list(rows if rows_max is None else rows[: max(rows_max, 1)])
    sources = list(dict.fromkeys(word.source for row in rows for word in row.sources))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("market", max_width=_MARKET_WIDTH_MAX, no_wrap=True)
    for name in ("price", "± band"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("class", "from", "reason"):
        table.add_column(name, no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    for source in sources:
        table.add_column(str(source), justify="right", no_wrap=True)
    for row in shown:
        words = {word.source: word for word in row.sources}
        table.add_row(*_cells(row), *(_word(words.get(source)) for source in sources))
    left_out = rows[len(shown) :]
    if not left_out:
        return table
    counts = ", ".join(f"{count} {name}" for name, count in count_by_class(left_out).items())
    return Group(table, Text(f"and {len(left_out)} more: {counts}", style="dim"))


def age(age_ms: int) -> str:
    """Write an age: 320 ms, 4.1 s, 2:05 min."""
    if age_ms < _SECOND_MS:
        return f"{age_ms} ms"
    if age_ms < _MINUTE_MS:
        return f"{age_ms // _SECOND_MS}.{age_ms % _SECOND_MS // 100} s"
    return f"{age_ms // _MINUTE_MS}:{age_ms % _MINUTE_MS // _SECOND_MS:02d} min"


def _cells(row: PriceRow) -> list[Text]:
    name = Text(row.market or row.token_id[:12], overflow="ellipsis")
    if row.price_class is None or row.price_e6 is None:
        blank = Text("-", style="dim")
        return [
            name,
            blank,
            blank,
            Text("no price", style="bold red"),
            blank,
            Text(row.reason),
            blank,
        ]
    style = CLASS_STYLES[row.price_class]
    return [
        name,
        Text(dollars(row.price_e6)),
        Text(dollars(row.band_e6 or 0)),
        Text(row.price_class, style=style),
        Text(str(row.source)),
        Text("" if row.reason == "ok" else row.reason, style=style),
        Text(age(row.age_ms or 0)),
    ]


def _word(word: SourceWord | None) -> Text:
    """Write one source's last word; in brackets while it is not trusted."""
    if word is None:
        return Text("-", style="dim")
    said = word.reason if word.price_e6 is None else dollars(word.price_e6)
    text = f"{said} {age(word.age_ms)}"
    return Text(text) if word.is_trusted else Text(f"({text})", style="dim")
