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

from keeper.assessment import Assessment
from keeper.costs import (
    LIQUIDATE_CU_PER_POSITION,
    LIQUIDATE_LOADED_BYTES_PER_POSITION,
    SIMULATED_CU_MARGIN_PERCENT,
    liquidate_base_cu,
    liquidate_loaded_bytes,
)
from keeper.execute import Kit, Lane, Shipment, job_refs, ship, simulate
from keeper.fees import NoBid
from keeper.jobs import Job, JobQueue, Urgency
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.permits import LANE, Flags, Permits, Sight
from keeper.prices.board import PriceBoard
from keeper.risk import due_now
from keeper.snapshot import Snapshot
from keeper.tally import Tally
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
class _Memory:
    """What the lane remembers between scans."""

    queue: JobQueue
    lamports_per_quote_unit: int
    permits: Permits
    busy_markets: set[Pubkey] = field(default_factory=set)


async def liquidate_positions(
    lane: Lane,
    lamports_per_quote_unit: int,
    change_e6: int,
    board: PriceBoard,
    chain: Newest[Snapshot],
    following: Newest[Following],
    stop: trio.Event,
) -> None:
    """Liquidate until `stop` is set; then wait for what is in flight.

    Args:
        lane: who pays, and how much.
        lamports_per_quote_unit: what a bounty is worth.
        change_e6: smallest move that is posted.
        board: newest prices.
        chain: newest snapshot.
        following: the tokens of each market.
        stop: ends it.
    """
    kit = lane.kit
    memory = _Memory(
        queue=JobQueue(capacity=_QUEUE_MAX),
        lamports_per_quote_unit=lamports_per_quote_unit,
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
                _refill(kit.tally, memory, sight)
                for batch in _plan(lane, memory, sight):
                    memory.queue.take(batch.jobs)
                    memory.busy_markets.add(batch.jobs[0].market)
                    lane.room.acquire_nowait()
                    nursery.start_soon(_liquidate, lane, memory, batch)


def _refill(tally: Tally, memory: _Memory, sight: Sight) -> None:
    """Bring the queue in line with what this scan found due, but for those that the chain's price wrongs."""
    now_s = trio.current_time()
    snapshot = sight.snapshot
    found = due_now(snapshot)
    tally.liquidations_due = len(found.index)
    tally.verdicts = found.counts
    jobs = _jobs(snapshot, found, memory.permits.spare(sight, found), now_s)
    memory.queue.withdraw_others({job.job_id for job in jobs})
    for _, reason in memory.queue.offer(jobs, now_s):
        if reason == "queue full":
            tally.refusals[f"{LANE}.queue_full"] += 1
    oldest = Slot(snapshot.slot - _LANDINGS_REMEMBERED_SLOTS)
    memory.queue.forget(landed_before=oldest, now_s=now_s)
    tally.jobs_queued[LANE] = memory.queue.statistics().queued


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


def _plan(lane: Lane, memory: _Memory, sight: Sight) -> list[Batch[Job]]:
    """Choose one batch for each market that has none in flight, most urgent first."""
    by_market: dict[Pubkey, list[Job]] = {}
    for job in memory.queue.by_urgency():
        if job.market not in memory.busy_markets and job.market in sight.snapshot.markets:
            by_market.setdefault(job.market, []).append(job)
    batches: list[Batch[Job]] = []
    for address, jobs in by_market.items():
        if len(batches) >= lane.room.value:
            break
        if memory.permits.allows(sight, address):
            market = sight.snapshot.markets[address]
            batches += _first_batch(lane, memory, address, market, jobs)
    return batches


def _first_batch(
    lane: Lane, memory: _Memory, address: Pubkey, market: Market, jobs: Sequence[Job]
) -> list[Batch[Job]]:
    """Pack a market's most urgent jobs, as many together as an earlier failure allows."""
    together = set(memory.queue.bisection.first_batch([job.job_id for job in jobs]))
    chosen = [job for job in jobs if job.job_id in together]
    kit = lane.kit
    packing = pack_targets(
        chosen,
        {address: _template(lane, address, market)},
        lane.payer.pubkey(),
        shelf=kit.shelf.get(),
    )
    for refused in packing.refused:
        kit.tally.refusals[f"{LANE}.unpackable"] += 1
        log.error("liquidation.unpackable", target=str(refused.job.target), reason=refused.reason)
        memory.queue.withdraw(refused.job.job_id)
    return list(packing.batches[:1])


def _template(lane: Lane, address: Pubkey, market: Market) -> BatchTemplate:
    kit, keeper = lane.kit, lane.payer.pubkey()
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


async def _liquidate(lane: Lane, memory: _Memory, batch: Batch[Job]) -> None:
    bounty = sum(job.urgency.bounty for job in batch.jobs)
    shipment = Shipment(
        jobs=job_refs(KIND, [(job.target, job.effect) for job in batch.jobs]),
        due_at_s=tuple(job.due_at_s for job in batch.jobs),
        instructions=batch.instructions,
        tables=batch.tables,
        cu_limit=batch.cu,
        loaded_bytes=whole_pages(batch.loaded_bytes),
        value_lamports=Lamports(bounty * memory.lamports_per_quote_unit // 10**QUOTE_DECIMALS),
    )
    try:
        await _send(lane, memory, shipment, [job.job_id for job in batch.jobs])
    finally:
        memory.busy_markets.discard(batch.jobs[0].market)
        lane.room.release()


async def _send(lane: Lane, memory: _Memory, shipment: Shipment, ids: Sequence[str]) -> None:
    """Simulate, send, and settle the jobs; only what the chain itself refused is held against them."""
    try:
        simulated = await simulate(lane, shipment)
    except RpcFailure as failure:
        memory.queue.released(ids)
        lane.kit.tally.refusals[f"{LANE}.simulation_unanswered"] += len(ids)
        log.warning("liquidations.unsimulated", jobs=len(ids), reason=str(failure))
        return
    if simulated.err is not None:
        _note_refused(lane.kit.tally, memory, ids, "simulation_refused", simulated.err)
        return
    wanted = simulated.cu_used * (100 + SIMULATED_CU_MARGIN_PERCENT) // 100 + COMPUTE_BUDGET_CU
    cu_limit = ComputeUnits(min(wanted, TRANSACTION_CU_MAX))
    match await ship(lane, replace(shipment, cu_limit=cu_limit)):
        case Landed() as landed:
            memory.queue.landed(ids, landed.slot)
            _note_events(lane.kit, landed)
        case Failed() as failed:
            _note_refused(lane.kit.tally, memory, ids, "failed_on_chain", failed.err)
        case Expired() | NoBid():
            memory.queue.released(ids)  # counted and logged by ship


def _note_refused(
    tally: Tally, memory: _Memory, ids: Sequence[str], kind: str, err: object
) -> None:
    now_s = trio.current_time()
    if custom_code(err) == _NOTHING_LIQUIDATED:
        memory.queue.refused(ids, now_s)  # every one of them was looked at, and skipped
    else:
        memory.queue.failed(ids, now_s)
    tally.refusals[f"{LANE}.{kind}"] += len(ids)
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
