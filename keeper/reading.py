"""All outcomes of one market as one reading: as good as the worst of them, as old as the oldest.

Core. The program takes the prices of a market's outcomes together and judges all its positions by one class, so one
outcome that may not be posted withholds its market, and one that may not be liquidated on protects all its positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.prices.price import CHAIN_CLASSES, PERMISSIONS, Permissions, Price, PriceClass
from programs.accounts import Side

_WORST_LAST: Final = {price_class: rank for rank, price_class in enumerate(PriceClass)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something is not done about a market, and because of which outcome."""

    reason: str
    outcome: int | None = None
    """None: the whole market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the board says of every outcome of a market."""

    prices: tuple[Price, ...]
    """In the order of the market's pools."""
    worst: int
    """The outcome whose price is trusted least; the first of several."""

    @property
    def price_class(self) -> PriceClass:
        """Return the class of the whole reading: the worst outcome's."""
        return self.prices[self.worst].price_class

    @property
    def permissions(self) -> Permissions:
        """Return what the reading allows."""
        return PERMISSIONS[self.price_class]

    @property
    def refusal(self) -> Refusal:
        """Return why it allows less than everything, in the worst outcome's words."""
        worst = self.prices[self.worst]
        return Refusal(reason=f"{worst.price_class}:{worst.reason}", outcome=self.worst)


def reading_of(prices: Sequence[Price | None]) -> Reading | Refusal:
    """Put the outcomes' prices together; refused while one of them has none."""
    known: list[Price] = []
    for outcome, price in enumerate(prices):
        if price is None:
            return Refusal(reason="no_price", outcome=outcome)
        known.append(price)
    worst = max(range(len(known)), key=lambda at: (_WORST_LAST[known[at].price_class], -at))
    return Reading(prices=tuple(known), worst=worst)


def why_not_liquidate(reading: Reading, chain_class: int) -> Refusal | None:
    """Apply the permissions of a reading to a market's liquidations; None when they may go on.

    Args:
        reading: as we see the market now; the chain's copy may be 150 slots old.
        chain_class: the market's class on chain, by its number.
    """
    permissions = reading.permissions
    if not permissions.liquidate:
        return reading.refusal
    if permissions.liquidate_at_band and CHAIN_CLASSES[chain_class] is PriceClass.VALID:
        return Refusal(reason="band_not_on_chain_yet", outcome=reading.worst)
    return None


def is_chain_behind(
    chain_e6: int, price: Price, side: Side, *, change_e6: int, judged_band_e6: int | None = None
) -> bool:
    """Tell whether an outcome's price on chain wrongs the holders of a side: worse for them than we know it to be.

    Args:
        chain_e6: YES, as on chain.
        price: YES, as on the board.
        side: whose positions would be judged at it.
        change_e6: smallest move that is posted; with the band, what the two may differ by at any time.
        judged_band_e6: the band on chain, where the program judges at price and band in the trader's favour. It may be
            older and smaller than ours: then what it spares is less than what we may sell.
    """
    off_e6 = price.price_e6 - chain_e6 if side is Side.YES else chain_e6 - price.price_e6
    if judged_band_e6 is not None:
        return off_e6 + price.band_e6 - judged_band_e6 > change_e6
    return off_e6 > price.band_e6 + change_e6
