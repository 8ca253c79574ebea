"""Trades per second: executed by an SVM on one core, and what a cluster's blocks would take of the same transactions.

    python -m bench.tps [--runs 5] [--trades 3000] [--markets 500] [--users 1000] [--json]

A trade is one transaction with one `open_position` of the committed program, without leverage: it comes as wire bytes, and
is read, checked (signature, blockhash, duplicate, fee, rent) and executed by LiteSVM, one after the other, on one core that
the process is pinned to. A second is one of that core's: time that other processes take of it counts for nobody, and how much
of it the trades got is a figure too. Signing them, which traders do, is not counted. Beside it, in the same run, stand the sale of what
was bought, and what the machine could do at best: bare transfers, signatures alone, the trade without them, the bytecode
alone (the trade less the same transaction to a program that returns at once).

What a cluster would allow follows from what the landed transactions locked for writing and used: blocks are filled with them
in turn, under the limit on the writers of one account and under that on the whole block. `all` stands for markets in turn,
more than a block can fill.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bench.report.figure import Beside, Figure, Goal, tell
from bench.tps.blocks import Room, TooFewError, cost_cu, room_for
from bench.tps.floor import Floor, Landed
from programs.contention import WRITABLE_ACCOUNT_CU_MAX
from programs.localnet.scheduler import BlockLimits

GOAL_PER_S: Final = 5_000
BLOCKS_CU: Final = (60_000_000, 100_000_000)
"""The limit when the design was made, and today's at 400 ms. Source: agave MAX_BLOCK_UNITS; SIMD-0286."""
_FOUR: Final = 4
_CHUNK: Final = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How fast each way was, transactions a second."""

    opens: float
    closes: float
    unsigned: float
    idle: float
    transfers: float
    signatures: float
    cores: float
    """Processor time of the trades over their wall time."""


def run_once(floor: Floor, trades: int) -> Run:
    """Measure every way once, with transactions that nobody has seen yet."""
    opened = floor.opens(trades, floor.markets)
    wires = floor.signed(opened)
    started_cpu_s, started_s = time.process_time(), time.perf_counter()
    opens = _per_s(floor.land, wires)
    cores = (time.process_time() - started_cpu_s) / (time.perf_counter() - started_s)
    closes = _per_s(floor.land, floor.signed(floor.closes(opened)))
    transfers = _per_s(floor.land, floor.signed(floor.transfers(trades)))
    signatures = _per_s(_verify, wires)
    more = floor.opens(trades, floor.markets)
    floor.world.svm.with_sigverify(sigverify=False)
    unsigned = _per_s(floor.land, floor.signed(more))
    idle = _per_s(floor.land, floor.signed(floor.idle(more)))
    floor.world.svm.with_sigverify(sigverify=True)
    return Run(
        opens=opens,
        closes=closes,
        unsigned=unsigned,
        idle=idle,
        transfers=transfers,
        signatures=signatures,
        cores=cores,
    )


def _per_s(work: Callable[[Sequence[bytes]], object], wires: Sequence[bytes]) -> float:
    started_s = time.process_time()
    work(wires)
    return len(wires) / (time.process_time() - started_s)


def _verify(wires: Sequence[bytes]) -> None:
    for wire in wires:
        assert all(VersionedTransaction.from_bytes(wire).verify_with_results())


def blocks_of(
    floor: Floor,
    markets: Sequence[Pubkey],
    limits: Sequence[BlockLimits],
    *,
    counts_trade: bool = False,
) -> tuple[list[Room], list[Landed]]:
    """Land trades in these markets until they overflow every block; return the blocks, and what landed."""
    landed: list[Landed] = []
    while True:
        orders = floor.opens(_CHUNK, markets, counts_trade=counts_trade)
        landed += floor.landed(floor.signed(orders))
        try:
            return [room_for(landed, each) for each in limits], landed
        except TooFewError:
            continue


def figures_of_speed(runs: Sequence[Run], markets: int) -> list[Figure]:
    """Say how fast the SVM was."""
    transfers, unsigned, idle = (
        statistics.median(getattr(run, name) for run in runs)
        for name in ("transfers", "unsigned", "idle")
    )
    bare = Beside(name="bare transfers in the same SVM, signatures checked", value=transfers)

    def figure(name: str, attribute: str, unit: str = "1/s", **more: object) -> Figure:
        measured = tuple(getattr(run, attribute) for run in runs)
        return Figure(name=name, unit=unit, runs=measured, **more)  # type: ignore[arg-type]  # goal, limit, claim

    goal = Goal(value=GOAL_PER_S, is_most=False, source="origin: 5,000 transactions per second")
    return [
        figure(
            f"spot trades on one core, signatures checked, over {markets} markets",
            "opens",
            goal=goal,
            limit=bare,
            claim="tps",
        ),
        figure("sales of what they bought, signatures checked", "closes", limit=bare),
        figure("share of the core that the trades got, of the time that passed", "cores", unit=""),
        figure("spot trades, signatures not checked", "unsigned"),
        figure("their signatures alone", "signatures"),
        Figure(
            name="the program alone, with the programs it calls: the trade less the next line",
            unit="1/s",
            runs=(1 / (1 / unsigned - 1 / idle),),
        ),
        figure("the same transactions to a program that returns at once, unsigned", "idle"),
    ]


def figures_of_blocks(floor: Floor) -> list[Figure]:
    """Say what a cluster's blocks would take of trades in one market, in four, in all."""
    limits = [BlockLimits(block_cu=each, account_cu=WRITABLE_ACCOUNT_CU_MAX) for each in BLOCKS_CU]
    counted, _ = blocks_of(floor, floor.markets, limits, counts_trade=True)
    found: list[Figure] = []
    bought: list[Landed] = []
    for name, markets in (
        ("one hot market", floor.markets[:1]),
        ("four markets", floor.markets[:_FOUR]),
        ("all markets", floor.markets),
    ):
        rooms, landed = blocks_of(floor, markets, limits)
        bought += landed
        found += [_figure_of_room(name, *pair) for pair in zip(rooms, counted, strict=True)]
    opened = floor.opens(_CHUNK, floor.markets)
    floor.land(floor.signed(opened))
    sold = floor.landed(floor.signed(floor.closes(opened)))
    return [
        *found,
        _figure_of_cost("buying", bought),
        _figure_of_cost("selling", sold),
        Figure(
            name=f"shared accounts that {len(bought):,} spot trades and {len(sold):,} sales wrote",
            unit="",
            runs=(sum(len(each.written & floor.shared_accounts) for each in bought + sold),),
            goal=Goal(
                value=0, source="no account shared by all markets is written by a spot trade"
            ),
        ),
    ]


def _figure_of_room(markets: str, room: Room, counted: Room) -> Figure:
    size = f"{room.limits.block_cu // 1_000_000}M CU a block"
    return Figure(
        name=f"a cluster's room for spot trades in {markets}, {size} ({room.bound_by} limit)",
        unit="1/s",
        runs=(room.per_s,),
        baseline=Beside(name="all markets, if one shared account is written", value=counted.per_s),
    )


def _figure_of_cost(what: str, landed: Sequence[Landed]) -> Figure:
    costs = [cost_cu(each) for each in landed]
    used = statistics.median(each.cu for each in landed)
    return Figure(
        name=f"charged by a block for {what}",
        unit="CU",
        runs=(min(costs), statistics.median(costs), max(costs)),
        limit=Beside(name="used, the rest is for signature, locks and loading", value=used),
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.tps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--trades", type=int, default=3_000, help="each run, of each kind")
    parser.add_argument("--markets", type=int, default=500)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    floor = Floor(asked.markets, asked.users)
    runs = [run_once(floor, asked.trades) for _ in range(asked.runs)]
    figures = [*figures_of_speed(runs, asked.markets), *figures_of_blocks(floor)]
    tell("tps", figures, as_json=asked.json)


if __name__ == "__main__":
    main()
