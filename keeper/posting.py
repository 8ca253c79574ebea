"""Which prices to post on chain now, and why the others not.

A price is *due* when it moved, when its class changed, or when the chain's copy grows old. The program moves its price
by at most two points a slot, so a large move is simply due again in the next slots until it has arrived. What is half
way to being due is *ripe*: it rides along in a transaction that is sent anyway, and saves one of its own.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from keeper.prices.price import CHAIN_CLASSES, PERMISSIONS, Price, TokenId
from programs.accounts import Market, MarketStatus
from programs.units import PRICE_MAX_E6, PRICE_MIN_E6, PriceE6, Slot

_TWO_OUTCOMES: Final = 2
_BPS_ONE: Final = 10_000
_CLASS_CHANGE_BPS: Final = 1_000 * _BPS_ONE
"""Before any move: a class decides what others may do at this price."""
_CHANGE_MAX_E6: Final = 50_000
"""Liquidations sell five points under the oracle at most: a chain that is further off would protect nobody."""
_HEARTBEAT_MAX_SLOTS: Final = 100
"""Leaves 50 slots to land before the program's 150."""


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
    publish_slot: Slot
    price_e6: PriceE6
    band_e6: int
    price: Price
    is_due: bool
    """Worth a transaction of its own; if not, only a place in one that is sent anyway."""
    urgency_bps: int
    """Move and age against their thresholds: 10_000 is just due, half of it ripe; a new class comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPost:
    """Why nothing is posted for a market now."""

    reason: str


def yes_token_of(market: Market) -> TokenId | None:
    """Return the token a two-outcome market follows; None for the others, which store only a hash."""
    if market.outcomes != _TWO_OUTCOMES:
        return None
    return TokenId(str(int.from_bytes(bytes(market.yes_token_or_hash), "big")))


def decide_post(
    market: Market, price: Price | None, *, slot: Slot, publish_slot: Slot, rules: PostingRules
) -> Post | NoPost:
    """Decide about one market.

    Args:
        market: as the chain had it last.
        price: newest reading of outcome 0, if any.
        slot: a slot the cluster has certainly reached.
        publish_slot: the slot of the reading, never later than the truth.
        rules: thresholds.
    """
    if market.status != MarketStatus.OPEN:
        return NoPost(reason="market_resolved")
    if market.outcomes != _TWO_OUTCOMES:
        return NoPost(reason="multi_outcome_not_followed")
    if price is None:
        return NoPost(reason="no_price")
    if not PERMISSIONS[price.price_class].post:
        return NoPost(reason=f"{price.price_class}:{price.reason}")
    if publish_slot < market.publish_slot:
        return NoPost(reason="chain_is_newer")
    pool = market.pools[0]
    price_e6 = PriceE6(min(max(price.price_e6, PRICE_MIN_E6), PRICE_MAX_E6))
    distance_e6 = abs(price_e6 - pool.price_e6)
    # A reading no newer than the chain's own makes it no younger, however old that is.
    age_slots = slot - market.publish_slot if publish_slot > market.publish_slot else 0
    has_changed = market.price_class != CHAIN_CLASSES.index(price.price_class)
    urgency_bps = max(
        _BPS_ONE * distance_e6 // rules.change_e6,
        _BPS_ONE * age_slots // rules.heartbeat_slots,
        _CLASS_CHANGE_BPS if has_changed else 0,
    )
    if 2 * urgency_bps < _BPS_ONE:
        return NoPost(reason="unchanged")
    return Post(
        price_class=CHAIN_CLASSES.index(price.price_class),
        publish_slot=publish_slot,
        price_e6=price_e6,
        band_e6=price.band_e6,
        price=price,
        is_due=urgency_bps >= _BPS_ONE,
        urgency_bps=urgency_bps,
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
