"""What our own transactions changed in which slot: a sight of the chain no newer than that shows it as it was before.

Core.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from programs.units import Slot

K = TypeVar("K", bound=Hashable)

_REMEMBERED_SLOTS: Final = 1_000
"""Older than any sight still around."""


@dataclass(slots=True)
class OwnLandings(Generic[K]):
    """The newest landing about each thing."""

    _slots: dict[K, Slot] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many things are remembered."""
        return len(self._slots)

    def __contains__(self, about: K) -> bool:
        """Tell whether a landing about a thing is remembered."""
        return about in self._slots

    def note(self, about: K, slot: Slot) -> None:
        """Remember a landing."""
        self._slots[about] = slot

    def hides(self, about: K, seen_slot: Slot) -> bool:
        """Tell whether a sight of this slot may show a thing as it was before our landing."""
        return seen_slot <= self._slots.get(about, -1)

    def forget(self, seen_slot: Slot) -> None:
        """Drop landings older than any sight still around."""
        oldest = seen_slot - _REMEMBERED_SLOTS
        if any(slot < oldest for slot in self._slots.values()):
            self._slots = {about: slot for about, slot in self._slots.items() if slot >= oldest}
