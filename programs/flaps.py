"""Which of an endpoint's outages are told: one that comes and goes all the time is told once a minute, with a count.

Core, on a given clock.
"""

from dataclasses import dataclass
from typing import Final

_TOLD_EVERY_S: Final = 60.0


@dataclass(slots=True)
class Flaps:
    """The outages of one endpoint, as far as they were told."""

    _told_at_s: float = -float("inf")
    _is_told: bool = False
    """The outage that goes on now was."""
    _untold: int = 0

    def tells_opening(self, openings: int, now_s: float) -> bool:
        """Tell whether an opening is worth a line: an outage within a minute of the last one told is not, unless it lasts.

        Args:
            openings: of this outage; of those after the first the second, fourth, eighth and so on are told.
            now_s: the clock.
        """
        if openings & (openings - 1):
            return False
        if openings == 1 and now_s < self._told_at_s + _TOLD_EVERY_S:
            self._untold += 1
            return False
        if openings > 1 and not self._is_told:
            self._untold -= 1
        self._told_at_s, self._is_told = now_s, True
        return True

    def take_untold(self) -> int:
        """Return how many outages were not told since the last one that was."""
        taken, self._untold = self._untold, 0
        return taken

    def tells_closing(self) -> bool:
        """Tell whether the end of an outage is worth a line: its beginning was."""
        was_told, self._is_told = self._is_told, False
        return was_told
