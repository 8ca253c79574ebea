"""Everything that must hold of a ledger, checked: `incentives verify`.

Shell. Reads only. A check that cannot be finished is a finding too. What the file alone cannot show, that the lines are those which
the rules make of the events, recompute.py does.
"""

import struct
from collections.abc import Callable, Iterator, Mapping

from sqlite_utils import Database

from incentives.ledger.verifying.file import check_file, check_schema, check_snapshot
from incentives.ledger.verifying.finding import Finding, limited
from incentives.ledger.verifying.lines import LineCheck, check_balances
from incentives.ledger.verifying.payouts import check_payouts
from incentives.ledger.verifying.readings import check_readings
from incentives.ledger.verifying.season import check_allocations, check_epochs, read_promise
from incentives.ledger.verifying.trades import check_boosted
from state.sqlite import sqlite3


def verify(db: Database, anchors: Mapping[int, str] | None = None) -> Iterator[Finding]:
    """Yield what does not hold; nothing if all does.

    Args:
        db: a ledger, opened for reading: `read_ledger`. It is read as it was at the beginning, whatever is written meanwhile.
        anchors: heads in hex by epoch, as its manifests were published.
    """
    db.conn.execute("BEGIN")
    try:
        for check in (check_file, check_schema, check_snapshot):
            yield from _finished(check.__name__, lambda check=check: check(db))  # type: ignore[misc]  # a default binds the loop's
        yield from _check_contents(db, anchors or {})
    finally:
        db.conn.execute("ROLLBACK")


def _check_contents(db: Database, anchors: Mapping[int, str]) -> Iterator[Finding]:
    lines: list[LineCheck] = []

    def check_lines() -> Iterator[Finding]:
        lines.append(LineCheck(db))
        return lines[0].findings()

    def check_season() -> Iterator[Finding]:
        if (promise := read_promise(db)) is not None:
            yield from check_epochs(db, promise, anchors)
            yield from check_boosted(db, promise)

    yield from _finished("lines", check_lines)
    if lines:
        yield from _finished("balances", lambda: check_balances(db, lines[0]))
    yield from _finished("season", check_season)
    for check in (check_allocations, check_payouts, check_readings):
        yield from _finished(check.__name__, lambda check=check: check(db))  # type: ignore[misc]  # as above


def _finished(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings; that it could not be finished is one."""
    try:
        yield from limited(check())
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, struct.error) as error:
        yield Finding(name.removeprefix("check_"), f"this could not be checked to the end: {error}")
