"""`incentives balances` and `incentives trial-balance`: what everybody has, and that it adds up."""

from itertools import islice
from typing import Any, Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import NUMBER, reads_ledger, wallet_named
from incentives.cli.output import Form, Report, output_options, show
from incentives.cli.queries import progress_slot, select
from incentives.cli.wallet_argument import WALLET

_BALANCES_EXAMPLES: Final = """\b
Examples:
  incentives balances --table
  incentives balances --limit 20 --csv
  incentives balances WALLET WALLET
"""
_TRIAL_EXAMPLES: Final = """\b
Examples:
  incentives trial-balance --table
  incentives trial-balance --at-slot 18000
"""
_BALANCES: Final = "SELECT * FROM wallet_balance ORDER BY earned DESC, wallet LIMIT ?"
_BALANCE: Final = "SELECT * FROM wallet_balance WHERE wallet = ?"
_TRIAL_COLUMNS: Final = ("account", "accounts", "debits", "credits", "balance")
_NOW: Final = "SELECT account, accounts, debits, credits, balance FROM trial_balance ORDER BY 1"
_AT_SLOT: Final = """
SELECT CASE WHEN account.wallet IS NULL THEN account.path ELSE 'wallet/*/' || account.role END AS account,
    count(DISTINCT account.id) AS accounts,
    sum(CASE WHEN posting.amount < 0 THEN -posting.amount ELSE 0 END) AS debits,
    sum(CASE WHEN posting.amount > 0 THEN posting.amount ELSE 0 END) AS credits,
    sum(posting.amount) AS balance
FROM posting JOIN account ON account.id = posting.account WHERE posting.slot <= ? GROUP BY 1 ORDER BY 1"""


@click.command("balances", epilog=_BALANCES_EXAMPLES)
@click.argument("wallets", type=WALLET, nargs=-1, metavar="[WALLET]...")
@click.option("--limit", type=NUMBER, help="Show the first rows only.")
@output_options
@reads_ledger
def balances_command(
    *, db: Database, form: Form, wallets: tuple[str, ...], limit: int | None
) -> None:
    """Show what each WALLET has: without arguments all of them, those who earned most first.

    `accrued` is of the running epoch, `payable` waits for its root to be posted, `in_flight` for its payment, `paid` was paid;
    `earned` is their sum.
    """
    if not wallets:
        show(select(db, _BALANCES, [-1 if limit is None else limit]), form)
        return
    found = [select(db, _BALANCE, [wallet_named(db, wallet)]) for wallet in wallets]
    rows = (row for one in found for row in one.rows)
    show(Report(columns=found[0].columns, rows=islice(rows, limit)), form)


@click.command("trial-balance", epilog=_TRIAL_EXAMPLES)
@click.option("--at-slot", type=NUMBER, help="As of the end of this slot.")
@output_options
@reads_ledger
def trial_balance_command(*, db: Database, form: Form, at_slot: int | None) -> None:
    """Show what all accounts hold, by kind, and that the sum is zero.

    A balance is credits less debits. Only `mint`, where all MMT comes from, `pot`, overdrawn while an epoch runs, and
    `unexplained` may be below zero. A last row has the totals; exit code 1 where they do not balance.
    """
    through = progress_slot(db)
    rows: list[tuple[Any, ...]] = (
        db.conn.execute(_NOW).fetchall()
        if at_slot is None
        else db.conn.execute(_AT_SLOT, [at_slot]).fetchall()
    )
    totals = [sum(row[column] for row in rows) for column in range(1, len(_TRIAL_COLUMNS))]
    report = Report(
        head={"slot": through if at_slot is None else at_slot, "read_through_slot": through},
        columns=_TRIAL_COLUMNS,
        rows=[*rows, ("total", *totals)],
        rows_name="accounts",
    )
    show(report, form)
    if totals[-1]:
        raise SystemExit(1)
