"""What is worth posting now: one decision for each market, which stands until something it was made of changes.

Shell, though it does no I/O: it reads the clock and says what is withheld.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.mirrors import Following
from keeper.posting import UNCHANGED, NoPost, Post, PostingRules, PublishSlots, decide_post
from keeper.prices.board import PriceBoard
from keeper.prices.outcomes import Unproven
from keeper.reviews import Reviews
from keeper.snapshot import Snapshot
from keeper.tally import MARKET_RESOLVED, Tally, Withheld
from programs.accounts import Market, MarketStatus
from programs.units import Slot

LANE: Final = "prices"
_LOOKS_PER_CHECKPOINT: Final = 200
"""About ten milliseconds: at the start every market is new."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What one slot's decisions are made of."""

    board: PriceBoard
    snapshot: Snapshot
    following: Following
    rules: PostingRules
    slot: Slot
    """One that the cluster has certainly reached."""


@dataclass(slots=True)
class Agenda:
    """The decisions that stand."""

    tally: Tally
    publish_slots: PublishSlots
    ready: dict[Pubkey, Post] = field(default_factory=dict)
    """What is worth posting, as last decided."""
    due_at_s: dict[Pubkey, float] = field(default_factory=dict)
    """Since when a market is due, trio clock."""
    reviews: Reviews = field(default_factory=Reviews)

    async def review(self, outlook: Outlook, must_wait: Callable[[Pubkey], bool]) -> None:
        """Decide anew for every market for which something changed.

        Args:
            outlook: as of this slot.
            must_wait: tells of a market whether it cannot be decided yet; it comes up again in the next slot.
        """
        if self.reviews.note_tokens(outlook.following.tokens):
            self.publish_slots.keep_only(self.reviews.tokens)
        self.reviews.note_prices(outlook.board.snapshot())
        self.reviews.note_markets(outlook.snapshot.markets)
        for number, address in enumerate(self.reviews.take(outlook.slot)):
            if address not in outlook.snapshot.markets:
                self.drop(address)
            elif must_wait(address):
                self.reviews.add([address])
            else:
                self.decide(address, outlook)
            if number % _LOOKS_PER_CHECKPOINT == _LOOKS_PER_CHECKPOINT - 1:
                await trio.lowlevel.checkpoint()

    def decide(self, address: Pubkey, outlook: Outlook) -> Post | NoPost:
        """Decide about one market, and remember it; a refusal is counted and told when its reason changes."""
        market = outlook.snapshot.markets[address]
        decision = self._decision(address, market, outlook)
        self.reviews.put_off(address, decision.review_slot, needs_newer=decision.needs_newer)
        if isinstance(decision, Post):
            self.ready[address] = decision
            if decision.is_due:
                self.due_at_s.setdefault(address, trio.current_time())
            else:
                self.due_at_s.pop(address, None)
        else:
            self.drop(address)
        if isinstance(decision, Post) or decision.reason == UNCHANGED:
            self._note_released(market)
        else:
            self._note_withheld(market, decision, outlook.slot)
        return decision

    def drop(self, address: Pubkey) -> None:
        """Forget what was decided: it was posted, or there is nothing to post."""
        self.ready.pop(address, None)
        self.due_at_s.pop(address, None)

    def _decision(self, address: Pubkey, market: Market, outlook: Outlook) -> Post | NoPost:
        tokens = outlook.following.tokens_of(address)
        if isinstance(tokens, Unproven):
            is_open = market.status == MarketStatus.OPEN
            return NoPost(reason=tokens if is_open else MARKET_RESOLVED)
        prices = [outlook.board.get(token) for token in tokens]
        now_s = trio.current_time()
        publish_slot = min(
            self.publish_slots.of(price, slot=outlook.slot, now_s=now_s) if price else outlook.slot
            for price in prices
        )
        return decide_post(
            market, prices, slot=outlook.slot, publish_slot=publish_slot, rules=outlook.rules
        )

    def _note_withheld(self, market: Market, decision: NoPost, slot: Slot) -> None:
        known = self.tally.withheld.get(market.market_id)
        if known is not None and known.reason == decision.reason:
            return
        now_s = trio.current_time()
        withheld = Withheld(
            reason=decision.reason,
            outcome=decision.outcome,
            since_slot=slot if known is None else known.since_slot,
            since_s=now_s if known is None else known.since_s,
        )
        self.tally.withheld[market.market_id] = withheld
        self.tally.refusals[f"{LANE}.{decision.reason}"] += 1
        log.info(
            "price.withheld",
            market=market.market_id,
            reason=decision.reason,
            outcome=decision.outcome,
            since_slot=withheld.since_slot,
            withheld_s=round(now_s - withheld.since_s, 1),
        )

    def _note_released(self, market: Market) -> None:
        withheld = self.tally.withheld.pop(market.market_id, None)
        if withheld is not None:
            log.info(
                "price.released",
                market=market.market_id,
                reason=withheld.reason,
                since_slot=withheld.since_slot,
                withheld_s=round(trio.current_time() - withheld.since_s, 1),
            )
