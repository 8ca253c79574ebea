"""Snapshots of the platform's accounts on disk: written, loaded with what they are changes of, hashed again.

Shell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keeper.saved.accounts import Accounts
from keeper.saved.content import (
    Block,
    ContentReader,
    blocks_of,
    gathered,
    write_content,
)
from keeper.saved.dictionary import Dictionary
from keeper.saved.sums import leaf_blocks
from state.snapshots.errors import SnapshotDamaged
from state.snapshots.file import load_header, read_pieces, write_snapshot
from state.snapshots.header import Header
from state.snapshots.piece import Origin
from state.snapshots.sum_tree import top_of


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


def save(path: Path, origin: Origin, accounts: Accounts) -> Header:
    """Write a whole snapshot.

    Raises:
        StateError: the disk refuses, or sums are larger than any platform's.
    """
    top = top_of(leaf_blocks(blocks_of(accounts)), len(accounts))
    pieces = write_content(accounts, origin.program)
    return write_snapshot(path, origin, top, accounts.raw_bytes, pieces)


def load(path: Path) -> Saved:
    """Read a whole snapshot.

    Raises:
        SnapshotDamaged: it is none.
        StateError: it cannot be read.
    """
    header = load_header(path)
    reader = ContentReader(header.program, header.raw_bytes)
    accounts = gathered(_blocks(path, header, reader))
    return Saved(path=path, header=header, accounts=accounts, dictionary=reader.dictionary)


def _blocks(path: Path, header: Header, reader: ContentReader) -> Iterator[Block]:
    try:
        for piece in read_pieces(path, header):
            block = reader.take(piece)
            if block is not None:
                yield block
        reader.finish()
    except SnapshotDamaged as damaged:
        raise SnapshotDamaged(damaged.detail, path) from None
