"""The liquidations lane: what risk finds due, batched by market, simulated, and landed once.

Every scan is judged anew: the queue only remembers what a scan cannot know (what is in flight, what landed a moment ago,
what was refused and waits). One batch per market is in flight at a time; two would fight over the market's account, and
the second would be planned on what the first is about to change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from keeper.config import LaneConfig
from keeper.costs import (
    LIQUIDATE_BASE_CU,
    LIQUIDATE_CU_PER_POSITION,
    LIQUIDATE_LOADED_BYTES_PER_POSITION,
    SIMULATED_CU_MARGIN_PERCENT,
    liquidate_loaded_bytes,
)
from keeper.execute import Kit, Purse, Shipment, job_refs, ship, simulate
from keeper.fees import NoBid
from keeper.jobs import Job, JobQueue, Urgency
from keeper.newest import Newest
from keeper.posting import yes_token_of
from keeper.prices.board import PriceBoard
from keeper.prices.price import PERMISSIONS
from keeper.risk import Assessment, assess
from keeper.snapshot import Snapshot
from programs import events
from programs.accounts import Market
from programs.errors import describe
from programs.events import EventKind
from programs.instructions import Tag, liquidate_header
from programs.outcomes import Expired, Failed, Landed
from programs.pack import Batch, BatchTemplate, pack_targets
from programs.rpc import RpcFailure, Simulation
from programs.transaction import COMPUTE_BUDGET_CU, whole_pages
from programs.units import (
    QUOTE_DECIMALS,
    TRANSACTION_CU_MAX,
    BaseUnits,
    ComputeUnits,
    Lamports,
)

LANE: Final = "liquidations"
KIND: Final = "liquidate"
_QUEUE_MAX: Final = 100_000
_LANDINGS_REMEMBERED_SLOTS: Final = 1_000
log = structlog.get_logger()


@dataclass(slots=True)
class _Lane:
    """What the lane remembers between scans."""

    queue: JobQueue
    purse: Purse
    lamports_per_quote_unit: int
    busy_markets: set[Pubkey] = field(default_factory=set)
    withheld: dict[Pubkey, str] = field(default_factory=dict)
    """Markets whose liquidations wait, with the reason last logged."""


async def liquidate_positions(
    kit: Kit,
    config: LaneConfig,
    lamports_per_quote_unit: int,
    board: PriceBoard,
    chain: Newest[Snapshot],
    stop: trio.Event,
) -> None:
    """Liquidate until `stop` is set; then wait for what is in flight."""
    lane = _Lane(
        queue=JobQueue(capacity=_QUEUE_MAX),
        purse=config.purse(),
        lamports_per_quote_unit=lamports_per_quote_unit,
    )
    limiter = trio.CapacityLimiter(config.concurrency)
    sequence = 0
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            # Wakes at least once a slot, so that a stop is noticed while the cluster is silent.
            with trio.move_on_after(kit.slot_s):
                sequence, snapshot = await chain.wait_newer(sequence)
                _refill(kit, lane, snapshot)
                for batch in _plan(kit, lane, board, snapshot, int(limiter.available_tokens)):
                    lane.queue.take(batch.jobs)
                    lane.busy_markets.add(batch.jobs[0].market)
                    limiter.acquire_on_behalf_of_nowait(batch.jobs[0].market)
                    nursery.start_soon(_liquidate, kit, lane, limiter, batch)


def _refill(kit: Kit, lane: _Lane, snapshot: Snapshot) -> None:
    """Bring the queue in line with what this scan found due."""
    now_s = trio.current_time()
    found = assess(snapshot.markets, snapshot.positions, snapshot.slot)
    kit.tally.liquidations_due = len(found.index)
    kit.tally.verdicts = found.counts
    jobs = _jobs(snapshot, found, now_s)
    due = {job.job_id for job in jobs}
    for job in lane.queue.by_urgency():
        if job.job_id not in due:
            lane.queue.withdraw(job.job_id)
    for _, reason in lane.queue.offer(jobs, now_s):
        if reason == "queue full":
            kit.tally.refusals[f"{LANE}.queue_full"] += 1
    oldest = max(0, snapshot.slot - _LANDINGS_REMEMBERED_SLOTS)
    lane.queue.forget(landed_before=type(snapshot.slot)(oldest), now_s=now_s)
    kit.tally.jobs_queued[LANE] = lane.queue.statistics().queued


def _jobs(snapshot: Snapshot, found: Assessment, now_s: float) -> list[Job]:
    rows = zip(
        found.index.tolist(),
        found.market_row.tolist(),
        found.bounty.tolist(),
        found.shortfall.tolist(),
        strict=True,
    )
    return [
        Job(
            kind=KIND,
            lane=LANE,
            market=snapshot.markets.addresses[market_row],
            target=snapshot.position_address(index),
            effect=f"{snapshot.positions[index]['shares']}:{snapshot.positions[index]['debt']}",
            urgency=Urgency(bounty=BaseUnits(bounty), shortfall=BaseUnits(shortfall)),
            seen_slot=snapshot.slot,
            due_slot=snapshot.slot,
            due_at_s=now_s,
        )
        for index, market_row, bounty, shortfall in rows
    ]


def _plan(
    kit: Kit, lane: _Lane, board: PriceBoard, snapshot: Snapshot, batches_max: int
) -> list[Batch[Job]]:
    """Choose one batch for each market that has none in flight, most urgent first."""
    by_market: dict[Pubkey, list[Job]] = {}
    for job in lane.queue.by_urgency():
        if job.market not in lane.busy_markets and job.market in snapshot.markets:
            by_market.setdefault(job.market, []).append(job)
    batches: list[Batch[Job]] = []
    for address, jobs in by_market.items():
        if len(batches) >= batches_max:
            break
        market = snapshot.markets[address]
        if _is_allowed(kit, lane, board, address, market):
            batches += _first_batch(kit, lane, address, market, jobs)
    return batches


def _is_allowed(kit: Kit, lane: _Lane, board: PriceBoard, address: Pubkey, market: Market) -> bool:
    """Apply the permissions of the price class as we see it now: the chain's copy may be 150 slots old."""
    token = yes_token_of(market)
    price = None if token is None else board.get(token)
    if price is None:
        reason = "no_price"
    elif not (permission := PERMISSIONS[price.price_class]).liquidate:
        reason = f"{price.price_class}:{price.reason}"
    elif permission.liquidate_at_band and market.price_class == 0:
        reason = "band_not_on_chain_yet"
    else:
        lane.withheld.pop(address, None)
        return True
    if lane.withheld.get(address) != reason:
        lane.withheld[address] = reason
        kit.tally.refusals[f"{LANE}.{reason}"] += 1
        log.info("liquidations.withheld", market=market.market_id, reason=reason)
    return False


def _first_batch(
    kit: Kit, lane: _Lane, address: Pubkey, market: Market, jobs: Sequence[Job]
) -> list[Batch[Job]]:
    """Pack a market's most urgent jobs, as many together as an earlier failure allows."""
    room = lane.queue.companions_max(jobs[0].job_id)
    together = [job for job in jobs if lane.queue.companions_max(job.job_id) >= room][:room]
    packing = pack_targets(together, {address: _template(kit, address, market)}, kit.payer.pubkey())
    for refused in packing.refused:
        kit.tally.refusals[f"{LANE}.{refused.reason}"] += 1
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
        base_cu=LIQUIDATE_BASE_CU,
        cu_per_target=LIQUIDATE_CU_PER_POSITION,
        base_loaded_bytes=liquidate_loaded_bytes(len(market.pools)),
        loaded_bytes_per_target=LIQUIDATE_LOADED_BYTES_PER_POSITION,
    )


async def _liquidate(
    kit: Kit, lane: _Lane, limiter: trio.CapacityLimiter, batch: Batch[Job]
) -> None:
    ids = [job.job_id for job in batch.jobs]
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
        refusal = await _try(kit, lane, shipment, ids)
    finally:
        limiter.release_on_behalf_of(batch.jobs[0].market)
        lane.busy_markets.discard(batch.jobs[0].market)
    if refusal is not None:
        lane.queue.failed(ids, trio.current_time())
        kit.tally.refusals[f"{LANE}.{refusal.kind}"] += len(ids)
        log.warning("liquidations.refused", jobs=len(ids), kind=refusal.kind, reason=refusal.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    kind: str
    words: str


async def _try(kit: Kit, lane: _Lane, shipment: Shipment, ids: Sequence[str]) -> _Refusal | None:
    """Simulate, send, and settle the jobs; return why not, if not."""
    try:
        found = await simulate(kit, shipment)
    except RpcFailure as failure:
        return _Refusal(kind="simulation_unanswered", words=str(failure))
    if found.err is not None:
        return _Refusal(kind="simulation_refused", words=_words(found))
    wanted = found.cu_used * (100 + SIMULATED_CU_MARGIN_PERCENT) // 100 + COMPUTE_BUDGET_CU
    cu_limit = ComputeUnits(min(wanted, TRANSACTION_CU_MAX))
    match await ship(kit, lane.purse, replace(shipment, cu_limit=cu_limit)):
        case Landed() as landed:
            lane.queue.landed(ids, landed.slot)
            _note_events(kit, landed)
        case Failed() as failed:
            return _Refusal(kind="failed_on_chain", words=_words(failed))
        case Expired():
            lane.queue.expired(ids)
        case NoBid() as withheld:
            return _Refusal(kind="not_worth_sending", words=withheld.reason)
    return None


def _words(found: Simulation | Failed) -> str:
    """Say what the program or the runtime refused, in the program's own words where they are known."""
    match found.err:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return describe(code)
        case error:
            return str(error)


def _note_events(kit: Kit, outcome: Landed) -> None:
    """Count what the program says it did; skipped positions are no liquidations."""
    try:
        found = events.decode_logs(outcome.logs, kit.program)
    except events.MalformedEventError as error:
        kit.tally.refusals[f"{LANE}.event_unread"] += 1
        log.warning("event.malformed", signature=str(outcome.signature), reason=str(error))
        return
    if not found:
        kit.tally.refusals[f"{LANE}.logs_unread"] += 1
    liquidated = [event for event in found if event.kind is EventKind.POSITION_LIQUIDATED]
    if liquidated:
        bounty = sum(event.amount("bounty") for event in liquidated)
        bad_debt = sum(event.amount("bad_debt") for event in liquidated)
        kit.tally.liquidations_landed += len(liquidated)
        kit.tally.bounty_base_units += bounty
        kit.tally.bad_debt_base_units += bad_debt
        log.info(
            "positions.liquidated",
            positions=len(liquidated),
            bounty_base_units=bounty,
            bad_debt_base_units=bad_debt,
            signature=str(outcome.signature),
            slot=outcome.slot,
        )
