"""Snapshots of the platform's accounts on disk: written, loaded with what they are changes of, hashed again.

Shell.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from solders.hash import Hash
from solders.pubkey import Pubkey

from keeper.saved.accounts import Accounts
from keeper.saved.books import Books
from keeper.saved.change_content import changed_raw_bytes, read_changes, write_changes
from keeper.saved.changes import find_changes
from keeper.saved.content import Block, ContentReader, blocks_of, gathered, write_content
from keeper.saved.dictionary import Dictionary
from keeper.saved.sums import leaf_blocks
from state.snapshots.errors import SnapshotDamaged, SnapshotForeign
from state.snapshots.file import load_header, read_pieces, write_snapshot
from state.snapshots.header import Header
from state.snapshots.piece import Origin
from state.snapshots.sum_tree import Path as TreePath
from state.snapshots.sum_tree import Top, path_of, top_of

_CHAIN_MAX: Final = 64
"""Snapshots of changes, one of the other: reading that many takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A snapshot in memory."""

    path: Path
    header: Header
    accounts: Accounts
    dictionary: Dictionary
    """What places in changes of it mean."""

    @property
    def origin(self) -> Origin:
        """What it is of."""
        return Origin(
            genesis_hash=self.header.genesis_hash,
            program=self.header.program,
            slot=self.header.slot,
        )


def save(path: Path, origin: Origin, accounts: Accounts, base: Saved | None = None) -> Header:
    """Write a snapshot: whole, or the changes of another one.

    Raises:
        SnapshotForeign: the base is of another platform, or newer.
        StateError: the disk refuses, or sums are larger than any platform's.
    """
    top = top_of(leaf_blocks(blocks_of(accounts)), len(accounts))
    if base is None:
        pieces = write_content(accounts, origin.program)
        return write_snapshot(path, origin, top, accounts.raw_bytes, pieces)
    check_same_platform(base.path, base.header, origin)
    if base.header.slot > origin.slot:
        raise SnapshotForeign(
            f"{base.path} is of slot {base.header.slot}, which is after slot {origin.slot}: "
            "changes are told of an older snapshot"
        )
    if path.parent.resolve() != base.path.parent.resolve() or path.name == base.path.name:
        raise SnapshotForeign(
            f"changes of {base.path} lie beside it, under another name: choose a path in its folder"
        )
    wallets = base.dictionary.wallets
    changes = find_changes(base.accounts, accounts)
    raw_bytes = changed_raw_bytes(base.accounts, changes, accounts)
    pieces = write_changes(base.accounts, wallets, changes, accounts, origin.program)
    named = (base.header.root, base.path.name)
    return write_snapshot(path, origin, top, raw_bytes, pieces, named)


def load(path: Path) -> Saved:
    """Read a snapshot, with those beside it that it is changes of.

    Raises:
        SnapshotDamaged: one of them is none, or they do not fit together.
        StateError: one of them cannot be read.
    """
    chain = [(path, load_header(path))]
    while (root := chain[-1][1].base_root) is not None:
        found, header = chain[-1]
        if not header.base_name:
            raise SnapshotDamaged("found no name of the snapshot that it is changes of", found)
        if len(chain) == _CHAIN_MAX:
            raise SnapshotDamaged(f"found more than {_CHAIN_MAX} snapshots of changes", path)
        before = found.with_name(header.base_name)
        if before in {each for each, _ in chain}:
            raise SnapshotDamaged("found that it is changes of itself", path)
        base = load_header(before)
        if base.root != root or base.context != header.context:
            raise SnapshotDamaged(
                f"found {before.name} with root {base.root.hex()[:16]}…, expected its base {root.hex()[:16]}…",
                found,
            )
        chain.append((before, base))
    saved = _load_whole(*chain.pop())
    while chain:
        saved = _load_changes(saved, *chain.pop())
    return saved


def check_root(saved: Saved) -> None:
    """Hash all accounts again.

    Raises:
        SnapshotDamaged: they have another root than the file says.
    """
    top = top_of(leaf_blocks(blocks_of(saved.accounts)), len(saved.accounts))
    _compare(top, saved.header, saved.path)


def verified(path: Path) -> tuple[Header, Books]:
    """Hash all accounts of a snapshot again, block by block where it is whole, and return what they come to.

    Raises:
        SnapshotDamaged: it is none, or has another root than it says.
        StateError: it cannot be read.
    """
    header, books = load_header(path), Books()
    if header.base_root is not None:
        accounts = load(path).accounts  # which compares the root
        top = top_of(leaf_blocks(books.passing(blocks_of(accounts))), len(accounts))
    else:
        reader = ContentReader(header.program, header.raw_bytes)
        blocks = books.passing(_blocks(path, header, reader))
        top = top_of(leaf_blocks(blocks), header.top.leaves)
        top = replace(top, leaves=sum(books.counts.values()))
    _compare(top, header, path)
    return header, books


def check_same_platform(path: Path, header: Header, origin: Origin) -> None:
    """State that a snapshot is of this cluster and program.

    Raises:
        SnapshotForeign: it is not.
    """
    if header.genesis_hash != origin.genesis_hash:
        found, expected = (
            str(Hash.from_bytes(each)) for each in (header.genesis_hash, origin.genesis_hash)
        )
        raise SnapshotForeign(
            f"{path} is a snapshot of another cluster: found genesis hash {found}, expected {expected}"
        )
    if header.program != origin.program:
        found, expected = (
            str(Pubkey.from_bytes(each)) for each in (header.program, origin.program)
        )
        raise SnapshotForeign(f"{path} is a snapshot of program {found}, expected {expected}")


def proof_of(saved: Saved, address: bytes) -> tuple[bytes, TreePath, Top] | None:
    """Return an account's data and its way up the tree; None where there is no such account."""
    for index, (found, data) in enumerate(saved.accounts.pairs()):
        if found == address:
            blocks = leaf_blocks(blocks_of(saved.accounts))
            top, path = path_of(blocks, len(saved.accounts), index)
            return data, path, top
    return None


def _compare(found: Top, header: Header, path: Path) -> None:
    if found != header.top:
        root = found.root(header.context).hex()
        raise SnapshotDamaged(
            f"found accounts with root {root}, expected {header.root.hex()}", path
        )


def _check_some(accounts: int) -> None:
    if not accounts:
        raise SnapshotDamaged("found no account")


def _load_whole(path: Path, header: Header) -> Saved:
    reader = ContentReader(header.program, header.raw_bytes)
    accounts = gathered(_blocks(path, header, reader))
    return Saved(path=path, header=header, accounts=accounts, dictionary=reader.dictionary)


def _load_changes(base: Saved, path: Path, header: Header) -> Saved:
    try:
        accounts, dictionary = read_changes(
            base.accounts,
            base.dictionary.wallets,
            read_pieces(path, header),
            header.program,
            header.raw_bytes,
        )
        saved = Saved(path=path, header=header, accounts=accounts, dictionary=dictionary)
        _check_some(len(accounts))
        # A whole file is what its hash says; two files are it only if they fit together.
        check_root(saved)
    except SnapshotDamaged as damaged:
        raise SnapshotDamaged(damaged.detail, path) from None
    return saved


def _blocks(path: Path, header: Header, reader: ContentReader) -> Iterator[Block]:
    accounts = 0
    try:
        for piece in read_pieces(path, header):
            block = reader.take(piece)
            if block is not None:
                accounts += len(block.others) if block.table is None else len(block.table)
                yield block
        reader.finish()
        _check_some(accounts)
    except SnapshotDamaged as damaged:
        raise SnapshotDamaged(damaged.detail, path) from None
