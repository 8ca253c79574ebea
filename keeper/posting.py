"""Which prices to post on chain now, and why the others not.

Core. A market's outcomes are posted together, as good as the worst and as old as the oldest of them. A reading is *due*
when an outcome moved, when the class changed, or when the chain's copy grows old. The program moves its prices by at
most two points a slot, so a large move is simply due again in the next slots until it has arrived. What is half way to
being due is *ripe*: it rides along in a transaction that is sent anyway, and saves one of its own.

A decision stands until something it was made of changes: the board's prices, the chain's copy, or, with time alone, at
its review slot. So a quiet market costs nothing between two reviews (`reviews.py`).
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from keeper.prices.outcomes import sums_to_one
from keeper.prices.price import CHAIN_CLASSES, Price, PriceClass, TokenId
from keeper.reading import Reading, Refusal, reading_of
from keeper.tally import MARKET_RESOLVED
from programs.accounts import Market, MarketStatus
from programs.units import PRICE_MAX_E6, PRICE_MIN_E6, PriceE6, Slot

UNCHANGED: Final = "unchanged"
"""The one reason for not posting that is no refusal: the chain has it already."""
_BPS_ONE: Final = 10_000
_CLASS_CHANGE_BPS: Final = 1_000 * _BPS_ONE
"""Before any move: a class decides what others may do at this price."""
_CHANGE_MAX_E6: Final = 50_000
"""Liquidations sell five points under the oracle at most: a chain that is further off would protect nobody."""
_HEARTBEAT_MAX_SLOTS: Final = 100
"""Leaves 50 slots to land before the program's 150."""
_REVIEWS_PER_HEARTBEAT: Final = 4
"""What waits for its turn grows more urgent in so many steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRules:
    """When a price is worth a transaction."""

    change_e6: int = 2_000
    """Smallest move posted at once."""
    heartbeat_slots: int = 25
    """Age of the chain's reading at which it is posted again unchanged. Leverage and liquidations stop at 150."""

    def __post_init__(self) -> None:
        """Refuse rules that would never post, or let the chain's price grow stale."""
        if not 1 <= self.change_e6 <= _CHANGE_MAX_E6:
            raise ValueError(f"change_e6 is {self.change_e6}, expected 1 to {_CHANGE_MAX_E6}")
        if not 1 <= self.heartbeat_slots <= _HEARTBEAT_MAX_SLOTS:
            raise ValueError(
                f"heartbeat_slots is {self.heartbeat_slots}, expected 1 to {_HEARTBEAT_MAX_SLOTS}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One market's reading, to be posted."""

    price_class: int
    """As numbered on chain; the worst outcome's."""
    publish_slot: Slot
    """The oldest outcome's."""
    outcomes: tuple[tuple[PriceE6, int], ...]
    """(price, band) of each outcome, in the order of the market's pools."""
    prices: tuple[Price, ...]
    """Where they came from, in the same order."""
    is_due: bool
    """Worth a transaction of its own; if not, only a place in one that is sent anyway."""
    urgency_bps: int
    """Move and age against their thresholds: 10_000 is just due, half of it ripe; a new class comes first."""
    review_slot: Slot
    """From here on its urgency is another one."""
    needs_newer: bool
    """A newer reading, even of the same prices, is more urgent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPost:
    """Why nothing is posted for a market now."""

    reason: str
    outcome: int | None = None
    """The outcome that withholds it; None: the whole market."""
    review_slot: Slot | None = None
    """From here on the market's age alone may make it worth posting; None: only news can."""
    needs_newer: bool = False
    """A newer reading, even of the same prices, may be worth posting."""


def decide_post(
    market: Market,
    prices: Sequence[Price | None],
    *,
    slot: Slot,
    publish_slot: Slot,
    rules: PostingRules,
) -> Post | NoPost:
    """Decide about one market.

    Args:
        market: as the chain had it last.
        prices: newest price of each outcome in the order of the market's pools, None where there is none.
        slot: a slot the cluster has certainly reached.
        publish_slot: the slot of the oldest of them, never later than the truth.
        rules: thresholds.
    """
    if market.status != MarketStatus.OPEN:
        return NoPost(reason=MARKET_RESOLVED)
    if len(prices) != len(market.pools):
        return NoPost(reason="outcomes_unlike_pools")
    reading = reading_of(prices)
    if isinstance(reading, Refusal):
        return NoPost(reason=reading.reason, outcome=reading.outcome)
    if not reading.permissions.post:
        return NoPost(reason=reading.refusal.reason, outcome=reading.worst)
    if publish_slot < market.publish_slot:
        return NoPost(reason="chain_is_newer", needs_newer=True)
    outcomes = tuple((_postable(price), price.band_e6) for price in reading.prices)
    if not sums_to_one([price_e6 for price_e6, _ in outcomes]):
        return NoPost(reason="outcomes_sum")
    # A reading no newer than the chain's own makes it no younger, however old that is.
    is_newer = publish_slot > market.publish_slot
    age_slots = slot - market.publish_slot if is_newer else 0
    urgency_bps = max(
        _BPS_ONE * _distance_e6(market, reading, outcomes) // rules.change_e6,
        _BPS_ONE * age_slots // rules.heartbeat_slots,
        _CLASS_CHANGE_BPS if market.price_class != _number_of(reading.price_class) else 0,
    )
    if 2 * urgency_bps < _BPS_ONE:
        ripe_slot = Slot(market.publish_slot + -(-rules.heartbeat_slots // 2))
        return NoPost(
            reason=UNCHANGED,
            review_slot=ripe_slot if is_newer else None,
            needs_newer=not is_newer,
        )
    is_due = urgency_bps >= _BPS_ONE
    step_slots = max(1, rules.heartbeat_slots // _REVIEWS_PER_HEARTBEAT)
    if is_newer and not is_due:
        step_slots = min(step_slots, rules.heartbeat_slots - age_slots)
    return Post(
        price_class=_number_of(reading.price_class),
        publish_slot=publish_slot,
        outcomes=outcomes,
        prices=reading.prices,
        is_due=is_due,
        urgency_bps=urgency_bps,
        review_slot=Slot(slot + step_slots),
        needs_newer=not is_newer,
    )


def _postable(price: Price) -> PriceE6:
    return PriceE6(min(max(price.price_e6, PRICE_MIN_E6), PRICE_MAX_E6))


def _number_of(price_class: PriceClass) -> int:
    return CHAIN_CLASSES.index(price_class)


def _distance_e6(market: Market, reading: Reading, outcomes: Sequence[tuple[PriceE6, int]]) -> int:
    """Return how far the chain is from the reading, at the outcome that is furthest.

    Under class degraded the program judges liquidations at the band that it knows, in the trader's favour: a band that
    grew is as urgent as a move. One that shrank only makes it more careful than it need be, and waits.
    """
    at_band = reading.permissions.liquidate_at_band
    return max(
        max(abs(price_e6 - pool.price_e6), band_e6 - pool.band_e6 if at_band else 0)
        for (price_e6, band_e6), pool in zip(outcomes, market.pools, strict=True)
    )


@dataclass(slots=True)
class PublishSlots:
    """The slot of each token's newest reading, counted back from the cluster's slot by the reading's age.

    Ages are rounded up, so a reading is never made younger than it is; looked at twice, the same reading keeps its
    slot, and a newer reading never gets an older one. Without this the rounding alone would put readings out of order.
    """

    slot_s: float
    _known: dict[TokenId, tuple[float, Slot]] = field(default_factory=dict)

    def of(self, price: Price, *, slot: Slot, now_s: float) -> Slot:
        """Return the slot in which a reading was true, as far as the cluster's clock tells."""
        counted = Slot(max(0, slot - math.ceil((now_s - price.received_at_s) / self.slot_s)))
        received_at_s, known = self._known.get(price.token_id, (-math.inf, Slot(0)))
        if price.received_at_s < received_at_s:
            return counted
        if price.received_at_s > received_at_s:
            known = Slot(max(counted, known))
            self._known[price.token_id] = (price.received_at_s, known)
        return known

    def keep_only(self, tokens: Collection[TokenId]) -> None:
        """Forget every token but these."""
        self._known = {token: each for token, each in self._known.items() if token in tokens}
