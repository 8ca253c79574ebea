"""The resting orders around a price: what a sandbox book holds.

Core. Whether and how much rests at a price is decided by the price itself and changes slowly, so that one tick changes a
few levels, as on a real book, rather than all of them.
"""

from dataclasses import dataclass
from typing import Final

from keeper.sandbox.venue.draws import draw_bytes

_ONE_E6: Final = 1_000_000
_LEVELS: Final = 24
"""Ticks looked at per side; about two thirds hold something."""
_SIZE_LIFE_TICKS: Final = 16
"""How long an order rests unchanged."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Resting sizes by price, of the YES token."""

    bids: dict[int, int]
    """price e6 -> size e6"""
    asks: dict[int, int]


@dataclass(frozen=True, slots=True)
class LevelChange:
    """One level's new size; 0 when it is gone."""

    is_bid: bool
    price_e6: int
    size_e6: int


def depth_around(price_e6: int, tick_e6: int, seed: int, market: int, tick: int) -> Depth:
    """Return the book whose best prices stand one to two ticks either side of the price."""
    bid_tick = (price_e6 - 1) // tick_e6
    ask_tick = bid_tick + (1 if price_e6 % tick_e6 else 2)
    return Depth(
        bids=_side(range(bid_tick, bid_tick - _LEVELS, -1), tick_e6, seed, market, tick),
        asks=_side(range(ask_tick, ask_tick + _LEVELS), tick_e6, seed, market, tick),
    )


def changes_between(before: Depth, after: Depth) -> tuple[LevelChange, ...]:
    """List what turns one book into another: removals first, so that the book never crosses on the way."""
    changes = [
        LevelChange(is_bid, price_e6, new.get(price_e6, 0))
        for is_bid, old, new in ((True, before.bids, after.bids), (False, before.asks, after.asks))
        for price_e6 in sorted(old.keys() | new.keys())
        if old.get(price_e6, 0) != new.get(price_e6, 0)
    ]
    return tuple(sorted(changes, key=lambda change: change.size_e6 > 0))


def _side(ticks: range, tick_e6: int, seed: int, market: int, tick: int) -> dict[int, int]:
    levels = {}
    for number, at in enumerate(ticks):
        price_e6 = at * tick_e6
        if not 0 < price_e6 < _ONE_E6:
            break
        presence, life = draw_bytes(2, seed, market, price_e6, "rests")
        if number > 0 and presence % 3 == 0:
            continue
        era = (tick + life) // _SIZE_LIFE_TICKS
        cents = int.from_bytes(draw_bytes(2, seed, market, price_e6, era, "size"), "big")
        # Depth grows away from the touch, as it does on recorded books.
        levels[price_e6] = (500 + cents) * (number + 2) * 10_000 // 2
    return levels
