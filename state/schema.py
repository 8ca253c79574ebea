"""The tables, as migrations that are only ever appended to.

Every table is STRICT with CHECKs; history refuses DELETE and illegal UPDATE by trigger, so that a bug in the
keeper is stopped by the file itself. `recursive_triggers` must be on: without it INSERT OR REPLACE deletes
rows past the triggers (LEDGER.md, measured).
"""

from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database, Migrations

from state.errors import HistoryConflict, LibraryTooOld, StateNewer
from state.sqlite import sqlite3

SQLITE_MIN: Final = (3, 51, 3)
"""Source: the WAL-reset corruption bug lives in 3.7.0 to 3.51.2."""

migrations: Final = Migrations("state")

_ATTEMPTS = """
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    lane TEXT NOT NULL CHECK (lane <> ''),
    signature TEXT NOT NULL UNIQUE CHECK (length(signature) BETWEEN 64 AND 88),
    wire BLOB NOT NULL CHECK (length(wire) BETWEEN 65 AND 4096),
    blockhash TEXT NOT NULL CHECK (length(blockhash) BETWEEN 32 AND 44),
    last_valid_block_height INTEGER NOT NULL CHECK (last_valid_block_height >= 0),
    created_slot INTEGER NOT NULL CHECK (created_slot >= 0),
    cu_limit INTEGER NOT NULL CHECK (cu_limit > 0),
    cu_price_micro_lamports INTEGER NOT NULL CHECK (cu_price_micro_lamports >= 0),
    fee_bid_lamports INTEGER NOT NULL CHECK (fee_bid_lamports >= 0),
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'landed', 'failed', 'expired')),
    slot INTEGER CHECK (slot >= 0),
    err TEXT,
    cu_used INTEGER CHECK (cu_used >= 0),
    fee_lamports INTEGER CHECK (fee_lamports >= 0),
    is_finalized INTEGER NOT NULL DEFAULT 0 CHECK (is_finalized IN (0, 1)),
    CHECK ((state IN ('landed', 'failed')) = (slot IS NOT NULL)),
    CHECK (state <> 'failed' OR err IS NOT NULL),
    CHECK (state <> 'landed' OR err IS NULL),
    CHECK (state <> 'open' OR is_finalized = 0),
    CHECK (state <> 'expired' OR is_finalized = 1)
) STRICT;

-- What the next start must settle from the chain; small however long the history is.
CREATE INDEX attempt_unsettled ON attempt (id) WHERE is_finalized = 0;
CREATE INDEX attempt_by_slot ON attempt (slot) WHERE slot IS NOT NULL;
-- What the last hour cost, asked at the start.
CREATE INDEX attempt_by_created_slot ON attempt (created_slot);

CREATE TABLE attempt_job (
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    job_id TEXT NOT NULL CHECK (job_id <> ''),
    kind TEXT NOT NULL CHECK (kind <> ''),
    target TEXT NOT NULL CHECK (target <> ''),
    effect TEXT NOT NULL,
    is_open INTEGER NOT NULL DEFAULT 1 CHECK (is_open IN (0, 1)),
    PRIMARY KEY (attempt_id, job_id)
) STRICT, WITHOUT ROWID;

-- At most one attempt per job whose end is unknown.
CREATE UNIQUE INDEX attempt_job_open ON attempt_job (job_id) WHERE is_open = 1;
CREATE INDEX attempt_job_effect ON attempt_job (job_id, effect);

-- Every turn an attempt took, in order; a fork can move a landed attempt before it is finalized.
CREATE TABLE attempt_event (
    id INTEGER PRIMARY KEY,
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    state TEXT NOT NULL,
    slot INTEGER,
    err TEXT,
    is_finalized INTEGER NOT NULL
) STRICT;
CREATE INDEX attempt_event_attempt ON attempt_event (attempt_id);

CREATE TRIGGER attempt_keeps_history BEFORE DELETE ON attempt
BEGIN SELECT RAISE(ABORT, 'attempts are never deleted'); END;
CREATE TRIGGER attempt_starts_open BEFORE INSERT ON attempt WHEN NEW.state <> 'open'
BEGIN SELECT RAISE(ABORT, 'an attempt starts open'); END;
CREATE TRIGGER attempt_keeps_identity BEFORE UPDATE ON attempt
WHEN OLD.id IS NOT NEW.id OR OLD.lane IS NOT NEW.lane OR OLD.signature IS NOT NEW.signature
    OR OLD.wire IS NOT NEW.wire OR OLD.blockhash IS NOT NEW.blockhash
    OR OLD.last_valid_block_height IS NOT NEW.last_valid_block_height
    OR OLD.created_slot IS NOT NEW.created_slot OR OLD.cu_limit IS NOT NEW.cu_limit
    OR OLD.cu_price_micro_lamports IS NOT NEW.cu_price_micro_lamports
    OR OLD.fee_bid_lamports IS NOT NEW.fee_bid_lamports
BEGIN SELECT RAISE(ABORT, 'what was signed never changes'); END;
CREATE TRIGGER attempt_moves_forward BEFORE UPDATE ON attempt
WHEN OLD.is_finalized = 1 OR (NEW.state = 'open' AND OLD.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'an attempt only moves forward'); END;
CREATE TRIGGER attempt_tells AFTER UPDATE ON attempt
WHEN OLD.state IS NOT NEW.state OR OLD.slot IS NOT NEW.slot OR OLD.err IS NOT NEW.err
    OR OLD.is_finalized IS NOT NEW.is_finalized
BEGIN
    INSERT INTO attempt_event (attempt_id, state, slot, err, is_finalized)
    VALUES (NEW.id, NEW.state, NEW.slot, NEW.err, NEW.is_finalized);
END;
CREATE TRIGGER attempt_releases_jobs AFTER UPDATE OF state ON attempt
WHEN OLD.state = 'open' AND NEW.state <> 'open'
BEGIN UPDATE attempt_job SET is_open = 0 WHERE attempt_id = NEW.id; END;

CREATE TRIGGER attempt_job_keeps_history BEFORE DELETE ON attempt_job
BEGIN SELECT RAISE(ABORT, 'attempts are never deleted'); END;
CREATE TRIGGER attempt_job_only_closes BEFORE UPDATE ON attempt_job
WHEN OLD.attempt_id IS NOT NEW.attempt_id OR OLD.job_id IS NOT NEW.job_id
    OR OLD.kind IS NOT NEW.kind OR OLD.target IS NOT NEW.target OR OLD.effect IS NOT NEW.effect
    OR NEW.is_open <> 0
BEGIN SELECT RAISE(ABORT, 'a job of an attempt only closes'); END;
CREATE TRIGGER attempt_event_no_update BEFORE UPDATE ON attempt_event
BEGIN SELECT RAISE(ABORT, 'history never changes'); END;
CREATE TRIGGER attempt_event_no_delete BEFORE DELETE ON attempt_event
BEGIN SELECT RAISE(ABORT, 'history never changes'); END;

-- One definition for the command line, the final report and Datasette.
CREATE VIEW duplicate_effect AS SELECT
    job.job_id, job.effect, count(*) AS times, group_concat(attempt.signature) AS signatures
FROM attempt_job AS job JOIN attempt ON attempt.id = job.attempt_id
WHERE attempt.state = 'landed' GROUP BY job.job_id, job.effect HAVING count(*) > 1;
"""

_CURSORS = """
CREATE TABLE cursor (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    slot INTEGER NOT NULL CHECK (slot >= 0),
    signature TEXT CHECK (length(signature) BETWEEN 64 AND 88)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER cursor_moves_forward BEFORE UPDATE ON cursor
WHEN NEW.name IS NOT OLD.name OR NEW.slot < OLD.slot
BEGIN SELECT RAISE(ABORT, 'a cursor only moves forward'); END;
"""

_SPEND = """
ALTER TABLE attempt ADD COLUMN signed_minute INTEGER CHECK (signed_minute >= 0);
ALTER TABLE attempt ADD COLUMN rent_lamports INTEGER NOT NULL DEFAULT 0 CHECK (rent_lamports >= 0);
-- What the last day cost, asked at the start.
CREATE INDEX attempt_by_signed_minute ON attempt (signed_minute) WHERE signed_minute IS NOT NULL;
CREATE TRIGGER attempt_keeps_cost BEFORE UPDATE ON attempt
WHEN OLD.signed_minute IS NOT NEW.signed_minute OR OLD.rent_lamports IS NOT NEW.rent_lamports
BEGIN SELECT RAISE(ABORT, 'what was signed never changes'); END;
"""

_LEARNED_UNITS = """
CREATE TABLE learned_units (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind <> ''),
    bound_cu INTEGER NOT NULL CHECK (bound_cu > 0),
    used_cu INTEGER NOT NULL CHECK (used_cu > 0)
) STRICT;
"""


_WIRES = """
-- The signed bytes are needed only until no fork can change the end; a day of them is gigabytes.
CREATE TABLE attempt_wire (
    attempt_id INTEGER PRIMARY KEY REFERENCES attempt (id),
    wire BLOB NOT NULL CHECK (length(wire) BETWEEN 65 AND 4096)
) STRICT;
INSERT INTO attempt_wire (attempt_id, wire) SELECT id, wire FROM attempt WHERE is_finalized = 0;
CREATE TRIGGER attempt_wire_never_changes BEFORE UPDATE ON attempt_wire
BEGIN SELECT RAISE(ABORT, 'what was signed never changes'); END;
CREATE TRIGGER attempt_wire_kept_until_finalized BEFORE DELETE ON attempt_wire
WHEN (SELECT is_finalized FROM attempt WHERE id = OLD.attempt_id) = 0
BEGIN SELECT RAISE(ABORT, 'the bytes of an attempt are kept until it is finalized'); END;
CREATE TRIGGER attempt_lets_wire_go AFTER UPDATE OF is_finalized ON attempt
WHEN NEW.is_finalized = 1
BEGIN DELETE FROM attempt_wire WHERE attempt_id = NEW.id; END;

DROP TRIGGER attempt_keeps_identity;
ALTER TABLE attempt DROP COLUMN wire;
CREATE TRIGGER attempt_keeps_identity BEFORE UPDATE ON attempt
WHEN OLD.id IS NOT NEW.id OR OLD.lane IS NOT NEW.lane OR OLD.signature IS NOT NEW.signature
    OR OLD.blockhash IS NOT NEW.blockhash
    OR OLD.last_valid_block_height IS NOT NEW.last_valid_block_height
    OR OLD.created_slot IS NOT NEW.created_slot OR OLD.cu_limit IS NOT NEW.cu_limit
    OR OLD.cu_price_micro_lamports IS NOT NEW.cu_price_micro_lamports
    OR OLD.fee_bid_lamports IS NOT NEW.fee_bid_lamports
BEGIN SELECT RAISE(ABORT, 'what was signed never changes'); END;
"""

_EFFECTS = """
-- An effect is held while an attempt that acts on it may still do so, or did so in a block that a fork may undo:
-- an account read from a node that lags, or from before the fork, must not get the same effect signed twice.
ALTER TABLE attempt_job ADD COLUMN holds_effect INTEGER NOT NULL DEFAULT 0
    CHECK (holds_effect IN (0, 1));
CREATE UNIQUE INDEX attempt_job_held ON attempt_job (job_id, effect) WHERE holds_effect = 1;

DROP TRIGGER attempt_job_only_closes;
UPDATE OR IGNORE attempt_job SET holds_effect = 1 WHERE attempt_id IN (
    SELECT id FROM attempt WHERE is_finalized = 0 AND state IN ('open', 'landed')
);
CREATE TRIGGER attempt_job_only_closes BEFORE UPDATE ON attempt_job
WHEN OLD.attempt_id IS NOT NEW.attempt_id OR OLD.job_id IS NOT NEW.job_id
    OR OLD.kind IS NOT NEW.kind OR OLD.target IS NOT NEW.target OR OLD.effect IS NOT NEW.effect
    OR NEW.is_open > OLD.is_open OR NEW.holds_effect > OLD.holds_effect
BEGIN SELECT RAISE(ABORT, 'a job of an attempt only closes'); END;
CREATE TRIGGER attempt_releases_effects AFTER UPDATE OF state, is_finalized ON attempt
WHEN NEW.state IN ('failed', 'expired') OR NEW.is_finalized = 1
BEGIN
    UPDATE attempt_job SET holds_effect = 0 WHERE attempt_id = NEW.id AND holds_effect = 1;
END;

-- What a transaction used is learned after its end, sometimes after it is finalized; then once.
DROP TRIGGER attempt_moves_forward;
CREATE TRIGGER attempt_moves_forward BEFORE UPDATE ON attempt
WHEN (NEW.state = 'open' AND OLD.state <> 'open') OR (OLD.is_finalized = 1 AND (
    OLD.state IS NOT NEW.state OR OLD.slot IS NOT NEW.slot OR OLD.err IS NOT NEW.err
    OR OLD.is_finalized IS NOT NEW.is_finalized))
BEGIN SELECT RAISE(ABORT, 'an attempt only moves forward'); END;
CREATE TRIGGER attempt_learns_once BEFORE UPDATE ON attempt
WHEN OLD.is_finalized = 1
    AND (OLD.cu_used IS NOT NEW.cu_used OR OLD.fee_lamports IS NOT NEW.fee_lamports)
    AND (OLD.cu_used IS NOT NULL OR OLD.state = 'expired')
BEGIN SELECT RAISE(ABORT, 'what a finalized attempt used never changes'); END;
"""


@migrations()
def m001_attempts(db: Database) -> None:
    """Create attempts, their jobs, and their history."""
    execute_each(db, _ATTEMPTS)


@migrations()
def m002_cursors(db: Database) -> None:
    """Create named cursors."""
    execute_each(db, _CURSORS)


@migrations()
def m003_attempt_wires(db: Database) -> None:
    """Keep signed bytes apart, until the attempt is finalized."""
    execute_each(db, _WIRES)


@migrations()
def m004_held_effects(db: Database) -> None:
    """Hold an effect while it may still happen or be undone; learn what was used after the end."""
    execute_each(db, _EFFECTS)


@migrations()
def m010_learned_units(db: Database) -> None:
    """Create what is learned of compute units: no history, only advice."""
    execute_each(db, _LEARNED_UNITS)


@migrations()
def m011_spend(db: Database) -> None:
    """Date attempts, and keep what they lock in new accounts."""
    execute_each(db, _SPEND)


def execute_each(db: Database, script: str) -> None:
    """Execute a script's statements inside the caller's transaction."""
    # executescript() commits first, which would break the migration's own transaction.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.conn.execute(statement)
            statement = ""
    assert not statement.strip(), f"unfinished SQL: {statement}"


def check_library(version: tuple[int, ...] | None = None) -> None:
    """Refuse a SQLite library with the WAL-reset bug.

    Raises:
        LibraryTooOld: the library is older than `SQLITE_MIN`.
    """
    found = version or tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    if found < SQLITE_MIN:
        raise LibraryTooOld(".".join(map(str, found)), ".".join(map(str, SQLITE_MIN)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a database of ours consists of."""

    migrations: Migrations
    triggers: frozenset[str]
    """Names of those that guard its history; a file without one of them is refused."""
    views: str = ""
    """Statements that drop and create the reports: they follow the release, not the file."""
    cache_mib: int = 2
    """Of pages the writer keeps: where rows come by the thousand, what does not fit is written and read over and over."""


def migrate(db: Database, path: str, schema: Schema) -> None:
    """Bring a database to this release's schema, each migration in one transaction.

    Raises:
        StateNewer: the database has migrations this release does not know.
        HistoryConflict: a trigger that guards the history is missing.
    """
    known = {migration.name for migration in schema.migrations.pending(Database(memory=True))}
    applied = {migration.name for migration in schema.migrations.applied(db)}
    if applied - known:
        raise StateNewer(path, found=len(applied), expected=len(known))
    if applied != known:
        schema.migrations.apply(db)
    if missing := schema.triggers - present_triggers(db):
        names = ", ".join(sorted(missing))
        raise HistoryConflict(
            f"{path} lacks the triggers that guard its history ({names}): restore a backup"
        )
    if schema.views:
        with db.atomic():
            execute_each(db, schema.views)


def present_triggers(db: Database) -> frozenset[str]:
    """Return the names of a database's triggers: sqlite-utils' transform() drops them without a word."""
    rows = db.conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    return frozenset(name for (name,) in rows)


def trigger_names(script: str) -> frozenset[str]:
    """Return the names of the triggers that a script creates."""
    lines = script.splitlines()
    return frozenset(line.split()[2] for line in lines if line.startswith("CREATE TRIGGER"))


STATE: Final = Schema(
    migrations=migrations,
    triggers=trigger_names(_ATTEMPTS + _CURSORS + _WIRES + _EFFECTS + _SPEND),
)
"""The keeper's own memory."""
