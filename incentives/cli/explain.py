"""`incentives explain`: why an amount is what it is."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click
from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.cli.ledger_options import reads_ledger
from incentives.cli.output import Form, Report, Value, output_options, show
from incentives.cli.refusal import Refusal
from incentives.ledger.promised import read_parameters
from incentives.ledger.recorded import find_cause, find_events
from incentives.lines import Code, Transfer
from incentives.rules.explain import Explanation, explain
from incentives.sourced import Place, SourcedEvent
from incentives.unread import Unread, is_unread
from programs.events import decode
from programs.terminal import echo

_COLUMNS: Final = [
    "seq",
    "code",
    "slot",
    "epoch",
    "debit",
    "credit",
    "amount",
    "recomputed",
    "agrees",
    "sentence",
    "formula",
    "rules_version",
    "cause",
    "signature",
    "inputs",
    "event",
    "event_slot",
    "event_fields",
]
_NUMBER: Final = re.compile("[0-9]{1,18}")
_CAUSE: Final = re.compile("epoch:[0-9]{1,18}|[^:]+:[0-9]{1,4}:[0-9]{1,4}")
_EXAMPLES: Final = """\b
Examples:
  incentives explain 1234 --table
  incentives explain SIGNATURE
  incentives explain epoch:12 --nl
"""


@click.command("explain", epilog=_EXAMPLES)
@click.argument("transfer")
@output_options
@reads_ledger
def explain_command(*, db: Database, form: Form, transfer: str) -> None:
    """Explain TRANSFER: the number of one (`seq` in a statement), or a cause, whose transfers are all explained.

    A cause is the signature of a transaction, the id of an event (SIGNATURE:INSTRUCTION:INNER), or `epoch:NUMBER`. Shown are
    the formula, its inputs, the event as the program logged it, and the amount computed again from event and rules alone; exit
    code 1 where that is another one.
    """
    parameters = read_parameters(db)
    numbers = _numbers(db, transfer)
    is_wrong = False

    def explained() -> Iterator[_Explained]:
        nonlocal is_wrong
        for number in numbers:
            found, event = _recorded(db, number)
            one = _Explained(number, found, event, explain(found, event, parameters))
            is_wrong |= one.agrees is False
            yield one

    if form.is_rows:
        show(Report(columns=_COLUMNS, rows=(one.row() for one in explained())), form)
    else:
        for one in explained():
            show(one.page(), form)
            echo()
    if is_wrong:
        raise SystemExit(1)


@dataclass(frozen=True, slots=True)
class _Explained:
    seq: int
    transfer: Transfer
    event: SourcedEvent | None
    explanation: Explanation

    @property
    def agrees(self) -> bool | None:
        recomputed = self.explanation.recomputed
        return None if recomputed is None else recomputed == self.transfer.amount

    def _facts(self) -> dict[str, Value]:
        transfer, why = self.transfer, self.explanation
        return {
            "seq": self.seq,
            "code": transfer.code.value,
            "slot": transfer.slot,
            "epoch": transfer.epoch,
            "debit": transfer.debit,
            "credit": transfer.credit,
            "amount": transfer.amount,
            "recomputed": why.recomputed,
            "agrees": self.agrees,
            "sentence": why.sentence,
            "formula": why.formula,
            "rules_version": transfer.rules_version,
            "cause": transfer.cause,
            "signature": None if self.event is None else self.event.signature,
        }

    def row(self) -> list[Value]:
        told = {} if self.event is None else _told(self.event)
        return [
            *self._facts().values(),
            dict(self.explanation.inputs),
            told.pop("kind", None),
            told.pop("slot", None),
            told,
        ]

    def page(self) -> Report:
        told = {} if self.event is None else _told(self.event)
        rows = [
            *(("input", *each) for each in self.explanation.inputs),
            *(("event", name, str(value)) for name, value in told.items()),
        ]
        return Report(head=self._facts(), columns=("of", "name", "value"), rows=rows)


def _told(event: SourcedEvent) -> dict[str, Value]:
    """Return an event by name: its kind, its slot and its fields."""
    if is_unread(event.payload):
        unread = Unread.from_payload(event.payload)
        return {
            "kind": _kind(event),
            "slot": event.place.slot,
            "series": unread.series,
            "signer": str(Pubkey.from_bytes(unread.signer)),
            "account": str(Pubkey.from_bytes(unread.account)),
        }
    found = decode(event.payload)
    fields = {
        name: value if isinstance(value, int) else str(value)
        for name, value in found.fields.items()
    }
    return {"kind": found.kind.name, "slot": found.slot, "series": found.series, **fields}


def _kind(event: SourcedEvent) -> str:
    """Return the kind of an event, or which instruction it stands for that nobody could read."""
    if is_unread(event.payload):
        return f"UNREAD {Unread.from_payload(event.payload).tag.name}"
    return decode(event.payload).kind.name


def _numbers(db: Database, text: str) -> list[int]:
    """Return the lines that are transfers, of a number or of a cause.

    Raises:
        Refusal: there are none; with what is known of the event, if it is recorded.
    """
    if _NUMBER.fullmatch(text):
        found = db.conn.execute("SELECT seq FROM transfer WHERE seq = ?", [int(text)]).fetchall()
        if not found:
            raise Refusal(
                f"line {text} is no transfer of this ledger: expected a `seq` of a statement"
            )
        return [row[0] for row in found]
    causes = _causes(db, text)
    numbers = [
        row[0]
        for cause in causes
        for row in db.conn.execute(
            "SELECT seq FROM transfer WHERE cause_seq = ? ORDER BY seq", [cause]
        )
    ]
    if not numbers:
        raise Refusal(_nothing(db, text, causes))
    return numbers


def _causes(db: Database, text: str) -> list[int]:
    """Return the lines that a cause names: a close, an event, or all events of a transaction."""
    if ":" not in text:
        return find_events(db, text)
    if not _CAUSE.fullmatch(text):
        return []
    found = find_cause(db, text)
    return [] if found is None else [found]


def _nothing(db: Database, text: str, causes: list[int]) -> str:
    events = [event for cause in causes if (event := _event(db, cause)) is not None]
    if not events:
        return f"{text} is no cause in this ledger: expected a signature, the id of an event, or epoch:NUMBER"
    reasons = [
        reason
        for event in events
        for (reason,) in db.conn.execute(
            "SELECT reason FROM anomaly WHERE cause = ?", [event.source_id]
        )
    ]
    told = ", ".join(f"{_kind(event)} at slot {event.place.slot}" for event in events)
    return f"{text} has moved no MMT yet ({told}): " + (
        "; ".join(reasons) or "it earns nothing, or waits until it has been held for long enough"
    )


def _recorded(db: Database, seq: int) -> tuple[Transfer, SourcedEvent | None]:
    (row,) = db.query("SELECT * FROM transfer_named WHERE seq = ?", [seq])
    transfer = Transfer(
        cause=row["cause"],
        leg=row["leg"],
        code=Code(row["code"]),
        slot=row["slot"],
        debit=row["debit"],
        credit=row["credit"],
        amount=row["amount"],
        epoch=row["epoch"],
        rules_version=row["rules_version"],
        inputs=None if row["inputs"] is None else json.loads(row["inputs"]),
    )
    return transfer, _event(db, row["cause_seq"])


def _event(db: Database, seq: int) -> SourcedEvent | None:
    row = db.conn.execute(
        "SELECT slot, tx_index, instruction, inner, signature, payload FROM event WHERE seq = ?",
        [seq],
    ).fetchone()
    return None if row is None else SourcedEvent(Place(*row[:4]), *row[4:])
