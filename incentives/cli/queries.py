"""SQL in, reports out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlite_utils import Database

from incentives.cli.output import Report, Value
from incentives.ledger.recorded import read_progress

_NOTHING: Final[Mapping[str, Value]] = {}


def select(
    db: Database,
    sql: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
    *,
    head: Mapping[str, Value] = _NOTHING,
    rows_name: str = "rows",
) -> Report:
    """Return a report of what a statement selects; the rows are read as they are printed."""
    found = db.conn.execute(sql, parameters)
    columns = [column[0] for column in found.description or ()]
    rows: Iterable[Sequence[Value]] = found
    return Report(columns=columns, rows=rows, head=head, rows_name=rows_name)


def progress_slot(db: Database) -> int | None:
    """Return up to which slot the ledger knows the chain; None while it is empty."""
    progress = read_progress(db)
    return None if progress is None else progress.through_slot
