"""The option on a jump without anybody else: who holds it pushes the pool himself and buys the inventory back.

What he gains the vault loses, as it would if others had brought the pool to the news: once somebody is in the pool
before the keeper, what a share's debt exceeds the price after the jump by is gone, whoever gets it. He cannot bring the
jump about; a fall here is news that the oracle follows at its clamp's pace.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from bench.economics.attacks.ground import TRADER, Ground, settle
from bench.economics.attacks.liquidations import SLICES, STARTS_E6, Fall
from bench.economics.jump import LIQUIDITY, fill
from bench.economics.model import ONE_E6
from bench.economics.twin import POINT_E6
from programs.curve import Side

FALLS_POINTS: Final = (0.8, 2.0, 5.0, 10.0, 30.0)
PUSHES_POINTS: Final = (-6.0, -4.0, -2.0, -1.0, 0.0, 2.0, 4.0)
LATE_SLOTS: Final = 5
WAYS: Final = tuple(product((1, LATE_SLOTS), (False, True)))
"""Slots from one update of the oracle to the next, and whether he buys the inventory back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The best that one fall of the oracle earns. Base units."""

    points: float
    slots: int
    """From one update of the oracle to the next."""
    buys_back: bool
    profit: int
    vault_loss: int
    """Of its equity, with what inventory is left at the price after the fall."""
    best: str


def pushed(points: float, slots: int, ground: Ground, *, buys_back: bool) -> Pushed:
    """Search in the model, and play the best on the ground given."""
    model = replace(ground, has_chain=False)
    best = max(
        _falls(points, slots), key=lambda fall: _play(fall, model, buys_back=buys_back).profit
    )
    return _play(best, ground, buys_back=buys_back)


def _falls(points: float, slots: int) -> Iterator[Fall]:
    for liquidity, start_e6, push in product(LIQUIDITY, STARTS_E6, PUSHES_POINTS):
        yield Fall(liquidity=liquidity, start_e6=start_e6, points=points, push=push, slots=slots)


def _play(fall: Fall, ground: Ground, *, buys_back: bool) -> Pushed:
    twin = ground.found(fall.liquidity, fall.start_e6)
    fill(twin, [Side.YES] * SLICES, arbitrageur=TRADER)
    model, equity = twin.model, twin.model.vault_equity
    fall.play(twin, TRADER)
    if buys_back:
        twin.buy_inventory(TRADER, Side.YES)
    profit = settle(twin)
    news_e6 = fall.start_e6 - int(fall.points * POINT_E6)
    worth = model.inventory[Side.YES] * news_e6 // ONE_E6
    return Pushed(
        points=fall.points,
        slots=fall.slots,
        buys_back=buys_back,
        profit=profit,
        vault_loss=equity - model.vault_equity - worth,
        best=str(fall),
    )
