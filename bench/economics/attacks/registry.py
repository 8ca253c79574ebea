"""Every attack."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bench.economics.attacks import chains, liquidations, liquidity, staking, trading
from bench.economics.attacks.ground import Attack, Ground

ATTACKS: Final[Sequence[Attack]] = (
    trading.round_trip_at_one_price,
    trading.both_sides_at_one_price,
    trading.many_tiny_orders,
    liquidations.liquidate_oneself,
    liquidations.yes_and_no_through_a_fall,
)
"""Those that the model can play too."""
PROGRAM_ATTACKS: Final[Sequence[Attack]] = (
    liquidity.add_trade_and_remove_liquidity,
    staking.stake_around_fees,
    staking.stake_around_a_loss,
    staking.stake_first,
    chains.two_opposite_chains,
)
"""Those of instructions that only the program has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the best variant of an attack earned."""

    name: str
    sentence: str
    variants: int
    profit: int
    """Base units, of the best variant."""
    best: str


def attempt(attack: Attack, ground: Ground, *, every: int = 1) -> Verdict:
    """Play every variant of an attack, or every so manieth."""
    variants = islice(attack(), 0, None, every)
    earned = {variant.name: variant.play(ground) for variant in variants}
    best = max(earned, key=earned.__getitem__)
    return Verdict(
        name=attack.__name__.replace("_", " "),
        sentence=(attack.__doc__ or "").partition("\n")[0],
        variants=len(earned),
        profit=earned[best],
        best=best,
    )
