"""A store without a thread: the real schema in a real SQLite, committed in the caller's own task.

A virtual clock cannot see threads, so whatever runs on one uses this store. The price is that a commit stops the loop: a
keeper on a real clock has its writer on a thread (`store.py`).
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio
from sqlite_utils import Database

from state.commit_counts import CommitCounts
from state.schema import STATE, Schema, check_library, migrate
from state.store import commit, configure, connect_writer

T = TypeVar("T")


class InLoopStore:
    """A `Store` in memory, or in a file of its own."""

    def __init__(self, schema: Schema = STATE, path: Path | None = None) -> None:
        self.commit_counts = CommitCounts()
        self.answers = trio.Event()
        """Whether the disk answers: a drill puts an event here that is not set, and nothing is committed until it is."""
        self.answers.set()
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.db = connect_writer(path, schema)
            return
        self.db = Database(memory=True)
        configure(self.db)
        migrate(self.db, ":memory:", schema)

    async def transaction(self, work: Callable[[Database], T]) -> T:
        """Run `work` in one IMMEDIATE transaction; commit, or roll back and raise."""
        await self.answers.wait()
        began_s = time.monotonic()
        result = commit(self.db, work)
        self.commit_counts.note(began_s)
        return result

    async def read(self, work: Callable[[Database], T]) -> T:
        """Run `work` on the same connection: it sees what is committed, for nothing else ever is."""
        await trio.lowlevel.checkpoint()
        return work(self.db)

    def close(self) -> None:
        """Let go of the memory."""
        self.db.close()


class InLoopStores:
    """Stores by path, so that who opens one again finds what was left in it; in memory unless told otherwise."""

    def __init__(self, *, are_files: bool = False) -> None:
        self._are_files = are_files
        self._stores: dict[Path, InLoopStore] = {}

    @asynccontextmanager
    async def open_store(self, path: Path) -> AsyncGenerator[InLoopStore]:
        """Open what was left at `path`, or a new one; does what `state.store.open_store` does."""
        check_library()
        await trio.lowlevel.checkpoint()
        if path not in self._stores:
            self._stores[path] = InLoopStore(path=path if self._are_files else None)
        yield self._stores[path]

    @property
    def stores(self) -> tuple[InLoopStore, ...]:
        """What has been opened so far, in that order."""
        return tuple(self._stores.values())

    @property
    def databases(self) -> tuple[Database, ...]:
        """What has been opened so far, in that order."""
        return tuple(store.db for store in self._stores.values())

    def close(self) -> None:
        """Let go of all of them."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
