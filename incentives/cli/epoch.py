"""`incentives epoch`: what each epoch emitted, owed and paid, and what made up one of them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import NUMBER, reads_ledger
from incentives.cli.output import Form, Report, Value, output_options, show
from incentives.cli.queries import select
from incentives.cli.refusal import Refusal

_EXAMPLES: Final = """\b
Examples:
  incentives epoch --table
  incentives epoch 12
  incentives epoch 12 --by-code --table
"""
_ALLOCATIONS: Final = """
SELECT epoch_allocation.wallet, epoch_allocation.claim_numerator, epoch_allocation.amount,
    coalesce(payout_report.state, 'nothing') AS state, payout_report.part, payout_report.leaf, payout_report.paid_signature
FROM epoch_allocation LEFT JOIN payout_report
    ON payout_report.epoch = epoch_allocation.epoch AND payout_report.wallet = epoch_allocation.wallet
WHERE epoch_allocation.epoch = ? ORDER BY payout_report.part, payout_report.leaf, epoch_allocation.wallet"""
_COLUMNS: Final = ["wallet", "claim", "amount", "state", "part", "leaf", "paid_signature"]


@click.command("epoch", epilog=_EXAMPLES)
@click.argument("number", type=NUMBER, required=False, metavar="[EPOCH]")
@click.option("--by-code", is_flag=True, help="Its transfers, summed up by why MMT moved.")
@output_options
@reads_ledger
def epoch_command(*, db: Database, form: Form, number: int | None, by_code: bool) -> None:
    """Show all closed epochs, or of one EPOCH what every wallet claimed and got.

    `claim` is what the rules say, rounded down once; `amount` is less where the pot did not suffice (`is_scaled`).
    """
    if number is None:
        if by_code:
            raise click.UsageError("--by-code: expected an EPOCH beside it")
        show(select(db, "SELECT * FROM epoch_report ORDER BY epoch"), form)
        return
    head = epoch_head(db, number)
    if by_code:
        sql = "SELECT code, count(*) AS transfers, sum(amount) AS amount FROM transfer WHERE epoch = ? GROUP BY code ORDER BY min(seq)"
        show(select(db, sql, [number], head=head, rows_name="codes"), form)
        return
    report = Report(
        head=head,
        columns=_COLUMNS,
        rows=_allocations(db, number),
        rows_name="allocations",
    )
    show(report, form)


def epoch_head(db: Database, number: int) -> Mapping[str, Value]:
    """Return a closed epoch's row of `epoch_report`.

    Raises:
        Refusal: it is not closed.
    """
    for row in db.query("SELECT * FROM epoch_report WHERE epoch = ?", [number]):
        return dict(row)
    newest = db.conn.execute("SELECT max(epoch) FROM epoch").fetchone()[0]
    closed = "none is closed yet" if newest is None else f"the newest that is closed is {newest}"
    raise Refusal(f"epoch {number} is not in the ledger: {closed}")


def _allocations(db: Database, number: int) -> Iterator[tuple[Any, ...]]:
    denominator = int(
        db.conn.execute("SELECT claim_denominator FROM epoch WHERE epoch = ?", [number]).fetchone()[
            0
        ]
    )
    for wallet, numerator, *rest in db.conn.execute(_ALLOCATIONS, [number]):
        yield wallet, int(numerator) // denominator, *rest
