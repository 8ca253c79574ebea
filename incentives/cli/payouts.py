"""`incentives payouts`: every leaf, and where it stands."""

from typing import Any, Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import NUMBER, reads_ledger, wallet_named
from incentives.cli.output import Form, output_options, show
from incentives.cli.queries import select
from incentives.cli.wallet_argument import WALLET
from incentives.ledger.views import STUCK_SLOTS

_EXAMPLES: Final = """\b
Examples:
  incentives payouts --table
  incentives payouts --state in_flight --epoch 12
  incentives payouts --wallet WALLET --csv
  incentives payouts --stuck --after-slots 1500
"""
_STATES: Final = ("pending", "in_flight", "posted", "voided")


@click.command("payouts", epilog=_EXAMPLES)
@click.option(
    "--stuck", is_flag=True, help="Those that are not paid for too long, the oldest first."
)
@click.option(
    "--after-slots",
    default=STUCK_SLOTS,
    show_default=True,
    type=NUMBER,
    help="With --stuck: how long is too long, since the epoch's end or since its root stands on chain.",
)
@click.option("--state", type=click.Choice(_STATES), help="Those in this state.")
@click.option("--epoch", type=NUMBER, help="Those of this epoch.")
@click.option(
    "--wallet", type=WALLET, help="Those of this wallet, or of the one whose address begins so."
)
@output_options
@reads_ledger
def payouts_command(
    *,
    db: Database,
    form: Form,
    stuck: bool,
    after_slots: int,
    state: str | None,
    epoch: int | None,
    wallet: str | None,
) -> None:
    """Show payouts: one for each wallet and epoch that owes it something.

    A payout is `pending` from the close of its epoch on, `in_flight` once its root stands on chain, and `posted` when the program
    has said that it paid it; `root_signature` and `paid_signature` are of the transactions.
    """
    head = {
        f"payouts_{name}": count
        for name, count in db.conn.execute(
            "SELECT state, payouts FROM payouts_by_state ORDER BY state"
        )
    }
    conditions: dict[str, Any] = {}
    if stuck:
        conditions["slots_waiting >= ?"] = after_slots
    if state is not None:
        conditions["state = ?"] = state
    if epoch is not None:
        conditions["epoch = ?"] = epoch
    if wallet is not None:
        conditions["wallet = ?"] = wallet_named(db, wallet)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "slots_waiting DESC, epoch, part, leaf" if stuck else "epoch, part, leaf"
    # The conditions are those above; values are parameters.
    sql = f"SELECT * FROM payout_report{where} ORDER BY {order}"  # noqa: S608 - see above
    show(select(db, sql, [*conditions.values()], head=head, rows_name="payouts"), form)
