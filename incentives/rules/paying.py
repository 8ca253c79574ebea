"""Roots and payments as the program tells them: payable, in flight, paid; and what others posted.

Core. A root that this ledger did not compute moves nothing when it is posted. What it pays leaves the treasury all the same:
it is taken from what nobody is owed, and recorded as unexplained.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from incentives.lines import Anomaly, Code, Line, Transfer
from incentives.roots import RootPlace
from incentives.rules.accounts import (
    POT,
    UNEXPLAINED,
    UNSPENT,
    in_flight,
    name_of,
    paid,
    payable,
)
from incentives.rules.owed import RootBook
from incentives.rules.payloads import Picked
from incentives.rules.running import Running
from incentives.sourced import SourcedEvent
from programs.event_layout import EventKind

_POSTED: Final = Picked(EventKind.EPOCH_POSTED, "epoch", "index", "leaf_count", "total", "root")
_PAID: Final = Picked(EventKind.REWARDS_PAID, "epoch", "index", record=("leaf", "wallet", "amount"))


class Paying:
    """The roots that are owed."""

    __slots__ = ("_running", "book")

    def __init__(self, running: Running) -> None:
        self._running = running
        self.book = RootBook()

    def post(self, event: SourcedEvent) -> Iterator[Line]:
        """Take EPOCH_POSTED."""
        chain_epoch, index, count, total, root = _POSTED.of(event.payload)
        yield from self.post_root(event, RootPlace(chain_epoch, index), count, total, root)

    def post_root(
        self, event: SourcedEvent, place: RootPlace, count: int, total: int, root: bytes
    ) -> Iterator[Line]:
        """Take a root that was posted at a place."""
        owed = self.book.find(place)
        if owed is None or owed.is_posted or owed.root_hash(place) != root:
            reason = (
                f"root {root.hex()} of epoch {place.epoch} index {place.index}, {count} leaves and "
                f"{total} base units, is none of this ledger"
            )
            yield Anomaly("unknown_root", event.source_id, event.place.slot, reason)
            return
        owed.is_posted = True
        for leaf, (wallet, amount) in enumerate(zip(owed.wallets, owed.amounts, strict=True)):
            yield self._running.transfer(
                event, Code.ROOT, leaf, payable(wallet), in_flight(wallet), amount, owed.epoch
            )

    def pay(self, event: SourcedEvent) -> Iterator[Line]:
        """Take REWARDS_PAID."""
        place = RootPlace(*_PAID.of(event.payload))
        yield from self.pay_leaves(event, place, _PAID.records(event.payload))

    def pay_leaves(
        self, event: SourcedEvent, place: RootPlace, leaves: Iterable[tuple[int, bytes, int]]
    ) -> Iterator[Line]:
        """Take leaves that were paid under the root of a place: number, wallet and amount of each."""
        payouts = foreign = 0
        for leaf, wallet, amount in leaves:
            owed = self.book.find(place)
            if owed is not None and owed.pays(leaf, wallet, amount):
                self.book.pay(place, leaf)
                yield self._running.transfer(
                    event, Code.PAYOUT, payouts, in_flight(wallet), paid(wallet), amount, owed.epoch
                )
                payouts += 1
                continue
            reason = (
                f"{amount} base units paid to {name_of(wallet)} as leaf {leaf} of epoch {place.epoch} "
                f"index {place.index}, which this ledger does not owe"
            )
            yield Anomaly("foreign_payout", event.source_id, event.place.slot, reason)
            for transfer in self._take_foreign(event, foreign, amount):
                yield transfer
                foreign += 1

    def _take_foreign(self, event: SourcedEvent, leg: int, amount: int) -> Iterator[Transfer]:
        """Take what a foreign root paid from what the season left, then from the pot."""
        running = self._running
        from_unspent = min(amount, running.unspent)
        running.unspent -= from_unspent
        running.pot -= amount - from_unspent
        for debit, moved in ((UNSPENT, from_unspent), (POT, amount - from_unspent)):
            if moved:
                yield running.transfer(
                    event, Code.FOREIGN_PAYOUT, leg, debit, UNEXPLAINED, moved, running.epoch
                )
                leg += 1

    def to_state(self) -> list[Any]:
        """Return what a snapshot keeps."""
        return self.book.to_state()

    def restore(self, state: list[Any]) -> None:
        """Take back what `to_state` returned."""
        self.book = RootBook.from_state(state)
