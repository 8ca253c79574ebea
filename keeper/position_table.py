"""A million positions as arrays, with what judging reads of them in columns of their own.

Core. Filled by a scan as a whole, in buffers that are used again; between scans single rows are written, added and freed.
Rows keep their number from one filling to the next. A freed row is blank (kind 0, no debt) until it is used again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.address_index import ADDRESS_BYTES, AddressArray, AddressIndex, address_array, words_of
from keeper.assessment import Amounts, Rows
from keeper.risk import Holdings, required_margin
from keeper.snapshot import Unreadable
from programs.accounts import PositionArray
from programs.layout import (
    LAYOUT_VERSION,
    POSITION_BYTES,
    POSITION_DTYPE,
    AccountKind,
    offset_of,
)

_SIDES: Final = 2
_BPS_ONE: Final = 10_000
_SIDE_AT: Final = offset_of(POSITION_DTYPE, "side")
_MARGIN_AT: Final = offset_of(POSITION_DTYPE, "margin_bps")
_CAPACITY_LEAST: Final = 1_024
_REWRITTEN_FROM: Final = 4
"""Up to one row in so many is written by itself; more of them are replaced all together, which goes along memory."""
_WORDS: Final = POSITION_BYTES // 8
_SHORT_NUMBERS: Final = 1 << 16
"""numpy sorts numbers of 16 bits by their digits: ten times as fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionColumns:
    """Positions as bytes side by side, as a scan reads them."""

    addresses: AddressArray
    data: npt.NDArray[np.uint8]
    """A row of 160 bytes each."""

    @classmethod
    def of(cls, accounts: Sequence[tuple[bytes, bytes]]) -> "PositionColumns":
        """Take (address, data) pairs, each of the length of a position."""
        joined = b"".join([data for _, data in accounts])
        return cls(
            addresses=address_array([address for address, _ in accounts]),
            data=np.frombuffer(joined, np.uint8).reshape(-1, POSITION_BYTES),
        )


def position_fault(data: bytes) -> Unreadable | None:
    """Say why these bytes are no position; None when they are one."""
    if len(data) != POSITION_BYTES:
        return Unreadable.WRONG_LENGTH
    if data[0] != AccountKind.POSITION or data[1] != LAYOUT_VERSION:
        return Unreadable.WRONG_KIND
    margin_bps = int.from_bytes(data[_MARGIN_AT : _MARGIN_AT + 2], "little")
    if data[_SIDE_AT] >= _SIDES or margin_bps > _BPS_ONE:
        return Unreadable.FIELD_OUT_OF_RANGE
    return None


class PositionTable:
    """Positions by row, by address and by market."""

    def __init__(self) -> None:
        self.count = 0
        """Rows in use, freed ones between them included."""
        self._held = _Buffers.of(_CAPACITY_LEAST)
        self._free: list[int] = []
        self._was_freed = False
        """Whether any row was since the filling."""
        self._index = AddressIndex(address_array([]))
        self._added: dict[bytes, int] = {}
        """Rows of the addresses that the index does not know."""
        self._markets = _MarketNumbers()
        self._order = np.zeros(0, np.int32)
        self._starts = np.zeros(1, np.int64)
        self._late: dict[int, list[int]] = {}
        """Rows written since the filling that were not in their market's part of the order, by market number."""

    @property
    def live(self) -> int:
        """How many positions there are."""
        return self.count - len(self._free)

    @property
    def rows(self) -> PositionArray:
        """Every row, blank ones included."""
        return self._held.rows[: self.count]

    @property
    def addresses(self) -> AddressArray:
        """The address of each row."""
        return self._held.addresses[: self.count]

    @property
    def market_addresses(self) -> AddressArray:
        """The markets that positions are of, by number; it grows, and is replaced when it does."""
        return self._markets.addresses

    def row_of(self, address: bytes) -> int:
        """Return the row of an address, -1 where there is none."""
        return int(self.rows_of([address])[0])

    def rows_of(self, addresses: Sequence[bytes]) -> Rows:
        """Return the row of each address, -1 where there is none."""
        asked = address_array(list(addresses))
        found = self._index.rows_of(asked)
        added = self._added
        for at in np.flatnonzero(found < 0).tolist():
            found[at] = added.get(addresses[at], -1)
        if self._was_freed:  # a freed row is nobody's, and an address that came back is in `_added`
            for at in np.flatnonzero(self._held.addresses[found] != asked).tolist():
                found[at] = added.get(addresses[at], -1)
        return found

    def rows_in(self, market_numbers: Iterable[int]) -> Rows:
        """Return the rows of these markets; some may be of another one by now, or blank."""
        parts = [np.zeros(0, np.int32)]
        for number in market_numbers:
            if number + 1 < len(self._starts):
                parts.append(self._order[self._starts[number] : self._starts[number + 1]])
            late = self._late.get(number)
            if late:
                parts.append(np.array(late, np.int32))
        rows = np.concatenate(parts).astype(np.int64)
        return np.unique(rows) if self._late else rows

    def holdings(self, rows: Rows | slice, market_row: Rows) -> Holdings:
        """Return what judging reads of rows; `market_row` tells the row of each market number."""
        held = self._held
        return Holdings(
            market_row=market_row[held.number[rows]],
            pool=held.pool[rows],
            side=held.side[rows],
            shares=held.shares[rows],
            debt=held.debt[rows],
            required=held.required[rows],
        )

    def is_blank(self, rows: Rows | slice) -> npt.NDArray[np.bool_]:
        """Tell which rows are freed."""
        blank: npt.NDArray[np.bool_] = self._held.rows["kind"][rows] == 0
        return blank

    def refill(self, columns: PositionColumns) -> Counter[Unreadable]:
        """Replace everything; return what could not be read, by reason.

        Of a scan in the order of the one before, only the rows that differ are taken in: trades change few.
        """
        if not self._was_moved and _are_same(self.addresses, columns.addresses):
            changed = self._changed(columns.data)
            is_little = len(changed) * _REWRITTEN_FROM <= self.count
            if is_little and _readable(columns.data[changed])[1] is None:
                self._rewrite(changed, columns.data)
                return Counter()
        return self._replace(columns)

    @property
    def _was_moved(self) -> bool:
        """Whether the addresses of rows are other ones than those that were filled in."""
        return bool(self._added) or self._was_freed

    def _changed(self, data: npt.NDArray[np.uint8]) -> Rows:
        """Return the rows that differ from these bytes."""
        held = self.rows.view(np.uint64).reshape(-1, _WORDS)
        read = np.ascontiguousarray(data).view(np.uint64).reshape(-1, _WORDS)
        return np.flatnonzero((held != read).any(axis=1))

    def _rewrite(self, rows: Rows, data: npt.NDArray[np.uint8]) -> None:
        held = self._held
        held.rows.view(np.uint8).reshape(-1, POSITION_BYTES)[rows] = data[rows]
        before = held.number[rows]
        self._derive(rows)
        if self._late or (before != held.number[rows]).any():
            self._arrange()

    def _replace(self, columns: PositionColumns) -> Counter[Unreadable]:
        skipped, keep = _readable(columns.data)
        addresses = columns.addresses if keep is None else columns.addresses[keep]
        is_indexed = not self._was_moved and _are_same(self.addresses, addresses)
        self.count = len(addresses)
        if self.count > self._held.capacity:
            self._held = _Buffers.of(self.count)
        into = self._held.rows.view(np.uint8).reshape(-1, POSITION_BYTES)[: self.count]
        if keep is None:
            np.copyto(into, columns.data)
        else:
            np.compress(keep, columns.data, axis=0, out=into)
        self._free, self._was_freed, self._added = [], False, {}
        if not is_indexed:
            self._held.addresses[: self.count] = addresses
            self._index = AddressIndex(self.addresses)
        self._derive(slice(0, self.count))
        self._arrange()
        return skipped

    def _arrange(self) -> None:
        """Order the rows by market."""
        numbers = self._held.number[: self.count]
        is_short = len(self.market_addresses) < _SHORT_NUMBERS
        order = np.argsort(numbers.astype(np.uint16) if is_short else numbers, kind="stable")
        self._order = order.astype(np.int32)
        sizes = np.bincount(numbers, minlength=len(self.market_addresses))
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._late = {}

    def write(self, changes: Sequence[tuple[bytes, bytes | None]]) -> Rows:
        """Write positions of distinct addresses, free those without data, and return the rows concerned."""
        known = self.rows_of([address for address, _ in changes])
        written: list[int] = []
        pieces: list[bytes] = []
        freed: list[int] = []
        for (address, data), row in zip(changes, known.tolist(), strict=True):
            if data is None:
                if row >= 0:
                    freed.append(row)
                    self._added.pop(address, None)
                continue
            pieces.append(data)
            written.append(row if row >= 0 else self._new_row(address))
        if freed:
            self._clear(freed)
        if written:
            rows = np.array(written, np.int64)
            self._held.rows[rows] = np.frombuffer(b"".join(pieces), POSITION_DTYPE)
            before = self._held.number[rows]
            self._derive(rows)
            after = self._held.number[rows]
            for at in np.flatnonzero(before != after).tolist():
                self._late.setdefault(int(after[at]), []).append(written[at])
        return np.array(written + freed, np.int64)

    def _clear(self, rows: list[int]) -> None:
        held = self._held
        held.rows[rows] = np.zeros(1, POSITION_DTYPE)
        held.addresses[rows] = np.zeros(1, held.addresses.dtype)
        for column in (held.shares, held.debt, held.required):
            column[rows] = 0
        held.number[rows] = -1
        self._free += rows
        self._was_freed = True

    def _new_row(self, address: bytes) -> int:
        if self._free:
            row = self._free.pop()
        else:
            row = self.count
            if row == self._held.capacity:
                self._held = self._held.doubled()
            self.count += 1
        self._held.number[row] = -1
        self._held.addresses[row] = np.void(address)
        self._added[address] = row
        return row

    def _derive(self, rows: Rows | slice) -> None:
        """Bring the columns in line with rows."""
        held, found = self._held, self._held.rows[rows]
        shares = np.ascontiguousarray(found["shares"])
        held.shares[rows], held.debt[rows] = shares, found["debt"]
        held.required[rows] = required_margin(
            np.ascontiguousarray(found["margin"]), shares, found["margin_bps"]
        )
        held.pool[rows], held.side[rows] = found["pool"], found["side"]
        held.number[rows] = self._markets.numbers_of(np.ascontiguousarray(found["market"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Buffers:
    """Every array that has a row for each position."""

    rows: PositionArray
    addresses: AddressArray
    number: npt.NDArray[np.int32]
    """Of the market; -1: a row without a position."""
    pool: npt.NDArray[np.uint8]
    side: npt.NDArray[np.uint8]
    shares: Amounts
    debt: Amounts
    required: Amounts

    @classmethod
    def of(cls, capacity: int) -> "_Buffers":
        return cls(
            rows=np.zeros(capacity, POSITION_DTYPE),
            addresses=np.zeros(capacity, f"V{ADDRESS_BYTES}"),
            number=np.full(capacity, -1, np.int32),
            pool=np.zeros(capacity, np.uint8),
            side=np.zeros(capacity, np.uint8),
            shares=np.zeros(capacity, np.uint64),
            debt=np.zeros(capacity, np.uint64),
            required=np.zeros(capacity, np.uint64),
        )

    @property
    def capacity(self) -> int:
        return len(self.rows)

    def doubled(self) -> "_Buffers":
        larger = _Buffers.of(2 * self.capacity)
        for each in fields(self):
            getattr(larger, each.name)[: self.capacity] = getattr(self, each.name)
        return larger


class _MarketNumbers:
    """A small number for each market that positions are of."""

    def __init__(self) -> None:
        self.addresses = address_array([])
        self._index = AddressIndex(self.addresses)

    def numbers_of(self, markets: AddressArray) -> npt.NDArray[np.int32]:
        """Return the number of each market; one never seen before gets the next."""
        found = self._index.rows_of(markets)
        unknown = np.flatnonzero(found < 0)
        while len(unknown):
            # One market for each first word: another that shares it is still unknown then, and comes next.
            _, first = np.unique(words_of(markets[unknown])[:, 0], return_index=True)
            fresh = sorted(market.tobytes() for market in markets[unknown[first]])
            self.addresses = np.concatenate([self.addresses, address_array(fresh)])
            self._index = AddressIndex(self.addresses)
            found[unknown] = self._index.rows_of(markets[unknown])
            unknown = unknown[found[unknown] < 0]
        return found.astype(np.int32)


def _readable(
    data: npt.NDArray[np.uint8],
) -> tuple[Counter[Unreadable], npt.NDArray[np.bool_] | None]:
    """Return what is no position, counted by reason, and which rows are one; None for all."""
    rows = data.reshape(-1).view(POSITION_DTYPE)
    is_foreign = (rows["kind"] != AccountKind.POSITION) | (rows["version"] != LAYOUT_VERSION)
    is_odd = (rows["side"] >= _SIDES) | (rows["margin_bps"] > _BPS_ONE)
    is_bad = is_foreign | is_odd
    if not is_bad.any():
        return Counter(), None
    counts = Counter(
        {
            Unreadable.WRONG_KIND: int(is_foreign.sum()),
            Unreadable.FIELD_OUT_OF_RANGE: int((is_odd & ~is_foreign).sum()),
        }
    )
    return +counts, ~is_bad


def _are_same(some: AddressArray, others: AddressArray) -> bool:
    return len(some) == len(others) and bool((words_of(some) == words_of(others)).all())
