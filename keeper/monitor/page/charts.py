"""Curves as SVG paths, and what they say in words for those who cannot see them.

Core. A picture is a column for each step of time by 100, and stretched to its place; text stands outside of it, as HTML.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from keeper.monitor.page import words
from keeper.monitor.page.history import COLUMN_S, LANES, History, Span

HEIGHT: Final = 100
SPAN_WORDS: Final = {"hour": "the last hour", "day": "the last day"}
_LAMPORTS_PER_SOL: Final = 1e9
_ROUND: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A line that matters."""

    value: float
    words: str
    """What it means to be beyond it."""
    y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve of a chart."""

    name: str
    path: str
    now: str
    low: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Curves over the same axes."""

    id: str
    title: str
    width: int
    """How many columns."""
    lines: tuple[Line, ...]
    thresholds: tuple[Threshold, ...]
    top: str
    bottom: str
    start: str
    """When the picture begins."""
    summary: str
    """The same in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a chart shows."""

    id: str
    title: str
    curves: tuple[tuple[str, str], ...]
    """Names, here and in the history."""
    write: Callable[[float | None], str]
    thresholds: tuple[Threshold, ...] = ()
    ceiling: float | None = None
    """More is drawn at the top: a coverage of 1,000 would flatten what matters."""
    least: float = 0.0
    """The axis reaches at least so high."""


_PLANS: Final = (
    _Plan(
        id="coverage",
        title="Coverage",
        curves=(("coverage", "coverage"),),
        write=words.ratio,
        thresholds=(
            Threshold(value=0.5, words="critical below 0.5"),
            Threshold(value=1.0, words="warning below 1"),
        ),
        ceiling=3.0,
        least=1.2,
    ),
    _Plan(
        id="vault",
        title="Vault, quote units",
        curves=(("equity", "equity"), ("not lent", "cash")),
        write=words.amount,
    ),
    _Plan(
        id="open-interest",
        title="Open interest, quote units",
        curves=(("all markets", "open_interest"),),
        write=words.amount,
    ),
    _Plan(
        id="prices-usable",
        title="Prices that may be acted on",
        curves=(("valid or degraded", "usable"),),
        write=words.share,
        least=1.0,
    ),
    _Plan(
        id="oldest-due",
        title="Oldest due work",
        curves=tuple((lane, f"oldest_due.{lane}") for lane in LANES),
        write=words.length,
        least=1.0,
    ),
    _Plan(
        id="latency",
        title="From due to landed, 99 of 100",
        curves=tuple((lane, f"p99.{lane}") for lane in LANES),
        write=words.length,
        least=1.0,
    ),
    _Plan(
        id="throughput",
        title="Per second",
        curves=(("jobs landed", "landed_per_s"), ("events on chain", "events_per_s")),
        write=words.rate,
        least=1.0,
    ),
    _Plan(
        id="price-age",
        title="Age of prices, 99 of 100",
        curves=(("age", "price_age"),),
        write=words.length,
        least=1.0,
    ),
    _Plan(
        id="loop-lag",
        title="Event loop lag",
        curves=(("worst delay", "loop_lag"),),
        write=words.latency,
        least=0.01,
    ),
    _Plan(
        id="rpc-lag",
        title="RPC lag, slots",
        curves=(("worst endpoint", "rpc_lag"),),
        write=words.count,
        thresholds=(Threshold(value=50, words="warning above 50"),),
        least=10.0,
    ),
    _Plan(
        id="spend",
        title="Spent within the hour",
        curves=(("all lanes", "spend_hour"),),
        write=words.sol,
    ),
)


def charts(history: History, span: Span) -> tuple[Chart, ...]:
    """Draw the charts of which anything is known."""
    end_s = history.end_wall_s(span)
    if end_s is None:
        return ()
    drawn = (_draw(plan, history, span, end_s) for plan in _PLANS)
    return tuple(chart for chart in drawn if chart is not None)


def _draw(plan: _Plan, history: History, span: Span, end_s: float) -> Chart | None:
    columns = history.columns(span)
    found = [
        (name, values)
        for name, key in plan.curves
        if not np.isnan(values := history.curve(key, span)[-columns:]).all()
    ]
    if not found:
        return None
    highest = max(float(np.nanmax(values)) for _name, values in found)
    if plan.ceiling is not None:
        highest = min(highest, plan.ceiling)
    top = _above(max(highest, plan.least))
    lines = tuple(
        Line(
            name=name,
            path=path(values, top),
            now=plan.write(_newest(values)),
            low=plan.write(float(np.nanmin(values))),
            high=plan.write(float(np.nanmax(values))),
        )
        for name, values in found
    )
    said = "; ".join(
        f"{line.name} now {line.now}, lowest {line.low}, highest {line.high}" for line in lines
    )
    return Chart(
        id=plan.id,
        title=plan.title,
        width=columns - 1,
        lines=lines,
        thresholds=tuple(
            Threshold(value=each.value, words=each.words, y=HEIGHT * (1 - each.value / top))
            for each in plan.thresholds
            if each.value < top
        ),
        top=plan.write(top),
        bottom=plan.write(0.0),
        start=words.clock(end_s - columns * COLUMN_S[span]).removesuffix(" UTC")[:5],
        summary=f"{plan.title} over {SPAN_WORDS[span]}: {said}.",
    )


def path(values: NDArray[np.float64], top: float) -> str:
    """Return the `d` of an SVG path from the left edge; where nothing is known it is lifted.

    Relative whole steps: a curve of an hour is less than two kilobytes.
    """
    steps: list[str] = []
    places = [
        None if math.isnan(value) else round(HEIGHT * (1 - min(max(value / top, 0.0), 1.0)))
        for value in values.tolist()
    ]
    before: int | None = None
    flat = 0
    for x, y in enumerate(places):
        if before is not None and y == before:
            flat += 1
            continue
        if flat:
            steps.append(f"h{flat}")
            flat = 0
        if y is not None:
            # A step of no length, for with round ends it is a dot: one column between two gaps can be seen.
            steps.append(f"M{x} {y}h0" if before is None else f"l1 {y - before}")
        before = y
    if flat:
        steps.append(f"h{flat}")
    return "".join(steps)


def _newest(values: NDArray[np.float64]) -> float | None:
    newest = float(values[-1])
    if math.isnan(newest):  # the newest column may only just have begun
        newest = float(values[-2])
    return None if math.isnan(newest) else newest


def _above(value: float) -> float:
    """Return the next round number."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in _ROUND if step * power >= value)
