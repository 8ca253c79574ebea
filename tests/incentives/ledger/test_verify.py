"""A corruption of every kind is found, and nothing is found where there is none."""

import shutil
from contextlib import closing, contextmanager

import pytest
import trio
from sqlite_utils import Database

from incentives.ledger.errors import LedgerError
from incentives.ledger.opened import open_ledger, read_ledger
from incentives.ledger.recompute import recompute
from incentives.ledger.recorded import read_progress
from incentives.ledger.schema import APPEND_ONLY, LEDGER
from incentives.ledger.verify import verify
from incentives.rules.rulebook import Rulebook
from state.errors import HistoryConflict
from state.schema import migrate
from state.sqlite import sqlite3
from tests.incentives.ledger.a_season import (
    ALICE,
    BOB,
    CAROL,
    IDENTITY,
    PARAMETERS,
    deliveries,
    make_ledger,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("season") / "ledger.db"
    trio.run(make_ledger, path)
    return path


@pytest.fixture
def path(sound, tmp_path):
    return shutil.copy(sound, tmp_path / "ledger.db")


@contextmanager
def unguarded(path):
    """Write past every guard of the file, and leave the guards as they were."""
    with closing(sqlite3.connect(path)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("COMMIT")


def findings(path, anchors=None):
    with closing(read_ledger(path)) as db:
        return [(each.check, each.sentence) for each in verify(db, anchors)]


def head_at(path):
    with closing(read_ledger(path)) as db:
        return read_progress(db).head


def head_of(path, epoch):
    with closing(read_ledger(path)) as db:
        return db.conn.execute("SELECT head FROM anchor WHERE epoch = ?", [epoch]).fetchone()[0]


def test_a_sound_ledger_has_no_findings(sound):
    assert findings(sound) == []
    assert findings(sound, {0: head_of(sound, 0), 1: head_of(sound, 1)}) == []


_TRADE = "(SELECT seq FROM transfer WHERE code = 'trade_boosted' ORDER BY seq LIMIT 1)"
_LAST_EVENT = "(SELECT max(seq) FROM event)"
_ACCOUNT = "(SELECT id FROM account WHERE wallet = '{}' AND role = '{}')"


def _account(wallet, role):
    return _ACCOUNT.format(wallet, role)


CORRUPTIONS = [
    (
        "the rules' memory",
        "UPDATE snapshot SET body = json_set(body, '$.pot', '1')",
        "snapshot",
        "the snapshot of the rules' memory is not what was written",
    ),
    (
        "a series forgotten",
        "DELETE FROM series WHERE series = 0",
        "order",
        "nothing says how far series 0 is read",
    ),
    (
        "a row that its CHECK forbids",
        "UPDATE payout SET void_reason = 'mine' WHERE leaf = 0",
        "file",
        "CHECK constraint failed in payout",
    ),
    # The chain of hashes.
    (
        "an amount",
        f"UPDATE transfer SET amount = amount + 1 WHERE seq = {_TRADE}",
        "chain",
        "the chain of hashes breaks between line",
    ),
    (
        "a slot",
        f"UPDATE transfer SET slot = slot - 1 WHERE seq = {_TRADE}",
        "chain",
        "one was changed",
    ),
    (
        "inputs",
        f"UPDATE transfer SET inputs = '{{}}' WHERE seq = {_TRADE}",
        "chain",
        "one was changed",
    ),
    (
        "a rules version's parameters",
        "UPDATE config_version SET parameters = replace(parameters, '\"boosted_trades\":100', '\"boosted_trades\":99')",
        "chain",
        "one was changed",
    ),
    ("an anomaly's reason", "UPDATE anomaly SET reason = 'none'", "chain", "one was changed"),
    (
        "the wallet of a boosted trade",
        f"UPDATE boosted_trade SET wallet = '{ALICE}' WHERE trade_number = 3",
        "boosted",
        "is not what the program numbered so",
    ),
    (
        "an event's hash",
        f"UPDATE event SET hash = zeroblob(32) WHERE seq = {_LAST_EVENT}",
        "chain",
        "one was changed",
    ),
    (
        "an event's bytes",
        f"UPDATE event SET payload = CAST(payload || x'01' AS BLOB) WHERE seq = {_LAST_EVENT}",
        "chain",
        "one was changed",
    ),
    (
        "the last line",
        "UPDATE progress SET head = zeroblob(32)",
        "chain",
        "do not lead to the head",
    ),
    ("the count of lines", "UPDATE progress SET seq = seq + 1", "chain", "but its last one is"),
    (
        "where the ledger stands",
        "DELETE FROM progress",
        "chain",
        "no record of where the ledger stands",
    ),
    ("the identity", f"UPDATE identity SET program = '{ALICE}'", "chain", "between line 1 and"),
    # Rows that came or went.
    ("a transfer gone", f"DELETE FROM transfer WHERE seq = {_TRADE}", "lines", "is missing"),
    (
        "several lines gone",
        "DELETE FROM transfer WHERE code = 'allocation'",
        "lines",
        "are missing",
    ),
    (
        "the newest line gone",
        f"DELETE FROM event WHERE seq = {_LAST_EVENT}",
        "chain",
        "but its last one is",
    ),
    (
        "a line twice",
        f"INSERT INTO anomaly (seq, kind, cause, slot, reason) VALUES ({_TRADE}, '', '', 1, '')",
        "lines",
        "and in another table",
    ),
    (
        "an account gone",
        f"DELETE FROM account WHERE wallet = '{CAROL}' AND role = 'accrued'",
        "lines",
        "is missing",
    ),
    (
        "an account renamed",
        f"UPDATE account SET wallet = '{IDENTITY.mint}' WHERE wallet = '{CAROL}' AND role = 'payable'",
        "chain",
        "one was changed",
    ),
    (
        "an event's cause gone",
        "UPDATE transfer SET cause_seq = 2 WHERE code = 'payout'",
        "lines",
        "is no event and no close",
    ),
    # Order.
    (
        "an event's place",
        f"UPDATE event SET tx_index = 0, slot = 1010 WHERE seq = {_LAST_EVENT}",
        "order",
        "is not after the event before it",
    ),
    (
        "an event's number",
        f"UPDATE event SET sequence = 99 WHERE seq = {_LAST_EVENT}",
        "lines",
        "are not what its bytes say",
    ),
    (
        "an event's id",
        f"UPDATE event SET id = zeroblob(20) WHERE seq = {_LAST_EVENT}",
        "lines",
        "are not what its bytes say",
    ),
    (
        "a gap in a series",
        "UPDATE event SET sequence = 9 WHERE series = 4294967295 AND sequence = 2",
        "order",
        "after number 1",
    ),
    (
        "a series behind",
        "UPDATE series SET sequence = 1 WHERE series = 0",
        "order",
        "is read up to number 1",
    ),
    (
        "a slot not read yet",
        "UPDATE progress SET through_slot = 2500",
        "order",
        "read through slot 2500",
    ),
    # Balances.
    (
        "a balance",
        f"UPDATE balance SET credits = credits + 1 WHERE account = {_account(ALICE, 'paid')}",
        "balances",
        "the balance of wallet",
    ),
    (
        "two balances that cancel out",
        f"UPDATE balance SET credits = credits + iif(account = {_account(ALICE, 'payable')}, 1, -1) WHERE account IN ({_account(ALICE, 'payable')}, {_account(BOB, 'payable')})",
        "balances",
        "its transfers",
    ),
    (
        "debits unlike credits",
        "UPDATE balance SET debits = 0 WHERE account = (SELECT id FROM account WHERE role = 'mint')",
        "balances",
        "they must be equal",
    ),
    (
        "a balance gone",
        f"DELETE FROM balance WHERE account = {_account(BOB, 'payable')}",
        "balances",
        "says nothing",
    ),
    (
        "a balance of nobody",
        "INSERT INTO balance (account, may_overdraw) VALUES (999, 0)",
        "balances",
        "account 999, which does not exist",
    ),
    ("leave to overdraw", "UPDATE balance SET may_overdraw = 1", "balances", "the balance of"),
    (
        "an overdraft",
        "UPDATE transfer SET amount = amount * 2 WHERE code = 'payout'",
        "balances",
        "overdraws wallet",
    ),
    # Where MMT may go.
    (
        "a payout to another wallet",
        f"UPDATE transfer SET credit = {_account(BOB, 'accrued')} WHERE code = 'payout'",
        "routes",
        "is a payout from",
    ),
    (
        "a code",
        "UPDATE transfer SET code = 'gift' WHERE code = 'payout'",
        "routes",
        "is a gift from",
    ),
    (
        "another wallet's reward",
        f"UPDATE transfer SET debit = {_account(BOB, 'accrued')} WHERE code = 'allocation' AND debit = {_account(CAROL, 'accrued')}",
        "routes",
        "is a allocation from",
    ),
    # Epochs, emission, allocations.
    (
        "an emission",
        "UPDATE epoch SET emitted = emitted + 1 WHERE epoch = 1",
        "emission",
        "the season's formula gives",
    ),
    (
        "an emission not moved",
        "UPDATE transfer SET amount = amount - 1 WHERE code = 'emission'",
        "emission",
        "and moved",
    ),
    (
        "what rolled over",
        "UPDATE epoch SET rolled_over = rolled_over + 5 WHERE epoch = 1",
        "epochs",
        "earlier ones left",
    ),
    (
        "a calendar",
        "UPDATE epoch SET end_slot = end_slot + 1 WHERE epoch = 0",
        "epochs",
        "the season's calendar does not say",
    ),
    ("an epoch gone", "DELETE FROM epoch WHERE epoch = 0", "epochs", "where epoch 0 was due"),
    (
        "an epoch not closed",
        "UPDATE progress SET through_slot = 3700",
        "epochs",
        "epoch 2 is not closed",
    ),
    (
        "the rules of an epoch",
        "UPDATE epoch SET rules_version = 2 WHERE epoch = 0",
        "epochs",
        "which is not in force",
    ),
    (
        "an allocation",
        f"UPDATE epoch_allocation SET amount = amount + 1 WHERE epoch = 0 AND wallet = '{BOB}'",
        "allocations",
        "its claims and the pot give",
    ),
    (
        "a claim",
        "UPDATE epoch_allocation SET claim_numerator = '1' WHERE epoch = 0",
        "allocations",
        "its transfers come to",
    ),
    (
        "an allocation gone",
        f"DELETE FROM epoch_allocation WHERE wallet = '{BOB}'",
        "allocations",
        "parts sum to",
    ),
    (
        "what is scaled",
        "UPDATE epoch SET is_scaled = 1 WHERE epoch = 0",
        "allocations",
        "says wrongly whether",
    ),
    (
        "an accrual left behind",
        "UPDATE transfer SET amount = amount - 7 WHERE code = 'allocation'",
        "epochs",
        "accrued and not allocated",
    ),
    # The first hundred trades.
    (
        "a double reward not recorded",
        "DELETE FROM boosted_trade WHERE trade_number = 3",
        "boosted",
        "is none of the boosted trades",
    ),
    (
        "a trade neither rewarded nor voided",
        "DELETE FROM boosted_trade WHERE trade_number = 2",
        "boosted",
        "neither rewarded nor voided",
    ),
    (
        "a voided trade rewarded",
        "UPDATE boosted_trade SET is_voided = 1 WHERE trade_number = 3",
        "boosted",
        "expected 0",
    ),
    (
        "a reward taken back",
        "UPDATE boosted_trade SET is_voided = 0 WHERE trade_number = 2",
        "boosted",
        "has 0 double rewards",
    ),
    (
        "a trade's number",
        "UPDATE boosted_trade SET trade_number = 57 WHERE trade_number = 3",
        "boosted",
        "is not what the program numbered so",
    ),
    # Payouts.
    (
        "a payout's amount",
        f"UPDATE payout SET amount = amount + 1 WHERE wallet = '{BOB}' AND epoch = 0",
        "payouts",
        "under the id that follows from it",
    ),
    (
        "a payout's leaf",
        f"UPDATE payout SET leaf = 77 WHERE wallet = '{BOB}' AND epoch = 0",
        "payouts",
        "as leaf 77",
    ),
    (
        "a payout's id",
        f"UPDATE payout SET id = zeroblob(32) WHERE wallet = '{BOB}' AND epoch = 0",
        "payouts",
        "under the id",
    ),
    (
        "a payout gone",
        f"DELETE FROM payout WHERE wallet = '{BOB}'",
        "payouts",
        "has no payout for it",
    ),
    (
        "a payout to a stranger",
        f"UPDATE payout SET wallet = '{IDENTITY.mint}' WHERE wallet = '{BOB}'",
        "payouts",
        "to whom it owes nothing",
    ),
    (
        "a payout called paid",
        f"UPDATE payout SET state = 'posted', paid_seq = 27 WHERE wallet = '{BOB}'",
        "payouts",
        "its transfers say pending",
    ),
    (
        "a payout called unpaid",
        "UPDATE payout SET state = 'pending', paid_seq = NULL",
        "payouts",
        "its transfers say posted",
    ),
    (
        "a payout voided though paid",
        "UPDATE payout SET state = 'voided', paid_seq = NULL, void_reason = '' WHERE state = 'posted'",
        "payouts",
        "its transfers say posted",
    ),
    ("a payout's root", "UPDATE payout SET root_seq = 7", "payouts", "by root 7"),
    (
        "a leaf paid twice",
        f"UPDATE transfer SET code = 'payout', epoch = 0, credit = {_account(ALICE, 'paid')} WHERE code = 'foreign_payout'",
        "payouts",
        "in 2 transfers",
    ),
    # The chain.
    (
        "a treasury short",
        "UPDATE chain_reading SET treasury = treasury - 1",
        "treasury",
        "1 less than the ledger explains",
    ),
    (
        "more MMT than there can be",
        "UPDATE chain_reading SET supply = supply + 1",
        "treasury",
        "but genesis made",
    ),
    ("an open sink", "UPDATE chain_reading SET sink = sink - 1", "treasury", "genesis put"),
    (
        "a root unheard of",
        "UPDATE chain_reading SET posted = posted + 1",
        "treasury",
        "the events say",
    ),
    # What guards the file.
    (
        "an index gone",
        "DROP INDEX transfer_by_credit",
        "schema",
        "index transfer_by_credit is missing",
    ),
    (
        "a report changed",
        "DROP VIEW anchor; CREATE VIEW anchor AS SELECT 1",
        "schema",
        "view anchor is not what this release made it",
    ),
    (
        "a table without its checks",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'CHECK (amount > 0)', '') WHERE name = 'transfer'",
        "schema",
        "table transfer is not what",
    ),
]


@pytest.mark.parametrize(
    ("sql", "check", "sentence"), [pytest.param(*rest, id=name) for name, *rest in CORRUPTIONS]
)
def test_a_planted_corruption_is_found(path, sql, check, sentence):
    with unguarded(path) as connection:
        for statement in sql.split("; "):
            connection.execute(statement)
    found = findings(path)
    assert any(name == check and sentence in text for name, text in found), found


BESIDE_THE_CHAIN = {
    "chain_reading": "what was seen of the chain, beside the ledger; amounts that nobody may lose are compared, times are not",
    "snapshot": "hashed by itself",
    "balance.may_overdraw": "follows from the account, and an overdraft is found by the balances",
    "progress.through_slot": "who reads on finds the gap by the program's running numbers",
    "series.sequence": "price updates take numbers and are not recorded; who reads on finds the gap",
}
"""Where a change need not show, and why that costs nobody anything."""


def every_column():
    """Yield table, column and the columns of the primary key, of whatever this release's schema stores."""
    fresh = Database(memory=True)
    migrate(fresh, ":memory:", LEDGER)
    for table in fresh.tables:
        if not table.name.startswith("_"):
            for column in table.columns:
                if not {table.name, f"{table.name}.{column.name}"} & BESIDE_THE_CHAIN.keys():
                    yield table.name, column.name, ", ".join(table.pks)


@pytest.mark.parametrize(("table", "column", "key"), sorted(every_column()))
def test_a_change_in_any_column_is_found(path, table, column, key):
    with unguarded(path) as connection:
        changed = connection.execute(
            f"UPDATE {table} SET {column} = CASE typeof({column}) WHEN 'integer' THEN {column} + 1000003 "
            f"WHEN 'blob' THEN zeroblob(length({column})) WHEN 'null' THEN '1' ELSE {column} || '1' END "
            f"WHERE ({key}) IN (SELECT {key} FROM {table} LIMIT 1)"
        )
    assert changed.rowcount == 1
    assert findings(path) != []


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_a_missing_guard_is_found_and_the_ledger_is_not_written(path, table):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TRIGGER {table}_never_changes")
    assert findings(path) == [
        ("schema", f"trigger {table}_never_changes is missing: it guards {table}")
    ]

    async def open_it():
        async with open_ledger(path, IDENTITY, PARAMETERS):
            pass

    with pytest.raises(HistoryConflict, match="lacks the triggers that guard its history"):
        trio.run(open_it)


def test_a_guard_that_guards_nothing_is_found(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER transfer_never_changes")
        connection.execute(
            "CREATE TRIGGER transfer_never_changes BEFORE UPDATE ON transfer BEGIN SELECT 1; END"
        )
        connection.execute(
            "CREATE TRIGGER thief AFTER INSERT ON transfer BEGIN DELETE FROM snapshot; END"
        )
    sentences = [sentence for _, sentence in findings(path)]
    assert sentences[0] == "trigger transfer_never_changes is not what this release made it"
    assert "trigger thief on transfer is none of this release's" in sentences[1]


def test_a_ledger_rewritten_with_its_hashes_differs_from_what_was_published(path):
    assert findings(path, {0: "00" * 32})[0][0] == "anchors"
    assert "is it an old copy?" in findings(path, {7: "00" * 32})[0][1]


def test_a_copy_made_while_the_ledger_was_written_is_found(tmp_path):
    """Half of its pages are older than the others, as where a copy overtakes a writer."""
    path, torn = tmp_path / "ledger.db", tmp_path / "torn.db"
    told = list(deliveries())
    trio.run(make_ledger, path, told[:3])
    before, heads = path.read_bytes(), {head_at(path)}
    path.unlink()
    trio.run(make_ledger, path, told)
    after = path.read_bytes()
    heads.add(head_at(path))
    found = []
    for middle in range(4096, len(before), 6 * 4096):
        torn.write_bytes(after[:middle] + before[middle:])
        found.append(findings(torn))
        # Where every page that differs is on one side, the copy is whole.
        assert found[-1] or head_at(torn) in heads, middle
    assert sum(map(bool, found)) > len(found) // 2


def test_a_copy_whose_tables_are_older_than_its_head_is_not_written(path):
    with unguarded(path) as connection:
        connection.execute(f"DELETE FROM event WHERE seq = {_LAST_EVENT}")

    async def open_it():
        async with open_ledger(path, IDENTITY, PARAMETERS):
            pass

    with pytest.raises(LedgerError, match="was it copied while it was written"):
        trio.run(open_it)


def test_verify_finishes_where_a_check_cannot(path):
    with unguarded(path) as connection:
        connection.execute(
            "UPDATE epoch_allocation SET wallet = 'nobody' || wallet WHERE epoch = 0"
        )
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE chain_reading")
    found = findings(path)
    assert ("schema", "table chain_reading is missing: it guards chain_reading") in found
    unfinished = {
        check for check, sentence in found if "could not be checked to the end" in sentence
    }
    assert unfinished == {"allocations", "payouts", "readings"}


def test_many_findings_of_one_kind_are_counted(path):
    with unguarded(path) as connection:
        connection.execute("UPDATE balance SET debits = debits + 1, credits = credits + 1")
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 500 UNION ALL SELECT i + 1 FROM n WHERE i < 540) "
            "INSERT INTO balance (account, may_overdraw) SELECT i, 0 FROM n"
        )
    found = [sentence for check, sentence in findings(path) if check == "balances"]
    assert len(found) == 21
    assert "more, the last of them: there is a balance of account 540" in found[-1]


def test_recomputing_gives_the_same_head_and_the_same_memory(sound):
    with closing(read_ledger(sound)) as db:
        again = recompute(db, Rulebook(PARAMETERS), PARAMETERS)
        chain = [event for events, _ in deliveries() for event in events]
        from_chain = recompute(db, Rulebook(PARAMETERS), PARAMETERS, chain)
    assert again.is_same
    assert again == from_chain
    assert (again.lines, again.head) == (again.recorded_lines, again.recorded_head)


def test_recomputing_tells_which_lines_differ(path):
    with unguarded(path) as connection:
        connection.execute(f"UPDATE transfer SET amount = amount + 1 WHERE seq = {_TRADE}")
    with closing(read_ledger(path)) as db:
        again = recompute(db, Rulebook(PARAMETERS), PARAMETERS)
    recorded, made = again.differences
    assert recorded.seq == made.seq
    assert recorded.recorded.replace("|2469135781|", "|2469135780|") == made.recomputed
    assert not again.is_same


def test_recomputing_pairs_lines_that_only_moved(path):
    chain = [event for events, _ in deliveries() for event in events]
    with closing(read_ledger(path)) as db:
        again = recompute(db, Rulebook(PARAMETERS), PARAMETERS, chain[:-1])
        fewer = recompute(db, Rulebook(PARAMETERS), PARAMETERS, chain[:-1], at_most=0)
    (left_out,) = again.differences
    assert left_out.recorded.startswith(f"event|{chain[-1].source_id}|")
    assert left_out.recomputed is None
    assert (fewer.differences, fewer.differences_left_out) == ((), 1)


def test_recomputing_finds_a_memory_that_the_events_do_not_lead_to(path):
    with unguarded(path) as connection:
        connection.execute("UPDATE snapshot SET body = json_set(body, '$.pot', '1')")
    with closing(read_ledger(path)) as db:
        again = recompute(db, Rulebook(PARAMETERS), PARAMETERS)
    assert not again.differences
    assert not again.is_memory_same
    assert not again.is_same


def test_verify_reads_one_state_while_others_write(path):
    with closing(read_ledger(path)) as db:
        found = verify(db)
        other = Database(sqlite3.connect(path))
        other.conn.execute("PRAGMA journal_mode = WAL")
        assert list(found) == []
        other.close()
