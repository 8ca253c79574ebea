"""The liquidations lane: what risk finds due, batched by market, simulated, and landed once.

Every scan is judged anew: the queue only remembers what a scan cannot know (what is in flight, what landed a moment ago,
what was refused and waits). One batch per market is in flight at a time; two would fight over the market's account, and
the second would be planned on what the first is about to change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import structlog
import trio
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from keeper.config import LaneConfig
from keeper.costs import (
    LIQUIDATE_CU_PER_POSITION,
    LIQUIDATE_LOADED_BYTES_PER_POSITION,
    SIMULATED_CU_MARGIN_PERCENT,
    liquidate_base_cu,
    liquidate_loaded_bytes,
)
from keeper.execute import Kit, Purse, Shipment, job_refs, resume_purse, ship, simulate
from keeper.fees import NoBid
from keeper.jobs import Job, JobQueue, Urgency
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.permits import LANE, Flags, Permits, Sight
from keeper.prices.board import PriceBoard
from keeper.risk import Assessment, assess
from keeper.snapshot import Snapshot
from programs import events
from programs.accounts import Market
from programs.errors import BY_NAME, custom_code, in_words
from programs.event_layout import EventKind
from programs.instructions import Tag, liquidate_header
from programs.outcomes import Expired, Failed, Landed
from programs.pack import Batch, BatchTemplate, pack_targets
from programs.rpc import RpcFailure
from programs.transaction import COMPUTE_BUDGET_CU, whole_pages
from programs.units import (
    QUOTE_DECIMALS,
    TRANSACTION_CU_MAX,
    BaseUnits,
    ComputeUnits,
    Lamports,
    Slot,
)

KIND: Final = "liquidate"
_QUEUE_MAX: Final = 100_000
_JOBS_PER_MARKET: Final = 256
"""Judged anew by every scan: one batch of a market is in flight at a time, so ten of them are plenty to know."""
_LANDINGS_REMEMBERED_SLOTS: Final = 1_000
_NOTHING_LIQUIDATED: Final = BY_NAME["NOTHING_LIQUIDATED"].code
log = structlog.get_logger()


@dataclass(slots=True)
class _Lane:
    """What the lane remembers between scans."""

    queue: JobQueue
    purse: Purse
    lamports_per_quote_unit: int
    room: trio.Semaphore
    """Batches that may still be sent now."""
    permits: Permits
    busy_markets: set[Pubkey] = field(default_factory=set)


async def liquidate_positions(
    kit: Kit,
    config: LaneConfig,
    lamports_per_quote_unit: int,
    change_e6: int,
    board: PriceBoard,
    chain: Newest[Snapshot],
    following: Newest[Following],
    stop: trio.Event,
) -> None:
    """Liquidate until `stop` is set; then wait for what is in flight.

    Args:
        kit: what every lane works with.
        config: concurrency and spending.
        lamports_per_quote_unit: what a bounty is worth.
        change_e6: smallest move that is posted.
        board: newest prices.
        chain: newest snapshot.
        following: the tokens of each market.
        stop: ends it.
    """
    lane = _Lane(
        queue=JobQueue(capacity=_QUEUE_MAX),
        purse=resume_purse(kit, LANE, config.purse()),
        lamports_per_quote_unit=lamports_per_quote_unit,
        room=trio.Semaphore(config.concurrency),
        permits=Permits(tally=kit.tally, change_e6=change_e6),
    )
    sequence = 0
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            # Wakes at least once a slot, so that a stop is noticed while the cluster is silent.
            with trio.move_on_after(kit.slot_s):
                sequence, snapshot = await chain.wait_newer(sequence)
                known = following.get() or Following()
                sight = Sight(board=board, snapshot=snapshot, following=known)
                _refill(kit, lane, sight)
                for batch in _plan(kit, lane, sight):
                    lane.queue.take(batch.jobs)
                    lane.busy_markets.add(batch.jobs[0].market)
                    lane.room.acquire_nowait()
                    nursery.start_soon(_liquidate, kit, lane, batch)


def _refill(kit: Kit, lane: _Lane, sight: Sight) -> None:
    """Bring the queue in line with what this scan found due, but for those that the chain's price wrongs."""
    now_s = trio.current_time()
    snapshot = sight.snapshot
    found = assess(snapshot.markets, snapshot.positions, snapshot.slot)
    kit.tally.liquidations_due = len(found.index)
    kit.tally.verdicts = found.counts
    jobs = _jobs(snapshot, found, lane.permits.spare(sight, found), now_s)
    lane.queue.withdraw_others({job.job_id for job in jobs})
    for _, reason in lane.queue.offer(jobs, now_s):
        if reason == "queue full":
            kit.tally.refusals[f"{LANE}.queue_full"] += 1
    oldest = Slot(snapshot.slot - _LANDINGS_REMEMBERED_SLOTS)
    lane.queue.forget(landed_before=oldest, now_s=now_s)
    kit.tally.jobs_queued[LANE] = lane.queue.statistics().queued


def _jobs(snapshot: Snapshot, found: Assessment, waits: Flags, now_s: float) -> list[Job]:
    """Make jobs of each market's most urgent rows that need not wait: objects are made of nothing else."""
    by_market = np.argsort(found.market_row, kind="stable")
    by_market = by_market[~waits[by_market]]
    _, first, counts = np.unique(found.market_row[by_market], return_index=True, return_counts=True)
    rank = np.arange(len(by_market)) - first.repeat(counts)
    urgent = np.sort(by_market[rank < _JOBS_PER_MARKET])
    index = found.index[urgent]
    rows = zip(
        index.tolist(),
        found.market_row[urgent].tolist(),
        snapshot.positions["shares"][index].tolist(),
        snapshot.positions["debt"][index].tolist(),
        found.bounty[urgent].tolist(),
        found.shortfall[urgent].tolist(),
        strict=True,
    )
    return [
        Job(
            kind=KIND,
            market=snapshot.markets.addresses[market_row],
            target=snapshot.position_address(at),
            effect=f"{shares}:{debt}",
            urgency=Urgency(bounty=BaseUnits(bounty), shortfall=BaseUnits(shortfall)),
            seen_slot=snapshot.slot,
            due_at_s=now_s,
        )
        for at, market_row, shares, debt, bounty, shortfall in rows
    ]


def _plan(kit: Kit, lane: _Lane, sight: Sight) -> list[Batch[Job]]:
    """Choose one batch for each market that has none in flight, most urgent first."""
    by_market: dict[Pubkey, list[Job]] = {}
    for job in lane.queue.by_urgency():
        if job.market not in lane.busy_markets and job.market in sight.snapshot.markets:
            by_market.setdefault(job.market, []).append(job)
    batches: list[Batch[Job]] = []
    for address, jobs in by_market.items():
        if len(batches) >= lane.room.value:
            break
        if lane.permits.allows(sight, address):
            market = sight.snapshot.markets[address]
            batches += _first_batch(kit, lane, address, market, jobs)
    return batches


def _first_batch(
    kit: Kit, lane: _Lane, address: Pubkey, market: Market, jobs: Sequence[Job]
) -> list[Batch[Job]]:
    """Pack a market's most urgent jobs, as many together as an earlier failure allows."""
    together = set(lane.queue.bisection.first_batch([job.job_id for job in jobs]))
    chosen = [job for job in jobs if job.job_id in together]
    packing = pack_targets(chosen, {address: _template(kit, address, market)}, kit.payer.pubkey())
    for refused in packing.refused:
        kit.tally.refusals[f"{LANE}.unpackable"] += 1
        log.error("liquidation.unpackable", target=str(refused.job.target), reason=refused.reason)
        lane.queue.withdraw(refused.job.job_id)
    return list(packing.batches[:1])


def _template(kit: Kit, address: Pubkey, market: Market) -> BatchTemplate:
    keeper = kit.payer.pubkey()
    tokens = get_associated_token_address(keeper, kit.quote_mint)
    return BatchTemplate(
        program=kit.program,
        accounts=tuple(liquidate_header(kit.program, keeper, tokens, address)),
        data=bytes([Tag.LIQUIDATE]),
        base_cu=liquidate_base_cu(2 * len(market.pools)),
        cu_per_target=LIQUIDATE_CU_PER_POSITION,
        base_loaded_bytes=liquidate_loaded_bytes(len(market.pools)),
        loaded_bytes_per_target=LIQUIDATE_LOADED_BYTES_PER_POSITION,
    )


async def _liquidate(kit: Kit, lane: _Lane, batch: Batch[Job]) -> None:
    bounty = sum(job.urgency.bounty for job in batch.jobs)
    shipment = Shipment(
        lane=LANE,
        jobs=job_refs(KIND, [(job.target, job.effect) for job in batch.jobs]),
        due_at_s=tuple(job.due_at_s for job in batch.jobs),
        instructions=batch.instructions,
        cu_limit=batch.cu,
        loaded_bytes=whole_pages(batch.loaded_bytes),
        value_lamports=Lamports(bounty * lane.lamports_per_quote_unit // 10**QUOTE_DECIMALS),
    )
    try:
        await _send(kit, lane, shipment, [job.job_id for job in batch.jobs])
    finally:
        lane.busy_markets.discard(batch.jobs[0].market)
        lane.room.release()


async def _send(kit: Kit, lane: _Lane, shipment: Shipment, ids: Sequence[str]) -> None:
    """Simulate, send, and settle the jobs; only what the chain itself refused is held against them."""
    try:
        simulated = await simulate(kit, shipment)
    except RpcFailure as failure:
        lane.queue.released(ids)
        kit.tally.refusals[f"{LANE}.simulation_unanswered"] += len(ids)
        log.warning("liquidations.unsimulated", jobs=len(ids), reason=str(failure))
        return
    if simulated.err is not None:
        _note_refused(kit, lane, ids, "simulation_refused", simulated.err)
        return
    wanted = simulated.cu_used * (100 + SIMULATED_CU_MARGIN_PERCENT) // 100 + COMPUTE_BUDGET_CU
    cu_limit = ComputeUnits(min(wanted, TRANSACTION_CU_MAX))
    match await ship(kit, lane.purse, replace(shipment, cu_limit=cu_limit)):
        case Landed() as landed:
            lane.queue.landed(ids, landed.slot)
            _note_events(kit, landed)
        case Failed() as failed:
            _note_refused(kit, lane, ids, "failed_on_chain", failed.err)
        case Expired() | NoBid():
            lane.queue.released(ids)  # counted and logged by ship


def _note_refused(kit: Kit, lane: _Lane, ids: Sequence[str], kind: str, err: object) -> None:
    now_s = trio.current_time()
    if custom_code(err) == _NOTHING_LIQUIDATED:
        lane.queue.refused(ids, now_s)  # every one of them was looked at, and skipped
    else:
        lane.queue.failed(ids, now_s)
    kit.tally.refusals[f"{LANE}.{kind}"] += len(ids)
    log.warning("liquidations.refused", jobs=len(ids), kind=kind, reason=in_words(err))


def _note_events(kit: Kit, landed: Landed) -> None:
    """Count what the program says it did, up to where the logs were cut; skipped positions are no liquidations."""
    if not landed.logs:
        kit.tally.refusals[f"{LANE}.logs_unread"] += 1
    positions = bounty = bad_debt = 0
    try:
        for data in events.program_data(landed.logs, kit.program):
            event = events.decode(data)
            if event.kind is EventKind.POSITIONS_LIQUIDATED:
                positions += event.amount("positions")
                bounty += event.amount("to_keeper")
                bad_debt += sum(event.amounts("bad_debt"))
    except events.MalformedEventError as error:
        kit.tally.refusals[f"{LANE}.event_unread"] += 1
        log.warning("event.unread", signature=str(landed.signature), reason=str(error))
    kit.tally.liquidations_landed += positions
    kit.tally.bounty_base_units += bounty
    kit.tally.bad_debt_base_units += bad_debt
    if positions:
        log.info(
            "positions.liquidated",
            positions=positions,
            bounty_base_units=bounty,
            bad_debt_base_units=bad_debt,
            signature=str(landed.signature),
            slot=landed.slot,
        )
