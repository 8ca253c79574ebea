"""Attacks on the pool by its makers."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Final

from bench.economics.attacks.ground import TRADER, Ground, Variant
from bench.economics.chain import Chain
from bench.economics.jump import LIQUIDITY, START_E6, USD
from programs.accounts import Position, Side
from programs.errors import ProgramError

LOCK_SLOTS: Final = 150
ORDERS: Final = ("ATLRU", "ATULR", "TALRU", "TAULR", "TALUR", "ATLUR")
"""A adds liquidity, T trades, U trades back, L waits for the lock to end, R removes the liquidity."""


def add_trade_and_remove_liquidity() -> Iterator[Variant]:
    """Become a maker between one's own trades, in any order, and take the liquidity out again."""
    added = (10_000 * USD, 1_000_000 * USD)
    traded = (USD, 5_000 * USD, 30_000 * USD)
    for liquidity, add, trade, side, order in product(LIQUIDITY, added, traded, Side, ORDERS):
        yield Variant(
            name=f"{order}: {side.name} for ${trade // USD}, ${add // USD} beside L ${liquidity // USD}",
            play=partial(_play, liquidity, add, trade, side, order),
        )


def _play(liquidity: int, add: int, trade: int, side: Side, order: str, ground: Ground) -> int:
    chain = ground.program(liquidity)
    platform, market, user = chain.platform, chain.market, chain.user(TRADER)
    traded: list[int] = []
    for step in order:
        match step:
            case "A":
                platform.add_liquidity(user, market, add)
            case "T":
                number, _ = platform.open(user, market, trade, side=side)
                traded.append(number)
            case "U":
                platform.close(user, market, traded.pop())
            case "L":
                platform.warp(LOCK_SLOTS)
                platform.post(market, START_E6)
            case "R":
                platform.remove_liquidity(user, market)
    sell_all(chain, TRADER)
    return chain.wallet(TRADER)


def sell_all(chain: Chain, name: str) -> None:
    """Close what an owner holds, last first; what the pool does not take is worth nothing to him."""
    user = chain.user(name)
    for position_id in reversed(range(user.next_position_id)):
        address = chain.platform.position_address(user, chain.market, position_id)
        if not chain.platform.exists(address):
            continue
        debt = Position.from_bytes(chain.platform.data(address)).debt
        try:
            chain.platform.close(user, chain.market, position_id, has_debt=debt > 0)
        except ProgramError:
            continue
    chain.platform.audit()
