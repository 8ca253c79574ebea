"""Attacks on the vault through positions that are meant to be liquidated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final

from bench.economics.attacks.ground import TRADER, Ground, Variant, settle
from bench.economics.jump import LIQUIDITY, USD, fill, keep
from bench.economics.model import ONE_E6
from bench.economics.twin import POINT_E6, Twin
from programs.curve import Side

SLICES: Final = 10
"""Full leverage is built in parts, with the pool brought back after each: slippage forbids it in one."""
STARTS_E6: Final = (350_000, 500_000, 900_000)
PUSHES_POINTS: Final = (None, -4.0, 0.0, 2.0, 4.0, 4.9, 7.0)
FALLS: Final = ((0.8, 1), (2.0, 1), (5.0, 1), (30.0, 1), (0.8, 5), (2.0, 5))
"""Points, and slots from one update to the next: no update moves further than the two points that are in reserve.

One that was late by five slots moves up to ten; `pushed.py` has what that is worth to whoever waited for it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """How the oracle falls, and what the attacker makes of it."""

    liquidity: int
    start_e6: int
    points: float
    push: float | None
    """Points under the oracle to which the attacker brings the pool before the keeper comes."""
    slots: int
    """From one update to the next; a late one may move further."""

    def __str__(self) -> str:
        """Describe it."""
        pool = "left alone"
        if self.push is not None:
            pool = f"brought to {abs(self.push):g} points {'under' if self.push > 0 else 'over'} it"
        pace = "every slot" if self.slots == 1 else f"every {self.slots} slots"
        return (
            f"oracle {self.points:g} points down from {self.start_e6 / ONE_E6:g}, posted {pace}, pool {pool}, "
            f"L ${self.liquidity // USD}"
        )

    def play(self, twin: Twin, keeper: str) -> None:
        """Let the oracle fall to where it is going; after each update the attacker pushes, then the keeper comes."""
        news_e6 = self.start_e6 - int(self.points * POINT_E6)
        while True:
            for _ in range(self.slots):
                twin.next_slot()
            twin.post(news_e6)
            if self.push is not None:
                twin.trade_to(TRADER, twin.model.price_e6 - int(self.push * POINT_E6))
            done = list(keep(twin, keeper))
            if twin.model.price_e6 == news_e6 and not done:
                return


def liquidate_oneself() -> Iterator[Variant]:
    """Take full leverage, wait for the oracle to move, and liquidate oneself on a pool that one has pushed."""
    return _falls([Side.YES] * SLICES, TRADER)


def yes_and_no_through_a_fall() -> Iterator[Variant]:
    """Hold YES and NO at full leverage through a fall: one wallet's loss ends at its margin."""
    return _falls([Side.YES, Side.NO] * SLICES, "keeper")


def _falls(sides: Sequence[Side], keeper: str) -> Iterator[Variant]:
    for liquidity, start_e6, (points, slots), push in product(
        LIQUIDITY, STARTS_E6, FALLS, PUSHES_POINTS
    ):
        fall = Fall(liquidity=liquidity, start_e6=start_e6, points=points, push=push, slots=slots)
        yield Variant(name=str(fall), play=partial(_fall, fall, sides, keeper))


def _fall(fall: Fall, sides: Sequence[Side], keeper: str, ground: Ground) -> int:
    twin = ground.found(fall.liquidity, fall.start_e6)
    fill(twin, sides, arbitrageur=TRADER)
    fall.play(twin, keeper)
    return settle(twin)
