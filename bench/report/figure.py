"""A figure of a benchmark: several runs, what it should be, and what stands beside it, measured in the same run.

Every benchmark ends with `tell(NAME, figures, as_json=...)`: one JSON object, or a table. `python -m bench` collects those
objects into a page and into docs/performance.md; nobody types a figure.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

_DIGITS: Final = 3
"""Significant ones that a table shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a figure is held against: another way to do the same, or the least that the machine needs for it."""

    name: str
    """What was measured, in a few words: `one action per transaction`, `copying the same bytes`."""
    value: float
    """In the figure's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What somebody said that it should be."""

    value: float
    """In the figure's unit."""
    is_most: bool = True
    """False: the figure should be at least as large."""
    source: str = ""
    """Who said so: `origin`, or the issue's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure."""

    name: str
    """What was done, with its sizes: `scan of 1,000,000 positions`. Unique within a benchmark."""
    unit: str
    """`s`, `ms`, `µs`, `1/s`, `bytes`, `MB/s`, `CU`, `slots`, `%`, or `` for a ratio."""
    runs: tuple[float, ...]
    """One value each run, at least one."""
    goal: Goal | None = None
    baseline: Beside | None = None
    limit: Beside | None = None
    claim: str = ""
    """The key of the claim of `bench/report/claims.py` that it is about; empty: none."""

    def __post_init__(self) -> None:
        """Refuse a figure that nobody measured."""
        assert self.runs, f"{self.name}: no run"

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """Largest less smallest run, as a share of the median; 0 with a single run."""
        return (max(self.runs) - min(self.runs)) / self.value if self.value else 0.0

    @property
    def is_met(self) -> bool | None:
        """Whether the median is as good as the goal; None without a goal."""
        if self.goal is None:
            return None
        return self.value <= self.goal.value if self.goal.is_most else self.value >= self.goal.value


def tell(name: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print a benchmark's figures: one JSON object on one line, or a line each."""
    if as_json:
        told = [{**asdict(one), "value": one.value, "is_met": one.is_met} for one in figures]
        print(json.dumps({"benchmark": name, "figures": told}))
        return
    for one in figures:
        print(line_of(one))


def line_of(figure: Figure) -> str:
    """Return a figure as a line for people."""
    parts = [f"{figure.name}: {_number(figure.value)} {figure.unit}".rstrip()]
    if len(figure.runs) > 1:
        parts.append(f"±{figure.spread:.0%} of {len(figure.runs)} runs")
    if figure.goal is not None:
        bound = "at most" if figure.goal.is_most else "at least"
        met = "met" if figure.is_met else "MISSED"
        parts.append(f"goal {bound} {_number(figure.goal.value)}: {met}")
    parts += [
        f"{kind} {_number(beside.value)} ({beside.name})"
        for kind, beside in (("baseline", figure.baseline), ("limit", figure.limit))
        if beside is not None
    ]
    return "; ".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10**_DIGITS else f"{value:.{_DIGITS}g}"
