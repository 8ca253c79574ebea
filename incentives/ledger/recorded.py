"""What a ledger has recorded: where it stands, lines by name, and the texts of its lines in order.

Shell. Read back from the rows themselves, so that whoever hashes the texts has checked the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.ledger.encoding import event_id, event_text, id_of_source, rules_text, signature_id
from incentives.ledger.errors import LedgerError
from incentives.ledger.rows import snapshot_row
from incentives.lines import Anomaly, BoostedTrade, EpochClose, EventLine, Line, Transfer
from incentives.sourced import Place, SourcedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the ledger stands."""

    through_slot: int
    """Everything the chain says up to this slot is in it."""
    seq: int
    head: bytes


class RecordedLine(NamedTuple):
    """A line as its table has it."""

    seq: int
    table: str
    row: tuple[Any, ...]
    """The columns of LINE_COLUMNS."""


LINE_COLUMNS: Final = {
    "transfer": "seq, cause_seq, leg, code, slot, debit, credit, amount, epoch, rules_version, inputs",
    "event": "seq, source_id, slot, tx_index, instruction, inner, payload, hash, id, kind, series, sequence",
    "config_version": "seq, version, parameters",
    "epoch": "seq, epoch, start_slot, end_slot, rolled_over, emitted, claim_denominator, is_scaled, allocated, "
    "rules_version, hash",
    "boosted_trade": "seq, trade_number, cause_seq, wallet, slot, is_voided",
    "anomaly": "seq, kind, cause, slot, reason",
}
"""The tables whose rows are lines, the most frequent first, and what is read of them."""


def read_snapshot(db: Database) -> tuple[int, int, str] | None:
    """Return the rules' memory, after which line it is and up to which slot; None without one.

    Raises:
        LedgerError: it is not what was written.
    """
    row = db.conn.execute("SELECT seq, through_slot, body, hash FROM snapshot").fetchone()
    if row is None:
        return None
    seq, through_slot, body, _ = row
    if row != snapshot_row(seq, through_slot, body):
        raise LedgerError(
            "the snapshot of the rules' memory is not what was written: see `incentives verify`, restore a backup, "
            "or move the ledger aside and let it be read from the chain again"
        )
    return seq, through_slot, body


def read_progress(db: Database) -> Progress | None:
    """Return where a ledger stands; None while it is empty."""
    row = db.conn.execute("SELECT through_slot, seq, head FROM progress").fetchone()
    return None if row is None else Progress(through_slot=row[0], seq=row[1], head=row[2])


def read_events(db: Database, after_seq: int = 0) -> Iterator[SourcedEvent]:
    """Yield the recorded events behind a line, in the chain's order."""
    rows = db.conn.execute(
        "SELECT slot, tx_index, instruction, inner, signature, payload FROM event WHERE seq > ? ORDER BY seq",
        [after_seq],
    )
    for slot, tx_index, instruction, inner, signature, payload in rows:
        yield SourcedEvent(Place(slot, tx_index, instruction, inner), signature, payload)


def read_rows(db: Database, first: int = 1) -> Iterator[RecordedLine]:
    """Yield the lines from number `first` on by their numbers, each of them once for every row that has it."""
    waiting = list[tuple[RecordedLine, Iterator[tuple[Any, ...]]]]()
    for table, columns in LINE_COLUMNS.items():
        rows: Iterator[tuple[Any, ...]] = db.conn.execute(
            f"SELECT {columns} FROM {table} WHERE seq >= ? ORDER BY seq",  # noqa: S608 - names of our own
            [first],
        )
        if (row := next(rows, None)) is not None:
            waiting.append((RecordedLine(row[0], table, row), rows))
    while waiting:
        place = min(range(len(waiting)), key=lambda i: waiting[i][0].seq)
        line, rows = waiting[place]
        # One table's rows come in runs: as long as nobody else's number is due, there is nothing to compare.
        due = min((other[0].seq for i, other in enumerate(waiting) if i != place), default=None)
        yield line
        while (row := next(rows, None)) is not None:
            line = RecordedLine(row[0], line.table, row)
            if due is not None and line.seq > due:
                break
            yield line
        if row is None:
            del waiting[place]
        else:
            waiting[place] = (line, rows)


class TextsOfRows:
    """Texts of rows; knows the accounts and the causes that rows only number."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._paths: dict[int, str] = dict(db.conn.execute("SELECT id, path FROM account"))
        self._causes: dict[int, str] = {}

    def text(self, line: RecordedLine) -> str:
        """Return the text of a row.

        Raises:
            ValueError: it refers to a line or an account that is not there, or to a wallet that is none.
        """
        _, table, row = line
        if table == "transfer":
            seq, cause_seq, leg, code, slot, debit, credit, amount, epoch, version, inputs = row
            cause = self._causes.get(cause_seq) or self.cause(cause_seq)
            return (
                f"transfer|{cause}|{leg}|{code}|{slot}|{self.path(debit)}|{self.path(credit)}|{amount}|"
                f"{epoch}|{version}|{inputs or ''}"
            )
        if table == "event":
            seq, source_id, slot, tx_index, _, _, payload, *_ = row
            self._remember(seq, source_id)
            return event_text(source_id, slot, tx_index, payload)
        if table == "config_version":
            return rules_text(*row[1:])
        if table == "epoch":
            seq, epoch, *rest = row[:8]
            self._remember(seq, f"epoch:{epoch}")
            rest.append("|".join(",".join(each) for each in self.allocations(epoch)))
            return f"close|{epoch}|" + "|".join(map(str, rest))
        if table == "boosted_trade":
            _, number, cause_seq, wallet, slot, is_voided = row
            return f"boosted|{number}|{self.cause(cause_seq)}|{wallet}|{slot}|{is_voided}"
        return "anomaly|" + "|".join(map(str, row[1:]))

    def path(self, account: int) -> str:
        """Return the path of an account by its number.

        Raises:
            ValueError: there is none.
        """
        found = self._paths.get(account)
        if found is None:
            raise ValueError(f"account {account} is missing")
        return found

    def cause(self, seq: int) -> str:
        """Return what a transfer's cause is called.

        Raises:
            ValueError: the line is neither an event nor a close.
        """
        found = self._causes.get(seq)
        if found is None:
            row = self._db.conn.execute(
                "SELECT source_id FROM event WHERE seq = ? UNION ALL SELECT 'epoch:' || epoch FROM epoch WHERE seq = ?",
                [seq, seq],
            ).fetchone()
            if row is None:
                raise ValueError(f"line {seq}, named as a cause, is no event and no close")
            found = str(row[0])
            self._remember(seq, found)
        return found

    def allocations(self, epoch: int) -> list[tuple[str, str, str]]:
        """Return an epoch's allocations as texts: wallet, claim, amount, by wallet bytes.

        Raises:
            ValueError: a wallet is no address.
        """
        rows = self._db.conn.execute(
            "SELECT wallet, claim_numerator, CAST(amount AS TEXT) FROM epoch_allocation WHERE epoch = ?",
            [epoch],
        )
        return sorted(rows, key=lambda row: bytes(Pubkey.from_string(row[0])))

    def _remember(self, seq: int, cause: str) -> None:
        if len(self._causes) >= _CAUSES_KEPT:
            self._causes.clear()
        self._causes[seq] = cause


_CAUSES_KEPT: Final = 1 << 17


def read_texts(db: Database, first: int = 1) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of the lines from number `first` on.

    Raises:
        ValueError: a row refers to what is not there.
    """
    texts = TextsOfRows(db)
    for line in read_rows(db, first):
        yield line.seq, texts.text(line)


def find_cause(db: Database, cause: str) -> int | None:
    """Return the number of the line that a cause names, if it is recorded."""
    name, _, rest = cause.partition(":")
    if name == "epoch":
        row = db.conn.execute("SELECT seq FROM epoch WHERE epoch = ?", [int(rest)]).fetchone()
    else:
        row = db.conn.execute(
            "SELECT seq FROM event WHERE id = ?", [id_of_source(cause)]
        ).fetchone()
    return None if row is None else int(row[0])


def find_events(db: Database, signature: str) -> list[int]:
    """Return the numbers of the events that one transaction logged, in order."""
    first = signature_id(signature)
    rows = db.conn.execute(
        "SELECT seq FROM event WHERE id BETWEEN ? AND ? ORDER BY id",
        [first + bytes(4), first + b"\xff" * 4],
    )
    return [seq for (seq,) in rows]


def find_payload(db: Database, event: SourcedEvent) -> bytes | None:
    """Return the payload recorded under an event's source id."""
    row = db.conn.execute("SELECT payload FROM event WHERE id = ?", [event_id(event)]).fetchone()
    return None if row is None else bytes(row[0])


def find_line(db: Database, line: Line) -> int | None:
    """Return the number of the recorded line with this line's name, whatever else it says."""
    row: tuple[int] | None = None
    match line:
        case EventLine(event):
            return find_cause(db, event.source_id)
        case EpochClose():
            return find_cause(db, f"epoch:{line.epoch}")
        case Transfer():
            query = "SELECT seq FROM transfer WHERE cause_seq = ? AND code = ? AND leg = ?"
            row = db.conn.execute(
                query, [find_cause(db, line.cause), line.code.value, line.leg]
            ).fetchone()
        case BoostedTrade():
            query = "SELECT seq FROM boosted_trade WHERE trade_number = ?"
            row = db.conn.execute(query, [line.trade_number]).fetchone()
        case Anomaly():
            query = "SELECT seq FROM anomaly WHERE cause = ? AND kind = ? AND slot = ? AND reason = ? ORDER BY seq LIMIT 1"
            row = db.conn.execute(query, [line.cause, line.kind, line.slot, line.reason]).fetchone()
    return None if row is None else int(row[0])
