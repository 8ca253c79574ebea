"""The prices lane: what the board says, on chain, while it is still true.

Newest wins: nothing queues. Each slot the lane looks at the board and at the chain's own copy, and posts what differs,
the most urgent first, as many transactions as may be in flight; what has to wait is decided anew in the next slot. A
market with a post in flight waits for its end, because the next decision depends on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.bisection import Bisection
from keeper.config import LaneConfig
from keeper.costs import (
    UPDATE_PRICES_CU,
    UPDATE_PRICES_CU_PER_POOL,
    update_prices_loaded_bytes,
)
from keeper.execute import Kit, Purse, Shipment, job_refs, resume_purse, ship
from keeper.fees import NoBid
from keeper.newest import Newest
from keeper.posting import NoPost, Post, PostingRules, PublishSlots, decide_post, yes_token_of
from keeper.prices.board import PriceBoard
from keeper.snapshot import Snapshot
from keeper.tally import PostedPrice
from programs.accounts import Market
from programs.errors import in_words
from programs.instructions import update_prices
from programs.outcomes import Expired, Failed, Landed
from programs.pack import Batch, Group, pack_groups
from programs.transaction import whole_pages
from programs.units import ComputeUnits, Slot

LANE = "prices"
log = structlog.get_logger()


@dataclass(slots=True)
class _Lane:
    """What the lane remembers between slots."""

    purse: Purse
    publish_slots: PublishSlots
    room: trio.Semaphore
    """Transactions that may still be sent now."""
    bisection: Bisection = field(default_factory=Bisection)
    posting: set[Pubkey] = field(default_factory=set)
    """Markets with a post in flight."""
    landed_slots: dict[Pubkey, Slot] = field(default_factory=dict)
    """A scan older than this shows the market before our own post."""
    due_at_s: dict[Pubkey, float] = field(default_factory=dict)
    """Since when a market is due, trio clock."""
    last_reasons: dict[Pubkey, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One market's post, as decided in this slot."""

    market: Pubkey
    post: Post
    effect: str
    """The chain's copy and the reading that it acts on: the same twice would be a duplicate."""


async def post_prices(
    kit: Kit,
    config: LaneConfig,
    rules: PostingRules,
    board: PriceBoard,
    chain: Newest[Snapshot],
    stop: trio.Event,
) -> None:
    """Post until `stop` is set; then wait for what is in flight."""
    lane = _Lane(
        purse=resume_purse(kit, LANE, config.purse()),
        publish_slots=PublishSlots(kit.slot_s),
        room=trio.Semaphore(config.concurrency),
    )
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            snapshot = chain.get()
            if snapshot is not None and lane.room.value:
                readings = _decide(kit, lane, rules, board, snapshot)
                for batch in _pack(kit, lane, readings)[: lane.room.value]:
                    inside = [readings[group.job_id] for group in batch.jobs]
                    lane.room.acquire_nowait()
                    lane.posting.update(reading.market for reading in inside)
                    nursery.start_soon(_post, kit, lane, batch, inside)
            with trio.move_on_after(kit.slot_s):
                await stop.wait()


def _decide(
    kit: Kit, lane: _Lane, rules: PostingRules, board: PriceBoard, snapshot: Snapshot
) -> dict[str, _Reading]:
    """Decide for every market that has no post in flight; by address, the most urgent first.

    Refusals are counted when their reason changes.
    """
    latest = kit.blockhashes.get()
    assert latest is not None, "lanes start after the first blockhash"
    now_s = trio.current_time()
    lane.bisection.forget(now_s)
    readings: list[_Reading] = []
    for address, market in snapshot.markets.items():
        if address in lane.posting or snapshot.slot <= lane.landed_slots.get(address, -1):
            continue
        if lane.bisection.is_paused(str(address), now_s):
            continue
        token = yes_token_of(market)
        price = None if token is None else board.get(token)
        publish_slot = (
            latest.slot
            if price is None
            else lane.publish_slots.of(price, slot=latest.slot, now_s=now_s)
        )
        decision = decide_post(
            market, price, slot=latest.slot, publish_slot=publish_slot, rules=rules
        )
        if isinstance(decision, Post) and decision.is_due:
            lane.due_at_s.setdefault(address, now_s)
        else:
            lane.due_at_s.pop(address, None)
        if isinstance(decision, Post):
            lane.last_reasons.pop(address, None)
            effect = f"{market.price_update_slot}:{publish_slot}"
            readings.append(_Reading(market=address, post=decision, effect=effect))
        elif lane.last_reasons.get(address) != decision.reason:
            _note_refusal(kit, lane, address, market, decision)
    readings.sort(key=lambda reading: -reading.post.urgency_bps)
    return {str(reading.market): reading for reading in readings}


def _note_refusal(kit: Kit, lane: _Lane, address: Pubkey, market: Market, decision: NoPost) -> None:
    lane.last_reasons[address] = decision.reason
    if decision.reason != "unchanged":
        kit.tally.refusals[f"{LANE}.{decision.reason}"] += 1
        log.info("price.withheld", market=market.market_id, reason=decision.reason)


def _pack(kit: Kit, lane: _Lane, readings: Mapping[str, _Reading]) -> list[Batch[Group]]:
    """Fill transactions in order; what is ripe finds a place in those that carry something due, or none."""
    batches: list[Batch[Group]] = []
    waiting = list(readings)
    while together := lane.bisection.first_batch(waiting):
        groups = [_group(kit, readings[job_id]) for job_id in together]
        packing = pack_groups(groups, kit.payer.pubkey())
        for refused in packing.refused:
            kit.tally.refusals[f"{LANE}.unpackable"] += 1
            log.error("price.unpackable", market=refused.job.job_id, reason=refused.reason)
        batches += packing.batches
        packed = set(together)
        waiting = [job_id for job_id in waiting if job_id not in packed]
    return [
        batch
        for batch in batches
        if any(readings[group.job_id].post.is_due for group in batch.jobs)
    ]


def _group(kit: Kit, reading: _Reading) -> Group:
    post = reading.post
    return Group(
        job_id=str(reading.market),
        instructions=(
            update_prices(
                kit.program,
                kit.payer.pubkey(),
                reading.market,
                price_class=post.price_class,
                publish_slot=post.publish_slot,
                readings=[(post.price_e6, post.band_e6)],
            ),
        ),
        cu=ComputeUnits(UPDATE_PRICES_CU + UPDATE_PRICES_CU_PER_POOL),
        loaded_bytes=update_prices_loaded_bytes(1),
    )


async def _post(kit: Kit, lane: _Lane, batch: Batch[Group], readings: Sequence[_Reading]) -> None:
    due = [reading.market for reading in readings if reading.post.is_due]
    shipment = Shipment(
        lane=LANE,
        jobs=job_refs("post", [(reading.market, reading.effect) for reading in readings]),
        due_at_s=tuple(lane.due_at_s[market] for market in due),
        instructions=batch.instructions,
        cu_limit=batch.cu,
        loaded_bytes=whole_pages(batch.loaded_bytes),
    )
    ids = [group.job_id for group in batch.jobs]
    try:
        match await ship(kit, lane.purse, shipment):
            case Landed() as landed:
                lane.bisection.landed(ids)
                _note_posted(kit, lane, readings, landed.slot)
            case Failed() as failed:
                lane.bisection.failed(ids, trio.current_time())
                kit.tally.refusals[f"{LANE}.failed_on_chain"] += len(ids)
                log.warning("prices.refused", jobs=len(ids), reason=in_words(failed.err))
            case Expired() | NoBid():
                pass  # counted and logged by ship; the next slot decides anew
    finally:
        lane.posting.difference_update(reading.market for reading in readings)
        lane.room.release()


def _note_posted(kit: Kit, lane: _Lane, readings: Sequence[_Reading], slot: Slot) -> None:
    for reading in readings:
        post = reading.post
        lane.landed_slots[reading.market] = slot
        lane.due_at_s.pop(reading.market, None)
        kit.tally.prices_posted += 1
        kit.tally.posted_tokens[post.price.token_id] = PostedPrice(
            price_e6=post.price_e6,
            price_class=post.price.price_class,
            source=post.price.source,
            recorded_body=post.price.recorded_body,
            slot=slot,
        )
