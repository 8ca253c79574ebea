"""One epoch of a million trades by 100_000 wallets, from the events' bytes to the leaves' proofs.

Each stage's own time, and the process's peak memory. Making the events up is not part of it; the ledger is a real file, every
batch committed at FULL.
"""

import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from bench.incentives.traded import EPOCH_SLOTS, IDENTITY, SEASON_START, events
from incentives.ledger.opened import open_ledger
from incentives.ledger.writer import Batch
from incentives.lines import EpochClose, Line
from incentives.parameters import Parameters
from incentives.roots import roots_of
from incentives.rules.rulebook import Rulebook
from programs.merkle import RewardTree

BATCH_EVENTS = 10_000


class Stages:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.spent_s: Counter[str] = Counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside as one stage's."""
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s[name] += time.perf_counter() - started_s


async def run(trades: int, wallets: int) -> bool:
    """Measure, print, and say whether the goals are met."""
    stages = Stages()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        close = await _follow(path, trades, wallets, stages)
        with stages.stage("trees"):
            trees = roots_of(close, EPOCH_SLOTS)
        with stages.stage("proofs"):
            proofs = sum(_prove(tree) for tree in trees)
        size_mb = path.stat().st_size / 1e6
    for name, spent_s in stages.spent_s.items():
        print(f"{name:24} {spent_s:7.2f} s")
    total_s = sum(stages.spent_s.values()) - stages.spent_s["(making events up)"]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"total {total_s:.1f} s, peak {peak_mb:.0f} MB, file {size_mb:.0f} MB")
    print(f"{trades} trades, {len(close.allocations)} wallets, {len(trees)} roots, {proofs} proofs")
    return total_s <= 60 and peak_mb < 1_000


async def _follow(path: Path, trades: int, wallets: int, stages: Stages) -> EpochClose:
    parameters = Parameters(epoch_slots=EPOCH_SLOTS)
    rulebook = Rulebook(parameters)
    source = events(trades, wallets)
    async with open_ledger(path, IDENTITY, parameters) as ledger:
        while True:
            with stages.stage("(making events up)"):
                delivered = list(islice(source, BATCH_EVENTS))
            if not delivered:
                break
            with stages.stage("rules"):
                lines = [line for event in delivered for line in rulebook.take(event)]
            with stages.stage("ledger"):
                await ledger.commit(
                    Batch(lines=lines, through_slot=delivered[-1].place.slot - 1, series={})
                )
        end = SEASON_START + EPOCH_SLOTS
        with stages.stage("close: rules"):
            lines = list(rulebook.pass_slot(end))
        with stages.stage("close: ledger"):
            await ledger.commit(Batch(lines=lines, through_slot=end, series={}))
        return _the_close(lines)


def _the_close(lines: Sequence[Line]) -> EpochClose:
    (close,) = (line for line in lines if isinstance(line, EpochClose))
    return close


def _prove(tree: RewardTree) -> int:
    return sum(1 for leaf in range(len(tree.rewards)) if tree.path(leaf) is not None)
