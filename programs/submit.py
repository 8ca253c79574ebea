"""Landing: persist, send, resend the same bytes, confirm, prove expiry, follow to finality.

One task, `land`, serves every attempt of the process: it sends and resends, asks for all statuses in one poll,
and records what the chain says. `submit` persists an attempt, hands it over, and waits for its end. So a
thousand attempts in flight cost one poll, and a caller that gives up leaves nothing undone.

The rules (SPEC.md section 6), each one broken by some keeper in use:

- The attempt is committed before the bytes leave. A kill at any later line finds it on the next start.
- The same bytes are sent until the chain answers; nothing is signed again while they could still land.
- An end is read, never assumed: a confirmed status with an `err` is a failure, and an attempt has expired
  only when one node's finalized height is past its last valid height *and* the signature is absent from
  that node's history.
- Confirmed is not final. A landed attempt is followed until it is finalized; if a fork drops it, the same
  bytes go out again, and the record moves to wherever the chain puts it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

import structlog
import trio
from solders.signature import Signature

from programs.in_flight import Flight, InFlight, Pace
from programs.outage import Outage
from programs.outcomes import (
    EndRow,
    Expired,
    Failed,
    Landed,
    Outcome,
    SignedBatch,
    end_row,
    is_same_end,
    read_outcome,
)
from programs.rpc import Rpc, RpcError, RpcFailure, SignatureStatus, TransactionFacts
from programs.units import BlockHeight, Lamports, Slot

_log = structlog.get_logger()


class StoredJob(Protocol):
    """One job of a recorded attempt."""

    @property
    def job_id(self) -> str:
        """What it is."""
        ...

    @property
    def kind(self) -> str:
        """What is done."""
        ...

    @property
    def target(self) -> str:
        """What it is done to."""
        ...


class StoredAttempt(Protocol):
    """An attempt of an earlier process."""

    @property
    def lane(self) -> str:
        """Which lane pays."""
        ...

    @property
    def signature_text(self) -> str:
        """Its signature, base58."""
        ...

    @property
    def wire(self) -> bytes:
        """The signed bytes."""
        ...

    @property
    def last_valid_block_height(self) -> int:
        """When it can no longer land."""
        ...

    @property
    def fee_bid_lamports(self) -> int:
        """What inclusion costs."""
        ...

    @property
    def state(self) -> Literal["open", "landed", "failed", "expired"]:
        """Where it stood."""
        ...

    @property
    def slot(self) -> int | None:
        """Where it landed or failed."""
        ...

    @property
    def err(self) -> str | None:
        """Its error, as recorded."""
        ...

    @property
    def jobs(self) -> Sequence[StoredJob]:
        """What it carried."""
        ...


class AttemptLog(Protocol):
    """What must survive a crash; `state.attempts.Attempts` is one. Each call returns once committed."""

    async def record_attempt(self, attempt: SignedBatch, /) -> None:
        """Commit an attempt before its bytes leave; refuse a job that has an open one."""
        ...

    async def record_ends(self, ends: Sequence[EndRow], /) -> None:
        """Commit how attempts ended."""
        ...

    async def mark_finalized(self, signatures: Sequence[str], /) -> None:
        """Commit that these ends cannot change."""
        ...

    async def open_attempts(self) -> Sequence[StoredAttempt]:
        """Read the attempts that are open, or ended but not finalized."""
        ...


async def submit(
    attempts: AttemptLog,
    in_flight: InFlight,
    batch: SignedBatch,
    *,
    until: Literal["confirmed", "finalized"] = "confirmed",
) -> Outcome:
    """Land a signed batch exactly once; needs a running `land`.

    A cancelled caller stops waiting; the attempt goes on under `land`, or is settled at the next start.

    Raises:
        Exception: whatever `record_attempt` raises, for a job that has an open attempt above all; then
            nothing was sent.
    """
    await attempts.record_attempt(batch)
    # No checkpoint between the commit and the launch: cancellation finds it on its way, or not begun.
    flight = Flight(
        signature=batch.transaction.signature,
        wire=batch.wire,
        last_valid_block_height=batch.last_valid_block_height,
        fee_bid_lamports=batch.fee_bid_lamports,
    )
    in_flight.launch(flight)
    return await flight.wait_ended(until)


async def settle_open_attempts(
    attempts: AttemptLog, in_flight: InFlight, pace: Pace
) -> tuple[tuple[StoredAttempt, Outcome], ...]:
    """Settle what an earlier process left open, before any new work; needs a running `land`.

    The chain is asked first; an attempt that can still land is sent again, the same bytes, until it has landed
    or is proved expired. Ended attempts that are not finalized are followed, not waited for.

    Returns:
        Each attempt that was open, with its outcome, oldest first.
    """
    waiting: list[tuple[StoredAttempt, Flight]] = []
    for attempt in await attempts.open_attempts():
        flight = Flight(
            signature=Signature.from_string(attempt.signature_text),
            wire=attempt.wire,
            last_valid_block_height=BlockHeight(attempt.last_valid_block_height),
            fee_bid_lamports=Lamports(attempt.fee_bid_lamports),
            outcome=_recorded_outcome(attempt),
        )
        in_flight.launch(flight, first_send_in_s=pace.resend_interval_s)
        if flight.outcome is None:
            waiting.append((attempt, flight))
    return tuple([(attempt, await flight.wait_ended("confirmed")) for attempt, flight in waiting])


def _recorded_outcome(attempt: StoredAttempt) -> Outcome | None:
    if attempt.state == "open" or attempt.slot is None:
        return None
    status = SignatureStatus(
        slot=Slot(attempt.slot),
        err=None if attempt.err is None else json.loads(attempt.err),
        commitment="confirmed",
    )
    signature = Signature.from_string(attempt.signature_text)
    return read_outcome(signature, status, None, Lamports(attempt.fee_bid_lamports))


async def land(
    rpc: Rpc,
    attempts: AttemptLog,
    in_flight: InFlight,
    pace: Pace,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Send, confirm and record every attempt in flight, until cancelled.

    A failing RPC is outlasted; a failing `attempts` is not: what cannot be recorded must not go on.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send_all_due, rpc, in_flight, pace)
        task_status.started()
        outage = Outage(subject="statuses")
        while True:
            while in_flight.is_empty():
                await in_flight.wait_launched()
            try:
                await _poll(rpc, attempts, in_flight, pace)
            except RpcFailure as failure:
                outage.note_failure(str(failure))
            else:
                outage.note_success()
            await trio.sleep(pace.poll_interval_s)


async def _send_all_due(rpc: Rpc, in_flight: InFlight, pace: Pace) -> None:
    limiter = trio.CapacityLimiter(pace.sends_at_once)
    async with trio.open_nursery() as nursery:
        while True:
            for flight in in_flight.take_due(trio.current_time(), pace):
                flight.is_sending = True
                nursery.start_soon(_send, rpc, in_flight, flight, limiter)
            await in_flight.wait_due()


async def _send(
    rpc: Rpc, in_flight: InFlight, flight: Flight, limiter: trio.CapacityLimiter
) -> None:
    try:
        async with limiter:
            in_flight.count_send(is_first=not flight.was_sent)
            flight.was_sent = True
            await rpc.send_transaction(flight.wire)
    except RpcError as error:
        # A node that has it says so with an error: the status will tell the rest.
        if not error.is_already_processed:
            _note_refusal(flight, "send.refused", str(error))
    except RpcFailure as failure:
        _note_refusal(flight, "send.unanswered", str(failure))
    finally:
        flight.is_sending = False


def _note_refusal(flight: Flight, event: str, reason: str) -> None:
    """Log a refusal once, not at every resend of the same bytes."""
    if flight.refusal != reason:
        _log.info(event, signature=str(flight.signature), reason=reason)
    flight.refusal = reason


async def _poll(rpc: Rpc, attempts: AttemptLog, in_flight: InFlight, pace: Pace) -> None:
    now_s = trio.current_time()
    asked = in_flight.to_poll(now_s, pace)
    if not asked:
        return
    statuses = await rpc.get_signature_statuses([flight.signature for flight in asked])
    seen: list[tuple[Flight, SignatureStatus]] = []
    absent: list[Flight] = []
    for flight, status in zip(asked, statuses, strict=True):
        flight.polled_at_s = now_s
        flight.is_visible = status is not None
        if status is None:
            absent.append(flight)
        else:
            seen.append((flight, status))
    expired: list[Flight] = []
    if absent:
        found, expired = await _settle_absent(rpc, absent)
        seen += found
    await _record(rpc, attempts, in_flight, pace, seen, expired)


async def _settle_absent(
    rpc: Rpc, absent: Sequence[Flight]
) -> tuple[list[tuple[Flight, SignatureStatus]], list[Flight]]:
    """Find out which absent attempts landed longer ago than nodes remember, and which never will."""
    height = await rpc.get_block_height("finalized")
    overdue = [flight for flight in absent if flight.last_valid_block_height < height]
    if not overdue:
        return [], []
    settled = await rpc.get_settled_statuses([flight.signature for flight in overdue])
    found = [
        (flight, status)
        for flight, status in zip(overdue, settled.statuses, strict=True)
        if status is not None
    ]
    expired = [
        flight
        for flight, status in zip(overdue, settled.statuses, strict=True)
        # The height of this very node, not the one read above: they may be two nodes.
        if status is None and flight.last_valid_block_height < settled.finalized_block_height
    ]
    return found, expired


async def _record(
    rpc: Rpc,
    attempts: AttemptLog,
    in_flight: InFlight,
    pace: Pace,
    seen: Sequence[tuple[Flight, SignatureStatus]],
    expired: Sequence[Flight],
) -> None:
    """Commit what changed, all in one transaction, and only then tell whoever waits."""
    firm = [(flight, status) for flight, status in seen if status.commitment != "processed"]
    ended = [pair for pair in firm if not is_same_end(pair[0].outcome, pair[1])]
    facts = await _read_facts(rpc, [flight.signature for flight, _ in ended], pace)
    conclusions: list[tuple[Flight, Outcome]] = [
        (
            flight,
            read_outcome(
                flight.signature, status, facts.get(flight.signature), flight.fee_bid_lamports
            ),
        )
        for flight, status in ended
    ]
    conclusions += [
        (flight, Expired(signature=flight.signature, reason=flight.refusal or "no node refused it"))
        for flight in expired
    ]
    finalized: list[tuple[Flight, Outcome]] = [
        (flight, replace(flight.outcome, is_finalized=True))
        for flight, status in firm
        if status.commitment == "finalized"
        and is_same_end(flight.outcome, status)
        and isinstance(flight.outcome, Landed | Failed)
    ]
    if conclusions:
        await attempts.record_ends([end_row(outcome) for _, outcome in conclusions])
    if finalized:
        await attempts.mark_finalized([str(flight.signature) for flight, _ in finalized])
    for flight, outcome in conclusions:
        if flight.outcome is not None:
            in_flight.count_moved()
        _log_end(outcome, moved_from=flight.outcome)
    for flight, outcome in [*conclusions, *finalized]:
        flight.conclude(outcome)
    in_flight.drop_finalized([flight for flight, _ in [*conclusions, *finalized]])


async def _read_facts(
    rpc: Rpc, signatures: Sequence[Signature], pace: Pace
) -> dict[Signature, TransactionFacts]:
    """Read what transactions did, as many as answer in time: nice to have, nothing waits for it longer."""
    facts: dict[Signature, TransactionFacts] = {}

    async def read(signature: Signature) -> None:
        try:
            found = await rpc.get_transaction(signature)
        except RpcFailure as failure:
            _log.info("facts.unread", signature=str(signature), reason=str(failure))
            return
        if found is not None:
            facts[signature] = found

    with trio.move_on_after(pace.facts_timeout_s):
        async with trio.open_nursery() as nursery:
            for signature in signatures:
                nursery.start_soon(read, signature)
    return facts


def _log_end(outcome: Outcome, moved_from: Outcome | None) -> None:
    signature = str(outcome.signature)
    if moved_from is not None:
        _log.warning("attempt.moved", signature=signature, was=type(moved_from).__name__.lower())
    match outcome:
        case Landed():
            _log.info("attempt.landed", signature=signature, slot=outcome.slot)
        case Failed():
            _log.warning("attempt.failed", signature=signature, slot=outcome.slot, err=outcome.err)
        case Expired():
            _log.warning("attempt.expired", signature=signature, reason=outcome.reason)
