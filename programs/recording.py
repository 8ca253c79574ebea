"""Commit what the chain says of attempts, all in one transaction, and only then tell whoever waits."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from programs.attempt_log import AttemptLog
from programs.errors import in_words
from programs.flight import Flight
from programs.in_flight import InFlight
from programs.outcomes import (
    Expired,
    Failed,
    Landed,
    Move,
    Outcome,
    end_row,
    is_same_end,
    read_outcome,
)
from programs.rpc import SignatureStatus

_log = structlog.get_logger()

TellMove = Callable[[Move], None]
"""Hears of ends that a fork changed; must not block."""


async def record(
    attempts: AttemptLog,
    in_flight: InFlight,
    seen: Sequence[tuple[Flight, SignatureStatus]],
    expired: Sequence[Flight],
    tell_move: TellMove,
) -> None:
    """Record new ends and new finality.

    Those who wait hear of an expiry and of finality here; of a new end once its facts are known (`facts.learn`).
    """
    firm = [(flight, status) for flight, status in seen if status.commitment != "processed"]
    ends: list[tuple[Flight, Outcome]] = [
        (flight, read_outcome(flight.signature, status, flight.fee_bid_lamports))
        for flight, status in firm
        if not is_same_end(flight.outcome, status)
    ]
    ends += [
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
    if ends:
        await attempts.record_ends([end_row(outcome) for _, outcome in ends])
    if finalized:
        await attempts.mark_finalized([str(flight.signature) for flight, _ in finalized])
    for flight, outcome in ends:
        was, flight.outcome = flight.outcome, outcome
        flight.has_facts = False
        _log_end(flight, outcome)
        if was is not None:
            _tell_move(in_flight, flight, was, outcome, tell_move)
        if isinstance(outcome, Expired) or flight.is_inherited:
            flight.tell()
    for flight, status in seen:
        flight.is_as_recorded = status.commitment != "processed" and is_same_end(
            flight.outcome, status
        )
    for flight, outcome in finalized:
        # Facts may have been added while this was being committed.
        if isinstance(flight.outcome, Landed | Failed):
            flight.outcome = replace(flight.outcome, is_finalized=outcome.is_finalized)
        if flight.is_told:
            flight.tell()


def _tell_move(
    in_flight: InFlight, flight: Flight, was: Outcome, now: Outcome, tell_move: TellMove
) -> None:
    in_flight.count("moved")
    if isinstance(now, Expired):
        in_flight.count("undone")
    _log.warning(
        "attempt.moved",
        signature=str(flight.signature),
        lane=flight.lane,
        was=type(was).__name__.lower(),
        now=type(now).__name__.lower(),
    )
    job_ids = tuple(job.job_id for job in flight.jobs)
    tell_move(Move(lane=flight.lane, job_ids=job_ids, was=was, now=now))


def _log_end(flight: Flight, outcome: Outcome) -> None:
    names = {"signature": str(flight.signature), "lane": flight.lane}
    match outcome:
        case Landed():
            _log.info("attempt.landed", **names, slot=outcome.slot)
        case Failed():
            _log.warning("attempt.failed", **names, slot=outcome.slot, reason=in_words(outcome.err))
        case Expired():
            _log.warning("attempt.expired", **names, reason=outcome.reason)
