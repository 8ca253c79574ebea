"""Lines into a ledger: what a batch leaves in the file, and what the file refuses."""

import hashlib
import struct
from dataclasses import replace

import pytest
from solders.keypair import Keypair
from solders.signature import Signature

from incentives.ledger.encoding import Identity
from incentives.ledger.errors import LedgerConflict, LedgerForeign
from incentives.ledger.opened import open_ledger, read_ledger
from incentives.ledger.recorded import find_cause, read_progress
from incentives.ledger.schema import APPEND_ONLY
from incentives.ledger.writer import Batch
from incentives.lines import (
    Allocation,
    Anomaly,
    BoostedTrade,
    Code,
    EpochClose,
    EventLine,
    Transfer,
)
from incentives.parameters import Parameters
from incentives.sourced import Place, SourcedEvent
from state.sqlite import sqlite3

IDENTITY = Identity(
    genesis_hash="4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn",
    program="5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw",
    mint="So11111111111111111111111111111111111111112",
)
WALLET = str(Keypair.from_seed(bytes([5] * 32)).pubkey())


def event(number, *, slot=None, sequence=None, payload_end=b""):
    signature = str(Signature(hashlib.sha512(b"%d" % number).digest()))
    payload = struct.pack("<BBHIQQ", 1, 6, 0, 7, sequence or number, slot or number) + payload_end
    return SourcedEvent(Place(slot or number, 0, 0, 0), signature, payload)


def transfer(cause, debit, credit, amount, *, code=Code.TRADE, leg=0, **changes):
    facts = {"slot": 200, "epoch": 0, "rules_version": 1} | changes
    return Transfer(
        cause=cause, leg=leg, code=code, debit=debit, credit=credit, amount=amount, **facts
    )


def lines():
    first = event(1)
    close = EpochClose(
        0, 0, 9_000, 0, 500, 1, is_scaled=False, allocations=(Allocation(WALLET, 40, 40),)
    )
    paid = event(2, slot=9_100)
    account = f"wallet/{WALLET}"
    return [
        EventLine(first),
        transfer(first.source_id, "mint", "season", 1_000, code=Code.GENESIS),
        transfer(first.source_id, "pot", f"{account}/accrued", 40, inputs={"held": 150}),
        BoostedTrade(1, first.source_id, WALLET, 151, is_voided=False),
        close,
        transfer("epoch:0", "season", "pot", 500, code=Code.EMISSION),
        transfer("epoch:0", f"{account}/accrued", f"{account}/payable", 40, code=Code.ALLOCATION),
        EventLine(paid),
        transfer(paid.source_id, f"{account}/payable", f"{account}/in_flight", 40, code=Code.ROOT),
        transfer(paid.source_id, f"{account}/in_flight", f"{account}/paid", 40, code=Code.PAYOUT),
        Anomaly("voided", first.source_id, 9_100, "closed | early"),
    ]


def batch(listed, *, through=9_100, series=None):
    return Batch(
        lines=listed,
        through_slot=through,
        series={7: 2} if series is None else series,
        snapshot="{}",
    )


def opened(path):
    return open_ledger(path, IDENTITY, Parameters())


async def test_a_batch_leaves_every_line_in_the_file(tmp_path):
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        progress = await ledger.commit(batch(lines()))
    db = read_ledger(path)
    assert read_progress(db) == progress
    assert progress.seq == len(lines()) + 1  # the rules version is a line too
    balances = dict(db.conn.execute("SELECT path, balance FROM account_balance"))
    assert balances["mint"] == -1_000
    assert balances["pot"] == 460
    assert balances[f"wallet/{WALLET}/paid"] == 40
    assert sum(balances.values()) == 0
    (payout,) = db.query("SELECT * FROM payout_report")
    assert (payout["state"], payout["wallet"], payout["amount"]) == ("posted", WALLET, 40)
    (report,) = db.query("SELECT * FROM epoch_report")
    assert (report["emitted"], report["allocated"], report["left"], report["paid"]) == (
        500,
        40,
        460,
        40,
    )
    assert [row["amount"] for row in db.query("SELECT * FROM bootstrap_trade")] == [0]
    named = {row["code"]: row for row in db.query("SELECT * FROM transfer_named")}
    assert named["allocation"]["cause"] == "epoch:0"
    assert named["trade"]["cause"] == event(1).source_id


async def test_the_head_does_not_depend_on_how_lines_are_batched_or_on_restarts(tmp_path):
    async with opened(tmp_path / "one.db") as ledger:
        whole = await ledger.commit(batch(lines()))
    for number, line in enumerate(lines()):
        async with opened(tmp_path / "many.db") as ledger:
            progress = await ledger.commit(batch([line], through=number, series={7: number + 1}))
    assert (progress.seq, progress.head) == (whole.seq, whole.head)


async def test_a_batch_that_contradicts_the_ledger_leaves_nothing(tmp_path):
    async with opened(tmp_path / "ledger.db") as ledger:
        before = await ledger.commit(batch(lines()))
        other = event(3, slot=9_200)
        refused = {
            "ANOTHER payload": [EventLine(event(1, payload_end=b"x"))],
            "the same payload": [EventLine(event(1))],
            "is not in the ledger": [transfer("epoch:9", "pot", "season", 5)],
            "CHECK constraint failed": [
                EventLine(other),
                transfer(other.source_id, "sink", "season", 5),
            ],
            "UNIQUE constraint failed": [transfer(event(1).source_id, "pot", "sink", 40)],
        }
        for reason, listed in refused.items():
            with pytest.raises(LedgerConflict, match=reason):
                await ledger.commit(batch(listed, through=9_200, series={7: 9}))
        after = await ledger.commit(batch([], series={}))
    assert after == before


async def test_a_ledger_of_another_platform_is_not_written(tmp_path):
    async with opened(tmp_path / "ledger.db") as ledger:
        await ledger.commit(batch(lines()))
    other = Identity(genesis_hash=IDENTITY.genesis_hash, program=WALLET, mint=IDENTITY.mint)
    with pytest.raises(LedgerForeign, match="name another ledger"):
        async with open_ledger(tmp_path / "ledger.db", other, Parameters()):
            pass


async def test_history_refuses_change_deletion_and_replacement(tmp_path):
    async with opened(tmp_path / "ledger.db") as ledger:
        await ledger.commit(batch(lines()))
        await ledger.store.transaction(
            lambda db: db.conn.execute(
                "INSERT INTO chain_reading (slot, read_at, supply, sink, treasury, posted) "
                "VALUES (1, '', 0, 0, 0, 0)"
            )
        )
        for table in APPEND_ONLY:
            columns = await ledger.store.read(
                lambda db, table=table: [
                    row[1] for row in db.conn.execute(f"PRAGMA table_info({table})")
                ]
            )
            for statement in (
                f"UPDATE {table} SET {columns[0]} = {columns[0]}",
                f"DELETE FROM {table}",
                f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM {table}",
            ):
                with pytest.raises(sqlite3.IntegrityError, match="only ever appended to"):
                    await ledger.store.transaction(lambda db, sql=statement: db.conn.execute(sql))


async def test_a_batch_delivered_again_changes_nothing(tmp_path):
    async with opened(tmp_path / "ledger.db") as ledger:
        first = await ledger.commit(batch(lines()[:4], through=9_000))
        second = await ledger.commit(batch(lines()[4:], through=9_100, series={7: 3}))
        assert await ledger.commit(batch(lines()[:4], through=9_000)) == second
        assert await ledger.commit(batch(lines()[4:], through=9_100)) == second
        assert first != second
        other = lines()[4:]
        other[1] = replace(other[1], amount=501)
        with pytest.raises(LedgerConflict, match="the same payload"):
            await ledger.commit(batch(other, through=9_100, series={}))


async def test_a_cause_is_found_again(tmp_path):
    async with opened(tmp_path / "ledger.db") as ledger:
        await ledger.commit(batch(lines()))
    db = read_ledger(tmp_path / "ledger.db")
    assert find_cause(db, event(1).source_id) == 1
    assert find_cause(db, "epoch:0") is not None
    assert find_cause(db, "epoch:1") is None
