"""`incentives bootstrap`: the platform's first trades, and how many are left."""

import json
from collections.abc import Iterator
from typing import Final

import click
from sqlite_utils import Database

from incentives.cli.ledger_options import reads_ledger
from incentives.cli.output import Form, Report, Value, output_options, show
from incentives.cli.queries import progress_slot
from incentives.parameters import Rules
from programs.event_layout import EventKind
from programs.events import decode

_COLUMNS: Final = ["trade_number", "state", "wallet", "slot", "amount", "signature", "reason"]
_EXAMPLES: Final = """\b
Examples:
  incentives bootstrap --table
  incentives bootstrap --csv > first-hundred.csv
"""


@click.command("bootstrap", epilog=_EXAMPLES)
@output_options
@reads_ledger
def bootstrap_command(*, db: Database, form: Form) -> None:
    """Show the first trades that earn double: who has them, and how many are left.

    A trade takes its number when it is opened. It is `waiting` until it has been held for long enough, and then `doubled`, or
    `voided` where it was not held: its number is used up all the same. `amount` is what it earned, double.
    """
    boosted = _boosted_trades(db)
    trades = sorted([*_decided(db), *_waiting(db, boosted)])
    states = [trade[1] for trade in trades]
    report = Report(
        head={
            "read_through_slot": progress_slot(db),
            "boosted_trades": boosted,
            "trades_left": boosted - len(trades),
            "trades_doubled": states.count("doubled"),
            "trades_voided": states.count("voided"),
            "trades_waiting": states.count("waiting"),
            "end_slot": trades[-1][3] if len(trades) == boosted and trades else None,
        },
        columns=_COLUMNS,
        rows=trades,
        rows_name="trades",
    )
    show(report, form)


def _boosted_trades(db: Database) -> int:
    """Return how many trades are boosted under the newest version of the rules that something was computed by."""
    row = db.conn.execute(
        "SELECT parameters FROM config_version ORDER BY version DESC LIMIT 1"
    ).fetchone()
    found: int = json.loads(row[0])["rules"]["boosted_trades"] if row else Rules().boosted_trades
    return found


def _decided(db: Database) -> Iterator[tuple[Value, ...]]:
    reasons = dict(db.conn.execute("SELECT cause, reason FROM anomaly WHERE kind = 'claim_voided'"))
    rows = db.conn.execute(
        "SELECT bootstrap_trade.*, event.source_id FROM bootstrap_trade JOIN boosted_trade USING (trade_number) "
        "JOIN event ON event.seq = boosted_trade.cause_seq"
    )
    for number, wallet, slot, is_voided, amount, signature, cause in rows:
        state = "voided" if is_voided else "doubled"
        yield (
            number,
            state,
            wallet,
            slot,
            amount,
            signature,
            reasons.get(cause) if is_voided else None,
        )


def _waiting(db: Database, boosted: int) -> Iterator[tuple[Value, ...]]:
    decided = {row[0] for row in db.conn.execute("SELECT cause_seq FROM boosted_trade")}
    rows = db.conn.execute(
        "SELECT seq, slot, signature, payload FROM event WHERE kind = ? ORDER BY seq",
        [EventKind.POSITION_OPENED],
    )
    found = 0
    for seq, slot, signature, payload in rows:
        opened = decode(payload).fields
        number = opened["trade_number"]
        assert isinstance(number, int)
        if not 1 <= number <= boosted:
            continue
        if seq not in decided:
            yield number, "waiting", str(opened["owner"]), slot, None, signature, None
        found += 1
        if found == boosted:
            return
