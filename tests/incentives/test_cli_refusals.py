"""incentives/cli/refusal.py, and the commands on a ledger that has nothing yet."""

import json
from pathlib import Path

import click
import pytest
import trio
from click.testing import CliRunner
from written_ledger import IDENTITY, PARAMETERS

from incentives.cli.commands import cli
from incentives.cli.refusal import Commands, Refusal
from incentives.ledger.opened import open_ledger

CONFIG = Path(__file__).parents[2] / "keeper.toml"


class Example(Commands):
    """A group that expects one kind of error."""

    expected = (LookupError,)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("a"), ["'a'"]),
        (
            ExceptionGroup(
                "", [LookupError("a"), ExceptionGroup("", [LookupError("b"), LookupError("a")])]
            ),
            ["a", "b"],
        ),
        (Refusal("no"), ["no"]),
        (ExceptionGroup("", [Refusal("no")]), ["no"]),
    ],
)
def test_expected_errors_become_one_sentence_each_and_exit_code_2(error, told):
    @click.group(cls=Example)
    def group():
        pass

    @group.command("fail")
    def fail():
        raise error

    result = CliRunner().invoke(group, ["fail"])
    assert 2 == result.exit_code
    assert "incentives: " + "\n".join(told) + "\n" == result.stderr


def test_an_error_that_nobody_expected_keeps_its_traceback():
    @click.group(cls=Example)
    def group():
        pass

    @group.command("fail")
    def fail():
        raise ExceptionGroup("", [LookupError("a"), ZeroDivisionError("b")])

    assert isinstance(CliRunner().invoke(group, ["fail"]).exception, ZeroDivisionError)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A ledger that was opened once and has read nothing."""

    async def make():
        async with open_ledger(path, IDENTITY, PARAMETERS):
            pass

    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    trio.run(make)
    return path


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        ("balances", None),
        ("epoch", None),
        ("payouts", None),
        ("bootstrap", "trades"),
        ("verify", "findings"),
    ],
)
def test_an_empty_ledger_has_no_rows(empty, command, rows):
    result = CliRunner().invoke(cli, [command, "--ledger", str(empty)])
    assert 0 == result.exit_code, result.output
    found = json.loads(result.stdout)
    assert [] == (found if rows is None else found[rows])


def test_an_empty_ledger_balances(empty):
    result = CliRunner().invoke(cli, ["trial-balance", "--ledger", str(empty)])
    assert ["total"] == [row["account"] for row in json.loads(result.stdout)["accounts"]]
    for option in ("--hledger", "--beancount", "--csv"):
        assert 0 == CliRunner().invoke(cli, ["export", option, "--ledger", str(empty)]).exit_code


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["explain", "1"], "the ledger is empty"),
        (["recompute"], "the ledger is empty"),
        (["simulate", "--config", str(CONFIG)], "the ledger is empty"),
        (["reconcile", "--recorded"], "no reading of the chain is recorded"),
        (["statement", "x"], "x has no line in this ledger"),
        (["epoch", "0"], "none is closed yet"),
    ],
)
def test_what_an_empty_ledger_cannot_answer_gets_a_sentence(empty, words, reason):
    result = CliRunner().invoke(cli, [*words, "--ledger", str(empty)])
    assert (2, 1) == (result.exit_code, result.stderr.count("\n")), result.output
    assert reason in result.stderr
