"""How far above the floor to bid: raised by what landed late or never, lowered slowly by what lands promptly.

Core, deterministic. The floor of recent fees says what once was enough; only our own landings say what is. Each level is
judged by what was bid at that level alone: a hundred transactions that expire together are one piece of news, not a
hundred, and what was bid before a raise says nothing about it.
"""

from dataclasses import dataclass
from typing import Final

from programs.units import Bps

LEVEL_MIN: Final = Bps(10_000)
"""The floor itself."""
LEVEL_MAX: Final = Bps(10_000 << 12)
"""4_096 floors: cu_price_max and the value end a raise long before, whatever the floor."""
PROMPT_SLOTS: Final = 8
"""From the slot a blockhash was read at to the landing: the read is up to 4 slots old when it signs, and a send and the
block after it take 2 to 4."""
SLOW_SLOTS: Final = 16
"""Twice that: several leaders passed it over."""
_PROMPT_TO_LOWER: Final = 8
"""Prompt landings at one level before a lower one is tried."""


@dataclass(slots=True)
class Feedback:
    """The level bids are made at, in multiples of the floor."""

    level_bps: Bps = LEVEL_MIN
    generation: int = 0
    """Counts levels: a bid carries the one it was made at."""
    _prompt: int = 0

    def note_landed(self, generation: int, slots: int) -> None:
        """Learn from a transaction in a block, failed or not: how many slots it took."""
        if generation != self.generation:
            return
        if slots > SLOW_SLOTS:
            self._move(self.level_bps * 3 // 2)
        elif slots <= PROMPT_SLOTS:
            self._prompt += 1
            if self._prompt == _PROMPT_TO_LOWER:
                # An eighth of what is above the floor, or all of what is left of it.
                excess = self.level_bps - LEVEL_MIN
                self._move(self.level_bps - max(-(-excess // 8), min(excess, 500)))
        else:
            self._prompt = 0

    def note_expired(self, generation: int) -> None:
        """Learn from a transaction that no block took while it was valid."""
        if generation == self.generation:
            self._move(self.level_bps * 2)

    def _move(self, level_bps: int) -> None:
        level_bps = min(max(level_bps, LEVEL_MIN), LEVEL_MAX)
        self._prompt = 0
        if level_bps != self.level_bps:
            self.generation += 1
            self.level_bps = Bps(level_bps)
