"""Everything known of the platform: scans and notifications merged, and what is due kept up with.

Core. The positions lie in two tables: one is read and written, the other one is filled by the next scan, and then they
change places. Filling a million rows takes a while, so the shell may run it on a thread: what is told meanwhile goes to
the table in use, and from there into the new one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from keeper.account_book import AccountBook
from keeper.assessment import Rows
from keeper.position_table import PositionColumns, PositionTable, position_fault
from keeper.precedence import Precedence
from keeper.snapshot import (
    Markets,
    Snapshot,
    Unreadable,
    chain_fault,
    leveraged_position,
    market_accounts,
    market_fault,
    positions_of_chains,
    take_chains,
)
from keeper.watchlist import Watchlist
from programs.accounts import Global, Vault
from programs.layout import GLOBAL_DTYPE, LAYOUT_VERSION, VAULT_DTYPE, AccountKind
from programs.units import Slot

T = TypeVar("T")
_NO_ROWS: Final = np.zeros(0, np.int64)


class Notice(NamedTuple):
    """What a notification says of one account."""

    kind: AccountKind
    address: bytes
    data: bytes | None
    """None: it is closed."""
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The platform's accounts as one scan read them, each kind at a slot of its own."""

    positions: PositionColumns
    positions_slot: Slot
    chains: Sequence[tuple[bytes, bytes]]
    chains_slot: Slot
    markets: Sequence[tuple[bytes, bytes]]
    markets_slot: Slot
    global_: tuple[bytes, bytes]
    """Address and data."""
    vault: tuple[bytes, bytes]
    singletons_slot: Slot
    skipped: Counter[Unreadable]
    """What was no account of its kind at first sight."""

    @property
    def slot(self) -> Slot:
        """The oldest slot any part was read at."""
        return min(self.positions_slot, self.chains_slot, self.markets_slot, self.singletons_slot)


@dataclass(slots=True, kw_only=True)
class Filling:
    """A table to be filled by a scan: the long part, which touches nothing that is in use."""

    reading: Reading
    table: PositionTable
    markets: Markets
    slot: Slot
    skipped: Counter[Unreadable]
    watchlist: Watchlist | None = None

    def __len__(self) -> int:
        return len(self.reading.positions.addresses)

    def run(self) -> None:
        """Fill and judge."""
        self.skipped += self.table.refill(self.reading.positions)
        self.watchlist = Watchlist(self.table, self.markets, self.slot)


@dataclass(slots=True)
class _Decoded(Generic[T]):
    """The only account of a kind, decoded when its bytes change."""

    kind: AccountKind
    read: Callable[[bytes], T]
    _data: bytes = b""
    _value: T | None = None

    def of(self, accounts: Mapping[bytes, bytes]) -> T:
        data = next(each for each in accounts.values() if each[0] == self.kind)
        if self._value is None or data != self._data:
            self._data, self._value = data, self.read(data)
        return self._value


class PlatformState:
    """What is known, by whatever way it was told."""

    def __init__(self) -> None:
        self.scan_slot: Slot | None = None
        """Of the newest scan taken in."""
        self.skipped: Counter[Unreadable] = Counter()
        """Accounts of the newest scan that could not be read."""
        self._table, self._spare = PositionTable(), PositionTable()
        self._told = Precedence()
        self._markets_book, self._chains, self._singletons = (AccountBook() for _ in range(3))
        self._markets = Markets({})
        self._genesis = _Decoded(AccountKind.GLOBAL, Global.from_bytes)
        self._vault = _Decoded(AccountKind.VAULT, Vault.from_bytes)
        self._watchlist = Watchlist(self._table, self._markets, Slot(0))
        self._written: list[Rows] = []

    @property
    def positions(self) -> int:
        """How many there are."""
        return self._table.live

    def begin(self, reading: Reading) -> Filling | None:
        """Take in all of a scan but its positions; None if it is older than the last one, of which nothing is taken."""
        if self.scan_slot is not None and reading.slot < self.scan_slot:
            return None
        self.scan_slot = reading.slot
        self._singletons.take_scan(dict([reading.global_, reading.vault]), reading.singletons_slot)
        chains, bad_chains = take_chains(reading.chains)
        self._note_chains(self._chains.take_scan(chains, reading.chains_slot))
        markets, bad_markets = market_accounts(reading.markets)
        self._note_markets(self._markets_book.take_scan(markets, reading.markets_slot))
        return Filling(
            reading=reading,
            table=self._spare,
            markets=self._markets,
            slot=reading.slot,
            skipped=reading.skipped + bad_chains + bad_markets,
        )

    def adopt(self, filling: Filling) -> None:
        """Take in the positions of a scan, once its table is filled."""
        assert filling.watchlist is not None, "it has not run"
        self.skipped = +filling.skipped
        slot = filling.reading.positions_slot
        if self._told.is_older(slot):
            return
        known_better = self._told.take_scan(slot)
        carried = [(address, self._position(address)) for address in known_better]
        self._table, self._spare = filling.table, self._table
        self._watchlist = filling.watchlist
        # Both tables are told of chains by their book alone.
        carried += positions_of_chains(self._chains.accounts)
        self._written = [self._table.write(carried)]

    def tell(self, notices: Sequence[Notice]) -> Counter[Unreadable]:
        """Take notifications in; return what could not be read, by reason. An unreadable one changes nothing."""
        unreadable: Counter[Unreadable] = Counter()
        readable: dict[AccountKind, list[tuple[bytes, bytes | None, Slot]]] = {}
        for kind, address, data, slot in notices:
            fault = _fault(kind, data)
            if fault is None:
                readable.setdefault(kind, []).append((address, data, slot))
            else:
                unreadable[fault] += 1
        self._singletons.tell(readable.get(AccountKind.GLOBAL, ()))
        self._singletons.tell(readable.get(AccountKind.VAULT, ()))
        self._note_chains(self._chains.tell(readable.get(AccountKind.CHAIN, ())))
        self._note_markets(self._markets_book.tell(readable.get(AccountKind.MARKET, ())))
        positions = {
            address: data
            for address, data, slot in readable.get(AccountKind.POSITION, ())
            if self._told.admits(address, slot)
        }
        self._written.append(self._table.write(list(positions.items())))
        return unreadable

    def snapshot(self, slot: Slot) -> Snapshot:
        """Return what is known now; a scan must have been taken in.

        Args:
            slot: the newest one of which everything is known.
        """
        written, self._written = self._written, []
        assessed = self._watchlist.refresh(
            self._markets, slot, np.concatenate([_NO_ROWS, *written])
        )
        return Snapshot(
            slot=slot,
            global_=self._genesis.of(self._singletons.accounts),
            vault=self._vault.of(self._singletons.accounts),
            markets=self._markets,
            positions=self._table.rows,
            addresses=self._table.addresses,
            skipped=self.skipped,
            assessed=assessed,
            chains=self._chains.accounts,
        )

    def _position(self, address: bytes) -> bytes | None:
        row = self._table.row_of(address)
        return None if row < 0 else self._table.rows[row].tobytes()

    def _note_chains(self, changed: Iterable[bytes]) -> None:
        """Bring the leveraged positions of chains in line."""
        held = [(address, self._chains.accounts.get(address)) for address in changed]
        positions = [
            (address, None if data is None else leveraged_position(data)) for address, data in held
        ]
        self._written.append(self._table.write(positions))

    def _note_markets(self, changed: set[bytes]) -> None:
        if changed:
            self._markets = self._markets.changed(self._markets_book.accounts, changed)


def _fault(kind: AccountKind, data: bytes | None) -> Unreadable | None:
    """Say why a notification cannot be taken in."""
    match kind:
        case AccountKind.POSITION:
            return None if data is None else position_fault(data)
        case AccountKind.CHAIN:
            return None if data is None else chain_fault(data)
        case AccountKind.MARKET:
            return None if data is None else market_fault(data)
        case AccountKind.GLOBAL | AccountKind.VAULT:
            return Unreadable.NO_ACCOUNT if data is None else _singleton_fault(kind, data)
        case _:
            return Unreadable.WRONG_KIND


def _singleton_fault(kind: AccountKind, data: bytes) -> Unreadable | None:
    expected = GLOBAL_DTYPE if kind is AccountKind.GLOBAL else VAULT_DTYPE
    if len(data) < expected.itemsize:
        return Unreadable.WRONG_LENGTH
    is_kind = data[0] == kind and data[1] == LAYOUT_VERSION
    return None if is_kind else Unreadable.WRONG_KIND
