"""The bootstrap: which slots had the first trades, and so when it ends.

Core. It ends after the slot of the last boosted trade, whether that trade is held for long enough or not.

Source: SPEC.md section 7 ("bootstrap").
"""

from dataclasses import dataclass, field

from incentives.rules.errors import RulebookError


@dataclass(slots=True)
class Bootstrap:
    """Slots of the numbered trades, in order."""

    trade_slots: list[int] = field(default_factory=list)

    def take(self, number: int, slot: int) -> None:
        """Note the next numbered trade.

        Raises:
            RulebookError: it is not the next: an event is missing.
        """
        if number != len(self.trade_slots) + 1:
            raise RulebookError(
                f"found trade number {number} at slot {slot}, expected {len(self.trade_slots) + 1}: an event is missing"
            )
        self.trade_slots.append(slot)

    def is_running(self, slot: int, trades: int) -> bool:
        """Say whether a slot is in the bootstrap of so many trades; all events through that slot must be known."""
        return self.slots_within(slot, slot + 1, trades) > 0

    def slots_within(self, first: int, end: int, trades: int) -> int:
        """Return how many of the slots from `first` up to, without, `end` are in the bootstrap of so many trades."""
        if not trades:
            return 0
        if len(self.trade_slots) < trades:
            return end - first
        return min(max(self.trade_slots[trades - 1] + 1 - first, 0), end - first)
