"""What was learned of compute units, kept over a restart: plain integers, replaced as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from state.store import Store


@dataclass(frozen=True, slots=True)
class LearnedUnits:
    """The (bound, used) pairs in a store, by kind of transaction."""

    store: Store

    async def load(self) -> dict[str, list[tuple[int, int]]]:
        """Read all pairs, oldest first."""
        return await self.store.read(_load)

    async def save(self, values: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        """Replace all pairs, in one transaction."""
        await self.store.transaction(lambda db: _save(db, values))


def _load(db: Database) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for kind, bound, used in db.conn.execute(
        "SELECT kind, bound_cu, used_cu FROM learned_units ORDER BY id"
    ):
        found.setdefault(kind, []).append((bound, used))
    return found


def _save(db: Database, values: Mapping[str, Sequence[tuple[int, int]]]) -> None:
    db.conn.execute("DELETE FROM learned_units")
    db.conn.executemany(
        "INSERT INTO learned_units (kind, bound_cu, used_cu) VALUES (?, ?, ?)",
        [(kind, bound, used) for kind, pairs in values.items() for bound, used in pairs],
    )
