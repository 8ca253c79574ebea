"""The calendar of a season: which epoch a slot is in, and where an epoch's roots stand on chain.

Core. Epochs count from the season's first slot; the last one ends with the season.

Source: SPEC.md section 7 ("epoch").
"""

from dataclasses import dataclass

from incentives.emission import emitted_between
from incentives.parameters import CHAIN_EPOCH_SLOTS
from programs.merkle import LEAVES_MAX
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


def root_place(epoch: int, part: int, epoch_slots: int) -> tuple[int, int]:
    """Return under which epoch and index of the program's the root of a part of an epoch's leaves stands.

    The program's epochs have 9_000 slots; where ours are shorter, several share one of them and differ by index.
    """
    sharing = CHAIN_EPOCH_SLOTS // epoch_slots
    return epoch // sharing, epoch % sharing * LEAVES_MAX + part
