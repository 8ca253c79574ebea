"""Whether the audit has eyes: copies of the evidence with one thing spoiled each, every one of which it must refuse.

Core.
"""

from collections.abc import Iterator
from dataclasses import replace

from bench.crash.audit import LOST_AFTER_SLOTS, audit
from bench.crash.evidence import DueJob, Evidence, Recorded


def blind_spots(evidence: Evidence) -> list[str]:
    """Return what the audit fails to see; evidence with a landed, finalized liquidation or post is needed."""
    return [name for name, kind, spoiled in _spoiled(evidence) if not _sees(kind, spoiled)]


def spoiled_count(evidence: Evidence) -> int:
    """Return how many copies there are."""
    return sum(1 for _ in _spoiled(evidence))


def _sees(kind: str, evidence: Evidence) -> bool:
    return any(violation.kind == kind for violation in audit(evidence).violations)


def _spoiled(evidence: Evidence) -> Iterator[tuple[str, str, Evidence]]:
    landed = _a_landed_one(evidence)
    at = evidence.attempts.index(landed)
    done = next(one for one in evidence.chain if one.signature == landed.signature)
    again = replace(done, signature="again", slot=done.slot + 1)
    second = replace(landed, signature="again", slot=done.slot + 1)
    yield (
        "the same effect done by two transactions",
        "duplicate",
        replace(
            evidence,
            chain=(*evidence.chain, again),
            attempts=(*evidence.attempts, second),
        ),
    )
    yield (
        "a step of a chain executed twice",
        "duplicate",
        replace(
            evidence,
            chain=(
                *evidence.chain,
                replace(done, effects=frozenset({"step:C:1"})),
                replace(again, effects=frozenset({"step:C:1"})),
            ),
        ),
    )
    yield (
        "a transaction that was never recorded",
        "unrecorded",
        replace(evidence, chain=(*evidence.chain, again)),
    )
    for name, changed in (
        ("a landed attempt recorded as expired", replace(landed, state="expired", slot=None)),
        ("a landed attempt recorded as failed", replace(landed, state="failed", err='"X"')),
        ("a landed attempt recorded in another slot", replace(landed, slot=done.slot - 1)),
        ("an attempt left open", replace(landed, state="open", slot=None)),
    ):
        attempts = (*evidence.attempts[:at], changed, *evidence.attempts[at + 1 :])
        yield name, "end", replace(evidence, attempts=attempts)
    without = tuple(one for one in evidence.chain if one.signature != landed.signature)
    yield "a landing that the chain does not have", "end", replace(evidence, chain=without)
    failed = tuple(
        replace(one, err='"Boom"') if one.signature == landed.signature else one
        for one in evidence.chain
    )
    yield "a failure on chain recorded as landed", "end", replace(evidence, chain=failed)
    early = replace(landed, signature="early", state="expired", last_valid_block_height=2**60)
    yield (
        "an expiry that was only assumed",
        "end",
        replace(evidence, attempts=(*evidence.attempts, early)),
    )
    lost = DueJob(job="liquidate:somebody", waited_slots=LOST_AFTER_SLOTS + 1)
    yield "a job that nobody did", "lost", replace(evidence, due=(*evidence.due, lost))


def _a_landed_one(evidence: Evidence) -> Recorded:
    deeds = {one.signature: one.effects for one in evidence.chain if one.err is None}
    for attempt in evidence.attempts:
        if any(job.deed in deeds.get(attempt.signature, ()) for job in attempt.jobs):
            return attempt
    raise ValueError("no landed attempt did anything: there is nothing to spoil")
