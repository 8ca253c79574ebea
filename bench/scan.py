"""Take in a million positions and keep up with them: from raw bytes, from a reply's body, and after one price changed.

    python -m bench.scan [--positions 1000000] [--markets 1000]

Targets, one core: a scan from raw bytes in 0.4 s and less than 1 GB, health after one market's price changed in 2 ms.
Each part runs in a process of its own, so that its peak memory is its own. Beside them stand what the machine can do at
best (copying the same bytes) and what it would be otherwise (judging everything again, a JSON parser).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from solders.pubkey import Pubkey

from bench.report.figure import Beside, Figure, Goal, tell
from keeper.platform_state import Notice, PlatformState, Reading
from keeper.position_table import PositionColumns
from keeper.risk import assess
from programs.account_columns import rows_of_body
from programs.layout import (
    GLOBAL_DTYPE,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_BYTES,
    POSITION_DTYPE,
    VAULT_DTYPE,
    AccountKind,
)
from programs.rpc_replies import read_program_accounts
from programs.units import Slot

NOW: Final = 1_000
SCANS: Final = 7
RUNS: Final = 3
CHANGES: Final = 400
Runs = dict[str, list[float]]
"""Milliseconds of CPU, unless the name says otherwise, by what was done."""
_PROGRAM: Final = Pubkey.from_string("5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw")
_DUE_OF_THOUSAND: Final = 5
"""Positions under water or nearly: a bad day."""


def _head(dtype: np.dtype[np.void], kind: AccountKind, count: int = 1) -> np.ndarray:
    rows = np.zeros(count, dtype)
    rows["kind"], rows["version"] = kind, 1
    return rows


def _markets(count: int) -> list[tuple[bytes, bytes]]:
    draws = np.random.default_rng(1)
    rows, pools = _head(MARKET_DTYPE, AccountKind.MARKET, count), np.zeros(count, POOL_DTYPE)
    rows["pools"], rows["publish_slot"] = 1, NOW
    pools["price_e6"], pools["liquidity"] = draws.integers(400_000, 600_000, count), 10**11
    return [(draws.bytes(32), rows[at].tobytes() + pools[at].tobytes()) for at in range(count)]


def _positions(count: int, markets: list[tuple[bytes, bytes]]) -> PositionColumns:
    draws = np.random.default_rng(2)
    rows = _head(POSITION_DTYPE, AccountKind.POSITION, count)
    addresses = np.frombuffer(b"".join(address for address, _ in markets), "V32")
    rows["market"] = addresses[draws.integers(0, len(markets), count)]
    rows["side"], rows["margin_bps"] = draws.integers(0, 2, count), 500
    rows["shares"] = draws.integers(1, 10**9, count)
    is_bad = draws.random(count) < _DUE_OF_THOUSAND / 1_000
    rows["debt"] = rows["shares"] * np.where(is_bad, 55, 25).astype("u8") // np.uint64(100)
    rows["margin"] = rows["shares"] // 10
    return PositionColumns(
        addresses=np.frombuffer(draws.bytes(32 * count), "V32"),
        data=rows.view(np.uint8).reshape(-1, POSITION_BYTES),
    )


def _reading(positions: PositionColumns, markets: list[tuple[bytes, bytes]], slot: int) -> Reading:
    at = Slot(slot)
    return Reading(
        positions=positions,
        positions_slot=at,
        chains=[],
        chains_slot=at,
        markets=markets,
        markets_slot=at,
        global_=(bytes(32), _head(GLOBAL_DTYPE, AccountKind.GLOBAL).tobytes()),
        vault=(b"\1" * 32, _head(VAULT_DTYPE, AccountKind.VAULT).tobytes()),
        singletons_slot=at,
        skipped=Counter(),
    )


def _take(state: PlatformState, reading: Reading) -> None:
    filling = state.begin(reading)
    assert filling is not None
    filling.run()
    state.adopt(filling)
    state.snapshot(reading.slot)


def _taken(
    state: PlatformState, columns: PositionColumns, markets: list[tuple[bytes, bytes]]
) -> float:
    return _timed(lambda: _take(state, _reading(columns, markets, NOW)))


def _timed(work: Callable[[], object]) -> float:
    """Return the milliseconds of CPU that this process took."""
    started = time.process_time_ns()
    work()
    return (time.process_time_ns() - started) / 1e6


def measure_scan(positions: int, market_count: int) -> Runs:
    """Take in scans of the same bytes, first in the same order as before, then in another one."""
    markets = _markets(market_count)
    columns = _positions(positions, markets)
    shuffle = np.random.default_rng(3).permutation(positions)
    other = PositionColumns(addresses=columns.addresses[shuffle], data=columns.data)
    copied = np.empty_like(columns.data)
    state = PlatformState()
    first = _timed(lambda: _take(state, _reading(columns, markets, NOW)))
    _taken(state, other, markets)
    order = (
        columns,
        columns,
        other,
        other,
    )  # the two tables take turns: each sees another order every time
    moved = [_taken(state, order[number % len(order)], markets) for number in range(SCANS)]
    same = [_taken(state, columns, markets) for _ in range(SCANS + 2)]
    return {
        "first": [first],
        "moved": moved,
        "same": same[2:],
        "copy": [_timed(lambda: np.copyto(copied, columns.data)) for _ in range(SCANS)],
    }


def measure_change(positions: int, market_count: int) -> Runs:
    """Change one market's price after the other, and judge everything at the end."""
    markets = _markets(market_count)
    state = PlatformState()
    _take(state, _reading(_positions(positions, markets), markets, NOW))
    draws = np.random.default_rng(4)
    took = []
    for number in range(CHANGES):
        address, data = markets[number % market_count]
        pool = np.frombuffer(data, POOL_DTYPE, offset=MARKET_DTYPE.itemsize).copy()
        pool["price_e6"] = draws.integers(400_000, 600_000)
        moved = data[: MARKET_DTYPE.itemsize] + pool.tobytes()
        notice = Notice(AccountKind.MARKET, address, moved, Slot(NOW + 1))

        def change(notice: Notice = notice) -> None:
            state.tell([notice])
            state.snapshot(Slot(NOW + 1))

        took.append(_timed(change))
    snapshot = state.snapshot(Slot(NOW + 1))
    full = [
        _timed(lambda: assess(snapshot.markets, snapshot.positions, snapshot.slot))
        for _ in range(RUNS)
    ]
    due = assess(snapshot.markets, snapshot.positions, snapshot.slot)
    assert snapshot.assessed is not None
    assert np.array_equal(due.index, snapshot.assessed.index)
    return {"change": took, "full": full}


def measure_body(positions: int, market_count: int) -> Runs:
    """Read the columns out of a reply's body, as it comes over the wire."""
    body = _body(_positions(positions, _markets(market_count)))
    return {
        "body": [_timed(lambda: rows_of_body(body, 1, POSITION_BYTES)) for _ in range(RUNS)],
        "body_mb": [len(body) / 1e6],
    }


def measure_parser(positions: int, market_count: int) -> Runs:
    """Read the same body with a JSON parser, an object an account."""
    body = _body(_positions(positions, _markets(market_count)))
    return {"parser": [_timed(lambda: read_program_accounts(json.loads(body)["result"], _PROGRAM))]}


def _body(columns: PositionColumns) -> bytes:
    head = b'{"jsonrpc":"2.0","result":{"context":{"apiVersion":"2.2.0","slot":1000},"value":['
    rows = (
        b'{"account":{"data":["%b","base64"],"executable":false,"lamports":2004480,'
        b'"owner":"5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw","rentEpoch":18446744073709551615,'
        b'"space":160},"pubkey":"%b"}'
        % (b64encode(data.tobytes()), str(Pubkey.from_bytes(address.tobytes())).encode())
        for data, address in zip(columns.data, columns.addresses, strict=True)
    )
    return head + b",".join(rows) + b']},"id":1}'


PARTS: Final = {
    "scan": measure_scan,
    "change": measure_change,
    "body": measure_body,
    "parser": measure_parser,
}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.scan", description=__doc__)
    parser.add_argument("--positions", type=int, default=1_000_000)
    parser.add_argument("--markets", type=int, default=1_000)
    parser.add_argument("--part", choices=PARTS, help="only this one, as JSON")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.part is not None:
        found = PARTS[asked.part](asked.positions, asked.markets)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
        print(json.dumps(found | {f"{asked.part}_peak_mb": [peak_mb]}))
        return
    runs: Runs = {}
    for part in PARTS:
        command = [sys.executable, "-m", "bench.scan", "--part", part]
        command += ["--positions", str(asked.positions), "--markets", str(asked.markets)]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        runs |= json.loads(told.stdout)
    tell("scan", _figures(runs, asked.positions, asked.markets), as_json=asked.json)


def _figures(runs: Runs, positions: int, markets: int) -> list[Figure]:
    """Put each beside what the machine can do at best, and what it would be otherwise."""
    copy = Beside(name="copying the same bytes", value=statistics.median(runs["copy"]))
    objects = Beside(
        name="an object for each position, from JSON", value=statistics.median(runs["parser"])
    )
    sizes = f"{positions:,} positions in {markets:,} markets"

    def figure(name: str, key: str, unit: str = "ms", **more: Any) -> Figure:
        return Figure(name=f"{name}, {sizes}", unit=unit, runs=tuple(runs[key]), **more)

    return [
        figure(
            "a scan from raw bytes, in another order than the last",
            "moved",
            goal=Goal(value=400.0, source="issue 5"),
            baseline=objects,
            limit=copy,
            claim="positions",
        ),
        figure(
            "a scan from raw bytes, in the order of the last", "same", baseline=objects, limit=copy
        ),
        figure("the first scan", "first", baseline=objects, limit=copy),
        figure(
            "the reply's body into columns",
            "body",
            baseline=objects,
        ),
        figure(
            "memory of scanning, at most",
            "scan_peak_mb",
            "MB",
            goal=Goal(value=1_000.0, source="issue 5"),
        ),
        figure(
            "health after one market's price changed",
            "change",
            goal=Goal(value=2.0, source="issue 5"),
            baseline=Beside(name="judging everything again", value=statistics.median(runs["full"])),
        ),
    ]


if __name__ == "__main__":
    main()
