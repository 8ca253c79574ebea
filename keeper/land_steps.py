"""Land a few transactions whose record is the chain itself: deployment and genesis.

The keeper's lanes commit every attempt to their database first, because a payout sent twice pays twice. Here each step is
harmless when it lands twice: writing the same bytes changes nothing, and creating, deploying, minting or founding again is
refused by the chain. So nothing is kept: after a kill the next run reads the accounts and finds what is left to do. What
`submit` gives all the same: the same bytes are sent until the chain answers, and expiry is proved, not assumed.
"""

from collections.abc import Sequence

import trio

from programs.attempt_log import StoredAttempt
from programs.errors import custom_code, in_words
from programs.in_flight import InFlight, Pace
from programs.outcomes import EndRow, Expired, FactsRow, Failed, Outcome, SignedBatch
from programs.rpc import LatestBlockhash, Rpc
from programs.step import Step
from programs.submit import land, submit
from programs.transaction import SignedTransaction

_LANE = "deployment"


class NothingKept:
    """An `AttemptLog` of procedures that the chain remembers."""

    async def record_attempt(self, _attempt: SignedBatch, /) -> None:
        """Keep nothing."""
        await trio.lowlevel.checkpoint()

    async def record_ends(self, _ends: Sequence[EndRow], /) -> None:
        """Keep nothing."""
        await trio.lowlevel.checkpoint()

    async def record_facts(self, _facts: Sequence[FactsRow], /) -> None:
        """Keep nothing."""
        await trio.lowlevel.checkpoint()

    async def mark_finalized(self, _signatures: Sequence[str], /) -> None:
        """Keep nothing."""
        await trio.lowlevel.checkpoint()

    async def open_attempts(self, *, after_id: int, at_most: int) -> Sequence[StoredAttempt]:
        """Find nothing."""
        del after_id, at_most
        await trio.lowlevel.checkpoint()
        return ()


async def land_steps(rpc: Rpc, steps: Sequence[Step], pace: Pace) -> tuple[Outcome, ...]:
    """Sign with one blockhash, send all at once, and wait until each has been confirmed, failed or expired.

    Raises:
        RpcFailure: there was no blockhash to sign with; nothing was sent.
    """
    latest = await rpc.get_latest_blockhash("confirmed")
    outcomes: dict[int, Outcome] = {}
    log, in_flight = NothingKept(), InFlight()

    async def one(number: int, step: Step) -> None:
        outcomes[number] = await submit(log, in_flight, _signed(step, latest))

    async with trio.open_nursery() as landing:
        await landing.start(land, rpc, log, in_flight, lambda: pace)
        async with trio.open_nursery() as waiting:
            for number, step in enumerate(steps):
                waiting.start_soon(one, number, step)
        landing.cancel_scope.cancel(reason="all have ended")
    return tuple(outcomes[number] for number in range(len(steps)))


def why_not(outcomes: Sequence[Outcome]) -> str:
    """Say why the last one that did not land did not; empty if all did."""
    for outcome in reversed(outcomes):
        if isinstance(outcome, Failed):
            last_log = outcome.logs[-1:] if custom_code(outcome.err) is None else ()
            said = " ".join([in_words(outcome.err), *last_log])
            return f"transaction {outcome.signature} failed with {said}"
        if isinstance(outcome, Expired):
            return f"transaction {outcome.signature} never landed ({outcome.reason})"
    return ""


def _signed(step: Step, latest: LatestBlockhash) -> SignedBatch:
    transaction = step.sign(latest.blockhash)
    signed = SignedTransaction(signature=transaction.signatures[0], wire=bytes(transaction))
    return SignedBatch(lane=_LANE, jobs=(), transaction=signed, latest=latest, budget=step.budget)
