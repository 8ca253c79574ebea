"""`incentives export`: every transfer, for other tools of accounting."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import reads_ledger
from incentives.cli.output import Form, say, show
from incentives.cli.queries import select
from incentives.journals import Balance, Calendar, Entry, beancount, hledger

_FIRST_DAY: Final = "2000-01-01"
_EXAMPLES: Final = """\b
Examples:
  incentives export --hledger > mmt.journal && hledger -f mmt.journal balance
  incentives export --beancount --first-day 2026-11-02 > mmt.beancount
  incentives export --csv > mmt.csv
"""


@click.command("export", epilog=_EXAMPLES)
@click.option(
    "--hledger", "kinds", flag_value="hledger", multiple=True, help="A journal for hledger."
)
@click.option(
    "--beancount", "kinds", flag_value="beancount", multiple=True, help="A file for beancount."
)
@click.option(
    "--csv", "kinds", flag_value="csv", multiple=True, help="The rows of the view transfer_named."
)
@click.option(
    "--first-day",
    type=click.DateTime(["%Y-%m-%d"]),
    default=_FIRST_DAY,
    show_default=True,
    metavar="DATE",
    help="The day of the season's first slot; a journal's later dates are nominal, 216_000 slots a day.",
)
@reads_ledger
def export_command(*, db: Database, kinds: tuple[str, ...], first_day: datetime) -> None:
    """Print every transfer of the ledger, and in a journal assert every account's balance at the end.

    Of each transfer a journal has number, slot, epoch, cause and signature. Debits are positive there, so what wallets are owed
    is negative.
    """
    if len(kinds) != 1:
        raise click.UsageError("expected one of --hledger, --beancount and --csv")
    if kinds == ("csv",):
        show(select(db, "SELECT * FROM transfer_named ORDER BY seq"), Form(name="csv"))
        return
    write = hledger if kinds == ("hledger",) else beancount
    say(write(_entries(db), _balances(db), _calendar(db, first_day.date())))


def _entries(db: Database) -> Iterator[Entry]:
    names = ("seq", "slot", "epoch", "code", "debit", "credit", "amount", "cause", "signature")
    rows = db.conn.execute(
        "SELECT seq, slot, epoch, code, debit, credit, amount, cause, signature FROM transfer_named ORDER BY seq"
    )
    return (Entry(**dict(zip(names, row, strict=True))) for row in rows)


def _balances(db: Database) -> Iterator[Balance]:
    rows = db.conn.execute("SELECT path, balance FROM account_balance ORDER BY path")
    return (Balance(path=path, balance=balance) for path, balance in rows)


def _calendar(db: Database, first_day: date) -> Calendar:
    first_slot = db.conn.execute("SELECT min(slot) FROM transfer").fetchone()[0]
    return Calendar(first_slot=first_slot or 0, first_day=first_day)
