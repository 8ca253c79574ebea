"""The prices lane: what the board says, on chain, while it is still true.

Newest wins: nothing queues. Each slot the lane looks at the markets for which something changed, on the board or on
chain, and posts what differs, the most urgent first, as many transactions as may be in flight; what has to wait is
decided anew in the slot that sends it. A market with a post in flight waits for its end, because the next decision
depends on it.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.agenda import LANE, Agenda, Outlook
from keeper.bisection import Bisection
from keeper.blame import guilty_instruction
from keeper.costs import (
    UPDATE_PRICES_CU,
    UPDATE_PRICES_CU_PER_POOL,
    update_prices_loaded_bytes,
    update_prices_log_bytes,
)
from keeper.execute import Lane, Shipment, job_refs, ship
from keeper.fees import NoBid
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.own_landings import OwnLandings
from keeper.posting import Post, PostingRules, PublishSlots
from keeper.prices.board import PriceBoard
from keeper.rehearsal import Rehearsed
from keeper.sizing import is_exhausted, note_end
from keeper.snapshot import Snapshot
from keeper.tally import PostedPrice
from programs.errors import in_words
from programs.instructions import update_prices
from programs.outcomes import Expired, Failed, Landed
from programs.pack import Batch, Group, pack_groups
from programs.units import ComputeUnits, Slot
from state.progress import beat

KIND: Final = "update_prices"
_POSTS_PER_TRANSACTION_MAX: Final = 20
"""No more fit a packet, so no more are prepared for each that may be sent."""
log = structlog.get_logger()


@dataclass(slots=True)
class _Memory:
    """What the lane remembers between slots."""

    agenda: Agenda
    bisection: Bisection = field(default_factory=Bisection)
    posting: set[Pubkey] = field(default_factory=set)
    """Markets with a post in flight."""
    posted: OwnLandings[Pubkey] = field(default_factory=OwnLandings)
    """Our newest post of each market."""
    effects: dict[Pubkey, str] = field(default_factory=dict)
    """What it did: planned once more, it is planned on a sight from before it, whatever slot that sight claims. A notification
    that is lost leaves one for up to a scan's interval, which may be longer than the state holds the effect."""

    def forget(self, seen_slot: Slot) -> None:
        """Drop what no sight can be older than any more."""
        self.posted.forget(seen_slot)
        if len(self.effects) > len(self.posted):
            self.effects = {at: done for at, done in self.effects.items() if at in self.posted}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One market's post, as decided in this slot."""

    market: Pubkey
    post: Post
    effect: str
    """The chain's copy and the reading that it acts on: the same twice would be a duplicate."""


async def post_prices(
    lane: Lane,
    rules: Callable[[], PostingRules],
    board: PriceBoard,
    chain: Newest[Snapshot],
    following: Newest[Following],
    stop: trio.Event,
) -> None:
    """Post until `stop` is set; then wait for what is in flight.

    `rules` are asked for in every slot: they may change. The oracle authority must be the lane's payer or one of its signers.
    """
    kit = lane.kit
    memory = _Memory(agenda=Agenda(tally=kit.tally, publish_slots=PublishSlots(kit.slot_s)))
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            beat()
            snapshot, known, latest = chain.get(), following.get(), kit.blockhashes.get()
            assert latest is not None, "lanes start after the first blockhash"
            if snapshot is not None and known is not None:
                outlook = Outlook(
                    board=board,
                    snapshot=snapshot,
                    following=known,
                    rules=rules(),
                    slot=latest.slot,
                )
                memory.bisection.forget(trio.current_time())
                memory.forget(snapshot.slot)
                await memory.agenda.review(outlook, partial(_must_wait, memory, snapshot))
                due_at_s = memory.agenda.due_at_s
                kit.tally.lane(LANE).note_due(len(due_at_s), min(due_at_s.values(), default=None))
                for batch, readings in _plan(lane, memory, outlook):
                    lane.room.acquire_nowait()
                    memory.posting.update(reading.market for reading in readings)
                    nursery.start_soon(_post, lane, memory, batch, readings)
            with trio.move_on_after(kit.slot_s):
                await stop.wait()


def _must_wait(memory: _Memory, snapshot: Snapshot, address: Pubkey) -> bool:
    """Tell whether a post is on its way, has not been seen on chain yet, or pauses after failures."""
    return (
        address in memory.posting
        or memory.posted.hides(address, snapshot.slot)
        or memory.bisection.is_paused(str(address), trio.current_time())
    )


def _plan(
    lane: Lane, memory: _Memory, outlook: Outlook
) -> list[tuple[Batch[Group], list[_Reading]]]:
    """Fill as many transactions as may be sent, the most urgent first, each decided anew at the newest prices."""
    agenda = memory.agenda
    if not agenda.due_at_s or not lane.room.value:
        return []
    free = [at for at in agenda.ready if not _must_wait(memory, outlook.snapshot, at)]
    most_urgent = heapq.nlargest(
        lane.room.value * _POSTS_PER_TRANSACTION_MAX,
        free,
        key=lambda address: agenda.ready[address].urgency_bps,
    )
    readings: dict[str, _Reading] = {}
    for address in most_urgent:
        decision = agenda.decide(address, outlook)
        if isinstance(decision, Post):
            chain_slot = outlook.snapshot.markets[address].price_update_slot
            effect = f"{chain_slot}:{decision.publish_slot}"
            if memory.effects.get(address) == effect:
                lane.kit.tally.refusals[f"{LANE}.seen_before_our_post"] += 1
                continue
            readings[str(address)] = _Reading(market=address, post=decision, effect=effect)
    batches = _pack(lane, memory, readings)[: lane.room.value]
    return [(batch, [readings[group.job_id] for group in batch.jobs]) for batch in batches]


def _pack(lane: Lane, memory: _Memory, readings: Mapping[str, _Reading]) -> list[Batch[Group]]:
    """Fill transactions in order; what is ripe finds a place in those that carry something due, or none."""
    batches: list[Batch[Group]] = []
    waiting = list(readings)
    while together := memory.bisection.first_batch(waiting):
        groups = [_group(lane, readings[job_id]) for job_id in together]
        packing = pack_groups(groups, lane.keys.payer, shelf=lane.kit.shelf.get())
        for refused in packing.refused:
            lane.kit.tally.refusals[f"{LANE}.unpackable"] += 1
            log.error("price.unpackable", market=refused.job.job_id, reason=refused.reason)
        batches += packing.batches
        packed = set(together)
        waiting = [job_id for job_id in waiting if job_id not in packed]
    return [
        batch
        for batch in batches
        if any(readings[group.job_id].post.is_due for group in batch.jobs)
    ]


def _group(lane: Lane, reading: _Reading) -> Group:
    post = reading.post
    return Group(
        job_id=str(reading.market),
        instructions=(
            update_prices(
                lane.kit.program,
                lane.authority,
                reading.market,
                price_class=post.price_class,
                publish_slot=post.publish_slot,
                readings=post.outcomes,
            ),
        ),
        cu=ComputeUnits(UPDATE_PRICES_CU + UPDATE_PRICES_CU_PER_POOL * len(post.outcomes)),
        loaded_bytes=update_prices_loaded_bytes(len(post.outcomes)),
        log_bytes=update_prices_log_bytes(len(post.outcomes)),
    )


async def _post(
    lane: Lane, memory: _Memory, batch: Batch[Group], readings: Sequence[_Reading]
) -> None:
    due = [reading.market for reading in readings if reading.post.is_due]
    shipment = Shipment(
        jobs=job_refs("post", [(reading.market, reading.effect) for reading in readings]),
        due_at_s=tuple(memory.agenda.due_at_s[market] for market in due),
        instructions=batch.instructions,
        tables=batch.tables,
        # The bound is close already; what landed makes it closer.
        cu_limit=min(batch.cu, lane.kit.cu_model.request(KIND, batch.cu)),
        loaded_bytes=batch.loaded_bytes,
    )
    ids = [group.job_id for group in batch.jobs]
    try:
        outcome = await ship(lane, shipment)
        note_end(lane.kit, KIND, batch.cu, shipment, outcome)
        match outcome:
            case Landed() as landed:
                memory.bisection.landed(ids)
                _note_posted(lane, memory, readings, landed.slot)
            case Failed() as failed:
                # An exhausted limit is to blame itself, and learned anew.
                if not is_exhausted(failed.err):
                    memory.bisection.failed(_blamed(batch, failed.err), trio.current_time())
                lane.kit.tally.refusals[f"{LANE}.failed_on_chain"] += len(ids)
                log.warning("prices.refused", jobs=len(ids), reason=in_words(failed.err))
            case Rehearsed() as rehearsed:
                # As if it had landed, so that other markets have their turn; nothing is counted, for nothing was sent.
                for reading in readings:
                    memory.posted.note(reading.market, rehearsed.until_slot)
            case Expired() | NoBid():
                pass  # counted and logged by ship; the next slot decides anew
    finally:
        markets = [reading.market for reading in readings]
        memory.posting.difference_update(markets)
        memory.agenda.reviews.add(markets)
        lane.room.release()


def _blamed(batch: Batch[Group], err: object) -> list[str]:
    """Return the market whose instruction an error names, or all: each group is one instruction."""
    at = guilty_instruction(err, len(batch.jobs))
    guilty = batch.jobs if at is None else batch.jobs[at : at + 1]
    return [group.job_id for group in guilty]


def _note_posted(lane: Lane, memory: _Memory, readings: Sequence[_Reading], slot: Slot) -> None:
    tally = lane.kit.tally
    for reading in readings:
        post = reading.post
        memory.posted.note(reading.market, slot)
        memory.effects[reading.market] = reading.effect
        memory.agenda.drop(reading.market)
        tally.prices_posted += 1
        for price, (price_e6, _) in zip(post.prices, post.outcomes, strict=True):
            posted = PostedPrice(
                price_e6=price_e6,
                price_class=price.price_class,
                source=price.source,
                recorded_body=price.recorded_body,
                slot=slot,
            )
            tally.note_posted(price.token_id, posted)
