"""Settle what an earlier process left open, from the chain, before any new work."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.signature import Signature

from programs.attempt_log import AttemptLog, StoredAttempt, StoredJob
from programs.flight import Flight
from programs.in_flight import InFlight, Pace
from programs.outcomes import Outcome, read_outcome
from programs.rpc import SignatureStatus
from programs.units import BlockHeight, Lamports, Slot

_PAGE: Final = 4_096
"""Attempts whose bytes are in memory at once, beside those that can still land."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An attempt of an earlier process that was open, and how it ended."""

    lane: str
    signature_text: str
    jobs: Sequence[StoredJob]
    outcome: Outcome | None
    """None: it can no longer land, and no node's history reaches back far enough to say that it has not. Its jobs
    stay closed until one does."""


async def settle_open_attempts(
    attempts: AttemptLog, in_flight: InFlight, pace: Pace
) -> tuple[Settled, ...]:
    """Settle what an earlier process left open, before any new work; needs a running `land`.

    The chain is asked first; an attempt that can still land is sent again, the same bytes, until it has landed
    or is proved expired. Ended attempts that are not finalized are followed, not waited for.

    Returns:
        Each attempt that was open, with its outcome, oldest first.
    """
    waiting: list[Flight] = []
    after_id = 0
    while page := await attempts.open_attempts(after_id=after_id, at_most=_PAGE):
        after_id = page[-1].id
        flights = [_inherited(attempt) for attempt in page]
        waiting += [flight for flight in flights if flight.outcome is None]
        for flight in flights:
            in_flight.launch(flight, first_send_in_s=pace.resend_interval_s)
        unseen = flights
        while unseen := [flight for flight in unseen if not flight.was_looked_at]:
            await in_flight.wait_looked()
    open_ = waiting
    while open_ := [flight for flight in open_ if not (flight.is_told or flight.is_unprovable)]:
        await in_flight.wait_looked()
    return tuple(
        Settled(
            lane=flight.lane,
            signature_text=str(flight.signature),
            jobs=flight.jobs,
            outcome=flight.outcome,
        )
        for flight in waiting
    )


def _inherited(attempt: StoredAttempt) -> Flight:
    outcome = _recorded_outcome(attempt)
    return Flight(
        lane=attempt.lane,
        jobs=attempt.jobs,
        signature=Signature.from_string(attempt.signature_text),
        wire=attempt.wire,
        last_valid_block_height=BlockHeight(attempt.last_valid_block_height),
        created_slot=Slot(attempt.created_slot),
        fee_bid_lamports=Lamports(attempt.fee_bid_lamports),
        is_inherited=True,
        outcome=outcome,
        is_told=outcome is not None,
    )


def _recorded_outcome(attempt: StoredAttempt) -> Outcome | None:
    if attempt.state == "open" or attempt.slot is None:
        return None
    status = SignatureStatus(
        slot=Slot(attempt.slot),
        err=None if attempt.err is None else json.loads(attempt.err),
        commitment="confirmed",
    )
    signature = Signature.from_string(attempt.signature_text)
    return read_outcome(signature, status, Lamports(attempt.fee_bid_lamports))
