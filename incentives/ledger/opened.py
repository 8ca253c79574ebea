"""A ledger, opened: for its one writer, or to be read beside it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlite_utils import Database

from incentives.ledger.encoding import Identity, chained
from incentives.ledger.errors import LedgerError, LedgerForeign
from incentives.ledger.recorded import read_progress, read_texts
from incentives.ledger.schema import LEDGER
from incentives.ledger.writer import LedgerWriter
from incentives.parameters import Parameters
from state.store import Store, connect_read_only, open_store


@asynccontextmanager
async def open_ledger(
    path: Path, identity: Identity, parameters: Parameters
) -> AsyncGenerator[LedgerWriter]:
    """Open a ledger for writing, creating it if need be; one process at a time.

    Raises:
        LedgerForeign: it is of another platform.
        LedgerError: its last lines do not lead to its head.
        StateError: the file cannot be used.
    """
    async with open_store(path, LEDGER) as store:
        yield await take_ledger(store, path, identity, parameters)


async def take_ledger(
    store: Store, path: Path, identity: Identity, parameters: Parameters
) -> LedgerWriter:
    """Go on with the ledger of an open store, or begin it.

    Args:
        store: of the schema LEDGER.
        path: what messages call it.
        identity: of the platform it has to be of.
        parameters: of its rules.

    Raises:
        LedgerForeign: it is of another platform.
        LedgerError: its last lines do not lead to its head.
    """
    await store.transaction(lambda db: _identify(db, path, identity))
    await store.read(lambda db: _check_tail(db, path, identity))
    return LedgerWriter(store=store, identity=identity, parameters=parameters)


def read_ledger(path: Path) -> Database:
    """Open the live file for reading; whoever writes is not held up.

    Raises:
        LedgerError: there is none.
        StateError: the file cannot be read.
    """
    if not path.exists():
        raise LedgerError(
            f"{path} does not exist: name the ledger with --ledger, or start `incentives follow`"
        )
    db = connect_read_only(path)
    if "identity" not in db.table_names():
        raise LedgerError(f"{path} is a database, but no reward ledger: check --ledger")
    return db


def read_identity(db: Database) -> Identity:
    """Return which season of which platform a ledger is of."""
    row = db.conn.execute("SELECT genesis_hash, program, mint FROM identity").fetchone()
    return Identity(genesis_hash=row[0], program=row[1], mint=row[2])


def _identify(db: Database, path: Path, identity: Identity) -> None:
    if db.conn.execute("SELECT count(*) FROM identity").fetchone()[0] == 0:
        db.conn.execute(
            "INSERT INTO identity (id, genesis_hash, program, mint) VALUES (1, ?, ?, ?)",
            [identity.genesis_hash, identity.program, identity.mint],
        )
    elif (found := read_identity(db)) != identity:
        raise LedgerForeign(
            f"{path} is of program {found.program} on cluster {found.genesis_hash}, asked for {identity.program} on "
            f"{identity.genesis_hash}: name another ledger"
        )


def _check_tail(db: Database, path: Path, identity: Identity) -> None:
    """Hash the lines since the last event again: a copy whose parts are of different moments is not written on."""
    progress = read_progress(db)
    if progress is None:
        return
    row = db.conn.execute(
        "SELECT seq, hash FROM event WHERE seq <= ? ORDER BY seq DESC LIMIT 1", [progress.seq]
    ).fetchone()
    last, head = row or (0, identity.seed)
    try:
        for number, text in read_texts(db, last + 1):
            last, head = number, chained(head, text)
    except ValueError:
        head = b""
    if (last, head) != (progress.seq, progress.head):
        raise LedgerError(
            f"{path}: its last lines do not lead to its head (was it copied while it was written?): "
            "see `incentives verify`, restore a backup, or move it aside and let it be read from the chain again"
        )
