"""One event, committed by itself at FULL while somebody reads: an open, and the reward of the one that has just dwelt.

The time is that of `LedgerWriter.commit` as the follower awaits it, the hop to the writer's thread and back in it. The reader is
another process that asks for a statement a hundred times a second.
"""

import platform
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import trio

from bench.incentives.traded import EPOCH_SLOTS, IDENTITY, events
from incentives.ledger.opened import open_ledger, read_ledger
from incentives.ledger.writer import Batch
from incentives.parameters import Parameters
from incentives.rules.rulebook import Rulebook

BEFORE = 50_000
"""Events in the ledger beforehand."""
GOAL_P99_MS = 1.5
_READER = """
import sys, time
from pathlib import Path
from bench.incentives.commit import read_statements
read_statements(Path(sys.argv[1]))
"""


async def run(commits: int) -> bool:
    """Measure, print, and say whether the goal is met."""
    parameters = Parameters(epoch_slots=EPOCH_SLOTS)
    rulebook = Rulebook(parameters)
    # Slots of one event each would not fill an epoch's dwell: as many a slot as there are in a busy one.
    source = events(BEFORE + commits, 5_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        async with open_ledger(path, IDENTITY, parameters) as ledger:
            lines = [line for event in islice(source, BEFORE) for line in rulebook.take(event)]
            await ledger.commit(Batch(lines=lines, through_slot=0, series={}))
            async with _reader(path):
                spent_ms = []
                for number, event in enumerate(source, 1):
                    lines = list(rulebook.take(event))
                    batch = Batch(lines=lines, through_slot=number, series={7: BEFORE + number})
                    started_s = time.perf_counter()
                    await ledger.commit(batch)
                    spent_ms.append((time.perf_counter() - started_s) * 1e3)
    p99 = _tell(spent_ms)
    return p99 <= GOAL_P99_MS


@asynccontextmanager
async def _reader(path: Path) -> AsyncIterator[None]:
    command = [sys.executable, "-c", _READER, path]
    reader = await trio.lowlevel.open_process(command)
    await trio.sleep(1)
    try:
        yield
    finally:
        assert reader.poll() is None, "the reader has died"
        reader.terminate()
        await reader.wait()


def read_statements(path: Path) -> None:
    """Ask for the statement of one wallet after the other, for ever."""
    db = read_ledger(path)
    wallets = [row[0] for row in db.conn.execute("SELECT DISTINCT wallet FROM wallet_balance")]
    while True:
        for wallet in wallets:
            db.conn.execute("SELECT * FROM statement_line WHERE wallet = ?", [wallet]).fetchall()
            time.sleep(0.01)


def _tell(spent_ms: Sequence[float]) -> float:
    ordered = sorted(spent_ms)
    p50, p99, p999 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99, 0.999))
    print(
        f"{len(ordered)} commits under one reader on {platform.processor() or platform.machine()}"
    )
    print(f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, p99.9 {p999:.2f} ms, most {ordered[-1]:.2f} ms")
    return p99
