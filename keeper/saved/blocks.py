"""Rows of accounts <-> bytes: integers less their forecasts as columns, keys by their places, what is derived not at all.

Core. A block of accounts is, in this order: the integer columns of its part (forecasts.py); for each key the column of its places
(positions inside of a chain less the chain's own); and the accounts whose address is not the derived one: u32 how many, a column of
their rows, 32 bytes each. Markets come in two blocks. The first one has what others refer to them by: columns, for each key that
follows from nothing a column that is 1 where it is not zero and those that are not, and addresses that are not derived. The
second one has the other columns, those of their pools, and token accounts that are not derived.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.address_index import ADDRESS_BYTES, AddressArray, words_of
from keeper.saved.accounts import TABLE_DTYPES, Order, Table, pool_rows
from keeper.saved.derivation import account_addresses, market_tokens
from keeper.saved.dictionary import Dictionary
from keeper.saved.fields import Field, Integers, Role, Rows, fields_of, pool_fields, role_of
from keeper.saved.forecasts import (
    PARTS_OF,
    Known,
    Part,
    differences_from_forecasts,
    fields_in,
    undo_forecasts,
)
from keeper.saved.holdings import Holdings
from programs.layout import MARKET_DTYPE, POOL_DTYPE, AccountKind
from state.snapshots.columns import ALL, Choice, decode, encode, fold_signs, unfold_signs
from state.snapshots.cursor import Cursor
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.planes import pack_bytes, unpack_bytes

BLOCK_ROWS: Final = 1 << 15
_U32: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What rows of any kind are read and written with."""

    program: bytes
    dictionary: Dictionary
    holdings: Holdings
    choice: Choice = ALL


def integers_of(fields: Sequence[Field], rows: Rows) -> dict[str, Integers]:
    """Return the columns of some fields."""
    return {each.name: each.integers(rows) for each in fields}


def key_fields(kind: AccountKind, *roles: Role) -> list[Field]:
    """Return the keys of a kind that have one of these roles."""
    return [each for each in fields_of(kind) if each.is_key and role_of(each) in roles]


# Accounts that refer to markets and wallets


def write_rows(table: Table, start: int, stop: int, context: Context) -> bytes:
    """Return a block of positions, makers, stakes or chains."""
    rows, addresses = table.rows[start:stop], table.addresses[start:stop]
    part = PARTS_OF[table.kind]
    columns = integers_of(fields_in(part), rows)
    known = Known(holdings=context.holdings)
    written = [
        encode(each, context.choice) for each in differences_from_forecasts(part, columns, known)
    ]
    written += [
        encode(each, context.choice) for each in _places(table.kind, rows, context.dictionary)
    ]
    derived = account_addresses(table.kind, rows, context.program)
    return b"".join(written) + _exceptions(addresses, derived, context.choice)


def read_rows(kind: AccountKind, cursor: Cursor, count: int, context: Context) -> Table:
    """Read such a block.

    Raises:
        SnapshotDamaged: there is none.
    """
    rows = np.zeros(count, TABLE_DTYPES[kind])
    part = PARTS_OF[kind]
    known = Known(holdings=context.holdings)
    columns = undo_forecasts(part, lambda: decode(cursor, count), known)
    for each in fields_in(part):
        each.write(rows, columns[each.name])
    _read_places(kind, cursor, rows, context.dictionary)
    derived = account_addresses(kind, rows, context.program)
    return Table(kind=kind, addresses=_read_exceptions(cursor, derived), rows=rows)


def market_places(kind: AccountKind, rows: Rows, dictionary: Dictionary) -> Integers | None:
    """Return the place of each account's market; None for a kind that has none."""
    if kind is AccountKind.STAKE:
        return None
    return dictionary.places_of(np.ascontiguousarray(rows["market"]), Role.MARKET)


def _places(kind: AccountKind, rows: Rows, dictionary: Dictionary) -> list[Integers]:
    own: dict[str, Integers] = {}
    found = []
    for each in key_fields(kind, Role.MARKET, Role.WALLET):
        parent = each.name.rpartition(".")[2]
        is_position = each.name.startswith("positions.")
        keys = each.keys(rows)
        if is_position and bool((words_of(keys) == words_of(rows_key(rows, parent))).all()):
            found.append(np.zeros(len(rows), np.uint64))
            continue
        places = dictionary.places_of(keys, role_of(each))
        own.setdefault(each.name, places)
        found.append(fold_signs(places - own[parent]) if is_position else places)
    return found


def is_same_keys(kind: AccountKind, some: Rows, others: Rows) -> npt.NDArray[np.bool_]:
    """Tell which accounts have the same keys as others."""
    same = np.ones(len(some), np.bool_)
    for each in fields_of(kind):
        if each.is_key:
            same &= (words_of(each.keys(some)) == words_of(each.keys(others))).all(axis=1)
    return same


def rows_key(rows: Rows, name: str) -> AddressArray:
    """Return a column of keys."""
    return np.ascontiguousarray(rows[name])


def _read_places(kind: AccountKind, cursor: Cursor, rows: Rows, dictionary: Dictionary) -> None:
    own: dict[str, Integers] = {}
    for each in key_fields(kind, Role.MARKET, Role.WALLET):
        places = decode(cursor, len(rows))
        if each.name.startswith("positions."):
            places = unfold_signs(places) + own[each.name.rpartition(".")[2]]
        own[each.name] = places
        keys = dictionary.keys_at(places, role_of(each))
        if keys is None:
            raise SnapshotDamaged(f"found a {each.name} that is in no list of keys")
        each.write(rows, keys)


# Markets


def write_names(markets: Table, start: int, stop: int, context: Context) -> bytes:
    """Return a block of what others refer to markets by."""
    rows = markets.rows[start:stop]
    columns = integers_of(fields_in(Part.MARKET_NAMES), rows)
    written = [encode(each, context.choice) for each in columns.values()]
    for field in key_fields(AccountKind.MARKET, Role.PLAIN):
        keys = field.keys(rows)
        is_set = np.asarray(words_of(keys).any(axis=1))
        written.append(encode(is_set.astype(np.uint64), context.choice))
        written.append(
            pack_bytes(keys[is_set].tobytes(), is_compressed=context.choice.is_compressed)
        )
    derived = account_addresses(AccountKind.MARKET, rows, context.program)
    return b"".join(written) + _exceptions(markets.addresses[start:stop], derived, context.choice)


def read_names(cursor: Cursor, count: int, program: bytes) -> Table:
    """Read such a block: markets without amounts.

    Raises:
        SnapshotDamaged: there is none.
    """
    rows = np.zeros(count, MARKET_DTYPE)
    for field in fields_in(Part.MARKET_NAMES):
        column = decode(cursor, count)
        if field.name == "pools" and count and int(column.max()) > 255:  # noqa: PLR2004 - a byte
            raise SnapshotDamaged(f"found a market of {int(column.max())} pools")
        field.write(rows, column)
    for field in key_fields(AccountKind.MARKET, Role.PLAIN):
        is_set = decode(cursor, count).astype(np.bool_)
        keys = np.zeros(count, f"V{ADDRESS_BYTES}")
        found = unpack_bytes(cursor, int(is_set.sum()) * ADDRESS_BYTES)
        keys[is_set] = np.frombuffer(found, keys.dtype)
        field.write(rows, keys)
    derived = account_addresses(AccountKind.MARKET, rows, program)
    addresses = _read_exceptions(cursor, derived)
    return Table(kind=AccountKind.MARKET, addresses=addresses, rows=rows)


def write_amounts(markets: Table, rows: Order, context: Context) -> bytes:
    """Return what some markets and their pools hold."""
    written = amounts_apart(markets, rows, context.holdings)
    taken = markets.rows[rows]
    derived = market_tokens(taken, markets.addresses[rows], context.program)
    return b"".join(encode(each, context.choice) for each in written) + _exceptions(
        rows_key(taken, "tokens"), derived, context.choice
    )


def amounts_apart(markets: Table, rows: Order, holdings: Holdings) -> list[Integers]:
    """Return the amounts of some markets, and then of their pools, less their forecasts."""
    taken = markets.taken(rows)
    columns = integers_of(fields_in(Part.MARKET), taken.rows)
    pool_columns = integers_of(pool_fields(), taken.pools)
    pools_known = _pools_known(holdings, rows, taken.rows)
    return [
        *differences_from_forecasts(Part.MARKET, columns, Known(holdings=holdings, rows=rows)),
        *differences_from_forecasts(Part.POOL, pool_columns, pools_known),
    ]


def read_amounts(cursor: Cursor, names: Table, rows: Order, context: Context) -> Table:
    """Read what some markets hold, given what was read of all of them before.

    Raises:
        SnapshotDamaged: there is none.
    """
    taken = undo_amounts(lambda count: decode(cursor, count), names, rows, context.holdings)
    derived = market_tokens(taken.rows, taken.addresses, context.program)
    taken.rows["tokens"] = _read_exceptions(cursor, derived)
    return taken


def undo_amounts(
    read: Callable[[int], Integers], names: Table, rows: Order, holdings: Holdings
) -> Table:
    """Return some markets with the amounts that `read` returns so many of, column by column."""
    taken, addresses = names.rows[rows], names.addresses[rows]
    known = Known(holdings=holdings, rows=rows)
    columns = undo_forecasts(Part.MARKET, lambda: read(len(taken)), known)
    for field in fields_in(Part.MARKET):
        field.write(taken, columns[field.name])
    pools_known = _pools_known(holdings, rows, taken)
    pools = np.zeros(int(holdings.counts[rows].sum()), POOL_DTYPE)
    pool_columns = undo_forecasts(Part.POOL, lambda: read(len(pools)), pools_known)
    for field in fields_in(Part.POOL):
        field.write(pools, pool_columns[field.name])
    return Table(kind=AccountKind.MARKET, addresses=addresses, rows=taken, pools=pools)


def _pools_known(holdings: Holdings, rows: Order, markets: Rows) -> Known:
    return Known(
        holdings=holdings,
        rows=pool_rows(holdings.first_pool[rows], holdings.counts[rows]),
        fees_makers=_of_only_pools(markets["fees_makers"].astype(np.uint64), markets["pools"]),
    )


def _of_only_pools(fees_makers: Integers, counts: npt.NDArray[np.uint8]) -> Integers:
    """Return for each pool its market's fees for makers, 0 where it shares them with other pools."""
    mine = np.where(counts == 1, fees_makers, np.uint64(0))
    return np.repeat(mine, counts.astype(np.int64))


# Keys that are not derived


def _exceptions(found: AddressArray, derived: AddressArray, choice: Choice) -> bytes:
    is_other = (words_of(found) != words_of(derived)).any(axis=1)
    rows = np.flatnonzero(is_other).astype(np.uint64)
    keys = np.ascontiguousarray(found[is_other])
    return _U32.pack(len(rows)) + encode(rows, choice) + keys.tobytes()


def _read_exceptions(cursor: Cursor, derived: AddressArray) -> AddressArray:
    (count,) = cursor.unpack(_U32)
    if not count:
        return derived
    if count > len(derived):
        raise SnapshotDamaged(f"found {count} keys of their own for {len(derived)} accounts")
    rows = decode(cursor, count)
    if int(rows.max()) >= len(derived):
        raise SnapshotDamaged(f"found a key of row {int(rows.max())} of {len(derived)}")
    keys = derived.copy()
    keys[rows.astype(np.int64)] = np.frombuffer(cursor.take(count * ADDRESS_BYTES), keys.dtype)
    return keys
