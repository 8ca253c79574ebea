"""How long an answer is waited for before another endpoint is asked beside the first.

Core. Source: Dean and Barroso, "The Tail at Scale" (2013): a second question, asked late, costs few calls and cuts off the
slowest answers. The median decides, because it stays where it is while fewer than half of the answers are slow.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

_KEPT: Final = 128
_ENOUGH: Final = 8
"""Answers to one kind of question after which its own median counts."""
_MEDIANS: Final = 4
_LEAST_S: Final = 0.1
"""Below, a busy process would ask twice because it was itself slow to look."""
_SPARE_FIRST: Final = 32.0
_SPARE_PER_ANSWER: Final = 0.1
"""A cluster where everything became slow is asked a tenth more at most, not twice as much, once the first spares are gone.
Source: gRPC proposal A6, throttling of hedged calls."""
_FIRST_PART: Final = 0.1
_LAST_PART: Final = 0.5
"""Of a call's deadline: the wait while nothing is known, and the longest wait."""


@dataclass(slots=True, kw_only=True)
class Patience:
    """What one kind of question takes."""

    took_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """Of the newest answers that came first."""
    spare: float = _SPARE_FIRST
    """Second questions that may be asked now."""

    def note(self, took_s: float) -> None:
        """Take in how long an answer took."""
        self.took_s.append(took_s)
        self.spare = min(self.spare + _SPARE_PER_ANSWER, _SPARE_FIRST)

    def wait_s(self, timeout_s: float) -> float:
        """Return how long to wait for the first endpoint alone; `timeout_s` ends a single call."""
        if len(self.took_s) < _ENOUGH:
            return timeout_s * _FIRST_PART
        median_s = sorted(self.took_s)[len(self.took_s) // 2]
        return min(max(median_s * _MEDIANS, _LEAST_S), timeout_s * _LAST_PART)

    def spend(self) -> bool:
        """Return whether a second question may be asked, which is counted."""
        if self.spare < 1:
            return False
        self.spare -= 1
        return True
