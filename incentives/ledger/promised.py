"""The parameters that a ledger was computed by, read back from it.

Shell.
"""

import json

from sqlite_utils import Database

from incentives.ledger.errors import LedgerError
from incentives.parameters import Parameters, Rules


def read_parameters(db: Database) -> Parameters:
    """Return all versions of the rules that the ledger knows.

    A version is recorded with the first transfer that it decides; the rules' memory has those that wait for theirs.

    Raises:
        LedgerError: nothing is recorded yet, or it cannot be read.
    """
    rows = db.conn.execute("SELECT parameters FROM config_version ORDER BY version").fetchall()
    if not rows:
        raise LedgerError("the ledger is empty: nothing of the season has been read yet")
    try:
        found = [json.loads(row[0]) for row in rows]
        recorded = Parameters(
            epoch_slots=found[0]["epoch_slots"],
            dwell_slots=found[0]["dwell_slots"],
            versions=tuple(Rules(**each["rules"]) for each in found),
        )
        return _remembered(db) or recorded
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"the recorded rules cannot be read: {error}") from error


def _remembered(db: Database) -> Parameters | None:
    row = db.conn.execute(
        "SELECT json_extract(body, '$.parameters') FROM snapshot ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return None if row is None or row[0] is None else Parameters.from_json(row[0])
