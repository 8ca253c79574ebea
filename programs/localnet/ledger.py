"""What happened on the chain: transaction records in (slot, index) order, bounded."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from programs.localnet.locks import LockedAccounts
from programs.localnet.tokens import TokenBalance
from programs.units import Lamports, Slot

Key = TypeVar("Key")

TransactionError = str | dict[str, object]
"""A TransactionError as agave writes it in JSON: "AccountNotFound", {"InstructionError": [0, {"Custom": 1}]}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRecord:
    """One landed transaction: it paid its fee, whether its instructions succeeded or not."""

    signature: Signature
    slot: Slot
    index: int
    """Place within the slot, from 0."""
    transaction: VersionedTransaction
    locked: LockedAccounts
    error: TransactionError | None
    meta: TransactionMetadata
    """Logs, inner instructions, return data, compute units, fee."""
    pre_balances: tuple[Lamports, ...]
    post_balances: tuple[Lamports, ...]
    """In the order of `locked.addresses`."""
    pre_token_balances: tuple[TokenBalance, ...]
    post_token_balances: tuple[TokenBalance, ...]


class Ledger:
    """The newest `records_max` transaction records, by signature, slot and address."""

    def __init__(self, records_max: int) -> None:
        self._records_max = records_max
        self._records: deque[TransactionRecord] = deque()
        self._by_signature: dict[Signature, TransactionRecord] = {}
        self._by_address: dict[Pubkey, deque[TransactionRecord]] = {}
        self._by_slot: dict[Slot, deque[TransactionRecord]] = {}
        self.landed_count = 0
        """Transactions landed since genesis, dropped records included."""

    def append(self, record: TransactionRecord) -> None:
        """Add the newest record; the oldest goes when the ledger is full."""
        self.landed_count += 1
        self._records.append(record)
        self._by_signature[record.signature] = record
        self._by_slot.setdefault(record.slot, deque()).append(record)
        for address in record.locked.addresses:
            self._by_address.setdefault(address, deque()).append(record)
        if len(self._records) > self._records_max:
            self._drop_oldest()

    def keep(self, records_max: int) -> None:
        """Keep no more than so many records from now on."""
        self._records_max = records_max
        while len(self._records) > records_max:
            self._drop_oldest()

    def find(self, signature: Signature) -> TransactionRecord | None:
        """The record of `signature`, or None when it never landed or is no longer kept."""
        return self._by_signature.get(signature)

    def in_slot(self, slot: Slot) -> Collection[TransactionRecord]:
        """The records of `slot` in order."""
        return self._by_slot.get(slot, ())

    def newest_first(self, address: Pubkey) -> Iterator[TransactionRecord]:
        """The records that lock `address`, newest first."""
        return reversed(self._by_address.get(address, ()))

    def take_back(self, slot: Slot) -> list[TransactionRecord]:
        """Forget every record after `slot`, as if it had never landed; returns them in order."""
        taken: list[TransactionRecord] = []
        while self._records and self._records[-1].slot > slot:
            record = self._records.pop()
            self.landed_count -= 1
            if self._by_signature.get(record.signature) is record:
                del self._by_signature[record.signature]
            self._by_slot.pop(record.slot, None)
            for address in record.locked.addresses:
                _trim(self._by_address, address, deque.pop)
            taken.append(record)
        return taken[::-1]

    @property
    def oldest_slot(self) -> Slot | None:
        """The first slot whose records are complete, or None while nothing was dropped."""
        if self.landed_count <= len(self._records):
            return None
        return Slot(self._records[0].slot + 1)

    def _drop_oldest(self) -> None:
        record = self._records.popleft()
        # A signature may land again once its blockhash has left the window and a new one came: keep the newest.
        if self._by_signature.get(record.signature) is record:
            del self._by_signature[record.signature]
        _trim(self._by_slot, record.slot, deque.popleft)
        for address in record.locked.addresses:
            _trim(self._by_address, address, deque.popleft)


def _trim(
    index: dict[Key, deque[TransactionRecord]],
    key: Key,
    pop: Callable[[deque[TransactionRecord]], TransactionRecord],
) -> None:
    """Take one record off a list of the index, and the list away when it is empty."""
    records = index[key]
    pop(records)
    if not records:
        del index[key]
