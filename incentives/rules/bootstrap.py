"""The bootstrap: which slots had the first trades, and so when it ends.

Core. It ends after the slot of the last boosted trade, whether that trade is held for long enough or not.

Chains whose steps nobody could read may have taken numbers. Which, the next number that is read shows; those that it skips
count from its slot on, so that nothing that was reckoned before it changes.

Source: SPEC.md section 7 ("bootstrap").
"""

from dataclasses import dataclass, field
from typing import Final

from incentives.rules.errors import RulebookError

NUMBERED_TRADES: Final = 100
"""The program numbers so many. Source: ledger.h REWARDED_TRADES."""


@dataclass(slots=True)
class Bootstrap:
    """Slots of the numbered trades, in order."""

    trade_slots: list[int] = field(default_factory=list)
    doubtful: int = 0
    """Chains since the last number that was read, whose unread steps may each have taken one."""

    def take(self, number: int, slot: int) -> None:
        """Note the next numbered trade.

        Raises:
            RulebookError: it is not the next: an event is missing.
        """
        skipped = number - len(self.trade_slots) - 1
        if not 0 <= skipped <= self.doubtful:
            raise RulebookError(
                f"found trade number {number} at slot {slot}, expected {len(self.trade_slots) + 1}: an event is missing"
            )
        self.trade_slots += [slot] * (skipped + 1)
        self.doubtful = 0

    def take_none(self, slot: int) -> None:
        """Note a trade that the program would have numbered, had it not numbered all that it does."""
        skipped = NUMBERED_TRADES - len(self.trade_slots)
        if 0 < skipped <= self.doubtful:
            self.trade_slots += [slot] * skipped
            self.doubtful = 0

    def take_unread(self, slot: int) -> int:
        """Note a trade that was numbered and not read; return its number, 0 if all are given."""
        if len(self.trade_slots) >= NUMBERED_TRADES:
            return 0
        self.trade_slots.append(slot)
        return len(self.trade_slots)

    def doubt(self) -> None:
        """Note a chain whose steps could not be read: it may have taken a number."""
        if len(self.trade_slots) + self.doubtful < NUMBERED_TRADES:
            self.doubtful += 1

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
