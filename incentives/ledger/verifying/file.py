"""Is the file whole, and is everything that guards it there.

Shell.
"""

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from sqlite_utils import Database

from incentives.ledger.rows import snapshot_row
from incentives.ledger.schema import LEDGER
from incentives.ledger.verifying.finding import FINDINGS_PER_CHECK, Finding
from state.schema import migrate
from state.sqlite import sqlite3


def check_file(db: Database) -> Iterator[Finding]:
    """Ask SQLite whether pages, indexes and constraints agree: a copy made while somebody wrote seldom does."""
    for (answer,) in db.conn.execute(f"PRAGMA integrity_check({FINDINGS_PER_CHECK})"):
        if answer != "ok":
            yield Finding(
                "file",
                f"SQLite finds the file damaged ({answer}): was it copied while it was written? "
                "Copy a ledger with `VACUUM INTO` or its backup command",
            )
    yield from _constraints(db)
    for table, row, parent, _ in db.conn.execute("PRAGMA foreign_key_check"):
        yield Finding("file", f"row {row} of {table} refers to a row of {parent} that is not there")


def _constraints(db: Database) -> Iterator[Finding]:
    """Ask whether every row keeps its table's CHECKs.

    Measured with SQLite 3.53: a connection that may only read a file has none of its CHECKs, and finds every row well. So this
    one may write, and is told not to; where the file may only be read, SQLite itself makes it read-only, and checks less.
    """
    path = db.conn.execute("PRAGMA database_list").fetchone()[2]
    if not path:
        return  # in memory: it was asked already
    with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=rw", uri=True)) as connection:
        connection.execute("PRAGMA query_only = ON")
        for (answer,) in connection.execute(f"PRAGMA integrity_check({FINDINGS_PER_CHECK})"):
            if answer.startswith("CHECK"):
                yield Finding("file", f"SQLite finds a row that no command wrote: {answer}")


def check_schema(db: Database) -> Iterator[Finding]:
    """Compare tables, indexes, triggers and views with those of this release."""
    expected, found = _expected(), _schema(db)
    for (kind, name), (table, sql) in expected.items():
        if (kind, name) not in found:
            yield Finding("schema", f"{kind} {name} is missing: it guards {table}")
        elif found[kind, name] != (table, sql):
            yield Finding("schema", f"{kind} {name} is not what this release made it")
    for kind, name in found.keys() - expected.keys():
        if kind == "trigger":
            yield Finding(
                "schema",
                f"trigger {name} on {found[kind, name][0]} is none of this release's: it may change what is written",
            )


def check_snapshot(db: Database) -> Iterator[Finding]:
    """Compare the rules' memory with the hash it was written with; whether it follows from the events is for recompute to say."""
    for row in db.conn.execute("SELECT seq, through_slot, body, hash FROM snapshot"):
        if row != snapshot_row(*row[:3]):
            yield Finding("snapshot", "the snapshot of the rules' memory is not what was written")


@cache
def _expected() -> dict[tuple[str, str], tuple[str, str | None]]:
    fresh = Database(memory=True)
    migrate(fresh, ":memory:", LEDGER)
    return _schema(fresh)


def _schema(db: Database) -> dict[tuple[str, str], tuple[str, str | None]]:
    rows = db.conn.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE '%sqlite%'"
    )
    return {(kind, name): (table, sql) for kind, name, table, sql in rows}
