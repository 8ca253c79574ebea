"""`incentives statement`: what a wallet earned, line by line."""

from collections.abc import Iterator
from typing import Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import NUMBER, reads_ledger, wallet_named
from incentives.cli.output import Form, Report, Value, output_options, show
from incentives.cli.wallet_argument import WALLET
from incentives.statements import Side, statement

_COLUMNS: Final = [
    "seq",
    "slot",
    "epoch",
    "code",
    "from",
    "to",
    "amount",
    "accrued",
    "payable",
    "in_flight",
    "paid",
    "signature",
]
_EXAMPLES: Final = """\b
Examples:
  incentives statement WALLET
  incentives statement WALLET --table
  incentives statement WALLET --since-slot 9000 --until-slot 17999 --csv
  incentives statement 7xKX --nl
"""


@click.command("statement", epilog=_EXAMPLES)
@click.argument("wallet", type=WALLET)
@click.option(
    "--since-slot", type=NUMBER, help="Show lines from this slot on; earlier ones are the opening."
)
@click.option("--until-slot", type=NUMBER, help="Show lines up to this slot.")
@output_options
@reads_ledger
def statement_command(
    *, db: Database, form: Form, wallet: str, since_slot: int | None, until_slot: int | None
) -> None:
    """Show the lines of WALLET, with an opening, a closing and what it had after each.

    WALLET is an address, or the beginning of one. What it earned stands in `accrued` until the epoch closes, in `payable` until
    the root of its epoch stands on chain, in `in_flight` until the program has paid it, and in `paid` for good. `signature`
    is of the transaction that the line follows from; what the close of an epoch does has none.
    """
    found = wallet_named(db, wallet)
    report = Report(
        head={"wallet": found},
        columns=_COLUMNS,
        rows=_rows(db, found, since_slot, until_slot),
        rows_name="lines",
    )
    show(report, form)


def _rows(
    db: Database, wallet: str, since_slot: int | None, until_slot: int | None
) -> Iterator[tuple[Value, ...]]:
    for line in statement(_sides(db, wallet), since_slot=since_slot, until_slot=until_slot):
        yield (
            line.seq,
            line.slot,
            line.epoch,
            line.code,
            line.source,
            line.target,
            line.amount,
            *line.balances,
            line.signature,
        )


def _sides(db: Database, wallet: str) -> Iterator[Side]:
    rows = db.conn.execute(
        "SELECT seq, slot, epoch, code, role, amount, signature FROM statement_line WHERE wallet = ? ORDER BY seq",
        [wallet],
    )
    names = [column[0] for column in rows.description]
    return (Side(**dict(zip(names, row, strict=True))) for row in rows)
