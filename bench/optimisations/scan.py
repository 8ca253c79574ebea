"""Taking in a scan, and reading accounts: what was done before, beside what is done now; equal results are asserted.

Pays, by a factor of two to four each, on the paths that a scan of a million positions and the prices lane at 21,000 markets
showed in their profiles (docs/profiles.md). What did not: comparing whole rows as bytes of 160 (numpy compares such rows one
by one: 100 ms a million, against 31 as words); the same for addresses; a lazily built index of addresses (it only moves
130 ms from a thread to the event loop).
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from solders.pubkey import Pubkey

from bench.optimisations.timing import compared
from bench.report.figure import Figure
from bench.scan import _markets, _positions
from keeper.address_index import AddressIndex, address_array, words_of
from keeper.position_table import PositionTable
from keeper.snapshot import Markets
from programs.accounts import Market, Pool
from programs.changed import changed
from programs.layout import MARKET_DTYPE, POOL_DTYPE, POSITION_DTYPE, AccountKind, market_bytes

POSITIONS: Final = 1_000_000
MARKETS: Final = 1_000
_TRADED: Final = 500
"""Positions that differ from one scan to the next."""


def measured(runs: int) -> list[Figure]:
    """Compare, on a million positions."""
    return [_refilled(runs), _looked_up(runs), *_decoded(runs)]


def _refilled(runs: int) -> Figure:
    columns = _positions(POSITIONS, _markets(MARKETS))
    now, before = PositionTable(), PositionTable()
    now.refill(columns)
    before.refill(columns)
    draws = np.random.default_rng(5)

    def trade() -> None:
        rows = columns.data.reshape(-1).view(POSITION_DTYPE)
        rows["shares"][draws.integers(0, POSITIONS, _TRADED)] += np.uint64(1)

    def rewritten() -> None:
        trade()
        now.refill(columns)

    def replaced() -> None:
        trade()
        before._replace(columns)

    figure = compared(
        f"a scan of {POSITIONS:,} positions in the same order, {_TRADED} of them traded",
        "ms",
        ("every row taken in again", replaced),
        rewritten,
        runs=runs,
    )
    now.refill(columns)
    before.refill(columns)
    assert np.array_equal(now.rows, before.rows)
    assert np.array_equal(now.rows_in(range(MARKETS)), before.rows_in(range(MARKETS)))
    return figure


def _looked_up(runs: int) -> Figure:
    markets = address_array([address for address, _ in _markets(MARKETS)])
    index = AddressIndex(markets)
    wanted = markets[np.random.default_rng(6).integers(0, MARKETS, POSITIONS)]
    searched = index._searched  # noqa: SLF001 - what every lookup went through before
    assert np.array_equal(index.rows_of(wanted), searched(words_of(wanted)))
    return compared(
        f"the markets of {POSITIONS:,} positions looked up, guessed first",
        "ms",
        ("all searched for", lambda: searched(words_of(wanted))),
        lambda: index.rows_of(wanted),
        runs=runs,
    )


def _decoded(runs: int) -> list[Figure]:
    draws = random.Random(7)
    accounts: dict[bytes, bytes] = {}
    for _ in range(200):
        data = bytearray(draws.randbytes(market_bytes(1)))
        data[0], data[1], data[5] = AccountKind.MARKET, 1, 1
        accounts[draws.randbytes(32)] = bytes(data)
    raw = list(accounts.values())
    assert [Market.from_bytes(data) for data in raw] == [_by_numpy(data) for data in raw]
    market = Market.from_bytes(raw[0])
    assert changed(market, debt=1) == replace(market, debt=1)
    asked = [Pubkey.from_bytes(address) for address in accounts]
    assert all(address in Markets(accounts) for address in asked)
    return [
        compared(
            "a market decoded",
            "µs",
            ("numpy, a scalar for each field", lambda: [_by_numpy(data) for data in raw]),
            lambda: [Market.from_bytes(data) for data in raw],
            runs=runs,
            per=len(raw),
        ),
        compared(
            "a market with one field changed",
            "µs",
            ("dataclasses.replace", lambda: replace(market, debt=1)),
            lambda: changed(market, debt=1),
            runs=runs,
            calls=5_000,
        ),
        compared(
            f"whether {len(asked)} markets are known, after a scan",
            "µs",
            ("decoding them", lambda: _all_known_by_decoding(Markets(accounts), asked)),
            lambda: _all_known(Markets(accounts), asked),
            runs=runs,
        ),
    ]


def _all_known(markets: Markets, asked: list[Pubkey]) -> bool:
    return all(address in markets for address in asked)


def _all_known_by_decoding(markets: Markets, asked: list[Pubkey]) -> bool:
    return all(Mapping.__contains__(markets, address) for address in asked)


def _by_numpy(data: bytes) -> Market:
    """As markets were decoded before."""
    fields = _fields_by_numpy(Market, np.frombuffer(data, MARKET_DTYPE, count=1)[0])
    pools = np.frombuffer(data, POOL_DTYPE, count=fields["pools"], offset=MARKET_DTYPE.itemsize)
    fields["pools"] = tuple(Pool(**_fields_by_numpy(Pool, pool)) for pool in pools)
    return Market(**fields)


def _fields_by_numpy(kind: type, row: Any) -> dict[str, Any]:
    names = set(kind.__dataclass_fields__)  # type: ignore[attr-defined]  # dataclasses only
    return {name: _value(row[name]) for name in row.dtype.names if name in names}


def _value(raw: Any) -> Any:
    if isinstance(raw, np.void):
        if raw.dtype.names:
            return int(raw["low"]) | int(raw["high"]) << 64
        return Pubkey.from_bytes(raw.tobytes())
    return tuple(raw.tolist()) if isinstance(raw, np.ndarray) else int(raw)
