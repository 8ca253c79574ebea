"""A wallet's statement out of a ledger of ten million transfers.

The rows are made up inside SQLite, without the guards, and the indexes built afterwards: what is measured is the reading. Every
wallet has as many transfers as any other, spread over the whole ledger.
"""

import tempfile
import time
from contextlib import closing
from pathlib import Path

import trio
from solders.pubkey import Pubkey

from bench.incentives.traded import IDENTITY, wallet
from bench.report.figure import Figure, Goal
from incentives.ledger.opened import open_ledger, read_ledger
from incentives.parameters import Parameters
from state.sqlite import sqlite3

GOAL_MS = 50.0
TRANSFERS_PER_EVENT = 5
_EVENTS = """
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :events)
    INSERT INTO event (seq, slot, tx_index, instruction, inner, signature, id, kind, series, sequence, payload, hash)
    SELECT i * :every + 1, i / 100, i % 100, 0, 0, hex(randomblob(44)), randomblob(20), 6, 7, i + 1, randomblob(200), randomblob(32)
    FROM n"""
_TRANSFERS = """
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :transfers)
    INSERT INTO transfer (seq, cause_seq, leg, code, slot, debit, credit, amount, epoch, rules_version, inputs)
    SELECT i / :legs * :every + 2 + i % :legs, i / :legs * :every + 1, i % :legs, 'trade', i / 500, 1,
        2 + (i * 7919) % :wallets, 1000 + i % 977, 0, 1, '{"counted_notional":"100000000","held_shares":"1000000"}'
    FROM n"""


async def run(transfers: int, wallets: int) -> list[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        async with open_ledger(path, IDENTITY, Parameters()):
            pass
        await trio.to_thread.run_sync(_fill, path, transfers, wallets)
        spent_ms = []
        for number in range(0, wallets, wallets // 50):
            asked = str(Pubkey.from_bytes(wallet(number)))
            # Each on a connection of its own, as a command has one.
            started_s = time.perf_counter()
            with closing(read_ledger(path)) as db:
                lines = db.conn.execute(
                    "SELECT * FROM statement_line WHERE wallet = ? ORDER BY seq", [asked]
                ).fetchall()
            spent_ms.append((time.perf_counter() - started_s) * 1e3)
            assert len(lines) == transfers // wallets
    sizes = f"{transfers // wallets} lines out of {transfers:,} transfers"
    return [
        Figure(name=f"a statement of {sizes}", unit="ms", runs=tuple(spent_ms)),
        Figure(
            name=f"the slowest statement of {len(spent_ms)}, {sizes}",
            unit="ms",
            runs=(max(spent_ms),),
            goal=Goal(value=GOAL_MS, source="issue 6"),
        ),
    ]


def _fill(path: Path, transfers: int, wallets: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -262144")
        built = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND tbl_name = 'transfer' AND sql IS NOT NULL"
        ).fetchall()
        for name, sql in built:
            connection.execute(f"DROP {sql.split(None, 2)[1]} {name}")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO account (id, wallet, role) VALUES (1, NULL, 'pot')")
        connection.executemany(
            "INSERT INTO account (id, wallet, role) VALUES (?, ?, 'accrued')",
            ((2 + i, str(Pubkey.from_bytes(wallet(i)))) for i in range(wallets)),
        )
        legs = TRANSFERS_PER_EVENT
        counts = {
            "events": transfers // legs,
            "transfers": transfers,
            "wallets": wallets,
            "legs": legs,
            "every": legs + 1,
        }
        connection.execute(_EVENTS, counts)
        connection.execute(_TRANSFERS, counts)
        for _, sql in built:
            connection.execute(sql)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
