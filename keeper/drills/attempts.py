"""What the keeper's database says of its attempts, read beside the chain's own word.

Shell.
"""

from dataclasses import dataclass
from pathlib import Path

from keeper.drills.evidence import AttemptEnd
from state.store import connect_read_only


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsRead:
    """The whole table, as the judge needs it."""

    ends: tuple[AttemptEnd, ...]
    duplicates: int


def read_attempts(folder: Path) -> AttemptsRead:
    """Read the database that a keeper left in a folder; a keeper that never came so far left none."""
    ends: list[AttemptEnd] = []
    duplicates = 0
    for path in sorted(folder.glob("keeper-*.db")):
        db = connect_read_only(path)
        try:
            rows = db.execute("SELECT signature, state FROM attempt ORDER BY id").fetchall()
            ends += (AttemptEnd(signature=signature, state=state) for signature, state in rows)
            ((found,),) = db.execute("SELECT count(*) FROM duplicate_effect").fetchall()
            duplicates += found
        finally:
            db.close()
    return AttemptsRead(ends=tuple(ends), duplicates=duplicates)
