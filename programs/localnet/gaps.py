"""Slots without a block, and what they do to block heights: height counts blocks, slots count time."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from programs.units import BlockHeight, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A run of slots that the chain passed over."""

    first: Slot
    end: Slot
    """The first slot after it, which has a block."""
    below: BlockHeight
    """Height of the last block before it."""


class Gaps:
    """Every gap of one chain, oldest first; bounded by the number of forks it has seen."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []

    def add(self, first: Slot, end: Slot) -> None:
        """Pass over `first` up to but without `end`; gaps inside become part of it."""
        while self._gaps and self._gaps[-1].first >= first:
            self._gaps.pop()
        self._gaps.append(Gap(first=first, end=end, below=self.height_of(Slot(first - 1))))

    def has(self, slot: int) -> bool:
        """Whether `slot` was passed over."""
        gap = self._before(slot)
        return gap is not None and slot < gap.end

    def height_of(self, slot: Slot) -> BlockHeight:
        """Height of the block of `slot`, or of the last one before it."""
        gap = self._before(slot)
        if gap is None:
            return BlockHeight(slot)
        return BlockHeight(gap.below + max(0, slot - gap.end + 1))

    def slot_of(self, height: BlockHeight) -> Slot:
        """The slot whose block has `height`."""
        position = bisect_left(self._gaps, height, key=lambda gap: gap.below)
        if position == 0:
            return Slot(height)
        gap = self._gaps[position - 1]
        return Slot(gap.end + height - gap.below - 1)

    def _before(self, slot: int) -> Gap | None:
        """The last gap that starts at or before `slot`."""
        position = bisect_right(self._gaps, slot, key=lambda gap: gap.first)
        return self._gaps[position - 1] if position else None
