"""Attacks on the curve and its roundings: trades that end where they began."""

from collections.abc import Iterator
from functools import partial
from itertools import product

from bench.economics.attacks.ground import TRADER, Ground, Variant, settle
from bench.economics.jump import LIQUIDITY, USD
from bench.economics.model import RefusedError
from programs.curve import Side


def round_trip_at_one_price() -> Iterator[Variant]:
    """Open a position and close it again while nothing else happens."""
    amounts = (1_000, USD, 20 * USD)
    for liquidity, side, amount, multiple in product(LIQUIDITY, Side, amounts, (1, 2, 10, 18)):
        yield Variant(
            name=f"{side.name}, ${amount / USD:g} at {multiple} times, L ${liquidity // USD}",
            play=partial(_round_trip, liquidity, side, amount, multiple),
        )


def both_sides_at_one_price() -> Iterator[Variant]:
    """Buy both sides, which together are worth one whatever happens, and sell them in either order."""
    for liquidity, multiple, first in product(LIQUIDITY, (1, 10), Side):
        yield Variant(
            name=f"{first.name} first, {multiple} times, L ${liquidity // USD}",
            play=partial(_both_sides, liquidity, multiple, first),
        )


def many_tiny_orders() -> Iterator[Variant]:
    """Trade orders so small that their price might round to nothing."""
    for liquidity, side in product(LIQUIDITY, Side):
        yield Variant(
            name=f"{side.name}, 1 to 39 base units, L ${liquidity // USD}",
            play=partial(_tiny_orders, liquidity, side),
        )


def _round_trip(liquidity: int, side: Side, amount: int, multiple: int, ground: Ground) -> int:
    twin = ground.found(liquidity)
    twin.open(side.name, side, amount, multiple)
    return settle(twin)


def _both_sides(liquidity: int, multiple: int, first: Side, ground: Ground) -> int:
    twin = ground.found(liquidity)
    held = [twin.open(side.name, side, 200 * USD, multiple) for side in (first, Side(1 - first))]
    twin.close(held[0])
    return settle(twin)


def _tiny_orders(liquidity: int, side: Side, ground: Ground) -> int:
    twin = ground.found(liquidity)
    for amount in range(1, 40):
        try:
            number = twin.open(TRADER, side, amount)
        except RefusedError:  # too little for one share
            continue
        twin.close(number)
    return settle(twin)
