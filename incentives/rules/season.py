"""The calendar of a season: which epoch a slot is in, and what an epoch emits.

Core. Epochs count from the season's first slot; the last one ends with the season.

Source: SPEC.md section 7 ("epoch").
"""

from dataclasses import dataclass

from incentives.emission import emitted_between
from programs.units import Slot


@dataclass(frozen=True, slots=True)
class Season:
    """As genesis fixed it, cut into epochs."""

    start_slot: int
    slots: int
    epoch_slots: int

    @property
    def end_slot(self) -> int:
        """The first slot after it."""
        return self.start_slot + self.slots

    @property
    def last_epoch(self) -> int:
        """The epoch at whose end the season is over."""
        return (self.slots - 1) // self.epoch_slots

    def epoch_at(self, slot: int) -> int:
        """Return the number of a slot's epoch."""
        return (slot - self.start_slot) // self.epoch_slots

    def start_of(self, epoch: int) -> int:
        """Return the first slot of an epoch."""
        return self.start_slot + epoch * self.epoch_slots

    def end_of(self, epoch: int) -> int:
        """Return the first slot after an epoch; the season's last one may be shorter."""
        return min(self.start_of(epoch + 1), self.end_slot)

    def emitted_in(self, epoch: int) -> int:
        """Return what an epoch adds to the pot, MMT base units: E(end) - E(start)."""
        first, last = Slot(self.start_of(epoch)), Slot(self.end_of(epoch))
        return emitted_between(first, last, Slot(self.start_slot), self.slots)
