"""The chains lane: steps that are due, as many in a transaction as run, and the cancelling of chains that have ended.

Every look judges anew what the chain says; the lane remembers only what a look cannot know: what is in flight, what landed
a moment ago, and what was refused and waits. How far a chain has come is the chain account's to say: a step is never
counted here, and after a landing its chain and its market wait for a sight that is newer.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.bisection import Bisection
from keeper.blame import guilty_instruction
from keeper.chain_agenda import ChainAgenda, Named, Ready
from keeper.chain_batches import Desk, Load
from keeper.chain_fitting import Dropped, fit
from keeper.chain_permits import LANE, ChainPermits
from keeper.chain_plan import Portion, plan_cancel, plan_steps
from keeper.execute import Lane, Shipment, job_refs, ship
from keeper.fees import NoBid
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.own_landings import OwnLandings
from keeper.permits import Sight
from keeper.prices.board import PriceBoard
from keeper.rehearsal import Rehearsed
from keeper.sizing import is_exhausted
from keeper.snapshot import Snapshot
from keeper.stuck_chains import StuckChains, is_gone, why_harmless
from programs.contention import Claim
from programs.errors import custom_code, in_words
from programs.outcomes import Expired, Failed, Landed
from programs.pack import Batch, Group
from programs.rpc import RpcFailure
from programs.units import QUOTE_DECIMALS, ComputeUnits, Lamports, Slot
from state.progress import beat

KIND: Final = "chain"
_CHAINS_PER_TRANSACTION_MAX: Final = 12
"""No more fit a packet, so no more are planned for each that may be sent."""
log = structlog.get_logger()


@dataclass(slots=True)
class _Memory:
    """What the lane remembers between looks."""

    agenda: ChainAgenda
    desk: Desk
    lamports_per_quote_unit: int
    bisection: Bisection = field(default_factory=Bisection)
    flying: dict[frozenset[Pubkey], Claim] = field(default_factory=dict)
    """Transactions on their way, by the chains and markets they are about."""
    landed: OwnLandings[Pubkey] = field(default_factory=OwnLandings)
    """Our newest transaction about each chain and market."""

    def must_wait(self, seen_slot: Slot, named: Named) -> bool:
        """Tell whether a chain or its market is in flight, was not seen since it landed, or pauses."""
        address, chain = named
        about = {address, chain.market}
        return (
            any(about & flying for flying in self.flying)
            or any(self.landed.hides(each, seen_slot) for each in about)
            or self.bisection.is_paused(_job_id(address), trio.current_time())
        )

    def forget(self, seen_slot: Slot) -> None:
        """Drop landings older than any sight still around, and pauses long over."""
        self.landed.forget(seen_slot)
        self.bisection.forget(trio.current_time())


async def execute_chains(
    lane: Lane,
    lamports_per_quote_unit: int,
    change_e6: Callable[[], int],
    board: PriceBoard,
    chain: Newest[Snapshot],
    following: Newest[Following],
    stop: trio.Event,
) -> None:
    """Execute until `stop` is set; then wait for what is in flight.

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
        agenda=ChainAgenda(
            tally=kit.tally,
            permits=ChainPermits(tally=kit.tally, change_e6=change_e6),
            stuck=StuckChains(tally=kit.tally),
        ),
        desk=Desk(kit.program, lane.payer.pubkey(), kit.quote_mint),
        lamports_per_quote_unit=lamports_per_quote_unit,
    )
    sequence = 0
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            beat()
            snapshot: Snapshot | None = None
            # Wakes at least once a slot, so that a stop is noticed while the cluster is silent.
            with trio.move_on_after(kit.slot_s):
                sequence, snapshot = await chain.wait_newer(sequence)
            latest = kit.blockhashes.get()
            if snapshot is None or latest is None or stop.is_set():
                continue
            known = following.get() or Following()
            sight = Sight(board=board, snapshot=snapshot, following=known)
            memory.forget(snapshot.slot)
            ready = await memory.agenda.review(
                sight,
                Slot(max(snapshot.slot, latest.slot) + 1),
                partial(memory.must_wait, snapshot.slot),
            )
            due_at_s = memory.agenda.due_at_s
            kit.tally.lane(LANE).note_due(len(due_at_s), min(due_at_s.values(), default=None))
            for load, claim in _plan(lane, memory, ready):
                about = frozenset(
                    each for one in load.portions for each in (one.address, one.chain.market)
                )
                memory.flying[about] = claim
                lane.room.acquire_nowait()
                nursery.start_soon(_carry_out, lane, memory, load, about)


def _plan(lane: Lane, memory: _Memory, ready: Ready) -> list[tuple[Load, Claim]]:
    """Fill as many transactions as may be sent beside those in flight: steps first, then what has ended.

    Steps of one plan were forecast one upon the other, so those of one market go together.
    """
    most = lane.room.value * _CHAINS_PER_TRANSACTION_MAX
    if not most:
        return []
    steps = plan_steps(ready.runs[:most], ready.scene)
    cancels = [plan_cancel(*each, ready.scene) for each in ready.ended[:most]]
    portions = {portion.job_id: portion for portion in (*steps, *cancels)}
    chosen = memory.desk.side_by_side(
        _pack(lane, memory, steps),
        _pack(lane, memory, cancels),
        {portion.chain.market for portion in steps},
        memory.flying.values(),
    )[: lane.room.value]
    carried = [[portions[group.job_id] for group in batch.jobs] for batch, _ in chosen]
    markets = [{portion.chain.market for portion in each} for each in carried]
    writers = Counter(market for each in markets for market in each)
    return [
        (
            memory.desk.load(
                each, batch.tables, is_alone=all(writers[market] == 1 for market in about)
            ),
            claim,
        )
        for each, about, (batch, claim) in zip(carried, markets, chosen, strict=True)
    ]


def _pack(lane: Lane, memory: _Memory, portions: Sequence[Portion]) -> list[Batch[Group]]:
    """Fill transactions in order, as many together as earlier failures allow."""
    waiting = {portion.job_id: portion for portion in portions}
    batches: list[Batch[Group]] = []
    while together := memory.bisection.first_batch(list(waiting)):
        packing = memory.desk.pack(
            [waiting.pop(job_id) for job_id in together], lane.kit.shelf.get()
        )
        for refused in packing.refused:
            lane.kit.tally.refusals[f"{LANE}.unpackable"] += 1
            log.error("chain.unpackable", job=refused.job.job_id, reason=refused.reason)
        batches += packing.batches
    return batches


async def _carry_out(lane: Lane, memory: _Memory, load: Load, about: frozenset[Pubkey]) -> None:
    """Fit, send and settle; only what the chain itself refused is held against a chain."""
    kit, count = lane.kit, len(load.portions)
    try:
        fitted = await fit(lane, memory.desk, load)
        for dropped in fitted.dropped:
            _settle_dropped(lane, memory, dropped)
        if fitted.err is not None:
            memory.bisection.failed(_ids(load.portions), trio.current_time())
            kit.tally.refusals[f"{LANE}.simulation_refused"] += count
            log.warning("chains.refused", jobs=count, reason=in_words(fitted.err))
        elif fitted.load is not None:
            await _send(lane, memory, fitted.load, fitted.cu_used)
    except RpcFailure as failure:
        kit.tally.refusals[f"{LANE}.simulation_unanswered"] += count
        log.warning("chains.unsimulated", jobs=count, reason=str(failure))
    finally:
        del memory.flying[about]
        lane.room.release()


async def _send(lane: Lane, memory: _Memory, load: Load, simulated: ComputeUnits) -> None:
    portions, kind = load.portions, load.portions[0].kind
    bounty = sum(portion.bounty for portion in portions)
    due_at_s = memory.agenda.due_at_s
    shipment = Shipment(
        jobs=job_refs(KIND, [(portion.address, portion.effect) for portion in portions]),
        due_at_s=tuple(
            due_at_s[portion.address] for portion in portions if portion.address in due_at_s
        ),
        instructions=load.instructions,
        tables=load.tables,
        # What others leave of a market can take half as much again as what a node showed: ask for the most.
        cu_limit=lane.kit.cu_model.request(kind, load.cu, simulated) if load.is_alone else load.cu,
        loaded_bytes=load.loaded_bytes,
        value_lamports=Lamports(bounty * memory.lamports_per_quote_unit // 10**QUOTE_DECIMALS),
        # A step is somebody's wish, and pays for itself or waits; a loan that comes back is the vault's coverage.
        is_critical=any(portion.chain.debt for portion in portions if not portion.steps),
    )
    match await ship(lane, shipment):
        case Landed() as landed:
            lane.kit.cu_model.note_landed(kind, load.cu, landed.cu_used)
            _note_landed(lane, memory, portions, landed)
        case Failed() as failed:
            _settle_failed(lane, memory, load, failed)
        case Rehearsed() as rehearsed:
            # As if it had landed, so that others have their turn; nothing is counted, for nothing was sent.
            for portion in portions:
                memory.landed.note(portion.address, rehearsed.until_slot)
        case NoBid():
            # Its value will not change; the budget may.
            memory.bisection.refused(_ids(portions), trio.current_time())
        case Expired():
            pass  # counted by ship; the next look decides anew


def _note_landed(lane: Lane, memory: _Memory, portions: Sequence[Portion], landed: Landed) -> None:
    """Count what ran. A transaction runs whole or not at all, so that is what was planned."""
    tally = lane.kit.tally
    memory.bisection.landed(_ids(portions))
    for portion in portions:
        memory.landed.note(portion.address, landed.slot)
        memory.landed.note(portion.chain.market, landed.slot)
        memory.agenda.restart(portion.address)
        tally.chain_bounty_base_units += portion.bounty
        if portion.steps:
            tally.chain_steps_landed += portion.steps
            tally.chains_completed += portion.completes
        else:
            tally.chains_cancelled += 1
        log.info(
            "chain.stepped" if portion.steps else "chain.cancelled",
            chain=str(portion.address),
            first_step=portion.chain.next_step,
            steps=portion.steps,
            is_complete=portion.completes and portion.steps > 0,
            bounty_base_units=portion.bounty,
            signature=str(landed.signature),
            slot=landed.slot,
        )


def _settle_failed(lane: Lane, memory: _Memory, load: Load, failed: Failed) -> None:
    """Hold a failure against the one whose instruction failed; where none is named, the batch is bisected."""
    portions, kit = load.portions, lane.kit
    kit.tally.refusals[f"{LANE}.failed_on_chain"] += len(portions)
    log.warning("chains.failed", jobs=len(portions), reason=in_words(failed.err))
    at = guilty_instruction(failed.err, len(portions))
    if is_exhausted(failed.err):
        # Our limit was too low. Where it was not, the simulation that comes next will name the guilty one.
        kit.cu_model.note_exhausted(portions[0].kind)
    elif at is not None:
        why = why_harmless(custom_code(failed.err)) or (
            "refused" if load.is_alone else "crowded_out"
        )
        _settle_dropped(lane, memory, Dropped(portion=portions[at], why=why, err=failed.err))
        if why == "crowded_out":  # nobody's fault, but it cost a fee
            memory.bisection.refused([portions[at].job_id], trio.current_time())
    else:
        memory.bisection.failed(_ids(portions), trio.current_time())


def _settle_dropped(lane: Lane, memory: _Memory, dropped: Dropped) -> None:
    """Count why a chain does not go; one that is refused for itself pauses, twice as long each time."""
    portion, latest = dropped.portion, lane.kit.blockhashes.get()
    lane.kit.tally.refusals[f"{LANE}.{dropped.why}"] += 1
    log.info(
        "chain.dropped",
        chain=str(portion.address),
        why=dropped.why,
        reason=in_words(dropped.err),
    )
    if is_gone(custom_code(dropped.err)):
        memory.bisection.refused([portion.job_id], trio.current_time())
        memory.agenda.due_at_s.pop(portion.address, None)
    if dropped.why != "refused":
        return
    memory.bisection.refused([portion.job_id], trio.current_time())
    memory.agenda.due_at_s.pop(portion.address, None)
    code = custom_code(dropped.err)
    if portion.steps and code is not None and latest is not None:
        memory.agenda.stuck.note(
            portion.address, portion.chain, code, latest.slot, is_forecast=False
        )


def _ids(portions: Sequence[Portion]) -> list[str]:
    return [portion.job_id for portion in portions]


def _job_id(address: Pubkey) -> str:
    return f"{KIND}:{address}"
