"""The liquidations lane: what risk finds due, batched by market, simulated, and landed once.

Every scan is judged anew, so nothing queues: what did not fit this round is found again, with fresher numbers. One batch
per market is in flight at a time; two would fight over the market's account, and the second would be planned on what
the first is about to change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
from keeper.execute import Kit, Shipment, job_refs, ship, simulate
from keeper.newest import Newest
from keeper.posting import yes_token_of
from keeper.prices.board import PriceBoard
from keeper.prices.price import PERMISSIONS
from keeper.risk import assess
from keeper.snapshot import Snapshot
from programs import events
from programs.accounts import Market
from programs.errors import describe
from programs.events import EventKind
from programs.instructions import Tag, liquidate_header
from programs.outcomes import Failed, Landed, Outcome
from programs.pack import Batch, BatchTemplate, pack_targets
from programs.rpc import RpcFailure, Simulation
from programs.transaction import COMPUTE_BUDGET_CU, whole_pages
from programs.units import TRANSACTION_CU_MAX, ComputeUnits, MicroLamports, Slot

LANE = "liquidations"
_PARK_SLOTS = 4
"""First pause of a position whose batch was refused; it doubles with each refusal."""
_PARK_DOUBLINGS_MAX = 6
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidation:
    """One position that is due."""

    market: Pubkey
    target: Pubkey
    effect: str
    """Shares and debt it was judged at: the state this job acts upon."""
    due_at_s: float

    @property
    def job_id(self) -> str:
        """Name the job by its target alone: it is open once, or not at all."""
        return f"liquidate:{self.target}"


@dataclass(slots=True)
class _Parked:
    until_s: float
    refusals: int


@dataclass(slots=True)
class _Lane:
    """What the lane remembers between scans."""

    busy_markets: set[Pubkey] = field(default_factory=set)
    landed_slot: dict[Pubkey, Slot] = field(default_factory=dict)
    """A scan older than this shows the position before our own liquidation."""
    due_at_s: dict[Pubkey, float] = field(default_factory=dict)
    """When each position was first seen due; forgotten once it is not."""
    parked: dict[Pubkey, _Parked] = field(default_factory=dict)
    withheld: dict[Pubkey, str] = field(default_factory=dict)
    """Markets whose liquidations wait, with the reason last logged."""


async def liquidate_positions(
    kit: Kit, config: LaneConfig, board: PriceBoard, chain: Newest[Snapshot], stop: trio.Event
) -> None:
    """Liquidate until `stop` is set; then wait for what is in flight."""
    lane, sequence = _Lane(), 0
    limiter = trio.CapacityLimiter(config.concurrency)
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            # Wakes at least once a slot, so that a stop is noticed while the cluster is silent.
            with trio.move_on_after(kit.slot_s):
                sequence, snapshot = await chain.wait_newer(sequence)
                for batch in _plan(kit, lane, board, snapshot):
                    if limiter.available_tokens - limiter.statistics().tasks_waiting < 1:
                        break
                    lane.busy_markets.add(batch.jobs[0].market)
                    nursery.start_soon(_liquidate, kit, lane, limiter, batch)
                    await trio.lowlevel.checkpoint()


def _plan(kit: Kit, lane: _Lane, board: PriceBoard, snapshot: Snapshot) -> list[Batch[Liquidation]]:
    """Choose one batch for each market that has none in flight, most urgent first."""
    now_s = trio.current_time()
    found = assess(snapshot.markets, snapshot.positions, snapshot.slot)
    kit.tally.liquidations_due = len(found.index)
    kit.tally.verdicts = found.counts
    due: list[Liquidation] = []
    seen: set[Pubkey] = set()
    for index, market_row in zip(found.index.tolist(), found.market_row.tolist(), strict=True):
        target = snapshot.position_address(index)
        seen.add(target)
        due_at_s = lane.due_at_s.setdefault(target, now_s)
        market = snapshot.markets.addresses[market_row]
        if market in lane.busy_markets or snapshot.slot < lane.landed_slot.get(target, 0):
            continue
        parked = lane.parked.get(target)
        if parked is not None and parked.until_s > now_s:
            continue
        if not _is_allowed(kit, lane, board, market, snapshot.markets[market]):
            continue
        position = snapshot.positions[index]
        effect = f"{position['shares']}:{position['debt']}"
        due.append(Liquidation(market=market, target=target, effect=effect, due_at_s=due_at_s))
    for gone in lane.due_at_s.keys() - seen:
        del lane.due_at_s[gone]
        lane.landed_slot.pop(gone, None)
        lane.parked.pop(gone, None)
    kit.tally.jobs_queued[LANE] = len(due)
    return _first_of_each_market(kit, due, snapshot.markets)


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


def _first_of_each_market(
    kit: Kit, due: list[Liquidation], markets: Mapping[Pubkey, Market]
) -> list[Batch[Liquidation]]:
    templates = {
        address: _template(kit, address, markets[address])
        for address in {job.market for job in due}
    }
    packing = pack_targets(due, templates, kit.payer.pubkey())
    for refused in packing.refused:
        kit.tally.refusals[f"{LANE}.{refused.reason}"] += 1
        log.error("liquidation.unpackable", target=str(refused.job.target), reason=refused.reason)
    first: dict[Pubkey, Batch[Liquidation]] = {}
    for batch in packing.batches:
        first.setdefault(batch.jobs[0].market, batch)
    return list(first.values())


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
    kit: Kit, lane: _Lane, limiter: trio.CapacityLimiter, batch: Batch[Liquidation]
) -> None:
    shipment = Shipment(
        lane=LANE,
        jobs=job_refs("liquidate", [(job.target, job.effect) for job in batch.jobs]),
        due_at_s=tuple(job.due_at_s for job in batch.jobs),
        instructions=batch.instructions,
        cu_limit=batch.cu,
        cu_price=MicroLamports(0),
        loaded_bytes=whole_pages(batch.loaded_bytes),
    )
    try:
        async with limiter:
            cu_limit = await _simulated_cu(kit, lane, shipment, batch)
            if cu_limit is None:
                return
            outcome = await ship(kit, replace(shipment, cu_limit=cu_limit))
        _note_outcome(kit, lane, batch, outcome)
    finally:
        lane.busy_markets.discard(batch.jobs[0].market)


async def _simulated_cu(
    kit: Kit, lane: _Lane, shipment: Shipment, batch: Batch[Liquidation]
) -> ComputeUnits | None:
    """Return the limit to ask for, or None when the batch would fail: then it costs nothing."""
    try:
        found = await simulate(kit, shipment)
    except RpcFailure as failure:
        _park(kit, lane, batch, "simulation_unanswered", str(failure))
        return None
    if found.err is not None:
        _park(kit, lane, batch, "simulation_refused", _words(found))
        return None
    wanted = found.cu_used * (100 + SIMULATED_CU_MARGIN_PERCENT) // 100 + COMPUTE_BUDGET_CU
    return ComputeUnits(min(wanted, TRANSACTION_CU_MAX))


def _words(found: Simulation | Failed) -> str:
    """Say what the program or the runtime refused, in the program's own words where they are known."""
    match found.err:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return describe(code)
        case error:
            return str(error)


def _park(kit: Kit, lane: _Lane, batch: Batch[Liquidation], reason: str, detail: str) -> None:
    now_s = trio.current_time()
    for job in batch.jobs:
        parked = lane.parked.setdefault(job.target, _Parked(until_s=now_s, refusals=0))
        slots = _PARK_SLOTS << min(parked.refusals, _PARK_DOUBLINGS_MAX)
        parked.until_s = now_s + slots * kit.slot_s
        parked.refusals += 1
    kit.tally.refusals[f"{LANE}.{reason}"] += len(batch.jobs)
    log.warning("liquidations.parked", jobs=len(batch.jobs), reason=reason, detail=detail)


def _note_outcome(kit: Kit, lane: _Lane, batch: Batch[Liquidation], outcome: Outcome) -> None:
    match outcome:
        case Landed():
            for job in batch.jobs:
                lane.landed_slot[job.target] = outcome.slot
                lane.parked.pop(job.target, None)
            _note_events(kit, outcome)
        case Failed():
            _park(kit, lane, batch, "failed_on_chain", _words(outcome))
        case _:
            log.info("liquidations.expired", jobs=len(batch.jobs))


def _note_events(kit: Kit, outcome: Landed) -> None:
    """Count what the program says it did; skipped positions are no liquidations."""
    try:
        found = events.decode_logs(outcome.logs, kit.program)
    except events.MalformedEventError as error:
        kit.tally.refusals[f"{LANE}.event_unread"] += 1
        log.error("event.malformed", signature=str(outcome.signature), reason=str(error))
        return
    if not found:
        kit.tally.refusals[f"{LANE}.logs_unread"] += 1
    for event in found:
        if event.kind is EventKind.POSITION_LIQUIDATED:
            kit.tally.liquidations_landed += 1
            kit.tally.bounty_base_units += event.amount("bounty")
            kit.tally.bad_debt_base_units += event.amount("bad_debt")
