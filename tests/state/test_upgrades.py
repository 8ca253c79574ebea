"""Databases of earlier releases, brought to this one's schema."""

import sqlite_utils

from state.attempts import Attempts
from state.schema import m001_attempts, m002_cursors
from state.store import configure, open_store
from tests.state.rows import AttemptRow, JobRow

_INSERT = """
INSERT INTO attempt (lane, signature, wire, blockhash, last_valid_block_height, created_slot, cu_limit,
    cu_price_micro_lamports, fee_bid_lamports)
VALUES ('liquidations', ?, ?, ?, 150, 1, 200000, 1000, 5200)
"""


def fill_as_before(path):
    """Write what the first release wrote: an attempt of each kind, the same effect landed twice among them."""
    path.parent.mkdir()
    db = sqlite_utils.Database(path)
    configure(db)
    for migration in (m001_attempts, m002_cursors):
        migration(db)
    record = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)"
    db["_sqlite_migrations"].create({"migration_set": str, "name": str, "applied_at": str})
    for name in ("m001_attempts", "m002_cursors"):
        db.conn.execute(record, ["state", name, "2026-01-01"])
    for number, letter in enumerate("ofldx", 1):
        db.conn.execute(_INSERT, [letter * 88, bytes([number] * 200), "b" * 44])
        db.conn.execute(
            "INSERT INTO attempt_job (attempt_id, job_id, kind, target, effect) VALUES (?, ?, ?, ?, ?)",
            [number, "job" if letter in "ld" else letter, "liquidate", "A", "shares=100"],
        )
        if letter in "ld":
            end = "UPDATE attempt SET state = 'landed', slot = 7, fee_lamports = 1 WHERE id = ?"
            db.conn.execute(end, [number])
    db.conn.execute("UPDATE attempt SET state = 'failed', slot = 7, err = '{}' WHERE id = 2")
    db.conn.execute("UPDATE attempt SET state = 'expired', is_finalized = 1 WHERE id = 5")
    db.conn.commit()
    db.close()


async def test_an_older_database_keeps_its_history_and_the_bytes_it_still_needs(path):
    fill_as_before(path)
    async with open_store(path) as store:
        attempts = Attempts(store)
        found = await attempts.open_attempts(after_id=0, at_most=99)
        summary = await attempts.summary()
        wires = await store.read(
            lambda db: db.conn.execute("SELECT count(*) FROM attempt_wire").fetchone()[0]
        )
        # The history goes on.
        await attempts.mark_finalized(["l" * 88, "d" * 88])
        await attempts.record_attempt(
            AttemptRow(jobs=(JobRow(job_id="job"),), signature_text="n" * 88)
        )
    assert [(each.signature_text[0], each.state, each.wire[0]) for each in found] == [
        ("o", "open", 1),
        ("f", "failed", 2),
        ("l", "landed", 3),
        ("d", "landed", 4),
    ]
    assert (summary.attempts, summary.expired, summary.duplicates, wires) == (5, 1, 1, 4)
