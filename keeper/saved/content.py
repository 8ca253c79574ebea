"""All accounts <-> sections of a file, one after the other.

Core. Order: markets' names, the dictionary of wallets, blocks of positions, makers, stakes and chains, blocks of markets' amounts,
the rest. A reader holds what blocks refer to (names, dictionary, sums), and otherwise one block at a time.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from keeper.address_index import ADDRESS_BYTES, AddressArray, address_array
from keeper.saved.accounts import TABLE_DTYPES, Accounts, Table, empty_table
from keeper.saved.blocks import (
    BLOCK_ROWS,
    Context,
    key_fields,
    market_places,
    read_amounts,
    read_names,
    read_rows,
    write_amounts,
    write_names,
    write_rows,
)
from keeper.saved.dictionary import Dictionary
from keeper.saved.fields import Role, role_of
from keeper.saved.holdings import Holdings
from keeper.saved.soundness import Soundness, check_kind, check_unique
from programs.layout import POOL_DTYPE, AccountKind
from state.snapshots.columns import ALL, Choice, decode, encode
from state.snapshots.cursor import Cursor
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.piece import Piece
from state.snapshots.planes import pack_bytes, unpack_bytes

HOLDERS: Final = (AccountKind.POSITION, AccountKind.MAKER, AccountKind.STAKE, AccountKind.CHAIN)
"""Kinds that refer to markets and wallets, in the order of the file."""
OTHER_BYTES_MAX: Final = 10 << 20
"""Source: agave MAX_PERMITTED_DATA_LENGTH."""
_U32: Final = struct.Struct("<I")


class Section(IntEnum):
    """What a section holds; those of accounts have the number of their kind."""

    MARKET = AccountKind.MARKET
    POSITION = AccountKind.POSITION
    MAKER = AccountKind.MAKER
    STAKE = AccountKind.STAKE
    CHAIN = AccountKind.CHAIN
    NAMES = 16
    WALLETS = 17
    OTHERS = 18


_ORDER: Final = (
    Section.NAMES,
    Section.WALLETS,
    *(Section(kind) for kind in HOLDERS),
    Section.MARKET,
    Section.OTHERS,
)
_ONCE: Final = (Section.WALLETS, Section.OTHERS)
_ROW_BYTES: Final = {
    Section.NAMES: ADDRESS_BYTES + TABLE_DTYPES[AccountKind.MARKET].itemsize,
    Section.WALLETS: 0,
    **{Section(kind): ADDRESS_BYTES + TABLE_DTYPES[kind].itemsize for kind in HOLDERS},
    Section.MARKET: 0,
    Section.OTHERS: 0,
}
"""Of an account, unpacked; wallets and others are as long in the file, or bounded by themselves."""

Others = tuple[tuple[bytes, bytes], ...]
NO_KEYS: Final = address_array([])


def dictionary_of(accounts: Accounts, wallets: AddressArray = NO_KEYS) -> Dictionary:
    """Return the keys that accounts refer to, after those that a dictionary has already."""
    start = Dictionary(markets=accounts.tables[AccountKind.MARKET].addresses, wallets=wallets)
    columns = [
        (field.keys(accounts.tables[kind].rows), role_of(field))
        for kind in HOLDERS
        for field in key_fields(kind, Role.MARKET, Role.WALLET)
    ]
    return start.with_wallets(columns)


def holdings_of(accounts: Accounts, dictionary: Dictionary) -> Holdings:
    """Return what the accounts of all markets add up to."""
    holdings = Holdings(accounts.tables[AccountKind.MARKET].rows["pools"])
    for kind in HOLDERS:
        rows = accounts.tables[kind].rows
        places = market_places(kind, rows, dictionary)
        if places is not None:
            holdings.add(kind, rows, places)
    return holdings


def write_content(accounts: Accounts, program: bytes, choice: Choice = ALL) -> Iterator[Piece]:
    """Yield the sections of a whole snapshot."""
    dictionary = dictionary_of(accounts)
    context = Context(
        program=program,
        dictionary=dictionary,
        holdings=holdings_of(accounts, dictionary),
        choice=choice,
    )
    markets = accounts.tables[AccountKind.MARKET]
    for start, stop in _ranges(len(markets)):
        data = write_names(markets, start, stop, context)
        yield Piece(section=Section.NAMES, rows=stop - start, data=data)
    yield write_wallets(dictionary.wallets)
    for kind in HOLDERS:
        table = accounts.tables[kind]
        for start, stop in _ranges(len(table)):
            data = write_rows(table, start, stop, context)
            yield Piece(section=Section(kind), rows=stop - start, data=data)
    for start, stop in _ranges(len(markets)):
        data = write_amounts(markets, np.arange(start, stop), context)
        yield Piece(section=Section.MARKET, rows=stop - start, data=data)
    yield write_others(accounts.others, choice)


def write_wallets(wallets: AddressArray) -> Piece:
    """Return the section of a dictionary, or of what is added to one."""
    return Piece(section=Section.WALLETS, rows=len(wallets), data=wallets.tobytes())


def read_wallets(piece: Piece) -> AddressArray:
    """Read such a section.

    Raises:
        SnapshotDamaged: it is of another length.
    """
    if len(piece.data) != piece.rows * ADDRESS_BYTES:
        raise SnapshotDamaged(f"found {len(piece.data)} bytes for {piece.rows} wallets")
    return np.frombuffer(piece.data, f"V{ADDRESS_BYTES}")


def write_others(others: Others, choice: Choice = ALL) -> Piece:
    """Return the section of accounts that are in no table."""
    if not others:
        return Piece(section=Section.OTHERS, rows=0, data=b"")
    lengths = np.array([len(data) for _, data in others], np.uint64)
    joined = b"".join(data for _, data in others)
    written = encode(lengths, choice) + pack_bytes(joined, is_compressed=choice.is_compressed)
    addresses = b"".join(address for address, _ in others)
    return Piece(section=Section.OTHERS, rows=len(others), data=addresses + written)


def read_others(piece: Piece) -> Others:
    """Read such a section.

    Raises:
        SnapshotDamaged: it does not add up.
    """
    cursor = Cursor(piece.data)
    addresses = bytes(cursor.take(piece.rows * ADDRESS_BYTES))
    lengths = decode(cursor, piece.rows)
    if piece.rows and int(lengths.max()) > OTHER_BYTES_MAX:
        raise SnapshotDamaged(f"found an account of {int(lengths.max())} bytes")
    total = int(lengths.sum())
    if total > OTHER_BYTES_MAX:
        raise SnapshotDamaged(f"found {total} bytes of other accounts")
    joined = unpack_bytes(cursor, total)
    cursor.finish()
    ends = np.cumsum(lengths.astype(np.int64)).tolist()
    starts = [0, *ends][: len(ends)]
    return tuple(
        (addresses[at * ADDRESS_BYTES : (at + 1) * ADDRESS_BYTES], joined[start:end])
        for at, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Accounts as they are read: rows of a table, or others."""

    table: Table | None = None
    others: Others = ()


def read_content(pieces: Iterable[Piece], program: bytes, raw_bytes: int) -> Iterator[Block]:
    """Yield the accounts of a whole snapshot, block by block, in their order.

    Args:
        pieces: its sections.
        program: whose accounts they are.
        raw_bytes: what they take unpacked, at most.

    Raises:
        SnapshotDamaged: it is none.
    """
    reader = ContentReader(program, raw_bytes)
    for piece in pieces:
        block = reader.take(piece)
        if block is not None:
            yield block
    reader.finish()


class ContentReader:
    """What a reader holds on to between blocks."""

    def __init__(self, program: bytes, raw_bytes: int) -> None:
        """Begin at the front of a file that unpacks to no more than so many bytes."""
        self._program = program
        self._left_bytes = raw_bytes
        self._names: list[Table] = []
        self._markets_read = 0
        self._stage = -1
        self._context: Context | None = None
        self._markets: Table | None = None
        self._soundness = Soundness()
        self._is_full = True
        """Whether the last block of this stage had as many rows as one has."""

    @property
    def dictionary(self) -> Dictionary:
        """What places mean.

        Raises:
            SnapshotDamaged: it has not been read.
        """
        return self._ready().dictionary

    def take(self, piece: Piece) -> Block | None:
        """Read one section; None for one without accounts.

        Raises:
            SnapshotDamaged: it does not belong here, or is none.
        """
        if piece.section not in _ORDER:
            raise SnapshotDamaged(f"found a section of kind {piece.section}")
        section = Section(piece.section)
        stage = _ORDER.index(section)
        if stage < self._stage or (stage == self._stage and section in _ONCE):
            raise SnapshotDamaged(f"found a section of {section.name} at the wrong place")
        if section not in _ONCE:
            self._check_rows(piece.rows, is_next=stage == self._stage)
        self._stage = stage
        self.spend(piece.rows * _ROW_BYTES[section])
        match section:
            case Section.NAMES:
                cursor = Cursor(piece.data)
                names = read_names(cursor, piece.rows, self._program)
                cursor.finish()
                self.spend(int(names.rows["pools"].sum()) * POOL_DTYPE.itemsize)
                self._names.append(names)
                return None
            case Section.WALLETS:
                self._begin(piece)
                return None
            case Section.OTHERS:
                others = read_others(piece)
                self._soundness.take_others(others)
                return Block(others=others)
            case Section.MARKET:
                return Block(table=self._amounts(piece))
            case _:
                return Block(table=self._rows(piece))

    def spend(self, raw_bytes: int) -> None:
        """Note that so much is about to be unpacked.

        Raises:
            SnapshotDamaged: it is more than the file told of.
        """
        self._left_bytes -= raw_bytes
        if self._left_bytes < 0:
            raise SnapshotDamaged("found more rows than it tells of")

    def finish(self) -> None:
        """State that everything was read.

        Raises:
            SnapshotDamaged: something is missing.
        """
        if self._stage != len(_ORDER) - 1 or self._markets is None:
            raise SnapshotDamaged("found no last section")
        if self._markets_read != len(self._markets):
            raise SnapshotDamaged(
                f"found amounts of {self._markets_read} markets, expected {len(self._markets)}"
            )
        self._soundness.finish()

    def _check_rows(self, rows: int, *, is_next: bool) -> None:
        """Blocks are full but the last one of a stage: a file of many small ones would take far longer than its length says."""
        if not 1 <= rows <= BLOCK_ROWS or (is_next and not self._is_full):
            raise SnapshotDamaged(f"found a block of {rows} rows, expected {BLOCK_ROWS}")
        self._is_full = rows == BLOCK_ROWS

    def _begin(self, piece: Piece) -> None:
        self._markets = joined_tables(AccountKind.MARKET, self._names)
        self._names = []
        self._soundness.take_markets(self._markets)
        wallets = read_wallets(piece)
        check_unique([wallets], "a wallet")
        self._context = Context(
            program=self._program,
            dictionary=Dictionary(markets=self._markets.addresses, wallets=wallets),
            holdings=Holdings(self._markets.rows["pools"]),
        )

    def _ready(self) -> Context:
        if self._context is None:
            raise SnapshotDamaged("found accounts before the keys that they refer to")
        return self._context

    def _rows(self, piece: Piece) -> Table:
        context, kind = self._ready(), AccountKind(piece.section)
        cursor = Cursor(piece.data)
        table = read_rows(kind, cursor, piece.rows, context)
        cursor.finish()
        places = market_places(kind, table.rows, context.dictionary)
        market_rows = None
        if places is not None:
            context.holdings.add(kind, table.rows, places)
            market_rows = context.dictionary.market_rows(places)
        self._soundness.take(table, market_rows)
        return table

    def _amounts(self, piece: Piece) -> Table:
        context = self._ready()
        assert self._markets is not None, "it is ready"
        start, stop = self._markets_read, self._markets_read + piece.rows
        if stop > len(self._markets):
            raise SnapshotDamaged(f"found amounts of more markets than {len(self._markets)}")
        self._markets_read = stop
        cursor = Cursor(piece.data)
        table = read_amounts(cursor, self._markets, np.arange(start, stop), context)
        cursor.finish()
        check_kind(table)
        return table


def joined_tables(kind: AccountKind, tables: Iterable[Table]) -> Table:
    """Return tables as one."""
    listed = list(tables)
    if len(listed) == 1:
        return listed[0]
    listed.append(empty_table(kind))
    return Table(
        kind=kind,
        addresses=np.concatenate([each.addresses for each in listed]),
        rows=np.concatenate([each.rows for each in listed]),
        pools=np.concatenate([each.pools for each in listed]),
    )


def gathered(blocks: Iterable[Block]) -> Accounts:
    """Return all blocks of a snapshot as its accounts."""
    tables: dict[AccountKind, list[Table]] = {kind: [] for kind in (AccountKind.MARKET, *HOLDERS)}
    others: Others = ()
    for block in blocks:
        if block.table is None:
            others = block.others
        else:
            tables[block.table.kind].append(block.table)
    return Accounts(
        tables={kind: joined_tables(kind, listed) for kind, listed in tables.items()},
        others=others,
    )


def _ranges(rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, BLOCK_ROWS):
        yield start, min(start + BLOCK_ROWS, rows)


def blocks_of(accounts: Accounts) -> Iterator[Block]:
    """Yield accounts in the order of the file."""
    for kind in TABLE_DTYPES:
        yield Block(table=accounts.tables[kind])
    yield Block(others=accounts.others)
