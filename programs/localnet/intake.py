"""Transactions on their way into a block: those still travelling, and those waiting for room."""

import heapq
from collections import Counter
from itertools import count
from typing import Final

from solders.signature import Signature
from solders.transaction import VersionedTransaction

from programs.localnet.admission import TransactionRefused
from programs.localnet.bank import Bank
from programs.localnet.scheduler import BlockLimits, Waiting, fill_block
from programs.localnet.weights import weigh
from programs.units import Slot


class Intake:
    """Takes transactions to one bank: at once, at a later slot, or when a block has room for them.

    Without limits every arrival is executed at once. With limits they wait until their slot closes, and the best
    paying get in.
    """

    def __init__(
        self, bank: Bank, limits: BlockLimits | None = None, *, waiting_max: int = 100_000
    ) -> None:
        self._bank = bank
        self._limits = limits
        self._waiting_max: Final = waiting_max
        self._waiting: dict[Signature, Waiting] = {}
        self._travelling: list[tuple[Slot, int, VersionedTransaction]] = []
        self._numbers = count()
        self.dropped: Counter[str] = Counter()
        """Arrivals that came to nothing, by reason."""

    @property
    def waiting_count(self) -> int:
        """Transactions that wait for room."""
        return len(self._waiting)

    def arrive(self, transaction: VersionedTransaction) -> None:
        """Take a transaction now.

        Raises:
            TransactionRefused: It cannot land, and that is known without waiting.
        """
        if self._limits is None:
            self._bank.execute(transaction)
            return
        locked = self._bank.lock(transaction)
        addresses = locked.addresses
        signature = transaction.signatures[0]
        if signature in self._waiting:
            self.dropped["waiting already"] += 1
            return
        self._waiting[signature] = Waiting(
            transaction=transaction,
            weight=weigh(transaction.message, len(locked.writable)),
            writable=[addresses[index] for index in locked.writable],
            number=next(self._numbers),
        )

    def arrive_later(self, transaction: VersionedTransaction, slot: Slot) -> None:
        """Let a transaction arrive as `slot` opens; nobody hears whether it is refused then."""
        heapq.heappush(self._travelling, (slot, next(self._numbers), transaction))

    def open_slot(self) -> None:
        """Take what has been travelling until the bank's slot; call it when the slot opens."""
        while self._travelling and self._travelling[0][0] <= self._bank.slot:
            transaction = heapq.heappop(self._travelling)[2]
            try:
                self.arrive(transaction)
            except TransactionRefused as refused:
                self._drop(refused)

    def close_slot(self) -> None:
        """Fill the block with the best of what waits; call it before the slot closes."""
        if self._limits is None:
            return
        for each in [x for x in self._waiting.values() if not self._is_fresh(x)]:
            del self._waiting[each.transaction.signatures[0]]
            self.dropped["expired waiting"] += 1
        ranked = sorted(self._waiting.values(), key=lambda each: each.rank)
        for each in ranked[self._waiting_max :]:
            del self._waiting[each.transaction.signatures[0]]
            self.dropped["no room to wait"] += 1
        for each in fill_block(ranked[: self._waiting_max], self._limits):
            del self._waiting[each.transaction.signatures[0]]
            try:
                self._bank.execute(each.transaction)
            except TransactionRefused as refused:
                self._drop(refused)

    def _is_fresh(self, waiting: Waiting) -> bool:
        return self._bank.is_blockhash_valid(waiting.transaction.message.recent_blockhash)

    def _drop(self, refused: TransactionRefused) -> None:
        error = refused.error
        self.dropped[error if isinstance(error, str) else next(iter(error))] += 1
