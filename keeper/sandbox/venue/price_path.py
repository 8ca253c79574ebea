"""How the sandbox's prices move: a mean-reverting walk with jumps, in integers.

Core. The walk is one in log-odds, to first order: a step is scaled by 4p(1 - p), so it is largest at even odds and dies
away near 0 and 1. Every `jump_every_ticks` a market jumps by `jump_points_e6`, far enough to push leveraged
positions under water, and its anchor moves along: the news was news.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.sandbox.venue.draws import draw_below, draw_normal_e3

_ONE_E6: Final = 1_000_000
_FLOOR_E6: Final = 30_000
"""The walk stays in [0.03, 0.97]: books need room for a spread, and the chain trades from 0.001 to 0.999."""
_CEILING_E6: Final = _ONE_E6 - _FLOOR_E6


@dataclass(frozen=True, slots=True, kw_only=True)
class PathShape:
    """How restless the prices are."""

    volatility_e6: int = 1_500
    """Standard deviation of one tick at even odds, absolute."""
    pull_bps: int = 100
    """Part of the distance to the anchor that one tick takes back."""
    jump_every_ticks: int = 80
    """0 for none. Markets jump at different ticks of the cycle."""
    jump_points_e6: int = 150_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PathState:
    """Where one market's price is, and what it reverts to."""

    price_e6: int
    anchor_e6: int


def path_start(seed: int, market: int) -> PathState:
    """Return the price of a market at tick 0: between 0.35 and 0.65."""
    price_e6 = 350_000 + draw_below(300_001, seed, market, "start")
    return PathState(price_e6=price_e6, anchor_e6=price_e6)


def path_step(shape: PathShape, state: PathState, seed: int, market: int, tick: int) -> PathState:
    """Return the state at `tick`, given the state one tick before."""
    price_e6, anchor_e6 = state.price_e6, state.anchor_e6
    steepness_e6 = 4 * price_e6 * (_ONE_E6 - price_e6) // _ONE_E6
    noise_e3 = draw_normal_e3(seed, market, tick, "noise")
    price_e6 += (anchor_e6 - price_e6) * shape.pull_bps // 10_000
    price_e6 += shape.volatility_e6 * steepness_e6 * noise_e3 // (_ONE_E6 * 1_000)
    if is_jump(shape, seed, market, tick):
        price_e6 += _jump_e6(shape, price_e6, seed, market, tick)
        anchor_e6 = _bounded(price_e6)
    return PathState(price_e6=_bounded(price_e6), anchor_e6=anchor_e6)


def shares_e6(weights_e6: Sequence[int]) -> tuple[int, ...]:
    """Return the prices of a group's outcomes, one together but for rounding: when one moves, all do."""
    total = sum(weights_e6)
    return tuple(weight * _ONE_E6 // total for weight in weights_e6)


def is_jump(shape: PathShape, seed: int, market: int, tick: int) -> bool:
    """Tell whether a market jumps at a tick."""
    if shape.jump_every_ticks == 0:
        return False
    phase = draw_below(shape.jump_every_ticks, seed, market, "phase")
    return tick > 0 and tick % shape.jump_every_ticks == phase


def _jump_e6(shape: PathShape, price_e6: int, seed: int, market: int, tick: int) -> int:
    """Return the signed jump: either way at random, unless one way has no room."""
    goes_up = draw_below(2, seed, market, tick, "direction") == 1
    if price_e6 + shape.jump_points_e6 > _CEILING_E6:
        goes_up = False
    elif price_e6 - shape.jump_points_e6 < _FLOOR_E6:
        goes_up = True
    return shape.jump_points_e6 if goes_up else -shape.jump_points_e6


def _bounded(price_e6: int) -> int:
    return min(max(price_e6, _FLOOR_E6), _CEILING_E6)
