"""One event, committed by itself at FULL while somebody reads: an open, and the reward of the one that has just dwelt.

The time is that of `LedgerWriter.commit` as the follower awaits it, the hop to the writer's thread and back in it. The reader is
another process that asks for a statement a hundred times a second.
"""

import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from itertools import islice
from pathlib import Path

import trio

from bench.incentives.traded import EPOCH_SLOTS, IDENTITY, events
from bench.report.figure import Beside, Figure, Goal
from incentives.ledger.opened import open_ledger, read_ledger
from incentives.ledger.writer import Batch
from incentives.parameters import Parameters
from incentives.rules.rulebook import Rulebook
from state.sqlite import sqlite3

BEFORE = 50_000
"""Events in the ledger beforehand."""
GOAL_P99_MS = 1.5
_RAW_PART = 10
_EVENT_BYTES = 48_000
"""What one commit of an event writes into the WAL."""
_READER = """
import sys, time
from pathlib import Path
from bench.incentives.commit import read_statements
read_statements(Path(sys.argv[1]))
"""


async def run(commits: int) -> list[Figure]:
    """Measure, with SQLite alone and the disk alone in the same run."""
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
        raw_ms = _raw_sqlite(Path(folder) / "raw.db", commits // _RAW_PART)
        disk_ms = _raw_disk(Path(folder) / "raw.bin", commits // _RAW_PART)
    return [
        Figure(
            name=f"one event committed at FULL under a reader, {name} of {len(spent_ms):,}",
            unit="ms",
            runs=(rank(spent_ms, share),),
            goal=Goal(value=GOAL_P99_MS, source="origin") if name == "p99" else None,
            baseline=Beside(name="raw sqlite3, one row per commit", value=rank(raw_ms, share)),
            limit=Beside(
                name=f"appending {_EVENT_BYTES // 1_000} kB to a file, and fdatasync",
                value=rank(disk_ms, share),
            ),
            claim="write" if name == "p99" else "",
        )
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    ]


def rank(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all lies."""
    return sorted(values)[int(len(values) * share)]


def _raw_sqlite(path: Path, commits: int) -> list[float]:
    """Commit rows by themselves with the library alone, nobody reading."""
    spent_ms = []
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT")
        for number in range(commits):
            started_s = time.perf_counter()
            db.execute("INSERT INTO event VALUES (?, ?)", (number, bytes(200)))
            spent_ms.append((time.perf_counter() - started_s) * 1e3)
    return spent_ms


def _raw_disk(path: Path, writes: int) -> list[float]:
    """Append as many bytes as a commit writes, and wait for the disk."""
    spent_ms, data = [], bytes(_EVENT_BYTES)
    with path.open("wb", buffering=0) as file:
        for _ in range(writes):
            started_s = time.perf_counter()
            file.write(data)
            os.fdatasync(file.fileno())
            spent_ms.append((time.perf_counter() - started_s) * 1e3)
    return spent_ms


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
