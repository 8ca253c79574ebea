"""Attempts: what was signed, committed before the bytes leave, and how each one ended.

An attempt is *open* until the chain says how it ended, and *unsettled* until that end is finalized: a fork
may still move a landed attempt to another slot, or out of the chain. History is append only; the file's own
triggers refuse anything else (schema.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from sqlite_utils import Database

from state.errors import AlreadyOpen, HistoryConflict
from state.spent import Spent, spent_by_minute
from state.sqlite import sqlite3
from state.store import Store
from state.summary import AttemptSummary, summarize

I64_MAX: Final = 2**63 - 1
"""The largest integer SQLite stores."""

EndState = Literal["landed", "failed", "expired"]


class JobToRecord(Protocol):
    """One job of an attempt about to be recorded."""

    @property
    def job_id(self) -> str:
        """The job, a pure function of what it is about."""
        ...

    @property
    def kind(self) -> str:
        """What is done: liquidate, post, …."""
        ...

    @property
    def target(self) -> str:
        """The address it is done to."""
        ...

    @property
    def effect(self) -> str:
        """The chain state it acts upon; the same effect of one job landing twice is a duplicate."""
        ...


class AttemptToRecord(Protocol):
    """A signed transaction that has not left yet."""

    @property
    def lane(self) -> str:
        """Which lane pays for it."""
        ...

    @property
    def signature_text(self) -> str:
        """Its first signature, base58."""
        ...

    @property
    def wire(self) -> bytes:
        """The signed bytes."""
        ...

    @property
    def blockhash_text(self) -> str:
        """The recent blockhash, base58."""
        ...

    @property
    def last_valid_block_height(self) -> int:
        """The block height after which it can no longer land."""
        ...

    @property
    def created_slot(self) -> int:
        """The slot at which the blockhash was read."""
        ...

    @property
    def cu_limit(self) -> int:
        """Compute units requested."""
        ...

    @property
    def cu_price_micro_lamports(self) -> int:
        """Price per compute unit."""
        ...

    @property
    def fee_bid_lamports(self) -> int:
        """What it costs if it is included, whether it succeeds or not."""
        ...

    @property
    def signed_minute(self) -> int | None:
        """When it was signed, Unix minutes by the wall clock; None if nobody will ask."""
        ...

    @property
    def rent_lamports(self) -> int:
        """What it locks in new accounts, if it lands."""
        ...

    @property
    def jobs(self) -> Sequence[JobToRecord]:
        """The jobs it carries, at least one."""
        ...


class EndToRecord(Protocol):
    """How an attempt ended, as far as the chain has said."""

    @property
    def signature_text(self) -> str:
        """Which attempt."""
        ...

    @property
    def state(self) -> EndState:
        """landed, failed on chain, or expired."""
        ...

    @property
    def slot(self) -> int | None:
        """Where it landed or failed."""
        ...

    @property
    def err(self) -> str | None:
        """The chain's error as JSON, or why it is believed to have expired."""
        ...

    @property
    def cu_used(self) -> int | None:
        """Compute units consumed, when the chain could say."""
        ...

    @property
    def fee_lamports(self) -> int | None:
        """What it cost."""
        ...

    @property
    def is_finalized(self) -> bool:
        """Whether no fork can change this any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptJob:
    """One job of a recorded attempt."""

    job_id: str
    kind: str
    target: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A recorded attempt, with where it stands."""

    id: int
    lane: str
    signature_text: str
    wire: bytes
    blockhash_text: str
    last_valid_block_height: int
    created_slot: int
    cu_limit: int
    cu_price_micro_lamports: int
    fee_bid_lamports: int
    state: Literal["open", "landed", "failed", "expired"]
    slot: int | None
    err: str | None
    cu_used: int | None
    fee_lamports: int | None
    is_finalized: bool
    jobs: tuple[AttemptJob, ...]


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts in a store; what `programs.submit` writes through."""

    store: Store

    async def record_attempt(self, attempt: AttemptToRecord) -> None:
        """Commit an attempt and its jobs; only afterwards may the bytes leave.

        Raises:
            AlreadyOpen: one of its jobs has an open attempt, or the signature is known.
        """
        await self.store.transaction(lambda db: _insert(db, attempt))

    async def record_ends(self, ends: Sequence[EndToRecord]) -> None:
        """Commit how attempts ended, all in one transaction; repeating a record changes nothing.

        Raises:
            HistoryConflict: an attempt is unknown, or was finalized with another end.
        """
        if ends:
            await self.store.transaction(lambda db: _record_ends(db, ends))

    async def mark_finalized(self, signatures: Sequence[str]) -> None:
        """Commit that these ends can no longer change.

        Raises:
            HistoryConflict: one of them is unknown or has no end yet.
        """
        if signatures:
            await self.store.transaction(lambda db: _mark_finalized(db, signatures))

    async def open_attempts(self) -> tuple[Attempt, ...]:
        """Read every unsettled attempt: open, or ended but not finalized; oldest first."""
        return await self.store.read(_unsettled)

    async def last_id(self) -> int:
        """Read the newest attempt's id, 0 if there is none: where a run's own report begins."""
        return await self.store.read(
            lambda db: int(
                db.conn.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0]
            )
        )

    async def spent(self, *, from_minute: int, from_slot: int) -> tuple[Spent, ...]:
        """Sum what lanes spent, by minute, since a minute or since a slot: it counts against the caps of this process."""
        return await self.store.read(lambda db: spent_by_minute(db, from_minute, from_slot))

    async def summary(self, *, after_id: int = 0) -> AttemptSummary:
        """Count the attempts recorded after `after_id`."""
        return await self.store.read(lambda db: summarize(db, after_id))


def _insert(db: Database, attempt: AttemptToRecord) -> None:
    jobs = attempt.jobs
    if not jobs:
        raise HistoryConflict(f"attempt {attempt.signature_text} carries no job")
    row = (
        attempt.lane,
        attempt.signature_text,
        attempt.wire,
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
            "INSERT INTO attempt (lane, signature, wire, blockhash, last_valid_block_height, "
            "created_slot, cu_limit, cu_price_micro_lamports, fee_bid_lamports, signed_minute, "
            "rent_lamports) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        ).lastrowid
        db.conn.executemany(
            "INSERT INTO attempt_job (attempt_id, job_id, kind, target, effect) "
            "VALUES (?, ?, ?, ?, ?)",
            [(attempt_id, job.job_id, job.kind, job.target, job.effect) for job in jobs],
        )
    except sqlite3.IntegrityError as error:
        if "UNIQUE" not in str(error):
            raise HistoryConflict(f"attempt {attempt.signature_text}: {error}") from error
        raise AlreadyOpen(_who_holds(db, attempt) or str(error)) from error


def _who_holds(db: Database, attempt: AttemptToRecord) -> str:
    ids = json.dumps([job.job_id for job in attempt.jobs])
    held = db.conn.execute(
        "SELECT job_id, signature FROM attempt_job JOIN attempt ON attempt.id = attempt_id "
        "WHERE is_open = 1 AND signature <> ? AND job_id IN (SELECT value FROM json_each(?))",
        [attempt.signature_text, ids],
    ).fetchall()
    return ", ".join(f"{job_id} is held by {signature}" for job_id, signature in held)


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
                "UPDATE attempt SET state = ?, slot = ?, err = ?, is_finalized = ?, "
                "cu_used = coalesce(?, cu_used), fee_lamports = ? WHERE signature = ?",
                [*wanted, end.cu_used, end.fee_lamports, end.signature_text],
            )
        except sqlite3.IntegrityError as error:
            raise HistoryConflict(
                f"attempt {end.signature_text} is {found[0]} at slot {found[1]}, "
                f"not {end.state} at slot {end.slot}: {error}"
            ) from error


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


def _unsettled(db: Database) -> tuple[Attempt, ...]:
    jobs: dict[int, list[AttemptJob]] = {}
    for attempt_id, job_id, kind, target, effect in db.conn.execute(
        "SELECT attempt_id, job_id, kind, target, effect FROM attempt_job "
        "WHERE attempt_id IN (SELECT id FROM attempt WHERE is_finalized = 0)"
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
        for row in db.conn.execute(
            "SELECT id, lane, signature, wire, blockhash, last_valid_block_height, created_slot, "
            "cu_limit, cu_price_micro_lamports, fee_bid_lamports, state, slot, err, cu_used, "
            "fee_lamports FROM attempt WHERE is_finalized = 0 ORDER BY id"
        )
    )
