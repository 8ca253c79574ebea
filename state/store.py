"""One writer: a connection on a thread of its own, fed from trio, that commits what is waiting as one group.

A caller hands over a function; it runs on the writer's thread, all of it or nothing. Whatever waits when the disk is free
again shares one COMMIT, and so one fsync; nobody is answered before it. Each function has a savepoint of its own, so one
that raises takes nothing from the others. Once handed over it is never abandoned: a cancelled caller waits for the commit (well under a millisecond) and meets Cancelled at its next
checkpoint, so what the database says and what the caller believes cannot part.

Measured (LEDGER.md): a dedicated thread with a queue commits at p99 1.4 ms; separate writers starve.
"""

import os
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

import outcome
import trio
from sqlite_utils import Database

from state.commit_counts import CommitCounts
from state.errors import (
    StateCorrupt,
    StateDiskFull,
    StateReadOnly,
    StateUnopenable,
)
from state.file_lock import exclusive_lock, from_os_error
from state.schema import STATE, Schema, check_library, migrate
from state.sqlite import sqlite3

T = TypeVar("T")

_IDLE_CHECKPOINT_S: Final = 0.5
"""A WAL is folded back once the writer has been idle this long, off every caller's path."""
_WAL_PAGES_MAX: Final = 32_768
"""A writer that is never idle folds the WAL back at this length: 128 MiB."""
_GROUP_MAX: Final = 256
"""Functions that share one commit: enough to hide the fsync, few enough that the first is soon answered."""
_BUSY_TIMEOUT_S: Final = 0.25
"""Only a checkpoint ever waits, for a reader; it is tried again later."""

_FULL, _READONLY, _CORRUPT, _NOTADB, _CANTOPEN, _IOERR = 13, 8, 11, 26, 14, 10
"""Primary result codes. Source: sqlite.org/rescode.html."""


class Store(Protocol):
    """Where facts are committed and read."""

    @property
    def commit_counts(self) -> CommitCounts:
        """How long commits took so far."""
        ...

    async def transaction(self, work: Callable[[Database], T]) -> T:
        """Run `work` in one IMMEDIATE transaction; commit, or roll back and raise."""
        ...

    async def read(self, work: Callable[[Database], T]) -> T:
        """Run `work` on a read-only connection."""
        ...


@dataclass(slots=True)
class _Errand:
    """One function on its way to the writer's thread."""

    work: Callable[[Database], object]
    task: trio.lowlevel.Task
    token: trio.lowlevel.TrioToken

    def deliver(self, result: outcome.Outcome[object]) -> None:
        self.token.run_sync_soon(trio.lowlevel.reschedule, self.task, result)


@dataclass(slots=True, eq=False)
class SqliteStore:
    """The `Store` on a file; made by `open_store`."""

    path: Path
    commit_counts: CommitCounts = field(default_factory=CommitCounts)
    _errands: "queue.SimpleQueue[_Errand | None]" = field(default_factory=queue.SimpleQueue)

    async def transaction(self, work: Callable[[Database], T]) -> T:
        """Run `work` in one IMMEDIATE transaction; commit, or roll back and raise.

        `work` runs on the writer's thread: it takes values, touches only the database, returns values.

        Raises:
            StateDiskFull, StateReadOnly, StateCorrupt: nothing of `work` was kept.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()
        self._errands.put(_Errand(work, task, token))
        # Abort.FAILED is what makes the commit finish: the writer reschedules this task, nobody else.
        result: T = await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        return result

    async def read(self, work: Callable[[Database], T]) -> T:
        """Run `work` on a read-only connection of its own, beside the writer."""

        def run() -> T:
            with closing(connect_read_only(self.path)) as db, _translated(self.path):
                return work(db)

        return await trio.to_thread.run_sync(run)


@asynccontextmanager
async def open_store(path: Path, schema: Schema = STATE) -> AsyncGenerator[SqliteStore]:
    """Open, lock and migrate the database at `path`, creating it (0600, its folder 0700) if need be.

    Raises:
        StateError: with one sentence for the operator; the file is as it was.
    """
    check_library()
    with exclusive_lock(path):
        db = await trio.to_thread.run_sync(connect_writer, path, schema)
        store = SqliteStore(path)
        writer = threading.Thread(target=_write, args=(db, store), name="state-writer", daemon=True)
        writer.start()
        try:
            yield store
        finally:
            store._errands.put(None)  # noqa: SLF001 - the one who starts the thread ends it
            # Everything handed over is committed before the lock is let go.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(writer.join)


def connect_read_only(path: Path) -> Database:
    """Open a reader that cannot write, checkpoint, or create the file."""
    with _translated(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        return Database(connection)


def connect_writer(path: Path, schema: Schema) -> Database:
    """Open a database for writing as `open_store` does, without its lock and its thread.

    Raises:
        StateError: with one sentence for the operator; the file is as it was.
    """
    with _translated(path):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except PermissionError as error:
            raise StateReadOnly(path) from error
        except OSError as error:
            raise from_os_error(path, error) from error
        connection = sqlite3.connect(str(path), timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            db = Database(connection)
            configure(db)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES_MAX}")
            connection.execute(f"PRAGMA cache_size = {-1024 * schema.cache_mib}")
            migrate(db, str(path), schema)
        except BaseException:
            connection.close()
            raise
        return db


def configure(db: Database) -> None:
    """Set the pragmas every writing connection needs."""
    db.conn.execute("PRAGMA synchronous = FULL")
    db.conn.execute("PRAGMA foreign_keys = ON")
    db.conn.execute("PRAGMA recursive_triggers = ON")


def commit(db: Database, work: Callable[[Database], T]) -> T:
    """Run `work` between BEGIN IMMEDIATE and COMMIT; roll back on any exception."""
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.conn.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise
    return result


def _write(db: Database, store: SqliteStore) -> None:
    """Serve errands, first come first served, until told to stop; checkpoint when idle."""
    has_written = False
    errands = store._errands  # noqa: SLF001 - its own thread
    with closing(db):
        while True:
            try:
                first = errands.get(timeout=_IDLE_CHECKPOINT_S if has_written else None)
            except queue.Empty:
                has_written = not _checkpoint(db)
                continue
            group, is_over = _gather(first, errands)
            began_s = time.monotonic()
            results = _commit_group(db, store.path, [errand.work for errand in group])
            if group:
                store.commit_counts.note(began_s)
            for errand, result in zip(group, results, strict=True):
                errand.deliver(result)
            if is_over:
                _checkpoint(db)
                return
            has_written = True


def _gather(
    first: _Errand | None, errands: "queue.SimpleQueue[_Errand | None]"
) -> tuple[list[_Errand], bool]:
    """Take what waits, and whether it was the last: None ends the queue."""
    group: list[_Errand] = []
    errand = first
    while errand is not None:
        group.append(errand)
        if len(group) == _GROUP_MAX:
            return group, False
        try:
            errand = errands.get_nowait()
        except queue.Empty:
            return group, False
    return group, True


def _commit_group(
    db: Database, path: Path, works: Sequence[Callable[[Database], object]]
) -> list[outcome.Outcome[object]]:
    """Commit functions together, or each alone when the group as a whole cannot be."""
    if len(works) > 1:
        # What ends the whole transaction (a full disk, say) may be the doing of one of them; nothing was kept.
        with suppress(sqlite3.DatabaseError):
            return commit(db, lambda db: [_attempt(db, path, work) for work in works])
    return [outcome.capture(_translated_commit, db, path, work) for work in works]


def _attempt(
    db: Database, path: Path, work: Callable[[Database], object]
) -> outcome.Outcome[object]:
    """Run one function of a group under a savepoint."""
    db.conn.execute("SAVEPOINT errand")
    result = outcome.capture(_translated_work, db, path, work)
    if isinstance(result, outcome.Error):
        db.conn.execute("ROLLBACK TO errand")
    db.conn.execute("RELEASE errand")
    return result


def _translated_work(db: Database, path: Path, work: Callable[[Database], object]) -> object:
    with _translated(path):
        return work(db)


def _translated_commit(db: Database, path: Path, work: Callable[[Database], object]) -> object:
    with _translated(path):
        return commit(db, work)


def _checkpoint(db: Database) -> bool:
    """Fold the WAL back; False when a reader or the disk stood in the way, which loses nothing."""
    try:
        busy, _log, _done = db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:
        return False
    return not busy


@contextmanager
def _translated(path: Path) -> Generator[None]:
    """Turn SQLite's result codes into sentences for the operator, once, here."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == _FULL:
            raise StateDiskFull(path) from error
        if code == _READONLY:
            raise StateReadOnly(path) from error
        if code in {_CORRUPT, _NOTADB}:
            raise StateCorrupt(path, str(error)) from error
        if code in {_CANTOPEN, _IOERR}:
            raise StateUnopenable(path, str(error)) from error
        raise
