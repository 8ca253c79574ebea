"""A run that does everything but send: what would have been sent is simulated, logged, counted, and left at that.

Nothing lands, so whatever is due stays due. A job that was rehearsed rests for as long as a landing would be hoped for, and is
rehearsed again once its need has changed, not in every slot.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import structlog
from solders.instruction import Instruction

from keeper.fees import NoBid
from programs.errors import in_words
from programs.outcomes import JobRef, SignedBatch
from programs.rpc import Rpc, RpcFailure, Simulation
from programs.units import Lamports, Slot

REST_SLOTS: Final = 25
"""A need that old is critical (SPEC.md section 6): a real keeper would have met it."""
_JOBS_REMEMBERED: Final = 100_000
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed(NoBid):
    """Would have been sent. As far as money goes a refusal: nothing left, nothing was spent."""

    until_slot: Slot
    """Until then its jobs rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldSend:
    """A transaction that was not sent."""

    batch: SignedBatch
    instructions: tuple[Instruction, ...]
    value_lamports: Lamports
    """What it would have earned."""
    is_critical: bool
    """Whether it might have been sent at a loss."""
    fresh_jobs: int
    """Of its jobs, those that were not rehearsed before, or whose need has changed."""
    simulation: Simulation | None
    """None: no node could say."""


class Witness(Protocol):
    """Told of every transaction that was not sent."""

    def would_send(self, sent: WouldSend) -> None:
        """Note one."""


@dataclass(slots=True)
class LaneRehearsal:
    """What one lane would have sent."""

    transactions: int = 0
    jobs: int = 0
    fees_lamports: int = 0
    simulated_well: int = 0
    simulated_badly: int = 0
    unsimulated: int = 0
    """No node could say."""


@dataclass(slots=True)
class Rehearsal:
    """Stands where transactions would be sent."""

    witness: Witness | None = None
    by_lane: dict[str, LaneRehearsal] = field(default_factory=dict)
    _told: dict[str, tuple[str, Slot]] = field(default_factory=dict)
    """Job -> the effect it was rehearsed with, and until when it rests."""

    def resting(self, jobs: Sequence[JobRef], slot: Slot) -> Rehearsed | None:
        """Say that there is nothing new in these jobs; None if there is."""
        if any(self._is_fresh(job, slot) for job in jobs):
            return None
        until = max((self._told[job.job_id][1] for job in jobs), default=slot)
        return _rehearsed(Slot(max(until, slot)))

    async def perform(
        self,
        rpc: Rpc,
        batch: SignedBatch,
        instructions: tuple[Instruction, ...],
        *,
        value_lamports: Lamports,
        is_critical: bool,
    ) -> Rehearsed:
        """Simulate a signed transaction and tell of it."""
        slot = batch.latest.slot
        until = Slot(slot + REST_SLOTS)
        fresh = [job for job in batch.jobs if self._is_fresh(job, slot)]
        for job in batch.jobs:
            self._told.pop(job.job_id, None)
            self._told[job.job_id] = (job.effect, until)
        while len(self._told) > _JOBS_REMEMBERED:
            del self._told[next(iter(self._told))]
        sent = WouldSend(
            batch=batch,
            instructions=instructions,
            value_lamports=value_lamports,
            is_critical=is_critical,
            fresh_jobs=len(fresh),
            simulation=await _simulated(rpc, batch),
        )
        self._note(sent)
        return _rehearsed(until)

    def as_json(self) -> dict[str, Any]:
        """Return what would have been sent, by lane."""
        return {lane: asdict(counts) for lane, counts in sorted(self.by_lane.items())}

    def _is_fresh(self, job: JobRef, slot: Slot) -> bool:
        told = self._told.get(job.job_id)
        return told is None or (slot > told[1] and job.effect != told[0])

    def _note(self, sent: WouldSend) -> None:
        batch, simulation = sent.batch, sent.simulation
        counts = self.by_lane.setdefault(batch.lane, LaneRehearsal())
        counts.transactions += 1
        counts.jobs += sent.fresh_jobs
        counts.fees_lamports += batch.fee_bid_lamports
        counts.unsimulated += simulation is None
        counts.simulated_well += simulation is not None and simulation.err is None
        counts.simulated_badly += simulation is not None and simulation.err is not None
        log.info(
            "batch.would_send",
            lane=batch.lane,
            slot=batch.latest.slot,
            jobs=len(batch.jobs),
            new_jobs=sent.fresh_jobs,
            size_bytes=len(batch.wire),
            cu_limit=batch.budget.cu_limit,
            cu_used=None if simulation is None else simulation.cu_used,
            fee_lamports=batch.fee_bid_lamports,
            simulation=simulation_in_words(simulation),
        )
        if self.witness is not None:
            self.witness.would_send(sent)


def simulation_in_words(simulation: Simulation | None) -> str:
    """Say how a simulation ended."""
    if simulation is None:
        return "unanswered"
    return "well" if simulation.err is None else in_words(simulation.err)


def _rehearsed(until: Slot) -> Rehearsed:
    return Rehearsed(kind="rehearsed", reason="this run sends nothing", until_slot=until)


async def _simulated(rpc: Rpc, batch: SignedBatch) -> Simulation | None:
    try:
        return await rpc.simulate_transaction(batch.wire, replace_blockhash=True)
    except RpcFailure as failure:
        log.warning("rehearsal.unsimulated", lane=batch.lane, reason=str(failure))
        return None
