"""What needs doing, one entry per target, most urgent first, bounded; nothing is dropped without a reason.

Core. THE ORDER, stated here and nowhere else: what is at stake, which is the bounty that the keeper expects and the shortfall
that the vault stands to lose, both in quote base units; ties by id, so that the same jobs are always in the same order. Cost
and odds of landing are no part of it: they are alike for all jobs of one lane, and whether a transaction is worth them is
asked once, of the whole of it (fees.py).

A target moves through the queue like this: offered -> queued -> in flight -> landed, failed or released. While it
is in flight it is not queued again, and after it landed only a sight of the chain newer than the landing queues it
again: an older scan still shows the position as it was. A failed batch is bisected (bisection.py).
"""

import heapq
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final, Literal

from solders.pubkey import Pubkey

from keeper.bisection import Bisection
from programs.units import BaseUnits, Slot

_NOTHING: Final = BaseUnits(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """How much depends on a job."""

    bounty: BaseUnits
    """What the keeper expects to earn, quote base units."""
    shortfall: BaseUnits
    """What the vault stands to lose, quote base units."""

    @property
    def at_stake(self) -> BaseUnits:
        """What jobs are ordered by, as risk orders them."""
        return BaseUnits(self.bounty + self.shortfall)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One need of one target."""

    kind: str
    market: Pubkey
    target: Pubkey
    effect: str
    """The chain state it acts upon, as text; recorded with the attempt."""
    urgency: Urgency
    seen_slot: Slot
    """The slot at which the need was seen."""
    due_at_s: float
    """When it was first seen, on the caller's clock."""
    at_risk: BaseUnits = _NOTHING
    """What the vault stands to lose if the price falls further while it waits."""
    sale: int = 0
    """Jobs of one market with the same number are one sale on chain, and share its cost."""
    pools: int = 1
    """Of its market."""
    is_chain: bool = False
    """Whether the target is a chain's account, whose pledges may be seized too."""
    job_id: str = field(init=False)
    """A pure function of what it is about: the same need found twice is the same job."""

    def __post_init__(self) -> None:
        """Name it once: a flood asks for the name of each job many times."""
        object.__setattr__(self, "job_id", f"{self.kind}:{self.target}")


Refusal = Literal["in flight", "paused", "stale view", "queue full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueueStatistics:
    """How full it is."""

    queued: int
    in_flight: int
    remembered: int
    """Targets paused, under bisection, or landed a short while ago."""


@dataclass(slots=True)
class JobQueue:
    """The queue of one lane."""

    capacity: int
    bisection: Bisection = field(default_factory=Bisection)
    _queued: dict[str, Job] = field(default_factory=dict)
    _in_flight: dict[str, Job] = field(default_factory=dict)
    _paused: dict[str, Job] = field(default_factory=dict)
    _landed_slots: dict[str, Slot] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a queue that could hold nothing."""
        if self.capacity < 1:
            raise ValueError(f"capacity is {self.capacity}, expected at least 1")

    def offer(self, jobs: Iterable[Job], now_s: float) -> list[tuple[Job, Refusal]]:
        """Queue jobs; a newer sight of a queued target replaces the older one, the need stays as old as it is.

        When it is full the least urgent give way.

        Returns:
            Every job that is not queued, with the reason; also those pushed out by more urgent ones.
        """
        refused: list[tuple[Job, Refusal]] = []
        for job in jobs:
            reason = self._objection(job, now_s)
            if reason is not None:
                refused.append((job, reason))
                continue
            known = self._queued.get(job.job_id) or self._paused.pop(job.job_id, None)
            if known is not None and known.due_at_s != job.due_at_s:
                job = replace(job, due_at_s=known.due_at_s)  # noqa: PLW2901 - the same job, as old as it is
            self._queued[job.job_id] = job
        excess = len(self._queued) - self.capacity
        if excess > 0:
            least = heapq.nsmallest(excess, self._queued.values(), key=_rank)
            for job in least:
                del self._queued[job.job_id]
                refused.append((job, "queue full"))
        return refused

    def _objection(self, job: Job, now_s: float) -> Refusal | None:
        if job.job_id in self._in_flight:
            return "in flight"
        if job.seen_slot <= self._landed_slots.get(job.job_id, -1):
            return "stale view"
        if self.bisection.is_paused(job.job_id, now_s):
            return "paused"
        known = self._queued.get(job.job_id)
        return "stale view" if known is not None and job.seen_slot < known.seen_slot else None

    def withdraw(self, job_id: str) -> bool:
        """Take back a queued job; False if it is not queued."""
        return self._queued.pop(job_id, None) is not None

    def withdraw_others(self, job_ids: AbstractSet[str]) -> None:
        """Take back every waiting job whose need is gone: all but these."""
        for waiting in (self._queued, self._paused):
            for job_id in waiting.keys() - job_ids:
                del waiting[job_id]

    def resting(self, now_s: float) -> list[Job]:
        """List the jobs whose pause is not over."""
        return [job for job in self._paused.values() if self.bisection.is_paused(job.job_id, now_s)]

    def by_urgency(self, without: Collection[Pubkey] = frozenset()) -> list[Job]:
        """List what is queued, most urgent first, ties by id; the jobs of some markets left out."""
        jobs = [job for job in self._queued.values() if job.market not in without]
        return sorted(jobs, key=_rank, reverse=True)

    def take(self, jobs: Iterable[Job]) -> None:
        """Mark queued jobs as in flight: they were packed, and are about to be signed."""
        for job in jobs:
            self._in_flight[job.job_id] = self._queued.pop(job.job_id)

    def released(self, job_ids: Iterable[str]) -> None:
        """Queue again what was never sent, or expired: nobody is to blame, and the need is as old as it was."""
        for job_id in job_ids:
            self._queued[job_id] = self._in_flight.pop(job_id)

    def landed(self, job_ids: Iterable[str], slot: Slot) -> None:
        """Settle jobs that landed: only a sight newer than `slot` queues them again."""
        for job_id in job_ids:
            self._settle(job_id, slot)
            self.bisection.landed([job_id])

    def passed_over(self, job_ids: Iterable[str], slot: Slot) -> None:
        """Settle jobs that the chain at `slot` had no need of: nobody is to blame, a newer sight may show one."""
        for job_id in job_ids:
            self._settle(job_id, slot)

    def _settle(self, job_id: str, slot: Slot) -> None:
        del self._in_flight[job_id]
        self._landed_slots.pop(job_id, None)
        self._landed_slots[job_id] = slot  # the latest stands last

    def failed(self, job_ids: Sequence[str], now_s: float) -> None:
        """Settle a failed batch: its jobs come back with fewer companions; one that failed alone pauses first."""
        self.bisection.failed(job_ids, now_s)
        self._wait_again(job_ids, now_s)

    def refused(self, job_ids: Sequence[str], now_s: float) -> None:
        """Settle jobs that were refused each for itself: they pause."""
        self.bisection.refused(job_ids, now_s)
        self._wait_again(job_ids, now_s)

    def _wait_again(self, job_ids: Sequence[str], now_s: float) -> None:
        for job_id in job_ids:
            waiting = self._paused if self.bisection.is_paused(job_id, now_s) else self._queued
            waiting[job_id] = self._in_flight.pop(job_id)

    def forget(self, *, landed_before: Slot, now_s: float) -> None:
        """Drop what no longer matters: landings older than any view still around, pauses long over.

        Landings stand in the order in which they were heard of: one that was heard of late goes with those before it. A
        flood lands tens of thousands, and this is asked four times a slot.
        """
        landed = self._landed_slots
        for job_id in list(takewhile(lambda each: landed[each] < landed_before, landed)):
            del landed[job_id]
        self.bisection.forget(now_s)

    def statistics(self) -> JobQueueStatistics:
        """Count."""
        return JobQueueStatistics(
            queued=len(self._queued),
            in_flight=len(self._in_flight),
            remembered=len(self._landed_slots) + len(self.bisection),
        )


def _rank(job: Job) -> tuple[int, str]:
    return job.urgency.at_stake, job.job_id
