"""The liquidations lane: what risk finds due, packed, sized, and landed once.

Every scan is judged anew: the queue only remembers what a scan cannot know (what is in flight, what landed a moment ago,
what was refused and waits). Whenever a scan arrives or a transaction ends, as many transactions go as may; which, says
batching.py. A failure is blamed on the instruction it names, and within that bisected to the guilty job.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog
import trio
from solders.pubkey import Pubkey

from keeper.assessment import Assessment
from keeper.batching import Desk, Parcel, blamed, cu_bound, cu_margin_bps, dispatch, repack
from keeper.deeds import deeds_of
from keeper.due import JOBS_PER_MARKET, JOBS_PER_MARKET_UNTABLED, KIND, DueSince, jobs_of
from keeper.execute import Kit, Lane, Shipment, job_refs, ship
from keeper.fees import NoBid
from keeper.jobs import Job, JobQueue
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.permits import LANE, Permits, Sight
from keeper.prices.board import PriceBoard
from keeper.rehearsal import Rehearsed
from keeper.risk import due_now
from keeper.sizing import Sized, Unsized, is_about_tables, is_exhausted, note_end, size
from keeper.snapshot import Snapshot
from keeper.tally import Tally
from programs.errors import BY_NAME, custom_code, in_words
from programs.flight import TellBlock
from programs.outcomes import Expired, Failed, Landed
from programs.rpc import Simulation
from programs.units import (
    QUOTE_DECIMALS,
    SIGNATURE_FEE_LAMPORTS,
    BaseUnits,
    Lamports,
    Slot,
)
from state.progress import beat

_QUEUE_MAX: Final = 100_000
_REFILLS_PER_SLOT: Final = 4
"""Snapshots may come faster; what is due is sorted into jobs no oftener."""
_REFILL_SHARE: Final = 5
"""Nor does sorting take more than this part of all time, however much is due."""
_SIGHT_MAX_SLOTS: Final = 4
_TRANSACTIONS_AT_A_LOOK: Final = 128
"""Jobs are made for so many at most: the next look makes those of the others."""
_EXHAUSTED_MAX: Final = 2
_EXHAUSTED_KEPT: Final = 4_096
"""Jobs that are remembered to have run out; the oldest go first."""
_LANDINGS_REMEMBERED_SLOTS: Final = 1_000
_NOTHING_LIQUIDATED: Final = BY_NAME["NOTHING_LIQUIDATED"].code
log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Passage:
    """A parcel that was dispatched, and what its market's next one waits for."""

    parcel: Parcel
    markets: frozenset[Pubkey]
    block_slot: Slot | None = None
    """The block that a node shows it in, which a fork may still take back."""
    has_place: bool = True
    """Of the lane's, until a block has been seen to hold it: what is only followed until it is firm takes room from nothing."""

    def is_in(self, sight: Sight | None) -> bool:
        """Whether what it did can be read out of a sight of the chain."""
        return (
            sight is not None
            and self.block_slot is not None
            and self.block_slot <= sight.snapshot.slot
        )


@dataclass(slots=True)
class _Memory:
    """What the lane remembers between scans."""

    desk: Desk
    queue: JobQueue
    lamports_per_quote_unit: int
    permits: Permits
    since: DueSince = field(default_factory=DueSince)
    sight: Sight | None = None
    """What the queue was filled from."""
    sight_s: float = -float("inf")
    """And when."""
    in_flight: set[_Passage] = field(default_factory=set)
    exhausted: Counter[str] = field(default_factory=Counter)
    """Times that a job's transaction ran out of compute units since it last landed; of the newest such jobs."""
    news: trio.Event = field(default_factory=trio.Event)
    is_freed: bool = False
    """Whether something was found in a block, or ended, since the queue was filled."""

    def note_exhausted(self, job_ids: Collection[str]) -> None:
        """Count that a transaction of these jobs ran out; what somebody else saw to is forgotten in time."""
        self.exhausted.update(job_ids)
        while len(self.exhausted) > _EXHAUSTED_KEPT:
            del self.exhausted[next(iter(self.exhausted))]

    @property
    def unseen(self) -> list[_Passage]:
        """What is in flight and not in what we see of the chain: nothing is planned on what it is about to change."""
        return [each for each in self.in_flight if not each.is_in(self.sight)]

    @property
    def busy_markets(self) -> set[Pubkey]:
        """Markets with such a transaction."""
        return {market for passage in self.unseen for market in passage.markets}

    def wake(self) -> None:
        """Let the lane look again: something is no longer as it was when the queue was filled."""
        self.is_freed = True
        self.news.set()

    def lamports(self, amount: BaseUnits | int) -> Lamports:
        """Value quote base units."""
        return Lamports(amount * self.lamports_per_quote_unit // 10**QUOTE_DECIMALS)


async def liquidate_positions(
    lane: Lane,
    lamports_per_quote_unit: int,
    change_e6: Callable[[], int],
    board: PriceBoard,
    chain: Newest[Snapshot],
    following: Newest[Following],
    stop: trio.Event,
) -> None:
    """Liquidate until `stop` is set; then wait for what is in flight.

    Args:
        lane: who pays, and how much.
        lamports_per_quote_unit: what a bounty is worth.
        change_e6: smallest move that is posted; asked for at every use, because it may change.
        board: newest prices.
        chain: newest snapshot.
        following: the tokens of each market.
        stop: ends it.
    """
    kit = lane.kit
    memory = _Memory(
        desk=Desk(program=kit.program, payer=lane.payer.pubkey(), quote_mint=kit.quote_mint),
        queue=JobQueue(capacity=_QUEUE_MAX),
        lamports_per_quote_unit=lamports_per_quote_unit,
        permits=Permits(tally=kit.tally, change_e6=change_e6),
    )
    async with trio.open_nursery() as listening:
        listening.start_soon(_listen, chain, memory)
        sequence, not_before_s = 0, -float("inf")
        async with trio.open_nursery() as sending:
            while not stop.is_set():
                beat()
                # Wakes at least once a slot, so that a stop is noticed while the cluster is silent.
                with trio.move_on_after(kit.slot_s / _REFILLS_PER_SLOT):
                    await memory.news.wait()
                await trio.lowlevel.checkpoint()
                memory.news = trio.Event()
                snapshot, now_s = chain.get(), trio.current_time()
                is_news = chain.sequence > sequence or memory.is_freed
                if snapshot is not None and is_news and now_s >= not_before_s:
                    sequence, memory.is_freed = chain.sequence, False
                    memory.sight_s = now_s
                    known = following.get() or Following()
                    memory.sight = Sight(board=board, snapshot=snapshot, following=known)
                    _refill(lane, memory, memory.sight)
                    took_s = trio.current_time() - now_s
                    not_before_s = now_s + max(
                        kit.slot_s / _REFILLS_PER_SLOT, took_s * _REFILL_SHARE
                    )
                if not stop.is_set():
                    for passage in _dispatch(lane, memory):
                        sending.start_soon(_liquidate, lane, memory, passage)
        listening.cancel_scope.cancel(reason="nothing more is sent")


async def _listen(chain: Newest[Snapshot], memory: _Memory) -> None:
    sequence = 0
    while True:
        sequence, _ = await chain.wait_newer(sequence)
        memory.news.set()


def _refill(lane: Lane, memory: _Memory, sight: Sight) -> None:
    """Bring the queue in line with what this scan found due, but for those that the chain's price wrongs.

    Jobs are made of what may go now: not of markets that are withheld or have a transaction that this sight does not show
    yet, and of no more than there is room for. However many are due, what a look costs follows from what it can send; and
    nothing that was seen before a market's last transaction is sent after it.
    """
    tally, now_s = lane.kit.tally, trio.current_time()
    snapshot = sight.snapshot
    found = due_now(snapshot)
    tally.liquidations_due = len(found.index)
    tally.verdicts = found.counts
    barred = waits = memory.permits.spare(sight, found)
    busy = memory.busy_markets
    resting = memory.queue.resting(now_s)
    if len(found.index):
        is_busy, is_barred = _shut(memory, sight, found, busy)
        barred = barred | is_barred[found.market_row]
        waits = barred | is_busy[found.market_row]
    if resting:
        asleep = np.array([bytes(job.target) for job in resting], dtype="V32")
        waits = waits | np.isin(snapshot.addresses[found.index].view("V32").reshape(-1), asleep)
    shelf = lane.kit.shelf.get()
    # What is only rehearsed stays due, and stands before what is less urgent.
    is_many = lane.kit.rehearsal is not None or (shelf is not None and bool(shelf.tables))
    per_market = JOBS_PER_MARKET if is_many else JOBS_PER_MARKET_UNTABLED
    at_most = per_market * min(_TRANSACTIONS_AT_A_LOOK, 2 * lane.room.value + 1)
    jobs = jobs_of(snapshot, found, waits, memory.since, now_s, at_most, per_market=per_market)
    # What is on its way or rests after a failure is late as well.
    tally.lane(LANE).note_due(int((~barred).sum()), memory.since.bar(barred, now_s))
    kept = {job.job_id for job in jobs} | {job.job_id for job in resting}
    memory.queue.withdraw_others(kept)
    for _, reason in memory.queue.offer(jobs, now_s):
        if reason == "queue full":
            tally.refusals[f"{LANE}.queue_full"] += 1
    oldest = Slot(snapshot.slot - _LANDINGS_REMEMBERED_SLOTS)
    memory.queue.forget(landed_before=oldest, now_s=now_s)
    _note_waiting(tally, memory)


def _note_waiting(tally: Tally, memory: _Memory) -> None:
    """Count what is due and not in flight, whether jobs were made of it or not."""
    in_flight = memory.queue.statistics().in_flight
    tally.jobs_queued[LANE] = max(0, tally.liquidations_due - in_flight)


def _shut(
    memory: _Memory, sight: Sight, found: Assessment, busy: Collection[Pubkey]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell of each market whether something of it is on its way, and whether, as we see it, nothing of it may go."""
    addresses = sight.snapshot.markets.addresses
    is_busy = np.zeros(len(addresses), np.bool_)
    is_barred = is_busy.copy()
    for row in np.unique(found.market_row).tolist():
        address = addresses[row]
        is_busy[row] = address in busy
        is_barred[row] = not is_busy[row] and not memory.permits.allows(sight, address)
    return is_busy, is_barred


def _dispatch(lane: Lane, memory: _Memory) -> Sequence[_Passage]:
    """Take what goes now out of the queue, and a place of the lane for each transaction."""
    sight, room = memory.sight, lane.room.value
    if sight is None or not room:
        return ()
    if trio.current_time() > memory.sight_s + _SIGHT_MAX_SLOTS * lane.kit.slot_s:
        return ()  # while the chain cannot be read nothing more is sent
    by_market: dict[Pubkey, list[Job]] = {}
    for job in memory.queue.by_urgency(without=memory.busy_markets):
        if job.market in sight.snapshot.markets:
            by_market.setdefault(job.market, []).append(job)
    permitted = {
        market: jobs for market, jobs in by_market.items() if memory.permits.allows(sight, market)
    }
    if not permitted:
        return ()
    claims = [passage.parcel.claim for passage in memory.unseen]
    found = dispatch(
        memory.desk, permitted, memory.queue.bisection, claims, lane.kit.shelf.get(), room
    )
    for refused in found.refused:
        lane.kit.tally.refusals[f"{LANE}.unpackable"] += 1
        log.error("liquidation.unpackable", target=str(refused.job.target), reason=refused.reason)
        memory.queue.withdraw(refused.job.job_id)
    passages = [_Passage(parcel, parcel.markets) for parcel in found.go]
    for passage in passages:
        memory.queue.take(passage.parcel.batch.jobs)
        memory.in_flight.add(passage)
        lane.room.acquire_nowait()
    _note_waiting(lane.kit.tally, memory)
    return passages


async def _liquidate(lane: Lane, memory: _Memory, passage: _Passage) -> None:
    def give_place_back() -> None:
        if passage.has_place:
            passage.has_place = False
            lane.room.release()

    def note_block(slot: Slot | None) -> None:
        passage.block_slot = slot
        give_place_back()
        memory.wake()

    left: Parcel | None = passage.parcel
    try:
        while left is not None:
            left = await _send(lane, memory, left, note_block)
    finally:
        memory.in_flight.remove(passage)
        give_place_back()
        memory.wake()


async def _send(
    lane: Lane, memory: _Memory, parcel: Parcel, note_block: TellBlock
) -> Parcel | None:
    """Size a parcel and land it; or, where a simulation had no use for a part, return the rest."""
    jobs, sized = parcel.batch.jobs, await _size(lane, memory, parcel)
    if isinstance(sized, Sized):
        idle = _idle(lane.kit, jobs, sized.simulated)
        slimmer = _rest(lane, memory, parcel, idle) if idle else None
        if slimmer is None or sized.simulated is None:
            await _land(lane, memory, parcel, sized.shipment, note_block)
            return None
        memory.queue.passed_over(_ids(idle), sized.simulated.slot)
        lane.kit.tally.refusals[f"{LANE}.passed_over_in_simulation"] += len(idle)
        return slimmer
    if sized.err is None:
        _put_off(memory, jobs)
        lane.kit.tally.refusals[f"{LANE}.simulation_unanswered"] += len(jobs)
        log.warning("liquidations.unsimulated", jobs=len(jobs), reason=sized.reason)
        return None
    if is_about_tables(sized.err):
        memory.queue.released(_ids(jobs))  # goes again without them
        lane.kit.tally.refusals[f"{LANE}.tables_doubted"] += len(jobs)
        log.warning("liquidations.tables_doubted", jobs=len(jobs), reason=sized.reason)
        return None
    guilty = _note_refused(lane, memory, parcel, "simulation_refused", sized.err)
    rest = _rest(lane, memory, parcel, guilty)
    if rest is None:
        memory.queue.released(_ids(_others(jobs, guilty)))
    return rest


async def _size(lane: Lane, memory: _Memory, parcel: Parcel) -> Sized | Unsized:
    batch, bound = parcel.batch, cu_bound(parcel.batch.jobs)
    bounty = sum(job.urgency.bounty for job in batch.jobs)
    at_risk = sum(job.at_risk for job in batch.jobs)
    shipment = Shipment(
        jobs=job_refs(KIND, [(job.target, job.effect) for job in batch.jobs]),
        due_at_s=tuple(job.due_at_s for job in batch.jobs),
        instructions=batch.instructions,
        tables=batch.tables,
        cu_limit=bound,
        loaded_bytes=batch.loaded_bytes,
        value_lamports=memory.lamports(bounty),
        # What the vault could lose must be worth a fee: dust has to pay for itself.
        is_critical=memory.lamports(at_risk) >= SIGNATURE_FEE_LAMPORTS,
    )
    if any(memory.exhausted[job.job_id] >= _EXHAUSTED_MAX for job in batch.jobs):
        return Sized(shipment=shipment, simulated=None)
    return await size(lane, KIND, bound, shipment, margin_bps=partial(_margin_bps, lane.kit))


def _margin_bps(kit: Kit, simulated: Simulation) -> int:
    return cu_margin_bps(deeds_of(kit.program, simulated.logs))


def _idle(kit: Kit, jobs: Sequence[Job], simulated: Simulation | None) -> tuple[Job, ...]:
    """Name the jobs that a simulation passed over: healthy where it ran, they would be paid for and do nothing."""
    if simulated is None:
        return ()
    deeds = deeds_of(kit.program, simulated.logs)
    if deeds.unread is not None:
        return ()
    return tuple(job for job in jobs if job.target not in deeds.liquidated)


def _rest(lane: Lane, memory: _Memory, parcel: Parcel, without: Collection[Job]) -> Parcel | None:
    rest = _others(parcel.batch.jobs, without)
    return repack(memory.desk, rest, lane.kit.shelf.get()) if rest else None


async def _land(
    lane: Lane, memory: _Memory, parcel: Parcel, shipment: Shipment, note_block: TellBlock
) -> None:
    """Ship a parcel, and settle its jobs."""
    jobs, ids, queue = parcel.batch.jobs, _ids(parcel.batch.jobs), memory.queue
    outcome = await ship(lane, shipment, note_block)
    note_end(lane.kit, KIND, cu_bound(jobs), shipment, outcome)
    match outcome:
        case Landed():
            queue.landed(ids, outcome.slot)
            for job_id in ids:
                memory.exhausted.pop(job_id, None)
            _note_deeds(lane.kit, outcome)
        case Failed() if is_about_tables(outcome.err):
            queue.released(ids)
            lane.kit.tally.refusals[f"{LANE}.tables_doubted"] += len(ids)
        case Failed() if is_exhausted(outcome.err) and shipment.cu_limit < cu_bound(jobs):
            # The market moved since the simulation; if that does not help either, they get all that they could use.
            memory.note_exhausted(ids)
            queue.released(ids)
            lane.kit.tally.refusals[f"{LANE}.exhausted"] += len(ids)
            log.warning("liquidations.exhausted", jobs=len(ids), cu_limit=shipment.cu_limit)
        case Failed():
            guilty = _note_refused(lane, memory, parcel, "failed_on_chain", outcome.err)
            queue.released(_ids(_others(jobs, guilty)))
        case Rehearsed():
            # As if it had landed, so that what is less urgent has its turn; nothing is counted, for nothing was sent.
            queue.landed(ids, outcome.until_slot)
        case Expired() | NoBid():
            _put_off(memory, jobs)  # counted and logged by ship


def _put_off(memory: _Memory, jobs: Collection[Job]) -> None:
    """Let jobs wait for the next sight of the chain."""
    sight = memory.sight
    assert sight is not None, "what is sent was seen"
    memory.queue.passed_over(_ids(jobs), sight.snapshot.slot)


def _note_refused(
    lane: Lane, memory: _Memory, parcel: Parcel, kind: str, err: object
) -> tuple[Job, ...]:
    """Hold a refusal against the jobs of the instruction it names, and return them."""
    guilty, now_s = blamed(parcel.batch, err), trio.current_time()
    if custom_code(err) == _NOTHING_LIQUIDATED:
        memory.queue.refused(_ids(guilty), now_s)  # every one of them was looked at, and skipped
    else:
        memory.queue.failed(_ids(guilty), now_s)
    lane.kit.tally.refusals[f"{LANE}.{kind}"] += len(guilty)
    log.warning("liquidations.refused", jobs=len(guilty), kind=kind, reason=in_words(err))
    return guilty


def _note_deeds(kit: Kit, landed: Landed) -> None:
    """Count what the program says it did; passed-over positions are no liquidations."""
    deeds = deeds_of(kit.program, landed.logs)
    if deeds.unread is not None:
        kind = "event_unread" if landed.logs else "logs_unread"
        kit.tally.refusals[f"{LANE}.{kind}"] += 1
        log.warning("event.unread", signature=str(landed.signature), reason=deeds.unread)
    kit.tally.liquidations_landed += deeds.positions
    kit.tally.bounty_base_units += deeds.bounty
    kit.tally.bad_debt_base_units += deeds.bad_debt
    if deeds.positions:
        log.info(
            "positions.liquidated",
            positions=deeds.positions,
            bounty_base_units=deeds.bounty,
            bad_debt_base_units=deeds.bad_debt,
            signature=str(landed.signature),
            slot=landed.slot,
        )


def _ids(jobs: Iterable[Job]) -> list[str]:
    return [job.job_id for job in jobs]


def _others(jobs: Sequence[Job], without: Collection[Job]) -> list[Job]:
    left_out = {job.job_id for job in without}
    return [job for job in jobs if job.job_id not in left_out]
