"""Hours of readings in a few hundred columns, without losing what matters: extremes, gaps, and the worst of each column.

Core.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

Step = tuple[float, int | None]
"""A value from this time on; None is a gap."""


def thin_steps(steps: Sequence[Step], column_s: float) -> list[Step]:
    """Keep of each column of time the first, the least, the greatest and the last value, and a gap if there was one.

    Args:
        steps: in the order of time; a value that repeats the one before it is dropped.
        column_s: seconds that one column of the picture covers.
    """
    thinned: list[Step] = []
    for _, group in groupby(steps, key=lambda step: math.floor(step[0] / column_s)):
        inside = list(group)
        spoken = [index for index, step in enumerate(inside) if step[1] is not None]
        gap = next((index for index, step in enumerate(inside) if step[1] is None), 0)
        kept = {0, gap, len(inside) - 1}
        if spoken:
            kept |= {
                min(spoken, key=lambda index: _value(inside[index])),
                max(spoken, key=lambda index: _value(inside[index])),
            }
        for step in (inside[index] for index in sorted(kept)):
            if not thinned or thinned[-1][1] != step[1]:
                thinned.append(step)
    return thinned


def _value(step: Step) -> int:
    assert step[1] is not None, "gaps are chosen apart"
    return step[1]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A rank that held for some columns of the picture."""

    starts: int
    ends: int
    """The first column after it."""
    rank: int


def worst_stretches(intervals: Iterable[tuple[float, float, int]], columns: int) -> list[Stretch]:
    """Give each column the highest rank of the intervals that touch it, and join equal neighbours.

    Args:
        intervals: start and end in columns, and the rank; a short one still fills the column that it lies in.
        columns: how many there are. A column that nothing touches is left out.
    """
    worst = [-1] * columns
    for start, end, rank in intervals:
        first = min(max(math.floor(start), 0), columns - 1)
        for column in range(first, min(max(math.ceil(end), first + 1), columns)):
            worst[column] = max(worst[column], rank)
    stretches = []
    at = 0
    for rank, group in groupby(worst):
        length = sum(1 for _ in group)
        if rank >= 0:
            stretches.append(Stretch(at, at + length, rank))
        at += length
    return stretches


def evenly(count: int, most: int) -> list[int]:
    """Choose at most `most` of so many indexes, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({index * (count - 1) // (most - 1) for index in range(most)})
