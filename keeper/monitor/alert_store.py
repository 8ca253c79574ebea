"""Alerts, notices and their deliveries in alerts.db, so that no restart forgets one or tells it twice.

Shell. Two processes write: the monitor, and `keeper alerts ack`, which only says who has taken an alert. Both take turns by
SQLite's own lock; each transaction is a few rows. A notice is committed together with what each sink still has to be told.
"""

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sqlite_utils import Database, Migrations

from keeper.monitor.alerts import Alert, Notice, NoticeKind
from keeper.monitor.level import Level
from state.errors import StateCorrupt, StateUnopenable
from state.schema import Schema, check_library, execute_each, migrate
from state.sqlite import sqlite3
from state.store import commit, configure

T = TypeVar("T")

FILE_NAME: Final = "alerts.db"
"""In the folder of the keeper's state."""
QUEUED_MAX: Final = 1_000
"""Notices that wait for one sink; beyond, the oldest are given up, and counted."""
_KEPT_ALERTS: Final = 100_000
"""Of those that are over; older ones are forgotten when a monitor starts."""
_BUSY_TIMEOUT_S: Final = 2.0

_TABLES: Final = """
CREATE TABLE alert (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 10),
    rule TEXT NOT NULL CHECK (rule <> ''),
    labels TEXT NOT NULL CHECK (json_valid(labels)),
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'critical', 'emergency')),
    has_risen INTEGER NOT NULL CHECK (has_risen IN (0, 1)),
    value REAL,
    summary TEXT NOT NULL,
    already_did TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    told_ms INTEGER NOT NULL,
    acknowledged_by TEXT CHECK (acknowledged_by <> ''),
    resolved_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX alert_fires_once ON alert (fingerprint) WHERE resolved_ms IS NULL;

CREATE TABLE notice (
    id INTEGER PRIMARY KEY,
    alert_id INTEGER NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('fired', 'escalated', 'reminded', 'acknowledged', 'resolved')),
    at_ms INTEGER NOT NULL,
    level TEXT NOT NULL,
    value REAL,
    summary TEXT NOT NULL,
    already_did TEXT NOT NULL,
    acknowledged_by TEXT
) STRICT;
CREATE INDEX notice_alert ON notice (alert_id);

-- What each sink has been told, or still has to be.
CREATE TABLE delivery (
    notice_id INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    sink TEXT NOT NULL CHECK (sink <> ''),
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'delivered', 'given_up')),
    words TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (notice_id, sink)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_queued ON delivery (sink, notice_id) WHERE state = 'queued';
"""

migrations: Final = Migrations("alerts")


@migrations()
def m001_alerts(db: Database) -> None:
    """Create alerts, notices and deliveries."""
    execute_each(db, _TABLES)


ALERTS: Final = Schema(migrations=migrations, triggers=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A notice that a sink has to be told."""

    notice_id: int
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A notice of the past, and what became of it."""

    notice: Notice
    deliveries: tuple[tuple[str, str, str], ...]
    """Sink, state, words."""


@dataclass(frozen=True, slots=True)
class AlertStore:
    """The file; every function opens it, commits, and closes it again, on the thread that calls."""

    path: Path

    def open(self, sinks: Sequence[str]) -> tuple[Alert, ...]:
        """Create or migrate the file, give up what was to be told to sinks that are gone; return what fires.

        Raises:
            StateError: with one sentence for the operator.
        """

        def prepare(db: Database) -> tuple[Alert, ...]:
            db.conn.execute(
                "UPDATE delivery SET state = 'given_up', words = 'the sink is not configured any more' "
                "WHERE state = 'queued' AND sink NOT IN (SELECT value FROM json_each(?))",
                [json.dumps(list(sinks))],
            )
            db.conn.execute(
                "DELETE FROM alert WHERE resolved_ms IS NOT NULL AND id <= (SELECT max(id) FROM alert) - ?",
                [_KEPT_ALERTS],
            )
            return _firing(db)

        check_library()
        with self._opened(is_first=True) as db:
            return commit(db, prepare)

    def record(
        self, notices: Iterable[Notice], told: Callable[[Notice], Iterable[str]]
    ) -> tuple[Counter[str], Counter[str]]:
        """Keep notices, and who has to be told of each.

        Returns:
            How many notices were added for each sink, and how many older ones were given up for room.
        """

        def work(db: Database) -> tuple[Counter[str], Counter[str]]:
            added: Counter[str] = Counter()
            for notice in notices:
                notice_id = _record(db, notice)
                for sink in told(notice):
                    added[sink] += 1
                    db.conn.execute(
                        "INSERT INTO delivery (notice_id, sink) VALUES (?, ?)", [notice_id, sink]
                    )
            return added, Counter({sink: _bound(db, sink) for sink in added})

        return self._transaction(work)

    def acknowledgements(self) -> dict[str, str]:
        """Return who has taken which of the alerts that fire, by fingerprint."""
        return dict(
            self._read(
                "SELECT fingerprint, acknowledged_by FROM alert "
                "WHERE resolved_ms IS NULL AND acknowledged_by IS NOT NULL"
            )
        )

    def acknowledge(self, fingerprint: str, by: str) -> bool:
        """Note who has taken an alert; False when none of that name fires."""

        def work(db: Database) -> bool:
            found = db.conn.execute(
                "UPDATE alert SET acknowledged_by = ? WHERE fingerprint = ? AND resolved_ms IS NULL",
                [by, fingerprint],
            )
            return bool(found.rowcount)

        return self._transaction(work)

    def firing(self) -> tuple[Alert, ...]:
        """Return the alerts that fire, as they were last told."""
        with self._opened() as db:
            return _firing(db)

    def queued(self, sink: str, at_most: int) -> list[Queued]:
        """Return what a sink has to be told next, the oldest first."""
        rows = self._read(
            f"SELECT {_NOTICE_COLUMNS}, notice.id FROM delivery "  # noqa: S608 - names of ours
            "JOIN notice ON notice.id = delivery.notice_id JOIN alert ON alert.id = notice.alert_id "
            "WHERE delivery.sink = ? AND delivery.state = 'queued' ORDER BY notice.id LIMIT ?",
            sink,
            at_most,
        )
        return [Queued(notice_id=row[-1], notice=_notice(row)) for row in rows]

    def waiting(self) -> dict[str, int]:
        """Return how many notices wait, by sink."""
        return dict(
            self._read("SELECT sink, count(*) FROM delivery WHERE state = 'queued' GROUP BY sink")
        )

    def conclude(self, sink: str, notice_id: int, words: str | None) -> int:
        """Note that a sink was told; with words, that it refused the notice for good.

        Returns:
            1; 0 when the notice had been given up meanwhile.
        """

        def work(db: Database) -> int:
            found = db.conn.execute(
                "UPDATE delivery SET state = ?, words = ? WHERE notice_id = ? AND sink = ? AND state = 'queued'",
                ["delivered" if words is None else "given_up", words or "", notice_id, sink],
            )
            return int(found.rowcount)

        return self._transaction(work)

    def history(self, at_most: int) -> list[Past]:
        """Return the newest notices, the newest first."""
        rows = self._read(
            f"SELECT {_NOTICE_COLUMNS}, notice.id FROM notice JOIN alert ON alert.id = notice.alert_id "  # noqa: S608 - names of ours
            "ORDER BY notice.id DESC LIMIT ?",
            at_most,
        )
        deliveries = "SELECT sink, state, words FROM delivery WHERE notice_id = ? ORDER BY sink"
        return [
            Past(
                notice=_notice(row),
                deliveries=tuple(
                    (sink, state, words) for sink, state, words in self._read(deliveries, row[-1])
                ),
            )
            for row in rows
        ]

    def _read(self, sql: str, *values: object) -> list[Any]:
        with self._opened() as db:
            return list(db.conn.execute(sql, values).fetchall())

    def _transaction(self, work: Callable[[Database], T]) -> T:
        with self._opened() as db:
            return commit(db, work)

    @contextmanager
    def _opened(self, *, is_first: bool = False) -> Generator[Database]:
        try:
            if is_first:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.path.touch(mode=0o600)
            with closing(
                sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_TIMEOUT_S
                )
            ) as connection:
                db = Database(connection)
                configure(db)
                if is_first:
                    connection.execute("PRAGMA journal_mode = WAL")
                    migrate(db, str(self.path), ALERTS)
                yield db
        except OSError as error:
            raise StateUnopenable(self.path, f"{error.strerror}") from error
        except sqlite3.OperationalError as error:
            raise StateUnopenable(self.path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise StateCorrupt(self.path, str(error)) from error


_NOTICE_COLUMNS: Final = (
    "notice.kind, notice.at_ms, alert.rule, notice.level, alert.labels, alert.since_ms, alert.told_ms, "
    "notice.value, notice.summary, notice.already_did, notice.acknowledged_by, alert.has_risen"
)


def _firing(db: Database) -> tuple[Alert, ...]:
    rows = db.conn.execute(
        "SELECT rule, level, labels, since_ms, told_ms, value, summary, already_did, acknowledged_by, has_risen "
        "FROM alert WHERE resolved_ms IS NULL ORDER BY since_ms, id"
    )
    return tuple(_alert(row) for row in rows)


def _record(db: Database, notice: Notice) -> int:
    """Bring an alert's row to what a notice says; return the notice's number."""
    alert = notice.alert
    resolved_ms = _ms(notice.wall_s) if notice.kind is NoticeKind.RESOLVED else None
    found = db.conn.execute(
        "SELECT id FROM alert WHERE fingerprint = ? AND resolved_ms IS NULL", [alert.fingerprint]
    ).fetchone()
    state = (
        str(alert.level),
        alert.has_risen,
        alert.value,
        alert.summary,
        alert.already_did,
        _ms(alert.told_wall_s),
        alert.acknowledged_by,
        resolved_ms,
    )
    if found is None:
        alert_id = db.conn.execute(
            "INSERT INTO alert (level, has_risen, value, summary, already_did, told_ms, acknowledged_by, resolved_ms, "
            "fingerprint, rule, labels, since_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *state,
                alert.fingerprint,
                alert.rule,
                json.dumps(dict(alert.labels)),
                _ms(alert.since_wall_s),
            ),
        ).lastrowid
    else:
        (alert_id,) = found
        db.conn.execute(
            "UPDATE alert SET level = ?, has_risen = ?, value = ?, summary = ?, already_did = ?, told_ms = ?, "
            "acknowledged_by = coalesce(?, acknowledged_by), resolved_ms = ? WHERE id = ?",
            (*state, alert_id),
        )
    notice_id = db.conn.execute(
        "INSERT INTO notice (alert_id, kind, at_ms, level, value, summary, already_did, acknowledged_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            alert_id,
            str(notice.kind),
            _ms(notice.wall_s),
            str(alert.level),
            alert.value,
            alert.summary,
            alert.already_did,
            alert.acknowledged_by,
        ),
    ).lastrowid
    assert notice_id is not None  # an INSERT has one
    return int(notice_id)


def _bound(db: Database, sink: str) -> int:
    """Give up the oldest notices of a sink that has too many; return how many."""
    found = db.conn.execute(
        "UPDATE delivery SET state = 'given_up', words = 'too many newer ones waited' "
        "WHERE sink = ? AND state = 'queued' AND notice_id IN (SELECT notice_id FROM delivery "
        "WHERE sink = ? AND state = 'queued' ORDER BY notice_id DESC LIMIT -1 OFFSET ?)",
        [sink, sink, QUEUED_MAX],
    )
    return int(found.rowcount)


def _notice(row: Sequence[Any]) -> Notice:
    kind, at_ms, rule, level, labels, since_ms, told_ms, *rest = row
    return Notice(
        kind=NoticeKind(kind),
        alert=_alert((rule, level, labels, since_ms, told_ms, *rest[:5])),
        wall_s=at_ms / 1_000,
    )


def _alert(row: Sequence[Any]) -> Alert:
    rule, level, labels, since_ms, told_ms, value, summary, already_did, by, has_risen = row
    return Alert(
        rule=rule,
        level=Level(level),
        labels=MappingProxyType(json.loads(labels)),
        since_wall_s=since_ms / 1_000,
        told_wall_s=told_ms / 1_000,
        value=float("nan") if value is None else value,  # SQLite keeps no NaN
        summary=summary,
        already_did=already_did,
        acknowledged_by=by,
        has_risen=bool(has_risen),
    )


def _ms(wall_s: float) -> int:
    return round(wall_s * 1_000)
