"""Changes <-> sections of a file.

Core. Order: names of markets added, rows of markets closed, wallets added; then for positions, makers, stakes and chains each the rows
closed, those changed and those added; then the amounts of markets changed and added, and what is in no table. Rows closed and changed
are those of the base, except that amounts refer to markets by their rows in the next state. A changed account is written as the
difference of each column, less its forecast, to what it was in the base: mostly nothing.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final, TypeVar

import numpy as np

from keeper.address_index import ADDRESS_BYTES, AddressArray, AddressIndex
from keeper.saved.accounts import TABLE_DTYPES, Accounts, Order, Table, in_order, pool_rows
from keeper.saved.blocks import (
    Context,
    amounts_apart,
    integers_of,
    market_places,
    read_amounts,
    read_names,
    read_rows,
    undo_amounts,
    write_amounts,
    write_names,
    write_rows,
)
from keeper.saved.changes import Changes, patched, with_others
from keeper.saved.content import (
    HOLDERS,
    Section,
    dictionary_of,
    holdings_of,
    joined_tables,
    read_others,
    read_wallets,
    write_others,
    write_wallets,
)
from keeper.saved.dictionary import Dictionary
from keeper.saved.fields import Integers
from keeper.saved.forecasts import (
    PARTS_OF,
    Known,
    differences_from_forecasts,
    fields_in,
    undo_forecasts,
)
from keeper.saved.holdings import Holdings
from keeper.saved.soundness import check_accounts, check_unique
from programs.layout import POOL_DTYPE, AccountKind
from state.snapshots.columns import ALL, Choice, decode, encode, fold_signs, unfold_signs
from state.snapshots.cursor import Cursor
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.piece import Piece

T = TypeVar("T")


class Action(IntEnum):
    """What a section tells of a kind; added to the number of the kind."""

    CLOSED = 32
    CHANGED = 64
    ADDED = 96


_CLOSED_OTHERS: Final = 19


def changed_raw_bytes(base: Accounts, changes: Changes, following: Accounts) -> int:
    """Return what changes take unpacked."""
    total = len(following.others) + sum(len(data) + ADDRESS_BYTES for _, data in changes.others)
    for kind, change in changes.tables.items():
        row_bytes = ADDRESS_BYTES + TABLE_DTYPES[kind].itemsize
        total += row_bytes * (len(change.changed) + len(change.added)) + 8 * len(change.closed)
    pools = following.tables[AccountKind.MARKET].pools.nbytes
    return total + pools + len(base)


def write_changes(
    base: Accounts,
    wallets: AddressArray,
    changes: Changes,
    following: Accounts,
    program: bytes,
    choice: Choice = ALL,
) -> Iterator[Piece]:
    """Yield the sections of changes.

    Args:
        base: the state before.
        wallets: the dictionary that its places are of.
        changes: as `find_changes` has them.
        following: the state after.
        program: whose accounts they are.
        choice: of codings.
    """
    dictionary = dictionary_of(following, wallets)
    context = Context(
        program=program,
        dictionary=dictionary,
        holdings=holdings_of(following, dictionary),
        choice=choice,
    )
    before = holdings_of(base, dictionary_of(base, wallets))
    markets, change = following.tables[AccountKind.MARKET], changes.tables[AccountKind.MARKET]
    added = markets.taken(change.added)
    names = write_names(added, 0, len(added), context)
    yield Piece(section=Section.NAMES, rows=len(added), data=names)
    yield _rows_piece(Action.CLOSED, AccountKind.MARKET, change.closed, choice)
    yield write_wallets(dictionary.wallets[len(wallets) :])
    for kind in HOLDERS:
        yield from _write_holders(base.tables[kind], changes, following.tables[kind], context)
    yield _write_amounts(base.tables[AccountKind.MARKET], before, changes, markets, context)
    section = Action.ADDED + AccountKind.MARKET
    amounts = encode(change.added.astype(np.uint64), choice)
    amounts += write_amounts(markets, change.added, context)
    yield Piece(section=section, rows=len(change.added), data=amounts)
    yield Piece(section=_CLOSED_OTHERS, rows=len(changes.closed), data=b"".join(changes.closed))
    yield write_others(changes.others, choice)


def read_changes(
    base: Accounts, wallets: AddressArray, pieces: Iterator[Piece], program: bytes, raw_bytes: int
) -> tuple[Accounts, Dictionary]:
    """Return the state after, and its dictionary.

    Raises:
        SnapshotDamaged: these are no changes of this base.
    """
    return _Reader(base, wallets, pieces, program, raw_bytes).following()


class _Reader:
    """Changes as they are read, over their base."""

    def __init__(
        self,
        base: Accounts,
        wallets: AddressArray,
        pieces: Iterator[Piece],
        program: bytes,
        raw_bytes: int,
    ) -> None:
        self._base, self._wallets, self._pieces = base, wallets, pieces
        self._program, self._left_bytes = program, raw_bytes

    def following(self) -> tuple[Accounts, Dictionary]:
        """Read all of it."""
        base_markets = self._base.tables[AccountKind.MARKET]
        names = self._read(Section.NAMES, self._names)
        closed = self._rows(Action.CLOSED, AccountKind.MARKET, len(base_markets))
        keep = np.delete(np.arange(len(base_markets)), closed)
        joined = joined_tables(AccountKind.MARKET, [base_markets.taken(keep), names])
        blank = {kind: self._base.tables[kind].taken(np.zeros(0, np.int64)) for kind in HOLDERS}
        markets = in_order({AccountKind.MARKET: joined, **blank}, ()).tables[AccountKind.MARKET]
        check_unique([markets.addresses], "a market")
        wallets = np.concatenate([self._wallets, read_wallets(self._piece(Section.WALLETS))])
        check_unique([wallets], "a wallet")
        dictionary = Dictionary(markets=markets.addresses, wallets=wallets)
        context = Context(
            program=self._program,
            dictionary=dictionary,
            holdings=Holdings(markets.rows["pools"]),
        )
        tables = {}
        for kind in HOLDERS:
            table = self._holders(kind, context)
            places = market_places(kind, table.rows, dictionary)
            if places is not None:
                context.holdings.add(kind, table.rows, places)
            tables[kind] = table
        tables[AccountKind.MARKET] = self._amounts(markets, context)
        gone = self._piece(_CLOSED_OTHERS)
        if len(gone.data) != gone.rows * ADDRESS_BYTES:
            raise SnapshotDamaged(f"found {len(gone.data)} bytes for {gone.rows} addresses")
        addresses = [
            gone.data[at : at + ADDRESS_BYTES] for at in range(0, len(gone.data), ADDRESS_BYTES)
        ]
        others = read_others(self._piece(Section.OTHERS))
        if next(self._pieces, None) is not None:
            raise SnapshotDamaged("found a section after the last one")
        rest = with_others(self._base.others, addresses, others)
        following = in_order(tables, rest)
        check_accounts(following)
        return following, dictionary

    def _piece(self, section: int) -> Piece:
        piece = next(self._pieces, None)
        if piece is None or piece.section != section:
            found = "no section" if piece is None else f"section {piece.section}"
            raise SnapshotDamaged(f"found {found}, expected section {section}")
        return piece

    def _read(self, section: int, read: Callable[[Cursor, int], T], row_bytes: int = 0) -> T:
        """Read one section to its end."""
        piece = self._piece(section)
        self._left_bytes -= piece.rows * row_bytes
        if self._left_bytes < 0:
            raise SnapshotDamaged("found more rows than it tells of")
        cursor = Cursor(piece.data)
        found = read(cursor, piece.rows)
        cursor.finish()
        return found

    def _rows(self, action: Action, kind: AccountKind, rows: int) -> Order:
        def read(cursor: Cursor, count: int) -> Order:
            return _read_rows_of(cursor, count, rows)

        return self._read(action + kind, read, 8)

    def _names(self, cursor: Cursor, count: int) -> Table:
        row_bytes = ADDRESS_BYTES + TABLE_DTYPES[AccountKind.MARKET].itemsize
        self._left_bytes -= count * row_bytes
        if self._left_bytes < 0:
            raise SnapshotDamaged("found more rows than it tells of")
        names = read_names(cursor, count, self._program)
        pools = int(names.rows["pools"].sum())
        self._left_bytes -= pools * POOL_DTYPE.itemsize
        if self._left_bytes < 0:
            raise SnapshotDamaged("found more pools than it tells of")
        return Table(
            kind=AccountKind.MARKET,
            addresses=names.addresses,
            rows=names.rows,
            pools=np.zeros(pools, POOL_DTYPE),
        )

    def _holders(self, kind: AccountKind, context: Context) -> Table:
        base = self._base.tables[kind]
        row_bytes = ADDRESS_BYTES + TABLE_DTYPES[kind].itemsize
        closed = self._rows(Action.CLOSED, kind, len(base))

        def read_changed(cursor: Cursor, count: int) -> tuple[Order, Table]:
            rows = _read_rows_of(cursor, count, len(base))
            return rows, _undo_differences(base.taken(rows), cursor, context.holdings)

        def read_added(cursor: Cursor, count: int) -> Table:
            return read_rows(kind, cursor, count, context)

        changed, replacements = self._read(Action.CHANGED + kind, read_changed, row_bytes)
        added = self._read(Action.ADDED + kind, read_added, row_bytes)
        return joined_tables(kind, [patched(base, closed, changed, replacements), added])

    def _amounts(self, markets: Table, context: Context) -> Table:
        """Return markets with what they hold next; added ones hold nothing yet, others what they held in the base."""
        before = holdings_of(self._base, dictionary_of(self._base, self._wallets))

        def read_changed(cursor: Cursor, count: int) -> tuple[Order, Table]:
            rows = _read_rows_of(cursor, count, len(markets))
            return rows, self._undo_amounts(markets, rows, before, cursor, context)

        def read_added(cursor: Cursor, count: int) -> tuple[Order, Table]:
            rows = _read_rows_of(cursor, count, len(markets))
            return rows, read_amounts(cursor, markets, rows, context)

        rows, pools = markets.rows.copy(), markets.pools.copy()
        for action, read in ((Action.CHANGED, read_changed), (Action.ADDED, read_added)):
            found, replacements = self._read(action + AccountKind.MARKET, read)
            rows[found] = replacements.rows
            at = pool_rows(markets.first_pool[found], markets.rows["pools"][found])
            pools[at] = replacements.pools
        return Table(kind=AccountKind.MARKET, addresses=markets.addresses, rows=rows, pools=pools)

    def _undo_amounts(
        self, markets: Table, rows: Order, before: Holdings, cursor: Cursor, context: Context
    ) -> Table:
        base = self._base.tables[AccountKind.MARKET]
        was = _rows_in(base, markets.addresses[rows])
        old = iter(amounts_apart(base, was, before))
        return undo_amounts(
            lambda count: next(old) + unfold_signs(decode(cursor, count)),
            markets,
            rows,
            context.holdings,
        )


def _write_holders(
    base: Table, changes: Changes, following: Table, context: Context
) -> Iterator[Piece]:
    kind, change = base.kind, changes.tables[base.kind]
    yield _rows_piece(Action.CLOSED, kind, change.closed, context.choice)
    part = PARTS_OF[kind]
    known = Known(holdings=context.holdings)
    old, new = (
        differences_from_forecasts(part, integers_of(fields_in(part), rows), known)
        for rows in (base.rows[change.changed], following.rows[change.into])
    )
    written = encode(change.changed.astype(np.uint64), context.choice)
    written += _differences(new, old, context.choice)
    yield Piece(section=Action.CHANGED + kind, rows=len(change.changed), data=written)
    added = following.taken(change.added)
    data = write_rows(added, 0, len(added), context)
    yield Piece(section=Action.ADDED + kind, rows=len(added), data=data)


def _write_amounts(
    base: Table, before: Holdings, changes: Changes, markets: Table, context: Context
) -> Piece:
    change = changes.tables[AccountKind.MARKET]
    order = np.argsort(change.into)
    into, was = change.into[order], change.changed[order]
    new = amounts_apart(markets, into, context.holdings)
    old = amounts_apart(base, was, before)
    written = encode(into.astype(np.uint64), context.choice)
    written += _differences(new, old, context.choice)
    return Piece(section=Action.CHANGED + AccountKind.MARKET, rows=len(into), data=written)


def _differences(new: list[Integers], old: list[Integers], choice: Choice) -> bytes:
    pairs = zip(new, old, strict=True)
    return b"".join(encode(fold_signs(one - other), choice) for one, other in pairs)


def _undo_differences(was: Table, cursor: Cursor, holdings: Holdings) -> Table:
    """Return accounts as they are next, given what they were."""
    part, known = PARTS_OF[was.kind], Known(holdings=holdings)
    columns = integers_of(fields_in(part), was.rows)
    old = iter(differences_from_forecasts(part, columns, known))
    following = undo_forecasts(
        part, lambda: next(old) + unfold_signs(decode(cursor, len(was))), known
    )
    rows = was.rows.copy()
    for each in fields_in(part):
        each.write(rows, following[each.name])
    return Table(kind=was.kind, addresses=was.addresses, rows=rows)


def _rows_piece(action: Action, kind: AccountKind, rows: Order, choice: Choice) -> Piece:
    data = encode(rows.astype(np.uint64), choice)
    return Piece(section=action + kind, rows=len(rows), data=data)


def _read_rows_of(cursor: Cursor, count: int, rows: int) -> Order:
    """Read numbers of rows, rising."""
    if count > rows:
        raise SnapshotDamaged(f"found {count} of {rows} accounts")
    found = decode(cursor, count)
    if count and (int(found.max()) >= rows or not (found[1:] > found[:-1]).all()):
        raise SnapshotDamaged(f"found accounts that are not among the {rows} of the base")
    return found.astype(np.int64)


def _rows_in(table: Table, addresses: AddressArray) -> Order:
    rows = AddressIndex(table.addresses).rows_of(addresses)
    if (rows < 0).any():
        raise SnapshotDamaged("found a change of a market that the base does not have")
    return rows
