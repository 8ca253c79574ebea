"""Which signatures are ours: those of any attempt ever recorded."""

import json
from collections.abc import Sequence

from sqlite_utils import Database


def recorded(db: Database, signatures: Sequence[str]) -> frozenset[str]:
    """Return those of these signatures that an attempt has."""
    rows = db.conn.execute(
        "SELECT signature FROM attempt WHERE signature IN (SELECT value FROM json_each(?))",
        [json.dumps(list(signatures))],
    )
    return frozenset(signature for (signature,) in rows)
