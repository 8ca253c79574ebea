"""What the keeper's database says of its attempts, read beside the chain's own word.

Shell.
"""

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from keeper.drills.evidence import AttemptEnd, Repeat
from state.store import connect_read_only


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsRead:
    """The whole table, as the judge needs it."""

    ends: tuple[AttemptEnd, ...]
    repeats: tuple[Repeat, ...]


def read_attempts(folder: Path) -> AttemptsRead:
    """Read the database that a keeper left in a folder; a keeper that never came so far left none."""
    with ExitStack() as opened:
        paths = sorted(folder.glob("keeper-*.db"))
        return attempts_in(
            [opened.enter_context(closing(connect_read_only(path))) for path in paths]
        )


def attempts_in(databases: Iterable[Database]) -> AttemptsRead:
    """Read open databases."""
    ends: list[AttemptEnd] = []
    repeats: list[Repeat] = []
    for db in databases:
        rows = db.execute("SELECT signature, state FROM attempt ORDER BY id").fetchall()
        ends += (AttemptEnd(signature=signature, state=state) for signature, state in rows)
        found = db.execute("SELECT job_id, effect, signatures FROM duplicate_effect").fetchall()
        repeats += (
            Repeat(job=job, effect=effect, signatures=tuple(signatures.split(",")))
            for job, effect, signatures in found
        )
    return AttemptsRead(ends=tuple(ends), repeats=tuple(repeats))
