"""The prices lane: what the board says, on chain, while it is still true.

Newest wins: nothing queues. Each slot the lane looks at the board and at the chain's own copy, and posts what differs;
a market with a post in flight waits for its end, because the next decision depends on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.config import LaneConfig
from keeper.costs import (
    UPDATE_PRICES_CU,
    UPDATE_PRICES_CU_PER_POOL,
    update_prices_loaded_bytes,
)
from keeper.execute import Kit, Purse, Shipment, job_refs, ship
from keeper.newest import Newest
from keeper.posting import NoPost, Post, PostingRules, PublishSlots, decide_post, yes_token_of
from keeper.prices.board import PriceBoard
from keeper.snapshot import Snapshot
from keeper.tally import PostedPrice
from programs.accounts import Market
from programs.instructions import update_prices
from programs.outcomes import Landed
from programs.pack import Group, pack_groups
from programs.transaction import whole_pages
from programs.units import ComputeUnits, Slot

LANE = "prices"
log = structlog.get_logger()


@dataclass(slots=True)
class _Lane:
    """What the lane remembers between slots."""

    purse: Purse
    publish_slots: PublishSlots
    posting: set[Pubkey] = field(default_factory=set)
    """Markets with a post in flight."""
    landed_slot: dict[Pubkey, Slot] = field(default_factory=dict)
    """A scan older than this shows the market before our own post."""
    due_at_s: dict[Pubkey, float] = field(default_factory=dict)
    effects: dict[Pubkey, str] = field(default_factory=dict)
    """The chain's copy and the reading that each post acts on: the same twice would be a duplicate."""
    last_reasons: dict[Pubkey, str] = field(default_factory=dict)


async def post_prices(
    kit: Kit,
    config: LaneConfig,
    rules: PostingRules,
    board: PriceBoard,
    chain: Newest[Snapshot],
    stop: trio.Event,
) -> None:
    """Post until `stop` is set; then wait for what is in flight."""
    lane = _Lane(purse=config.purse(), publish_slots=PublishSlots(kit.slot_s))
    limiter = trio.CapacityLimiter(config.concurrency)
    async with trio.open_nursery() as nursery:
        while not stop.is_set():
            snapshot = chain.get()
            room = int(limiter.available_tokens)
            posts = {} if snapshot is None or not room else _due(kit, lane, rules, board, snapshot)
            # What finds no room is decided again when there is some: a reading that waited would be an old one.
            for shipment, markets in _shipments(kit, lane, posts)[:room]:
                lane.posting.update(markets)
                limiter.acquire_on_behalf_of_nowait(shipment.jobs[0].job_id)
                nursery.start_soon(_post, kit, lane, limiter, shipment, markets)
            with trio.move_on_after(kit.slot_s):
                await stop.wait()


def _due(
    kit: Kit, lane: _Lane, rules: PostingRules, board: PriceBoard, snapshot: Snapshot
) -> dict[Pubkey, Post]:
    """Decide for every market that has no post in flight; refusals are counted when their reason changes."""
    latest = kit.blockhashes.get()
    assert latest is not None, "lanes start after the first blockhash"
    now_s = trio.current_time()
    posts: dict[Pubkey, Post] = {}
    for address, market in snapshot.markets.items():
        if address in lane.posting or snapshot.slot <= lane.landed_slot.get(address, -1):
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
        if isinstance(decision, Post):
            posts[address] = decision
            lane.effects[address] = f"{market.price_update_slot}:{publish_slot}"
            lane.last_reasons.pop(address, None)
            if decision.is_due:
                lane.due_at_s.setdefault(address, now_s)
        elif lane.last_reasons.get(address) != decision.reason:
            _note_refusal(kit, lane, address, market, decision)
    return posts if any(post.is_due for post in posts.values()) else {}


def _note_refusal(kit: Kit, lane: _Lane, address: Pubkey, market: Market, decision: NoPost) -> None:
    lane.last_reasons[address] = decision.reason
    lane.due_at_s.pop(address, None)
    if decision.reason != "unchanged":
        kit.tally.refusals[f"{LANE}.{decision.reason}"] += 1
        log.info("price.withheld", market=market.market_id, reason=decision.reason)


def _shipments(
    kit: Kit, lane: _Lane, posts: Mapping[Pubkey, Post]
) -> list[tuple[Shipment, dict[Pubkey, Post]]]:
    groups = [
        Group(
            job_id=str(address),
            instructions=(
                update_prices(
                    kit.program,
                    kit.payer.pubkey(),
                    address,
                    price_class=post.price_class,
                    publish_slot=post.publish_slot,
                    readings=[(post.price_e6, post.band_e6)],
                ),
            ),
            cu=ComputeUnits(UPDATE_PRICES_CU + UPDATE_PRICES_CU_PER_POOL),
            loaded_bytes=update_prices_loaded_bytes(1),
        )
        for address, post in sorted(
            posts.items(), key=lambda item: item[1].urgency_bps, reverse=True
        )
    ]
    packing = pack_groups(groups, kit.payer.pubkey())
    for refused in packing.refused:
        kit.tally.refusals[f"{LANE}.{refused.reason}"] += 1
        log.error("price.unpackable", market=refused.job.job_id, reason=refused.reason)
    shipped = []
    for batch in packing.batches:
        inside = {
            Pubkey.from_string(group.job_id): posts[Pubkey.from_string(group.job_id)]
            for group in batch.jobs
        }
        shipment = Shipment(
            lane=LANE,
            jobs=job_refs("post", [(address, lane.effects[address]) for address in inside]),
            due_at_s=tuple(
                lane.due_at_s[address] for address, post in inside.items() if post.is_due
            ),
            instructions=batch.instructions,
            cu_limit=batch.cu,
            loaded_bytes=whole_pages(batch.loaded_bytes),
        )
        shipped.append((shipment, inside))
    return shipped


async def _post(
    kit: Kit,
    lane: _Lane,
    limiter: trio.CapacityLimiter,
    shipment: Shipment,
    markets: Mapping[Pubkey, Post],
) -> None:
    try:
        outcome = await ship(kit, lane.purse, shipment)
        if isinstance(outcome, Landed):
            _note_posted(kit, lane, markets, outcome.slot)
    finally:
        limiter.release_on_behalf_of(shipment.jobs[0].job_id)
        lane.posting.difference_update(markets)


def _note_posted(kit: Kit, lane: _Lane, markets: Mapping[Pubkey, Post], slot: Slot) -> None:
    for address, post in markets.items():
        lane.landed_slot[address] = slot
        lane.due_at_s.pop(address, None)
        kit.tally.prices_posted += 1
        kit.tally.posted_tokens[post.price.token_id] = PostedPrice(
            price_e6=post.price_e6,
            price_class=post.price.price_class,
            source=post.price.source,
            recorded_body=post.price.recorded_body,
            slot=slot,
        )
