"""One epoch of a million trades by 100_000 wallets, from the events' bytes to the leaves' proofs.

Each stage's own time, and the process's peak memory. Making the events up is not part of it; the ledger is a real file, every
batch committed at FULL.
"""

import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from bench.incentives.traded import EPOCH_SLOTS, IDENTITY, SEASON_START, events
from bench.report.figure import Figure, Goal
from incentives.ledger.opened import open_ledger, read_ledger
from incentives.ledger.recompute import recompute
from incentives.ledger.verify import verify
from incentives.ledger.writer import Batch
from incentives.lines import EpochClose, Line
from incentives.parameters import Parameters
from incentives.reading.reader import EVENTS_PER_DELIVERY
from incentives.roots import roots_of
from incentives.rules.rulebook import Rulebook
from programs.event_layout import HEAD
from programs.merkle import RewardTree


class Stages:
    """Seconds by stage, and of them those on a CPU: on a shared machine the rest is waiting."""

    def __init__(self) -> None:
        self.spent_s: Counter[str] = Counter()
        self.cpu_s: Counter[str] = Counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside as one stage's."""
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.spent_s[name] += time.perf_counter() - started_s
            self.cpu_s[name] += time.process_time() - started_cpu_s


MAKING_UP = "(making events up)"
GOAL_S, GOAL_MB = 60, 1_000


async def run(trades: int, wallets: int) -> list[Figure]:
    """Measure; an epoch whose lines are wrong has no figures.

    Raises:
        AssertionError: the ledger does not verify, or its lines are not computed again alike.
    """
    stages, again = Stages(), Stages()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        close = await _follow(path, trades, wallets, stages)
        with stages.stage("trees"):
            trees = roots_of(close, EPOCH_SLOTS)
        with stages.stage("proofs"):
            proofs = sum(_prove(tree) for tree in trees)
        size_mb, peak_mb = path.stat().st_size / 1e6, _peak_mb()
        with closing(read_ledger(path)) as db:
            with again.stage("verify"):
                findings = list(verify(db))
            parameters = Parameters(epoch_slots=EPOCH_SLOTS)
            with again.stage("recompute"):
                recomputed = recompute(db, Rulebook(parameters), parameters)
    assert recomputed.is_same, "the same events must lead to the same lines"
    assert not findings, findings[:3]
    sizes = f"an epoch of {trades:,} trades by {len(close.allocations):,} wallets"
    proved = f"{sizes}, with {proofs:,} proofs under {len(trees)} roots"
    made = {name: spent for name, spent in stages.spent_s.items() if name != MAKING_UP}
    return [
        Figure(
            name=f"{proved}, followed, closed and written down ({size_mb:.0f} MB)",
            unit="s",
            runs=(sum(made.values()),),
            goal=Goal(value=GOAL_S, source="issue 6"),
        ),
        *(Figure(name=f"{sizes}: {name}", unit="s", runs=(spent,)) for name, spent in made.items()),
        Figure(
            name=f"memory of {sizes}, at most",
            unit="MB",
            runs=(peak_mb,),
            goal=Goal(value=GOAL_MB, source="issue 6"),
        ),
        *(
            Figure(
                name=f"{sizes}: {name}",
                unit="s",
                runs=(spent,),
                goal=Goal(value=GOAL_S, source="issue 6") if name == "recompute" else None,
            )
            for name, spent in again.spent_s.items()
        ),
    ]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _follow(path: Path, trades: int, wallets: int, stages: Stages) -> EpochClose:
    parameters = Parameters(epoch_slots=EPOCH_SLOTS)
    rulebook = Rulebook(parameters)
    source = events(trades, wallets)
    async with open_ledger(path, IDENTITY, parameters) as ledger:
        while True:
            with stages.stage(MAKING_UP):
                delivered = list(islice(source, EVENTS_PER_DELIVERY))
            if not delivered:
                break
            with stages.stage("rules"):
                lines = [line for event in delivered for line in rulebook.take(event)]
            with stages.stage("ledger"):
                numbers = dict(HEAD.unpack_from(event.payload)[3:5] for event in delivered)
                await ledger.commit(
                    Batch(lines=lines, through_slot=delivered[-1].place.slot - 1, series=numbers)
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
