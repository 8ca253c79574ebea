"""incentives/journals.py, read back by the rules of the two formats, and by the tools themselves where they are installed."""

import re
import shutil
import subprocess
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from written_ledger import being_written, played

from incentives.cli.commands import cli
from incentives.journals import SLOTS_PER_DAY, Balance, Calendar, Entry, beancount, hledger

WALLETS = ("3x9az88Dkbxa6tkKByxqEn7jBTJCJCD4dVvou49L24ET", "z8x")
PATHS = [
    "mint",
    "pot",
    *(f"wallet/{each}/{role}" for each in WALLETS for role in ("accrued", "in_flight")),
]
CALENDAR = Calendar(first_slot=1_000, first_day=date(2026, 1, 31))
ROOTS = "Assets|Liabilities|Equity|Income|Expenses"
ACCOUNT = re.compile(rf"({ROOTS})(:[A-Z0-9][A-Za-z0-9-]*)+")
POSTING = re.compile(r"^ +(\S+)  (-?\d+\.\d{9}) MMT$")


@st.composite
def written(draw):
    """Transfers between accounts, and what they leave."""
    entries, sums = [], Counter(dict.fromkeys(PATHS, 0))
    for seq in range(draw(st.integers(0, 8))):
        debit, credit = draw(st.permutations(PATHS))[:2]
        amount = draw(st.integers(1, 2**63 - 1))
        entries.append(
            Entry(
                seq=seq,
                slot=1_000 + seq * SLOTS_PER_DAY,
                epoch=seq,
                code="trade",
                debit=debit,
                credit=credit,
                amount=amount,
                cause="5x:0:1",
                signature=draw(st.none() | st.just("5x")),
            )
        )
        sums[debit] -= amount
        sums[credit] += amount
    return entries, [Balance(path=path, balance=sums[path]) for path in PATHS]


def postings(text):
    """Return each transaction's postings."""
    groups = [[]]
    for line in text.splitlines():
        found = POSTING.match(line)
        if found:
            groups[-1].append((found[1], Decimal(found[2])))
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


@given(written())
def test_every_transaction_sums_to_zero_and_the_balances_are_what_is_asserted(case):
    entries, balances = case
    for write, asserted in (
        (hledger, re.compile(r"^    (\S+)  0 MMT = (\S+) MMT$", re.MULTILINE)),
        (beancount, re.compile(r"^\d{4}-\d\d-\d\d balance (\S+)  (\S+) MMT$", re.MULTILINE)),
    ):
        text = "".join(write(entries, balances, CALENDAR))
        found = postings(text)
        assert len(entries) == len(found)
        assert all(0 == sum(amount for _, amount in group) for group in found)
        sums = Counter()
        for group in found:
            for account, amount in group:
                sums[account] += amount
        claimed = {account: Decimal(amount) for account, amount in asserted.findall(text)}
        assert len(PATHS) == len(claimed)
        assert all(claimed[account] == sums[account] for account in claimed)


@given(written())
def test_names_are_what_beancount_takes_and_each_is_opened_once(case):
    text = "".join(beancount(*case, CALENDAR))
    opened = re.findall(r"^\S+ open (\S+) MMT$", text, re.MULTILINE)
    assert len(PATHS) == len(set(opened)) == len(opened)
    assert all(ACCOUNT.fullmatch(name) for name in opened)
    assert {account for group in postings(text) for account, _ in group} <= set(opened)


def test_a_day_is_216_000_slots_and_the_slot_stands_beside_it():
    assert (
        date(2026, 1, 31)
        == CALENDAR.day(1_000)
        == CALENDAR.day(999 + SLOTS_PER_DAY)
        == CALENDAR.day(1)
    )
    assert date(2026, 2, 1) == CALENDAR.day(1_000 + SLOTS_PER_DAY)
    entry = Entry(
        seq=7,
        slot=1_000 + SLOTS_PER_DAY,
        epoch=2,
        code="trade",
        debit="pot",
        credit="sink",
        amount=5,
        cause="s:0:0",
        signature="s",
    )
    assert "2026-02-01 (7) trade  ; slot:217000, epoch:2, cause:s:0:0, signature:s\n" in "".join(
        hledger([entry], [], CALENDAR)
    )
    text = "".join(beancount([entry], [Balance(path="pot", balance=-5)], CALENDAR))
    assert '2026-02-01 * "trade"\n  seq: 7\n  slot: 217000\n' in text
    assert "2026-02-02 balance Equity:Pot  0.000000005 MMT" in text, (
        "it holds when the last day is over"
    )


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with being_written(path, played()):
        yield path


def exported(ledger, *options):
    return CliRunner().invoke(cli, ["export", *options, "--ledger", str(ledger)])


def test_a_ledger_is_exported_whole_while_it_is_written(ledger):
    rows = exported(ledger, "--csv").stdout.splitlines()
    journal = postings(exported(ledger, "--hledger").stdout)
    assert len(rows) - 1 == len(journal) == len(postings(exported(ledger, "--beancount").stdout))
    assert 0 == sum(amount for group in journal for _, amount in group)
    assert (
        "\n2026-11-02 (3) genesis"
        in exported(ledger, "--hledger", "--first-day", "2026-11-02").stdout
    )


def test_exactly_one_format_is_asked_for(ledger):
    for options in ((), ("--csv", "--hledger")):
        refused = exported(ledger, *options)
        assert 2 == refused.exit_code
        assert "expected one of --hledger, --beancount and --csv" in refused.stderr


@pytest.mark.parametrize(
    ("option", "command"),
    [
        ("--hledger", ["hledger", "check", "accounts", "commodities", "-f"]),
        ("--beancount", ["bean-check"]),
    ],
)
def test_the_tools_themselves_accept_it_and_refuse_it_with_an_amount_changed(
    ledger, tmp_path, option, command
):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    file = tmp_path / "journal"
    text = exported(ledger, option).stdout
    file.write_text(text)
    subprocess.run([*command, str(file)], check=True)
    file.write_text(
        text.replace("  40.000000000", "  41.000000000").replace("-40.000000000", "-41.000000000")
    )
    assert subprocess.run([*command, str(file)], check=False, capture_output=True).returncode
