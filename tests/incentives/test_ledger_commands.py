"""The commands that ask the ledger, through the real command line, on a file that is being written meanwhile."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from processes import free_ports
from sqlite_utils import Database
from written_ledger import being_written, played, wallet

from incentives.cli.commands import cli
from incentives.cli.ledger_options import wallet_named
from incentives.cli.refusal import Refusal
from state.sqlite import sqlite3

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def season():
    return played()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory, season):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with being_written(path, season):
        yield path


@pytest.fixture
def ask(ledger):
    """Run a command on the ledger; return what it printed as JSON."""

    def asked(*words, exit_code=0):
        result = CliRunner().invoke(cli, [*words, "--ledger", str(ledger)])
        assert exit_code == result.exit_code, result.output
        return json.loads(result.stdout) if exit_code != 2 else result.stderr

    return asked


def test_a_statement_opens_with_nothing_and_closes_with_everything(ask):
    found = ask("statement", wallet("alice"))
    assert wallet("alice") == found["wallet"]
    opening, *lines, closing = found["lines"]
    assert ("opening", "0", "0") == (opening["code"], opening["amount"], opening["accrued"])
    assert [line["code"] for line in lines] == [
        "trade_boosted",
        "scaling",
        "allocation",
        "trade_boosted",
        "root",
        "payout",
        "scaling",
        "allocation",
        "root",
    ]
    assert ("40000000000", "40.000000000") == (lines[0]["amount"], lines[0]["amount_mmt"])
    assert [(None, "accrued"), ("accrued", None), ("accrued", "payable")] == [
        (line["from"], line["to"]) for line in lines[:3]
    ]
    assert all(
        (line["signature"] is None) == (line["code"] in {"scaling", "allocation"}) for line in lines
    )
    (balance,) = ask("balances", wallet("alice"))
    assert balance["earned"] == closing["amount"]
    assert all(
        balance[role] == closing[role] for role in ("accrued", "payable", "in_flight", "paid")
    )


def test_a_statement_of_an_interval_opens_with_what_came_before(ask):
    whole = ask("statement", wallet("alice"))["lines"]
    opening, *lines, closing = ask(
        "statement", wallet("alice"), "--since-slot", "1100", "--until-slot", "1150"
    )["lines"]
    assert lines == [line for line in whole if line["slot"] and 1_100 <= line["slot"] <= 1_150]
    assert ("40000000000", 1_100) == (opening["accrued"], opening["slot"])
    assert (lines[-1]["accrued"], 1_150) == (closing["accrued"], closing["slot"])
    later = ask("statement", wallet("alice"), "--since-slot", "9999")["lines"]
    assert ["opening", "closing"] == [line["code"] for line in later]
    assert later[0]["amount"] == later[1]["amount"] == whole[-1]["amount"]


def test_a_wallet_is_named_by_how_its_address_begins_where_that_is_unique(ask):
    address = wallet("alice")
    assert address == ask("statement", address[:6])["wallet"]
    assert "begins several wallets" in ask("balances", "", exit_code=2)
    assert "expected the address of a wallet" in ask("payouts", "--wallet", "0", exit_code=2)


def test_an_ambiguous_beginning_is_answered_with_its_wallets_and_says_whether_there_are_more():
    db = Database(memory=True)
    db["account"].insert_all({"wallet": f"same{letter}"} for letter in "abc")
    with pytest.raises(Refusal, match=r"several wallets \(samea, sameb, samec\): give"):
        wallet_named(db, "same")
    db["account"].insert({"wallet": "samed"})
    with pytest.raises(Refusal, match=r"several wallets \(samea, sameb, samec, …\): give"):
        wallet_named(db, "same")
    assert "samed" == wallet_named(db, "samed")


def test_simulate_says_which_of_its_two_files_is_wrong(tmp_path):
    """--config names the other rules, so the file that names the ledger has an option of its own."""
    rules, config = tmp_path / "rules.toml", tmp_path / "keeper.toml"
    rules.write_text("")
    config.write_text("cluster = 1")
    words = ["simulate", "--config", str(rules), "--keeper-config", str(config)]
    refused = CliRunner().invoke(cli, words)
    assert 2 == refused.exit_code
    assert f"--keeper-config the ledger): {config} has" in refused.output
    assert str(rules) not in refused.output


def test_balances_come_in_order_of_what_was_earned(ask):
    found = ask("balances")
    assert found == sorted(found, key=lambda row: -int(row["earned"]))
    assert {wallet(name) for name in ("alice", "carol", "dave", "maker")} == {
        row["wallet"] for row in found
    }
    assert found[:2] == ask("balances", "--limit", "2")
    assert found[:1] == ask("balances", found[0]["wallet"])


def test_the_trial_balance_sums_to_zero_now_and_at_any_slot(ask, season):
    for options in [(), *(("--at-slot", str(slot)) for slot in range(999, 1_212, 23))]:
        found = ask("trial-balance", *options)
        *accounts, total = found["accounts"]
        assert ("total", "0") == (total["account"], total["balance"])
        assert total["debits"] == total["credits"]
        assert 0 == sum(int(account["balance"]) for account in accounts)
    assert [] == ask("trial-balance", "--at-slot", "999")["accounts"][:-1]


def test_the_trial_balance_of_the_last_slot_is_the_present_one(ask):
    now = ask("trial-balance")["accounts"]
    assert now == ask("trial-balance", "--at-slot", "999999")["accounts"]


def test_epochs_are_listed_and_one_is_taken_apart(ask, season):
    epochs = ask("epoch")
    assert [0, 1] == [epoch["epoch"] for epoch in epochs]
    found = ask("epoch", "0")
    assert epochs[0] == {name: value for name, value in found.items() if name != "allocations"}
    close = season.closes[0]
    assert [(each.wallet, str(each.amount)) for each in close.allocations] == [
        (row["wallet"], row["amount"]) for row in found["allocations"]
    ]
    assert ["posted", "in_flight", "in_flight"] == [row["state"] for row in found["allocations"]]
    assert all(int(row["claim"]) >= int(row["amount"]) for row in found["allocations"])
    codes = {row["code"]: row for row in ask("epoch", "0", "--by-code")["codes"]}
    assert found["emitted"] == codes["emission"]["amount"] == codes["allocation"]["amount"]
    assert "the newest that is closed is 1" in ask("epoch", "7", exit_code=2)
    assert "expected an EPOCH" in ask("epoch", "--by-code", exit_code=2)


def test_the_first_hundred_trades_are_doubled_voided_waiting_or_left(ask):
    found = ask("bootstrap")
    assert (94, 4, 1, 1) == tuple(
        found[name] for name in ("trades_left", "trades_doubled", "trades_voided", "trades_waiting")
    )
    states = {trade["trade_number"]: trade["state"] for trade in found["trades"]}
    assert states == {
        1: "doubled",
        2: "voided",
        3: "doubled",
        4: "doubled",
        5: "doubled",
        6: "waiting",
    }
    voided, waiting = found["trades"][1], found["trades"][5]
    assert (wallet("bob"), "0") == (voided["wallet"], voided["amount"])
    assert voided["reason"].startswith("closed 5 slots after its open")
    assert (wallet("erin"), None) == (waiting["wallet"], waiting["amount"])


def test_a_transfer_is_explained_by_its_number_and_by_its_cause(ask, season):
    line = ask("statement", wallet("alice"))["lines"][1]
    (found,) = ask("explain", str(line["seq"]))
    assert found["sentence"].startswith(
        "A trade of $2,000, held for 20 slots, earns 1 MMT per $100"
    )
    assert (line["amount"], line["amount"], True) == (
        found["amount"],
        found["recomputed"],
        found["agrees"],
    )
    assert ("1000", "2") == (found["inputs"]["shares bought"], found["inputs"]["multiplier"])
    assert ("POSITION_OPENED", 1_010) == (found["event"], found["event_slot"])
    assert (wallet("alice"), 2_000_000_000) == (
        found["event_fields"]["owner"],
        found["event_fields"]["notional"],
    )
    assert [found] == ask("explain", found["signature"]) == ask("explain", found["cause"])
    assert 8 == len(ask("explain", "epoch:1"))


def test_every_transfer_of_a_ledger_is_explained_and_none_disagrees(ask):
    for row in ask("sql", "SELECT seq, code FROM transfer"):
        (found,) = ask("explain", str(row["seq"]))
        assert found["sentence"]
        assert found["agrees"] is not False


def test_an_explanation_is_also_a_page_for_people(ledger, ask):
    signature = ask("statement", wallet("alice"))["lines"][1]["signature"]
    page = (
        CliRunner().invoke(cli, ["explain", signature, "--table", "--ledger", str(ledger)]).stdout
    )
    assert "formula        floor(counted notional * reward rate * multiplier)" in page
    assert "event  trade_number" in page


def test_what_moved_nothing_is_explained_in_a_sentence(ask):
    trades = ask("bootstrap")["trades"]
    voided = ask("explain", trades[1]["signature"], exit_code=2)
    assert "has moved no MMT yet (POSITION_OPENED at slot 1010): closed 5 slots after" in voided
    assert "waits until it has been held" in ask("explain", trades[5]["signature"], exit_code=2)
    assert "is no transfer of this ledger" in ask("explain", "1", exit_code=2)
    assert "expected a signature" in ask("explain", "nothing", exit_code=2)
    for text in ("epoch:x", "epoch:9", "x:0", "x:0:0", "x:99999:0", ":", "9" * 30):
        assert "expected a signature" in ask("explain", text, exit_code=2)


def test_payouts_are_chosen_by_state_epoch_wallet_and_age(ask):
    everything = ask("payouts")
    assert (5, 1) == (everything["payouts_in_flight"], everything["payouts_posted"])
    assert 6 == len(everything["payouts"])
    (posted,) = ask("payouts", "--state", "posted")["payouts"]
    assert posted["paid_signature"]
    assert posted["slots_waiting"] is None
    assert 3 == len(ask("payouts", "--epoch", "1")["payouts"])
    (of_both,) = ask("payouts", "--wallet", wallet("alice"), "--epoch", "1")["payouts"]
    assert ("in_flight", 1_205) == (of_both["state"], of_both["root_slot"])
    stuck = ask("payouts", "--stuck", "--after-slots", "50")["payouts"]
    assert [(0, 1), (0, 2)] == [(row["epoch"], row["leaf"]) for row in stuck]
    assert [] == ask("payouts", "--stuck")["payouts"]


def test_sql_takes_parameters_and_knows_amounts(ask, ledger):
    query = "SELECT code, amount, mmt(amount) AS exact FROM transfer WHERE code = :code AND amount > :least"
    assert [
        {
            "code": "emission",
            "amount": "25720164609",
            "amount_mmt": "25.720164609",
            "exact": "25.720164609",
        }
    ] * 2 == ask("sql", query, "-p", "code", "emission", "-p", "least", "1000")
    piped = CliRunner().invoke(
        cli, ["sql", "-", "--csv", "--ledger", str(ledger)], input="SELECT 1 AS one"
    )
    assert "one\n1\n" == piped.stdout


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM transfer",
        "UPDATE balance SET debits = 0",
        "DROP TABLE event",
        "PRAGMA user_version = 3",
    ],
)
def test_sql_does_not_write(ask, ledger, query):
    assert ask("sql", query, exit_code=2).startswith("incentives: the query")
    assert ask("balances")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT * FROM payment", "no such table: payment"),
        ("SELECT :wallet", "did not supply a value"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("", "selects nothing"),
    ],
)
def test_a_query_that_cannot_be_answered_gets_a_sentence(ask, query, reason):
    told = ask("sql", query, exit_code=2)
    assert told.startswith("incentives: the query ")
    assert reason in told
    assert 1 == told.count("\n")


@pytest.mark.parametrize(
    "command",
    ["statement x", "balances", "trial-balance", "epoch", "bootstrap", "payouts", "sql 'SELECT 1'"],
)
def test_a_file_that_is_no_ledger_gets_a_sentence(tmp_path, command):
    (tmp_path / "text").write_text("no database\n" * 1_000)
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE t (a)").close()
    words = command.replace("'SELECT 1'", "x").split()
    for name, reason in {
        "missing": "does not exist",
        "text": "not a",
        "other.db": "no reward ledger",
    }.items():
        result = CliRunner().invoke(cli, [*words, "--ledger", str(tmp_path / name)])
        assert (2, 1) == (result.exit_code, result.stderr.count("\n")), result.output
        assert reason in result.stderr


def test_numbers_beyond_what_sqlite_holds_are_refused(ask):
    huge = "9" * 30
    for words in (
        ("epoch", huge),
        ("trial-balance", "--at-slot", huge),
        ("statement", wallet("alice"), "--since-slot", huge),
        ("payouts", "--epoch", huge),
        ("sql", "SELECT :n", "-p", "n", huge),
    ):
        assert "Traceback" not in ask(*words, exit_code=2)


def test_every_form_of_output_has_the_same_rows(ledger):
    def printed(*options):
        return CliRunner().invoke(cli, ["balances", *options, "--ledger", str(ledger)]).stdout

    rows = json.loads(printed())
    assert rows == [json.loads(line) for line in printed("--nl").splitlines()]
    assert rows == list(csv.DictReader(io.StringIO(printed("--csv"))))
    assert rows == list(csv.DictReader(io.StringIO(printed("--tsv")), delimiter="\t"))
    assert len(rows) + 2 == len(printed("--table").splitlines())
    assert rows[0]["earned_mmt"] in printed("--fmt", "psql")


def test_the_shell_completes_wallets_from_the_ledger(ledger):
    words = f"incentives statement --ledger {ledger} {wallet('alice')[:2]}"
    environment = os.environ | {
        "_INCENTIVES_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": "4",
    }
    ended = subprocess.run(
        [Path(sys.executable).with_name("incentives")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"plain,{wallet('alice')}\n" == ended.stdout


def test_the_ledger_is_the_one_that_keeper_toml_names(ledger, tmp_path, season):
    text = (ROOT / "keeper.toml").read_text()
    config = tmp_path / "keeper.toml"
    config.write_text(text.replace("[incentives]", f'[incentives]\nledger = "{ledger}"'))
    found = CliRunner().invoke(cli, ["epoch", "--config", str(config)])
    assert [0, 1] == [epoch["epoch"] for epoch in json.loads(found.stdout)]
    config.write_text(text)
    nowhere = CliRunner().invoke(cli, ["epoch", "--config", str(config)])
    assert (2, 1) == (nowhere.exit_code, nowhere.stderr.count("\n"))
    assert "there is no ledger in" in nowhere.stderr


@pytest.fixture
def other(tmp_path):
    """Write the rules that are simulated."""

    def written(text):
        path = tmp_path / "other.toml"
        path.write_text(text)
        return ("simulate", "--config", str(path))

    return written


def test_the_rules_that_were_in_force_would_have_paid_what_was_owed(ask, other):
    for options in ((), ("--by-epoch",)):
        found = ask(*other("[incentives]\n"), *options)
        assert ("0", "0") == (found["difference"], found["ledger_unallocated"])
        assert 2 == found["simulated_epochs"] == found["ledger_epochs"]
        assert {"0"} == {row["difference"] for row in found["wallets" if not options else "epochs"]}


def test_other_rules_are_compared_wallet_by_wallet_and_epoch_by_epoch(ask, other):
    text = "[incentives]\n[[incentives.rules]]\ntrade_reward_ppm = 0\n"
    found = ask(*other(text))
    owed = {
        row["wallet"]: row["amount"]
        for row in ask("sql", "SELECT wallet, sum(amount) AS amount FROM payout GROUP BY wallet")
    }
    assert owed == {row["wallet"]: row["ledger"] for row in found["wallets"]}
    simulated = {row["wallet"]: int(row["simulated"]) for row in found["wallets"]}
    assert 0 == simulated[wallet("alice")]
    assert simulated[wallet("maker")] == 2_083_333 + 2_314_814, (
        "mining alone, and none of it scaled"
    )
    assert wallet("maker") == found["wallets"][0]["wallet"], "who gains most comes first"
    assert 0 == found["simulated_scaled_epochs"]
    assert int(found["simulated"]) - int(found["ledger"]) == int(found["difference"])
    by_epoch = ask(*other(text), "--by-epoch")
    assert [(0, "2083333"), (1, "2314814")] == [
        (row["epoch"], row["simulated"]) for row in by_epoch["epochs"]
    ]
    longer = ask(*other("[incentives]\nepoch_slots = 200\n"), "--by-epoch")
    assert (2, 1) == (longer["ledger_epochs"], longer["simulated_epochs"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[incentives]\nepoch_slots = 7\n", "expected a divisor of 9000"),
        (
            "[[incentives.rules]]\nmining_rate_ppm = 100001\n",
            "found 100001, expected an integer from 0 to 100000",
        ),
        ("[incentives]\nepochs = 1\n", "incentives.epochs: unknown key"),
        ("incentives = 3", "expected a table"),
        ("[incentives", "is no TOML"),
    ],
)
def test_rules_that_cannot_be_get_a_sentence(ask, other, text, reason):
    assert reason in ask(*other(text), exit_code=2)


@pytest.mark.parametrize("words", [["epoch"], ["serve"]])
def test_a_file_that_is_no_database_is_refused_with_what_to_check(tmp_path, words):
    file = tmp_path / "notes.txt"
    file.write_text("no ledger at all")
    refused = CliRunner().invoke(cli, [*words, "--ledger", str(file)])
    assert 2 == refused.exit_code
    assert (
        "cannot be read as a reward ledger (file is not a database): check --ledger"
        in refused.output
    )


def test_a_cluster_that_does_not_answer_is_told_with_what_to_check(ledger):
    words = ["recompute", "--from-chain", "--rpc-url", f"http://127.0.0.1:{free_ports(1)[0]}"]
    refused = CliRunner().invoke(cli, [*words, "--ledger", str(ledger)])
    assert 2 == refused.exit_code
    assert "check cluster.rpc_urls or --rpc-url" in refused.output
