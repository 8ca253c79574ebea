"""Cursors: how far something was read, by name."""

from dataclasses import dataclass

from sqlite_utils import Database

from state.errors import HistoryConflict
from state.sqlite import sqlite3
from state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far one reader got."""

    name: str
    slot: int
    signature: str | None
    """The last transaction read in that slot, base58; None when whole slots are read."""


@dataclass(frozen=True, slots=True)
class Cursors:
    """The cursors in a store."""

    store: Store

    async def find_cursor(self, name: str) -> Cursor | None:
        """Read a cursor; None if it was never moved."""
        return await self.store.read(lambda db: _find(db, name))

    async def move(self, cursor: Cursor) -> None:
        """Commit a cursor's new place.

        Raises:
            HistoryConflict: it would move backwards.
        """
        await self.store.transaction(lambda db: move_cursor(db, cursor))


def move_cursor(db: Database, cursor: Cursor) -> None:
    """Move a cursor inside a transaction of the caller, with the rows it accounts for.

    Raises:
        HistoryConflict: it would move backwards.
    """
    try:
        db.conn.execute(
            "INSERT INTO cursor (name, slot, signature) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET slot = excluded.slot, signature = excluded.signature",
            [cursor.name, cursor.slot, cursor.signature],
        )
    except sqlite3.IntegrityError as error:
        raise HistoryConflict(f"cursor {cursor.name} to slot {cursor.slot}: {error}") from error


def _find(db: Database, name: str) -> Cursor | None:
    row = db.conn.execute("SELECT slot, signature FROM cursor WHERE name = ?", [name]).fetchone()
    return None if row is None else Cursor(name=name, slot=row[0], signature=row[1])
