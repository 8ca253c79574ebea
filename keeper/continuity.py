"""Up to which slot is everything known: what was scanned, and what was told since without a gap.

Core. A subscription tells of every change from some slot on; a scan of that slot or a later one fills in what was before.
From then on everything is known up to the newest slot that has ended, until the chain of slots breaks: a slot that does
not follow the one before is a fork, or the sign of a lost notification. Then another scan has to fill in again.
"""

from dataclasses import dataclass
from enum import StrEnum

from keeper.precedence import AHEAD_SLOTS_MAX, BEFORE_ANY
from programs.units import Slot


class Gap(StrEnum):
    """Why a scan is needed though the subscription lives."""

    FORK = "fork"
    """A slot was built on one before the newest: the blocks between were taken back."""
    LOST = "lost_notification"
    """A slot was built on one that nobody told of, or leaps so far that it is no word to build on before a scan gets there."""
    FLOOD = "flood"
    """More was told than could be kept."""


@dataclass(slots=True)
class Continuity:
    """What is known of slots."""

    scan_slot: Slot = BEFORE_ANY
    """Of the newest scan."""
    _tip: Slot | None = None
    """The newest slot told of; None while there is no subscription."""
    _since: Slot | None = None
    """A scan from here on leaves no gap; None while there is no subscription."""
    _ended: Slot = BEFORE_ANY
    """The newest slot told to have ended."""

    @property
    def is_unbroken(self) -> bool:
        """Whether everything is told, so that scans may wait."""
        return self._since is not None and self.scan_slot >= self._since

    @property
    def known_slot(self) -> Slot:
        """The newest slot of which everything is known; it never falls."""
        if self.is_unbroken:
            return max(self.scan_slot, self._ended)
        return self.scan_slot

    def note_slot(self, slot: Slot, parent: Slot) -> Gap | None:
        """Take in that a slot began on top of `parent`, which has ended; tell whether that leaves a gap."""
        tip, self._tip = self._tip, slot
        if tip is not None and slot <= tip:
            self._tip = tip  # told late: nothing new
            return None
        self._ended = max(self._ended, parent)
        if tip is None:
            self._since = slot
            return None
        if parent == tip and slot - parent <= AHEAD_SLOTS_MAX:
            return None
        self._since = slot
        return Gap.FORK if parent < tip else Gap.LOST

    def note_flood(self) -> Gap:
        """Take in that notifications were thrown away."""
        if self._tip is not None:
            self._since = Slot(self._tip + 1)
        return Gap.FLOOD

    def note_loss(self) -> None:
        """Take in that the subscription ended."""
        self._tip = self._since = None
        # Nobody else vouches for it: what the next connection says must not rest on what this one made up.
        self._ended = BEFORE_ANY

    def note_scan(self, slot: Slot) -> None:
        """Take in a scan."""
        self.scan_slot = max(self.scan_slot, slot)
