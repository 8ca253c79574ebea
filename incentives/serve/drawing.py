"""Figures of the ledger as points and lengths of a picture; the template makes SVG of them.

Core. Coordinates are SVG's: x to the right, y down, in the units of the view box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 240
_TICKS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve."""

    name: str
    points: str
    """As `<polyline points>` takes them."""
    last: int
    """The value at its right end, base units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line across the picture, and what it stands for."""

    y: float
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Curves over the same axis."""

    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    first: int
    last: int
    """What the ends of the x axis stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of several below each other, and the part of it that is done."""

    name: str
    value: int
    part: int
    """Of the value, what is done (paid)."""
    width_pct: float
    part_pct: float


def draw_lines(xs: Sequence[int], series: Sequence[tuple[str, Sequence[int]]]) -> LineChart | None:
    """Return curves that start at zero, one point per x; None where there is nothing to draw.

    Args:
        xs: ascending.
        series: names, and as many values as there are xs.
    """
    if not xs:
        return None
    top = max(1, *(value for _, values in series for value in values))
    span = max(1, xs[-1] - xs[0])
    lines = tuple(
        Line(
            name=name,
            points=" ".join(
                f"{(x - xs[0]) * WIDTH / span:.1f},{HEIGHT - value * HEIGHT / top:.1f}"
                for x, value in zip(xs, values, strict=True)
            ),
            last=values[-1],
        )
        for name, values in series
    )
    ticks = tuple(
        Tick(y=HEIGHT - HEIGHT * number / _TICKS, value=top * number // _TICKS)
        for number in range(_TICKS + 1)
    )
    return LineChart(lines=lines, ticks=ticks, first=xs[0], last=xs[-1])


def draw_bars(rows: Sequence[tuple[str, int, int]]) -> tuple[Bar, ...]:
    """Return a bar per row, the largest as wide as there is room.

    Args:
        rows: name, value, and the part of it that is done.
    """
    top = max([1, *(value for _, value, _ in rows)])
    return tuple(
        Bar(
            name=name,
            value=value,
            part=part,
            width_pct=100 * value / top,
            part_pct=100 * part / top,
        )
        for name, value, part in rows
    )
