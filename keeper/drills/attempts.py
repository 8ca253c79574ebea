"""What the keeper's database says of its attempts, read beside the chain's own word.

Shell.
"""

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from keeper.drills.evidence import AttemptEnd
from state.store import connect_read_only


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsRead:
    """The whole table, as the judge needs it."""

    ends: tuple[AttemptEnd, ...]
    duplicates: tuple[str, ...]
    """Each job and effect that landed more than once, in words."""


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
    duplicates: list[str] = []
    for db in databases:
        rows = db.execute("SELECT signature, state FROM attempt ORDER BY id").fetchall()
        ends += (AttemptEnd(signature=signature, state=state) for signature, state in rows)
        found = db.execute("SELECT job_id, effect, times, signatures FROM duplicate_effect")
        duplicates += (
            f"{job} on {effect} {times} times ({signatures})"
            for job, effect, times, signatures in found.fetchall()
        )
    return AttemptsRead(ends=tuple(ends), duplicates=tuple(duplicates))
