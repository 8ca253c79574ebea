"""From a ledger to where its follower left off: the rules' memory, the cursor, and the running numbers.

Shell. The last snapshot of the rules, and the events recorded after it taken once more: the same lines follow from them, and
they are in the ledger already.
"""

import json
from dataclasses import dataclass

from sqlite_utils import Database

from incentives.ledger.recorded import read_events, read_progress, read_snapshot
from incentives.parameters import Parameters, ParametersError
from incentives.reading.known import TEACHING, Known
from incentives.rules.rulebook import Rulebook
from incentives.sourced import SourcedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Where a ledger stands."""

    rulebook: Rulebook
    through_slot: int
    """Everything up to it is in the ledger; -1 while it is empty."""
    series: dict[int, int]
    unsettled: frozenset[int]
    """Of them, those whose next number may be any higher one."""
    known: Known
    last: SourcedEvent | None
    """The newest event recorded."""


def resume(db: Database, parameters: Parameters, begun_epoch: int) -> Resumed:
    """Read where a ledger stands.

    Args:
        db: the ledger.
        parameters: of the file; they may add to what is recorded, from epochs on that have not begun.
        begun_epoch: the epoch that runs on chain by now, -1 before the season.

    Raises:
        LedgerError: the snapshot is not what was written.
        ParametersError: the parameters change what is already promised.
        RulebookError: the snapshot is of another formula version, or cannot be read.
    """
    progress = read_progress(db)
    if progress is None:
        return Resumed(
            rulebook=Rulebook(parameters),
            through_slot=-1,
            series={},
            unsettled=frozenset(),
            known=Known(),
            last=None,
        )
    _check_recorded(db, parameters)
    snapshot = read_snapshot(db)
    if snapshot is None:
        after_seq, rulebook = 0, Rulebook(parameters)
    else:
        after_seq, _, body = snapshot
        recorded = Parameters.from_json(json.loads(body)["parameters"])
        parameters.require_extends(recorded, begun_epoch)
        rulebook = Rulebook.from_json(body, parameters)
    for event in read_events(db, after_seq):
        for _ in rulebook.take(event):
            pass
    for _ in rulebook.pass_slot(progress.through_slot):
        pass
    return Resumed(
        rulebook=rulebook,
        through_slot=progress.through_slot,
        series=dict(db.conn.execute("SELECT series, sequence FROM series")),
        unsettled=frozenset(
            row[0] for row in db.conn.execute("SELECT series FROM series WHERE is_unsettled")
        ),
        known=_known(db),
        last=_newest_event(db),
    )


def _check_recorded(db: Database, parameters: Parameters) -> None:
    for version, recorded in db.conn.execute("SELECT version, parameters FROM config_version"):
        if version > len(parameters.versions) or parameters.version_json(version) != recorded:
            raise ParametersError(
                f"rules: version {version} is recorded in the ledger as {recorded} and no longer what it was: "
                "restore it, and append a version for what shall change"
            )


def _known(db: Database) -> Known:
    known = Known()
    rows = db.conn.execute(
        "SELECT payload FROM event WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY seq",
        [json.dumps(TEACHING)],
    )
    for (payload,) in rows:
        known.learn(payload)
    return known


def _newest_event(db: Database) -> SourcedEvent | None:
    row = db.conn.execute("SELECT max(seq) FROM event").fetchone()
    return None if row[0] is None else next(read_events(db, row[0] - 1))
