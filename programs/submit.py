"""Landing: persist, send, resend the same bytes, confirm, prove expiry, follow to finality.

One task, `land`, serves every attempt of the process: it sends and resends (sending.py), asks for all statuses in one
poll, settles what no node shows (expiry.py), records what the chain says (recording.py), and learns what was used
(facts.py). `submit` persists an attempt, hands it over, and waits for its end. So a thousand attempts in flight cost one
poll, and a caller that gives up leaves nothing undone. What an earlier process left is settled first (settling.py).

The rules (SPEC.md section 6), each one broken by some keeper in use:

- The attempt is committed before the bytes leave. A kill at any later line finds it on the next start.
- The same bytes are sent until the chain answers; nothing is signed again while they could still land.
- An end is read, never assumed: a confirmed status with an `err` is a failure, and an attempt has expired
  only when one node's finalized height is past its last valid height *and* the signature is absent from
  that node's history.
- Confirmed is not final. A landed attempt is followed until it is finalized; if a fork drops it, the same
  bytes go out again, and the record moves to wherever the chain puts it. Until then its effect is held: nobody signs the
  same effect anew because a node that lags still shows the state before it.
- A confirmed failure is believed at once, or finding the guilty job of a batch would wait for finality at every step. When
  a poll shows that a fork took it back, its jobs are held again until it is in a block or has expired.
"""

from collections.abc import Callable
from typing import Final, Literal

import trio

from programs.attempt_log import AttemptLog
from programs.expiry import Expiry
from programs.facts import FactFinder
from programs.flight import Flight, TellBlock, ignore_block
from programs.in_flight import InFlight, ReadPace
from programs.outage import Outage
from programs.outcomes import Move, Outcome, SignedBatch
from programs.recording import TellMove, record
from programs.rpc import Rpc, RpcFailure, SignatureStatus
from programs.sending import send_all_due

_ASKED_AT_ONCE: Final = 4_096
"""Statuses read and recorded together: sixteen calls, one commit."""


class JobHeld(Exception):  # noqa: N818 - an ordinary refusal, named as what is the case
    """An earlier attempt may still do what this one is signed for."""


async def submit(
    attempts: AttemptLog,
    in_flight: InFlight,
    batch: SignedBatch,
    *,
    until: Literal["confirmed", "finalized"] = "confirmed",
    tell_block: TellBlock = ignore_block,
) -> Outcome:
    """Land a signed batch exactly once; needs a running `land`.

    A cancelled caller stops waiting; the attempt goes on under `land`, or is settled at the next start.

    Args:
        attempts: where it is recorded before it leaves.
        in_flight: shared with `land`.
        batch: what was signed.
        until: how firm an end is waited for.
        tell_block: hears of the block that holds it before that end is firm.

    Raises:
        JobHeld: an attempt of one of its jobs failed in a block that a fork took back, and may land yet; nothing was sent.
        Exception: whatever `record_attempt` raises, for a job or an effect that an attempt still holds above all;
            then nothing was sent.
    """
    if (former := in_flight.find_undone_failure(batch.jobs)) is not None:
        raise JobHeld(
            f"{former.signature} of the same job failed in a block that a fork took back, and may land yet"
        )
    await attempts.record_attempt(batch)
    # No checkpoint between the commit and the launch: cancellation finds it on its way, or not begun.
    flight = Flight(
        lane=batch.lane,
        jobs=batch.jobs,
        signature=batch.transaction.signature,
        wire=batch.wire,
        last_valid_block_height=batch.last_valid_block_height,
        created_slot=batch.created_slot,
        fee_bid_lamports=batch.fee_bid_lamports,
        tell_block=tell_block,
    )
    in_flight.launch(flight)
    return await flight.wait_ended(until)


def ignore_move(_move: Move) -> None:
    """Leave it at the log and the count."""


def ignore_turn() -> None:
    """Let nobody know."""


async def land(
    rpc: Rpc,
    attempts: AttemptLog,
    in_flight: InFlight,
    pace: ReadPace,
    *,
    tell_move: TellMove = ignore_move,
    tell_turn: Callable[[], None] = ignore_turn,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Send, confirm and record every attempt in flight, until cancelled.

    A failing RPC is outlasted; a failing `attempts` is not: what cannot be recorded must not go on.

    Args:
        rpc: the cluster.
        attempts: what must survive a crash.
        in_flight: shared with `submit` and `settle_open_attempts`.
        pace: how eagerly, from now on.
        tell_move: hears of ends that a fork changed after `submit` returned them.
        tell_turn: called at each turn of the loop, while there are attempts.
        task_status: started once attempts may be submitted.
    """
    expiry = Expiry(rpc, pace)
    finder = FactFinder(rpc=rpc, attempts=attempts, pace=pace)
    outage = Outage(subject="statuses")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_all_due, rpc, in_flight, pace)
        task_status.started()
        while True:
            while in_flight.is_empty():
                await in_flight.wait_launched()
            tell_turn()
            now_s = trio.current_time()
            asked = in_flight.to_poll(now_s)
            try:
                for start in range(0, len(asked), _ASKED_AT_ONCE):
                    flights = asked[start : start + _ASKED_AT_ONCE]
                    seen, expired = await _ask(rpc, expiry, flights)
                    await record(attempts, in_flight, seen, expired, tell_move)
                    for together in finder.take(flights):
                        nursery.start_soon(finder.learn, together)
                    in_flight.note_looked(flights, now_s, pace())
            except RpcFailure as failure:
                outage.note_failure(str(failure))
            else:
                outage.note_success()
            await trio.sleep(pace().poll_interval_s)


async def _ask(
    rpc: Rpc, expiry: Expiry, flights: list[Flight]
) -> tuple[list[tuple[Flight, SignatureStatus]], list[Flight]]:
    """Ask the chain about flights; return those it knows with their status, and those it never will."""
    statuses = await rpc.get_signature_statuses([flight.signature for flight in flights])
    seen: list[tuple[Flight, SignatureStatus]] = []
    absent: list[Flight] = []
    for flight, status in zip(flights, statuses, strict=True):
        flight.note_status(status)
        if status is None:
            absent.append(flight)
        else:
            seen.append((flight, status))
    found, expired = await expiry.settle(absent)
    for flight, status in found:
        flight.note_status(status)
    return seen + found, expired
