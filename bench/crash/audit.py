"""The audit: the chain against the record, and both against what was due. It asks the keeper nothing.

Core. A duplicate is one by effect, since the same signature cannot land twice: two transactions that both did the same
job (the chain's events say so) although both were planned on the same state of its target (the record says so). A step
of a chain needs no record: the same step executed twice is a duplicate whatever was planned.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.crash.evidence import Evidence, OnChain, Recorded

LOST_AFTER_SLOTS: Final = 400
"""Work that waits longer with a keeper alive is lost: several lives of a blockhash on the bad day's network."""
_BY_EFFECT: Final = frozenset({"liquidate", "post"})
"""Kinds whose deeds the chain's events name by target; of others a landed transaction is taken to have done its jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that must not be."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the audit counted, and what it found."""

    attempts: int
    landed: int
    failed: int
    expired: int
    open: int
    duplicates: int
    jobs_done: int
    jobs_lost: int
    violations: tuple[Violation, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.violations


def audit(evidence: Evidence) -> Audit:
    """Hold the record against the chain."""
    on_chain = {one.signature: one for one in evidence.chain}
    duplicates = list(_duplicates(evidence, on_chain))
    lost = [
        Violation(kind="lost", text=f"{due.job} was due for {due.waited_slots} slots, undone")
        for due in evidence.due
        if due.waited_slots > LOST_AFTER_SLOTS
    ]
    states = Counter(attempt.state for attempt in evidence.attempts)
    return Audit(
        attempts=len(evidence.attempts),
        landed=states["landed"],
        failed=states["failed"],
        expired=states["expired"],
        open=states["open"],
        duplicates=len(duplicates),
        jobs_done=sum(len(one.effects) for one in evidence.chain if one.err is None),
        jobs_lost=len(lost),
        violations=(
            *_unrecorded(evidence),
            *_misremembered(evidence, on_chain),
            *duplicates,
            *lost,
        ),
    )


def _unrecorded(evidence: Evidence) -> Iterator[Violation]:
    """Yield what the payer signed and the record does not know: its bytes left before they were written down."""
    known = {attempt.signature for attempt in evidence.attempts}
    for one in evidence.chain:
        if one.signature not in known:
            yield Violation(
                kind="unrecorded", text=f"{one.signature} is on chain, not in the record"
            )


def _misremembered(evidence: Evidence, on_chain: dict[str, OnChain]) -> Iterator[Violation]:
    """Yield every attempt whose recorded end is not the chain's."""
    for attempt in evidence.attempts:
        found = on_chain.get(attempt.signature)
        wrong = _what_is_wrong(attempt, found, evidence.finalized_height)
        if wrong is not None:
            yield Violation(kind="end", text=f"{attempt.signature} is {attempt.state}, but {wrong}")


def _what_is_wrong(attempt: Recorded, found: OnChain | None, finalized_height: int) -> str | None:
    match attempt.state, found:
        case "open", _:
            return "nobody is left to settle it"
        case "expired", None:
            if attempt.last_valid_block_height < finalized_height:
                return None
            return f"it can land until height {attempt.last_valid_block_height}, and final is {finalized_height}"
        case _, None:
            return "it is not on chain"
        case "expired", OnChain(slot=slot):
            return f"it is on chain in slot {slot}"
        case "landed", OnChain(err=str() as err):
            return f"the chain has it with {err}"
        case "failed", OnChain(err=None):
            return "the chain has it without an error"
        case "failed", OnChain(err=err) if err != attempt.err:
            return f"with {attempt.err} instead of {err}"
        case _, OnChain(slot=slot) if slot != attempt.slot:
            return f"in slot {attempt.slot} instead of {slot}"
    return None


def _duplicates(evidence: Evidence, on_chain: dict[str, OnChain]) -> Iterator[Violation]:
    done: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for attempt in evidence.attempts:
        found = on_chain.get(attempt.signature)
        if found is None or found.err is not None:
            continue
        for job in attempt.jobs:
            if job.kind not in _BY_EFFECT or job.deed in found.effects:
                done[job.job_id, job.effect].append(attempt.signature)
    for (job_id, effect), signatures in done.items():
        if len(signatures) > 1:
            text = f"{job_id} was done {len(signatures)} times on the state {effect}: "
            yield Violation(kind="duplicate", text=text + ", ".join(signatures))
    steps = Counter(
        effect for one in evidence.chain for effect in one.effects if effect.startswith("step:")
    )
    for step, times in steps.items():
        if times > 1:
            yield Violation(kind="duplicate", text=f"{step} was executed {times} times")
