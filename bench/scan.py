"""Decode and judge 100_000 positions from raw account bytes, arrays beside one object per position.

    python -m bench.scan

Target: under 50 ms on one core for the arrays.
"""

import os
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np

from keeper.risk import health_bps, judge
from keeper.snapshot import Markets, take_markets, take_positions
from programs import leverage
from programs.accounts import Position, Side
from programs.layout import MARKET_DTYPE, POOL_DTYPE, POSITION_DTYPE, AccountKind
from programs.units import Slot

POSITIONS: Final = 100_000
MARKETS: Final = 1_000
NOW: Final = Slot(1_000)
ROUNDS: Final = 15
T = TypeVar("T")


def _markets() -> Markets:
    draws = random.Random(1)
    accounts = []
    for _ in range(MARKETS):
        row = np.zeros(1, np.dtype([("market", MARKET_DTYPE), ("pool", POOL_DTYPE)]))
        row["market"]["kind"], row["market"]["version"] = AccountKind.MARKET, 1
        row["market"]["pools"], row["market"]["publish_slot"] = 1, NOW
        row["pool"]["price_e6"] = draws.randrange(100_000, 900_000)
        accounts.append((draws.randbytes(32), row.tobytes()))
    return take_markets(accounts)[0]


def _accounts(markets: Markets) -> list[tuple[bytes, bytes]]:
    draws = np.random.default_rng(2)
    rows = np.zeros(POSITIONS, POSITION_DTYPE)
    rows["kind"], rows["version"], rows["margin_bps"] = AccountKind.POSITION, 1, 500
    addresses = np.frombuffer(b"".join(map(bytes, markets.addresses)), "V32")
    rows["market"] = addresses[draws.integers(0, MARKETS, POSITIONS)]
    rows["side"] = draws.integers(0, 2, POSITIONS)
    rows["shares"] = draws.integers(1, 10**10, POSITIONS)
    rows["debt"] = rows["shares"] // 3
    rows["margin"] = rows["shares"] // 10
    return [(os.urandom(32), row.tobytes()) for row in rows]


def _arrays(markets: Markets, accounts: list[tuple[bytes, bytes]]) -> int:
    rows, _, _ = take_positions(accounts)
    judged = judge(markets, rows, NOW)
    health = health_bps(judged.value, rows["debt"].copy(), judged.required)
    return int((health < 10_000).sum())


def _objects(markets: Markets, accounts: list[tuple[bytes, bytes]]) -> int:
    unhealthy = 0
    for _, data in accounts:
        position = Position.from_bytes(data)
        price_e6 = markets[position.market].pools[position.pool].price_e6
        price_e6 = price_e6 if position.side == Side.YES else 1_000_000 - price_e6
        required = leverage.required_margin(position.margin, position.shares, position.margin_bps)
        health = leverage.health_bps(position.shares, price_e6, position.debt, required)
        unhealthy += health < 10_000
    return unhealthy


def _timed(work: Callable[[], T], rounds: int) -> tuple[T, float, float]:
    """Return the result, the best and the median milliseconds of CPU of this process."""
    took = []
    for _ in range(rounds):
        started = time.process_time_ns()
        result = work()
        took.append((time.process_time_ns() - started) / 1e6)
    took.sort()
    return result, took[0], took[len(took) // 2]


def main() -> None:
    """Print the figures."""
    markets = _markets()
    accounts = _accounts(markets)
    unhealthy, best, median = _timed(lambda: _arrays(markets, accounts), ROUNDS)
    same, slow, _ = _timed(lambda: _objects(markets, accounts), 1)
    assert unhealthy == same
    print(f"{POSITIONS} positions in {MARKETS} markets, {unhealthy} unhealthy")
    print(f"arrays    best {best:8.1f} ms   median {median:8.1f} ms   (target < 50 ms, one core)")
    print(f"objects        {slow:8.1f} ms   {slow / best:.0f} times as long")


if __name__ == "__main__":
    main()
