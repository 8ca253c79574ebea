"""What telling its figures costs a keeper: `python -m bench.monitor`.

sample  a gather and its line, with 21,000 markets, their prices and 1,000,000 positions (goal: 5 ms together)
share   of the CPU time of the sandbox's keeper, what gathering and writing its figures took, as it tells itself (goal: 3 %)
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import DEVNULL
from typing import Final

import numpy as np
import trio

from bench.report.figure import Figure, Goal, tell
from bench.scan import NOW, _markets, _positions, _reading, _take, _timed
from keeper.platform_state import PlatformState
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason
from keeper.telemetry.platform_figures import put_platform
from keeper.telemetry.price_figures import price_rows, put_prices
from programs.units import Slot
from state.metrics import CPU_SECONDS, TELLING_CPU_SECONDS, UPTIME
from state.sample import Figures, Sample, to_line
from state.sample_socket import read_samples

MARKETS: Final = 21_000
POSITIONS: Final = 1_000_000
ROUNDS: Final = 30
SAMPLE_MS_GOAL: Final = 5.0
SHARE_GOAL: Final = 0.03
_CONFIG: Final = Path(__file__).parent.parent / "keeper.toml"


def measure_sample() -> dict[str, float]:
    """Gather and write a sample of the largest platform."""
    markets = _markets(MARKETS)
    state = PlatformState()
    _take(state, _reading(_positions(POSITIONS, markets), markets, NOW))
    snapshot = state.snapshot(Slot(NOW))
    assert snapshot.assessed is not None
    board, draws = PriceBoard(), np.random.default_rng(3)
    classes = list(PriceClass)
    for number in range(MARKETS):
        board.publish(
            Price(
                token_id=f"{number:077d}",
                price_e6=500_000,
                band_e6=1_000,
                price_class=classes[int(draws.integers(len(classes)))],
                source=("stream", "clob", "gamma")[number % 3],
                received_at_s=float(draws.uniform(0, 60)),
                content_time_ms=None,
                reason=Reason.OK,
            )
        )
    names = {token: f"market {number}" for number, token in enumerate(board.prices)}
    counts = snapshot.assessed.counts

    def measure() -> dict[str, float]:
        figures, details = Figures(), dict[str, object]()
        steps: dict[str, Callable[[], object]] = {
            "platform": lambda: put_platform(figures, snapshot, counts),
            "prices": lambda: put_prices(figures, board.census, board.prices.values(), 60.0),
            "rows": lambda: details.update(prices=price_rows(names, board, 60.0)),
            "line": lambda: lines.append(
                to_line(
                    Sample(service="keeper", sequence=1, figures=figures.values, details=details)
                )
            ),
        }
        return {name: _timed(step) for name, step in steps.items()}

    lines: list[bytes] = []
    took = [measure() for _ in range(ROUNDS)]
    whole = [sum(each.values()) for each in took]
    return {f"{name}_ms_p50": round(median(each[name] for each in took), 3) for name in took[0]} | {
        "ms_p50": round(median(whole), 3),
        "ms_max": round(max(whole), 3),
        "line_bytes": len(lines[-1]),
    }


async def measure_share(seconds: int) -> dict[str, float]:
    """Run the sandbox's keeper, read its samples, and return which share of its CPU time they took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "keeper.toml").write_text(_CONFIG.read_text())
        command = [sys.executable, "-m", "keeper.cli.main", "run", "--for", f"{seconds}s", "--json"]
        async with trio.open_nursery() as nursery:
            run = partial(trio.run_process, command, cwd=folder, stdout=DEVNULL, stderr=DEVNULL)
            nursery.start_soon(run)
            last: Sample | None = None
            async with read_samples(folder / "var/state/sandbox/keeper.sock") as samples:
                async for sample in samples:
                    if sample.is_last:
                        break
                    last = sample
            nursery.cancel_scope.cancel()
    assert last is not None
    cpu_s, telling_s = last.get(CPU_SECONDS, "keeper"), last.get(TELLING_CPU_SECONDS, "keeper")
    uptime_s = last.get(UPTIME, "keeper")
    assert cpu_s
    assert telling_s is not None
    assert uptime_s
    return {
        "run_s": round(uptime_s, 1),
        "keeper_cpu_s": round(cpu_s, 3),
        "telling_cpu_s": round(telling_s, 3),
        "share": round(telling_s / cpu_s, 4),
        "ms_per_sample": round(telling_s / last.sequence * 1_000, 3),
    }


def main() -> int:
    """Print what was asked for, beside its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=("sample", "share"))
    parser.add_argument("--for", dest="seconds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = []
    if asked.part in {None, "sample"}:
        figures += _sample_figures(measure_sample())
    if asked.part in {None, "share"}:
        figures += _share_figures(trio.run(measure_share, asked.seconds))
    tell("monitor", figures, as_json=asked.json)
    return int(any(figure.is_met is False for figure in figures))


def _sample_figures(found: dict[str, float]) -> list[Figure]:
    sizes = f"{MARKETS:,} markets, {POSITIONS:,} positions"
    parts = [
        Figure(name=f"of it: {name.removesuffix('_ms_p50')}", unit="ms", runs=(value,))
        for name, value in found.items()
        if name.endswith("_ms_p50")
    ]
    return [
        Figure(
            name=f"a sample gathered and written, {sizes}, p50 of {ROUNDS}",
            unit="ms",
            runs=(found["ms_p50"],),
            goal=Goal(value=SAMPLE_MS_GOAL, source="the keeper's loop"),
        ),
        *parts,
        Figure(name="its slowest", unit="ms", runs=(found["ms_max"],)),
        Figure(name="its line", unit="bytes", runs=(float(found["line_bytes"]),)),
    ]


def _share_figures(found: dict[str, float]) -> list[Figure]:
    return [
        Figure(
            name="the keeper's processor that telling its figures takes",
            unit="%",
            runs=(100 * found["share"],),
            goal=Goal(value=100 * SHARE_GOAL, source="issue 7"),
        ),
        Figure(name="of it one sample", unit="ms", runs=(found["ms_per_sample"],)),
    ]


if __name__ == "__main__":
    sys.exit(main())
