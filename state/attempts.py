"""Attempts: what was signed, committed before the bytes leave, and how each one ended.

An attempt is *open* until the chain says how it ended, and *unsettled* until that end is finalized: a fork
may still move a landed attempt to another slot, or out of the chain. History is append only; the file's own
triggers refuse anything else (schema.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database

from state.attempt_rows import (
    Attempt,
    AttemptJob,
    AttemptToRecord,
    EndToRecord,
    FactsToRecord,
)
from state.errors import AlreadyOpen, HistoryConflict
from state.spent import Spent, spent_by_minute
from state.sqlite import sqlite3
from state.store import Store
from state.summary import AttemptSummary, summarize

I64_MAX: Final = 2**63 - 1
"""The largest integer SQLite stores."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts in a store; what `programs.submit` writes through."""

    store: Store

    async def record_attempt(self, attempt: AttemptToRecord) -> None:
        """Commit an attempt and its jobs; only afterwards may the bytes leave.

        Raises:
            AlreadyOpen: one of its jobs has an open attempt, or one that acted on the same effect and is not
                finalized, or the signature is known.
        """
        await self.store.transaction(lambda db: _insert(db, attempt))

    async def record_ends(self, ends: Sequence[EndToRecord]) -> None:
        """Commit how attempts ended, all in one transaction; repeating a record changes nothing.

        Raises:
            HistoryConflict: an attempt is unknown, or was finalized with another end.
        """
        if ends:
            await self.store.transaction(lambda db: _record_ends(db, ends))

    async def record_facts(self, facts: Sequence[FactsToRecord]) -> None:
        """Commit what ended attempts used; what is of another block than the recorded end is left out."""
        if facts:
            await self.store.transaction(lambda db: _record_facts(db, facts))

    async def mark_finalized(self, signatures: Sequence[str]) -> None:
        """Commit that these ends can no longer change.

        Raises:
            HistoryConflict: one of them is unknown or has no end yet.
        """
        if signatures:
            await self.store.transaction(lambda db: _mark_finalized(db, signatures))

    async def open_attempts(self, *, after_id: int, at_most: int) -> tuple[Attempt, ...]:
        """Read unsettled attempts: open, or ended but not finalized; oldest first, a page at a time."""
        return await self.store.read(lambda db: _unsettled(db, after_id, at_most))

    async def last_id(self) -> int:
        """Read the newest attempt's id, 0 if there is none: where a run's own report begins."""
        return await self.store.read(
            lambda db: int(
                db.conn.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0]
            )
        )

    async def landed_slots(self, job_ids: Sequence[str], effect: str) -> dict[str, int]:
        """Return the newest slot in which each of these jobs landed with an effect, of all that was ever sent; without the others."""
        return await self.store.read(lambda db: _landed_slots(db, job_ids, effect))

    async def spent(self, *, from_minute: int, from_slot: int) -> tuple[Spent, ...]:
        """Sum what lanes spent, by minute, since a minute or since a slot: it counts against the caps of this process."""
        return await self.store.read(lambda db: spent_by_minute(db, from_minute, from_slot))

    async def final_up_to(self) -> int:
        """Return the id up to which the end of every attempt is final."""

        def find(db: Database) -> int:
            oldest, newest = db.conn.execute(
                "SELECT (SELECT min(id) FROM attempt WHERE is_finalized = 0), (SELECT max(id) FROM attempt)"
            ).fetchone()
            return (newest or 0) if oldest is None else oldest - 1

        return await self.store.read(find)

    async def summary(self, *, after_id: int = 0, final_up_to: int = 0) -> AttemptSummary:
        """Count the attempts recorded after `after_id`; and the duplicates among all above `final_up_to` and older ones."""
        return await self.store.read(lambda db: summarize(db, after_id, final_up_to))


def _insert(db: Database, attempt: AttemptToRecord) -> None:
    jobs = attempt.jobs
    if not jobs:
        raise HistoryConflict(f"attempt {attempt.signature_text} carries no job")
    row = (
        attempt.lane,
        attempt.signature_text,
        attempt.blockhash_text,
        _storable("last_valid_block_height", attempt.last_valid_block_height),
        _storable("created_slot", attempt.created_slot),
        attempt.cu_limit,
        _storable("cu_price_micro_lamports", attempt.cu_price_micro_lamports),
        _storable("fee_bid_lamports", attempt.fee_bid_lamports),
        attempt.signed_minute,
        _storable("rent_lamports", attempt.rent_lamports),
    )
    try:
        attempt_id = db.conn.execute(
            "INSERT INTO attempt (lane, signature, blockhash, last_valid_block_height, "
            "created_slot, cu_limit, cu_price_micro_lamports, fee_bid_lamports, signed_minute, "
            "rent_lamports) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        ).lastrowid
        db.conn.execute(
            "INSERT INTO attempt_wire (attempt_id, wire) VALUES (?, ?)", [attempt_id, attempt.wire]
        )
        db.conn.executemany(
            "INSERT INTO attempt_job (attempt_id, job_id, kind, target, effect, holds_effect) "
            "VALUES (?, ?, ?, ?, ?, 1)",
            [(attempt_id, job.job_id, job.kind, job.target, job.effect) for job in jobs],
        )
    except sqlite3.IntegrityError as error:
        if "UNIQUE" not in str(error):
            raise HistoryConflict(f"attempt {attempt.signature_text}: {error}") from error
        raise AlreadyOpen(_who_holds(db, attempt) or str(error)) from error


def _who_holds(db: Database, attempt: AttemptToRecord) -> str:
    effects = json.dumps([[job.job_id, job.effect] for job in attempt.jobs])
    held = db.conn.execute(
        "SELECT job_id, signature, state FROM json_each(?) AS wanted "
        "JOIN attempt_job ON job_id = json_extract(wanted.value, '$[0]') "
        "JOIN attempt ON attempt.id = attempt_id "
        "WHERE signature <> ? AND (is_open = 1 "
        "OR (holds_effect = 1 AND effect = json_extract(wanted.value, '$[1]')))",
        [effects, attempt.signature_text],
    ).fetchall()
    return ", ".join(
        f"{job_id} is held by {signature}"
        + ("" if state == "open" else f", which {state} and is not finalized")
        for job_id, signature, state in held
    )


def _storable(name: str, value: int) -> int:
    if not 0 <= value <= I64_MAX:
        raise HistoryConflict(f"{name} is {value}, the database stores 0 to {I64_MAX}")
    return value


def _record_ends(db: Database, ends: Sequence[EndToRecord]) -> None:
    for end in ends:
        wanted = (end.state, end.slot, end.err, int(end.is_finalized))
        found = db.conn.execute(
            "SELECT state, slot, err, is_finalized FROM attempt WHERE signature = ?",
            [end.signature_text],
        ).fetchone()
        if found is None:
            raise HistoryConflict(f"no attempt has the signature {end.signature_text}")
        if found[:3] == wanted[:3] and found[3] >= wanted[3]:
            continue
        try:
            db.conn.execute(
                "UPDATE attempt SET state = ?1, slot = ?2, err = ?3, is_finalized = ?4, "
                # What it used in a block that a fork left behind says nothing of this one.
                "cu_used = coalesce(?5, CASE WHEN slot IS ?2 THEN cu_used END), fee_lamports = ?6 "
                "WHERE signature = ?7",
                [*wanted, end.cu_used, end.fee_lamports, end.signature_text],
            )
        except sqlite3.IntegrityError as error:
            raise HistoryConflict(
                f"attempt {end.signature_text} is {found[0]} at slot {found[1]}, "
                f"not {end.state} at slot {end.slot}: {error}"
            ) from error


def _record_facts(db: Database, facts: Sequence[FactsToRecord]) -> None:
    db.conn.executemany(
        "UPDATE attempt SET cu_used = ?, fee_lamports = ? "
        "WHERE signature = ? AND slot = ? AND cu_used IS NULL",
        [(each.cu_used, each.fee_lamports, each.signature_text, each.slot) for each in facts],
    )


def _mark_finalized(db: Database, signatures: Sequence[str]) -> None:
    for signature in signatures:
        try:
            changed = db.conn.execute(
                "UPDATE attempt SET is_finalized = 1 WHERE signature = ? AND is_finalized = 0",
                [signature],
            ).rowcount
        except sqlite3.IntegrityError as error:
            raise HistoryConflict(f"attempt {signature} has no end yet: {error}") from error
        if (
            not changed
            and not db.conn.execute(
                "SELECT 1 FROM attempt WHERE signature = ?", [signature]
            ).fetchone()
        ):
            raise HistoryConflict(f"no attempt has the signature {signature}")


def _landed_slots(db: Database, job_ids: Sequence[str], effect: str) -> dict[str, int]:
    rows = db.conn.execute(
        "SELECT job_id, max(slot) FROM json_each(?) AS wanted "
        "CROSS JOIN attempt_job ON job_id = wanted.value AND effect = ? "
        "CROSS JOIN attempt ON attempt.id = attempt_id WHERE state = 'landed' GROUP BY job_id",
        [json.dumps(list(job_ids)), effect],
    )
    return dict(rows.fetchall())


def _unsettled(db: Database, after_id: int, at_most: int) -> tuple[Attempt, ...]:
    rows = db.conn.execute(
        "SELECT id, lane, signature, wire, blockhash, last_valid_block_height, created_slot, "
        "cu_limit, cu_price_micro_lamports, fee_bid_lamports, state, slot, err, cu_used, "
        "fee_lamports FROM attempt JOIN attempt_wire ON attempt_id = id "
        "WHERE is_finalized = 0 AND id > ? ORDER BY id LIMIT ?",
        [after_id, at_most],
    ).fetchall()
    if not rows:
        return ()
    jobs: dict[int, list[AttemptJob]] = {}
    for attempt_id, job_id, kind, target, effect in db.conn.execute(
        "SELECT attempt_id, job_id, kind, target, effect FROM attempt_job "
        "WHERE attempt_id IN "
        "(SELECT id FROM attempt WHERE is_finalized = 0 AND id BETWEEN ? AND ?)",
        [rows[0][0], rows[-1][0]],
    ):
        job = AttemptJob(job_id=job_id, kind=kind, target=target, effect=effect)
        jobs.setdefault(attempt_id, []).append(job)
    return tuple(
        Attempt(
            id=row[0],
            lane=row[1],
            signature_text=row[2],
            wire=row[3],
            blockhash_text=row[4],
            last_valid_block_height=row[5],
            created_slot=row[6],
            cu_limit=row[7],
            cu_price_micro_lamports=row[8],
            fee_bid_lamports=row[9],
            state=row[10],
            slot=row[11],
            err=row[12],
            cu_used=row[13],
            fee_lamports=row[14],
            is_finalized=False,
            jobs=tuple(jobs[row[0]]),
        )
        for row in rows
    )
