"""Every account of the program as tables, in an order that follows from the accounts alone.

Core. Markets lie in the order they were created in, positions by market and slot, so that neighbours resemble each other; the
same accounts are always in the same order, and so have the same root. What is not as long as its kind should be, or of a kind
that there are few of, is kept as bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.address_index import ADDRESS_BYTES, AddressArray, AddressIndex, address_array, words_of
from programs.layout import (
    CHAIN_DTYPE,
    MAKER_DTYPE,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_DTYPE,
    STAKE_DTYPE,
    AccountKind,
    market_bytes,
)

Order = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

TABLE_DTYPES: Final = {
    AccountKind.POSITION: POSITION_DTYPE,
    AccountKind.MAKER: MAKER_DTYPE,
    AccountKind.STAKE: STAKE_DTYPE,
    AccountKind.CHAIN: CHAIN_DTYPE,
    AccountKind.MARKET: MARKET_DTYPE,
}
"""In the order of the tree and of the file: markets last, for their amounts are forecast from the others."""
_POOLS_AT: Final = 5
"""Offset of a market's pool count. Source: layout.h."""
_KEY_SLOT_BITS: Final = 40
_KEY_MARKET_BITS: Final = 24
_U64: Final = np.uint64


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Table:
    """Accounts of one kind."""

    kind: AccountKind
    addresses: AddressArray
    rows: Rows
    """One of the kind's dtype each."""
    pools: Rows = field(default_factory=lambda: np.zeros(0, POOL_DTYPE))
    """Of markets: all pools, those of a market side by side."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first_pool(self) -> Order:
        """Row in `pools` of each market's first one."""
        counts = self.rows["pools"].astype(np.int64)
        first: Order = np.cumsum(counts) - counts
        return first

    def taken(self, order: Order) -> "Table":
        """Return these rows in this order."""
        pools = self.pools
        if self.kind is AccountKind.MARKET:
            pools = pools[pool_rows(self.first_pool[order], self.rows["pools"][order])]
        return Table(
            kind=self.kind, addresses=self.addresses[order], rows=self.rows[order], pools=pools
        )

    def whole(self, start: int, stop: int) -> Iterator[tuple[Order, npt.NDArray[np.uint8]]]:
        """Yield address and data of some accounts as rows of bytes, those of one length together.

        The numbers of the rows, from `start` on, come with them.
        """
        addresses = _bytes(self.addresses[start:stop])
        if self.kind is not AccountKind.MARKET:
            whole = np.concatenate([addresses, _bytes(self.rows[start:stop])], axis=1)
            yield np.arange(len(whole)), whole
            return
        rows, counts = self.rows[start:stop], self.rows["pools"][start:stop].astype(np.int64)
        firsts = self.first_pool[start:stop]
        for count in np.unique(counts).tolist():
            at = np.flatnonzero(counts == count)
            pools = _bytes(self.pools[pool_rows(firsts[at], counts[at])]).reshape(len(at), -1)
            yield at, np.concatenate([addresses[at], _bytes(rows[at]), pools], axis=1)

    def joined(self, start: int, stop: int) -> list[bytes]:
        """Return address and data of some accounts, one after the other."""
        joined: list[bytes] = [b""] * (stop - start)
        for at, whole in self.whole(start, stop):
            listed = np.ascontiguousarray(whole).view(f"V{whole.shape[1]}").reshape(-1).tolist()
            if len(listed) == len(joined):
                return list(listed)
            for place, each in zip(at.tolist(), listed, strict=True):
                joined[place] = each
        return joined


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Accounts:
    """The program's accounts, in order."""

    tables: dict[AccountKind, Table]
    """One for each of TABLE_DTYPES."""
    others: tuple[tuple[bytes, bytes], ...]
    """(address, data) of the rest, by kind and address."""

    def __len__(self) -> int:
        return len(self.others) + sum(map(len, self.tables.values()))

    @property
    def raw_bytes(self) -> int:
        """Address and data of every account."""
        tables = self.tables.values()
        return (
            sum(len(table) * (ADDRESS_BYTES + table.rows.dtype.itemsize) for table in tables)
            + self.tables[AccountKind.MARKET].pools.nbytes
            + sum(len(address) + len(data) for address, data in self.others)
        )

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (address, data) of every account, in order."""
        for kind in TABLE_DTYPES:
            table = self.tables[kind]
            for joined in table.joined(0, len(table)):
                yield joined[:ADDRESS_BYTES], joined[ADDRESS_BYTES:]
        yield from self.others


def take_accounts(accounts: Iterable[tuple[bytes, bytes]]) -> Accounts:
    """Sort (address, data) pairs into tables; none is left out."""
    by_kind: dict[AccountKind, list[tuple[bytes, bytes]]] = {kind: [] for kind in TABLE_DTYPES}
    others: list[tuple[bytes, bytes]] = []
    for address, data in accounts:
        kind = table_of(data)
        (others if kind is None else by_kind[kind]).append((address, data))
    tables = {kind: _table(kind, listed) for kind, listed in by_kind.items()}
    return in_order(tables, others)


def in_order(tables: dict[AccountKind, Table], others: Iterable[tuple[bytes, bytes]]) -> Accounts:
    """Put tables and the rest into the order that follows from what they hold."""
    markets = tables[AccountKind.MARKET]
    markets = _sorted(markets, _order(markets, None))
    index = AddressIndex(markets.addresses)
    ordered = {AccountKind.MARKET: markets}
    for kind in TABLE_DTYPES:
        if kind is not AccountKind.MARKET:
            table = tables[kind]
            found = (
                index.rows_of(np.ascontiguousarray(table.rows["market"]))
                if _has_market(kind)
                else None
            )
            ordered[kind] = _sorted(table, _order(table, found))
    rest = sorted(others, key=lambda pair: (pair[1][:1], pair[0]))
    return Accounts(tables=ordered, others=tuple(rest))


def is_in_order(table: Table, market_rows: Order | None) -> bool:
    """Tell whether accounts of one kind lie in the order that `in_order` puts them into.

    Args:
        table: some of them, side by side.
        market_rows: the row of each one's market, -1 where it is not known; None for markets and stakes.
    """
    key, finer = _sort_keys(table, market_rows)
    if (key[:-1] > key[1:]).any():
        return False
    tied = np.flatnonzero(key[:-1] == key[1:])
    for each in finer:
        now, after = each[tied], each[tied + 1]
        if (now > after).any():
            return False
        tied = tied[now == after]
    one, other = (words_of(table.addresses[rows]).byteswap() for rows in (tied, tied + 1))
    return all(mine <= its for mine, its in zip(one.tolist(), other.tolist(), strict=True))


def empty_table(kind: AccountKind) -> Table:
    """Return a table without accounts."""
    return Table(kind=kind, addresses=address_array([]), rows=np.zeros(0, TABLE_DTYPES[kind]))


def pool_rows(first: Order, counts: npt.NDArray[Any]) -> Order:
    """Return the rows of pools of markets, given where each begins and how many it has."""
    sizes = counts.astype(np.int64)
    ends = np.cumsum(sizes)
    return np.repeat(first - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)


def table_of(data: bytes) -> AccountKind | None:
    """Return the kind of table that these bytes fit into; None where they fit into none."""
    if not data or data[0] not in TABLE_DTYPES:
        return None
    kind = AccountKind(data[0])
    expected = TABLE_DTYPES[kind].itemsize
    if kind is AccountKind.MARKET:
        expected = market_bytes(data[_POOLS_AT]) if len(data) > _POOLS_AT else -1
    return kind if len(data) == expected else None


def _table(kind: AccountKind, accounts: Sequence[tuple[bytes, bytes]]) -> Table:
    addresses = address_array([address for address, _ in accounts])
    if kind is not AccountKind.MARKET:
        rows = np.frombuffer(b"".join([data for _, data in accounts]), TABLE_DTYPES[kind])
        return Table(kind=kind, addresses=addresses, rows=rows)
    size = MARKET_DTYPE.itemsize
    return Table(
        kind=kind,
        addresses=addresses,
        rows=np.frombuffer(b"".join([data[:size] for _, data in accounts]), MARKET_DTYPE),
        pools=np.frombuffer(b"".join([data[size:] for _, data in accounts]), POOL_DTYPE),
    )


def _sorted(table: Table, order: Order) -> Table:
    return table if _is_rising(order) else table.taken(order)


def _is_rising(order: Order) -> bool:
    return bool((order == np.arange(len(order))).all())


def _has_market(kind: AccountKind) -> bool:
    return kind not in {AccountKind.MARKET, AccountKind.STAKE}


def _order(table: Table, market_rows: Order | None) -> Order:
    key, finer = _sort_keys(table, market_rows)
    return _by_key(key, finer, table.addresses)


def _sort_keys(
    table: Table, market_rows: Order | None
) -> tuple[npt.NDArray[np.uint64], list[npt.NDArray[Any]]]:
    """By market, then by age, those of no known market at the end; and what tells apart those that tie."""
    rows = table.rows
    match table.kind:
        case AccountKind.MARKET:
            return rows["market_id"].astype(_U64), []
        case AccountKind.STAKE:
            return rows["request_slot"].astype(_U64), []
        case AccountKind.MAKER:
            aged, finer = rows["last_add_slot"], [rows["pool"]]
        case AccountKind.CHAIN:
            aged, finer = rows["opened_slot"], [rows["chain_id"]]
        case _:
            aged, finer = rows["opened_slot"], [rows["position_id"]]
    assert market_rows is not None, "these kinds refer to markets"
    market = np.where(market_rows < 0, (1 << _KEY_MARKET_BITS) - 1, market_rows).astype(_U64)
    slot = np.minimum(aged, _U64((1 << _KEY_SLOT_BITS) - 1))
    return market << _U64(_KEY_SLOT_BITS) | slot, finer


def _by_key(
    key: npt.NDArray[np.uint64], finer: Sequence[npt.NDArray[Any]], addresses: AddressArray
) -> Order:
    """Sort by a key, the few rows of equal keys by finer ones, and those by address."""
    if len(key) < 2:  # noqa: PLR2004 - nothing to sort
        return np.arange(len(key))
    order: Order = np.argsort(key, kind="stable")
    keys = key[order]
    is_tied = np.zeros(len(key), np.bool_)
    same = keys[1:] == keys[:-1]
    is_tied[1:] |= same
    is_tied[:-1] |= same
    places = np.flatnonzero(is_tied)
    if len(places):
        tied = order[places]
        words = words_of(addresses[tied]).byteswap()
        columns = [words[:, at] for at in (3, 2, 1, 0)]
        columns += [each[tied] for each in reversed(finer)]
        order[places] = tied[np.lexsort([*columns, key[tied]])]
    return order


def _bytes(rows: Rows) -> npt.NDArray[np.uint8]:
    whole = np.ascontiguousarray(rows)
    return whole.view(np.uint8).reshape(len(whole), -1 if len(whole) else whole.dtype.itemsize)
