"""Two ways of doing the same, timed by turns, so that whatever else the machine does hits both alike."""

import statistics
import time
from collections.abc import Callable, Mapping

from bench.report.figure import Beside, Figure, Goal

Way = Callable[[], object]
_UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6}


def by_turns(
    ways: Mapping[str, Way],
    runs: int,
    calls: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, tuple[float, ...]]:
    """Return the seconds a call took, of every run, by way.

    Args:
        ways: what to time; each is called once beforehand.
        runs: how often each has its turn.
        calls: how often it is called in a turn.
        clock: processor time, which other processes do not take part in; wall time where several processes work.
    """
    took: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(runs):
        for name, way in ways.items():
            started_s = clock()
            for _ in range(calls):
                way()
            took[name].append((clock() - started_s) / calls)
    return {name: tuple(each) for name, each in took.items()}


def compared(
    name: str,
    unit: str,
    before: tuple[str, Way],
    after: Way,
    *,
    runs: int,
    calls: int = 1,
    per: int = 1,
    goal: Goal | None = None,
    limit: tuple[str, Way] | None = None,
    claim: str = "",
    clock: Callable[[], float] = time.process_time,
) -> Figure:
    """Time two ways of the same by turns; the figure is the second's, the first is its baseline.

    Args:
        name: of the figure.
        unit: `s`, `ms` or `µs`.
        before: what the first way is called, and the way.
        after: the second.
        runs: how often each has its turn.
        calls: how often it is called in a turn.
        per: how many things a call does; the figure is for one.
        goal: of the second.
        limit: what the least that the machine needs for it is called, and that, as often.
        claim: that it is about.
        clock: see `by_turns`.
    """
    ways = {"before": before[1], "after": after} | ({"limit": limit[1]} if limit else {})
    took = by_turns(ways, runs, calls, clock)
    factor = _UNITS[unit] / per
    return Figure(
        name=name,
        unit=unit,
        runs=tuple(each * factor for each in took["after"]),
        goal=goal,
        baseline=Beside(name=before[0], value=statistics.median(took["before"]) * factor),
        limit=Beside(name=limit[0], value=statistics.median(took["limit"]) * factor)
        if limit
        else None,
        claim=claim,
    )
