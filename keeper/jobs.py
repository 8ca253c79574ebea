"""What needs doing, one entry per target, most urgent first, bounded; nothing is dropped without a reason.

A target moves through the queue like this: offered -> queued -> in flight -> settled. While it is in flight it
is not queued again, and after it landed only a sight of the chain newer than the landing queues it again: an older
scan still shows the position as it was.

A failed batch is bisected: its jobs come back with room for half as many companions, until the guilty one
fails alone and is parked with backoff. The innocent ones land on the way.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from solders.pubkey import Pubkey

from programs.units import BaseUnits, Slot

Lane = Literal["prices", "liquidations", "chains", "payouts"]

_PARK_FIRST_S: Final = 2.0
_PARK_MAX_S: Final = 300.0
_COMPANIONS_UNBOUNDED: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Urgency:
    """How much depends on a job; compared field by field."""

    bounty: BaseUnits
    """What the keeper expects to earn, quote base units."""
    shortfall: BaseUnits
    """What the vault stands to lose, quote base units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One need of one target."""

    kind: str
    lane: Lane
    market: Pubkey
    target: Pubkey
    effect: str
    """The chain state it acts upon, as text; recorded with the attempt."""
    urgency: Urgency
    seen_slot: Slot
    """The slot at which the need was seen."""
    due_slot: Slot
    due_at_s: float
    """The same on the caller's clock, for latency only."""

    @property
    def job_id(self) -> str:
        """A pure function of what it is about: the same need found twice is the same job."""
        return f"{self.kind}:{self.target}"


Refusal = Literal["in flight", "parked", "stale view", "queue full"]


@dataclass(slots=True)
class _Standing:
    """What is remembered of a target between its jobs."""

    failures: int = 0
    companions_max: int = _COMPANIONS_UNBOUNDED
    """Jobs a batch with this one may have, itself included."""
    parked_until_s: float = 0.0
    landed_slot: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueueStatistics:
    """How full it is."""

    queued: int
    in_flight: int
    remembered: int
    """Targets parked, under bisection, or landed a short while ago."""
    due_slot_oldest: Slot | None


@dataclass(slots=True)
class JobQueue:
    """The queue of one lane."""

    capacity: int
    _queued: dict[str, Job] = field(default_factory=dict)
    _in_flight: set[str] = field(default_factory=set)
    _standings: dict[str, _Standing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a queue that could hold nothing."""
        if self.capacity < 1:
            raise ValueError(f"capacity is {self.capacity}, expected at least 1")

    def offer(self, jobs: Iterable[Job], now_s: float) -> list[tuple[Job, Refusal]]:
        """Queue jobs; a newer sight of a queued target replaces the older one.

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
            known = self._queued.get(job.job_id)
            # The need is as old as its first sight.
            self._queued[job.job_id] = (
                job
                if known is None
                else replace(job, due_slot=known.due_slot, due_at_s=known.due_at_s)
            )
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
        standing = self._standings.get(job.job_id)
        if standing is not None:
            if job.seen_slot <= standing.landed_slot:
                return "stale view"
            if now_s < standing.parked_until_s:
                return "parked"
        known = self._queued.get(job.job_id)
        return "stale view" if known is not None and job.seen_slot < known.seen_slot else None

    def withdraw(self, job_id: str) -> bool:
        """Take back a queued job whose need is gone; False if it is not queued."""
        return self._queued.pop(job_id, None) is not None

    def by_urgency(self) -> list[Job]:
        """List what is queued, most urgent first, ties by id."""
        return sorted(self._queued.values(), key=_rank, reverse=True)

    def batch_limits(self) -> dict[Pubkey, int]:
        """Bound the batches of the markets under bisection; a market that is not named has no bound.

        For a packer that fills many batches at once, as `take_batch` bounds the one it takes.
        """
        limits: dict[Pubkey, int] = {}
        for job_id, standing in self._standings.items():
            job = self._queued.get(job_id)
            if job is not None and standing.companions_max < _COMPANIONS_UNBOUNDED:
                limits[job.market] = min(
                    standing.companions_max, limits.get(job.market, _COMPANIONS_UNBOUNDED)
                )
        return limits

    def take_batch(self, market: Pubkey, count_max: int) -> tuple[Job, ...]:
        """Take a market's most urgent jobs and mark them in flight, as many as bisection allows together."""
        batch: list[Job] = []
        room = count_max
        for job in self.by_urgency():
            if job.market != market:
                continue
            room = min(room, self.companions_max(job.job_id))
            if len(batch) >= room:
                break
            batch.append(job)
        self.take(batch)
        return tuple(batch)

    def take(self, jobs: Iterable[Job]) -> None:
        """Mark queued jobs as in flight: they were packed, and are about to be signed."""
        for job in jobs:
            del self._queued[job.job_id]
            self._in_flight.add(job.job_id)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Queue again what was taken but never signed."""
        for job in jobs:
            self._in_flight.discard(job.job_id)
            self._queued[job.job_id] = job

    def hold(self, job_ids: Iterable[str]) -> None:
        """Mark jobs of an earlier process, whose attempts are open, as in flight."""
        for job_id in job_ids:
            self._queued.pop(job_id, None)
            self._in_flight.add(job_id)

    def companions_max(self, job_id: str) -> int:
        """How many jobs a batch with this one may have, itself included."""
        standing = self._standings.get(job_id)
        return _COMPANIONS_UNBOUNDED if standing is None else standing.companions_max

    def landed(self, job_ids: Iterable[str], slot: Slot) -> None:
        """Settle jobs that landed: only a sight newer than `slot` queues them again."""
        for job_id in job_ids:
            self._in_flight.discard(job_id)
            self._standings[job_id] = _Standing(landed_slot=slot)
            queued = self._queued.get(job_id)
            if queued is not None and queued.seen_slot <= slot:
                del self._queued[job_id]

    def failed(self, job_ids: Sequence[str], now_s: float) -> None:
        """Settle a failed batch: halve it, or park the one job it consisted of, twice as long each time."""
        for job_id in job_ids:
            self._in_flight.discard(job_id)
            standing = self._standings.setdefault(job_id, _Standing())
            if len(job_ids) > 1:
                standing.companions_max = max(1, len(job_ids) // 2)
                continue
            pause_s = min(_PARK_MAX_S, _PARK_FIRST_S * 2.0 ** min(standing.failures, 32))
            standing.failures += 1
            standing.parked_until_s = now_s + pause_s

    def expired(self, job_ids: Iterable[str]) -> None:
        """Settle jobs whose attempt expired: nobody is to blame, the next scan may queue them again."""
        self._in_flight.difference_update(job_ids)

    def forget(self, *, landed_before: Slot, now_s: float) -> None:
        """Drop what no longer matters: landings older than any view still around, pauses that are over."""
        self._standings = {
            job_id: standing
            for job_id, standing in self._standings.items()
            if standing.landed_slot >= landed_before
            or (standing.failures and now_s < standing.parked_until_s + _PARK_MAX_S)
            or job_id in self._queued
            or job_id in self._in_flight
        }

    def statistics(self) -> JobQueueStatistics:
        """Count."""
        return JobQueueStatistics(
            queued=len(self._queued),
            in_flight=len(self._in_flight),
            remembered=len(self._standings),
            due_slot_oldest=min((job.due_slot for job in self._queued.values()), default=None),
        )


def _rank(job: Job) -> tuple[Urgency, str]:
    return job.urgency, job.job_id
