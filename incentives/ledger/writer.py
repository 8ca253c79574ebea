"""Lines into tables: one transaction a batch, all of it or nothing.

Shell. The writer numbers lines, chains their hashes, and knows accounts and recent causes by heart; whatever fails, it forgets
all of that and reads it again. What it writes is decided by the rules alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.ledger.encoding import Identity, chained, inputs_text, rules_text, text_of
from incentives.ledger.errors import LedgerConflict
from incentives.lines import (
    Anomaly,
    BoostedTrade,
    Code,
    EpochClose,
    EventLine,
    Line,
    Transfer,
)
from incentives.parameters import Parameters
from incentives.sourced import SourcedEvent
from programs.event_layout import HEAD
from programs.merkle import LEAVES_MAX
from state.sqlite import sqlite3
from state.store import Store

_CAUSES_KEPT: Final = 1 << 20
"""Events remembered by their source ids: an accrual follows its event by the dwell, seldom by more."""
_MAY_OVERDRAW: Final = frozenset({"mint", "pot", "unexplained"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is committed together."""

    lines: Sequence[Line]
    through_slot: int
    """Everything the chain says up to this slot is in the ledger afterwards."""
    series: Mapping[int, int]
    """Running numbers read now, by series."""
    snapshot: str | None = None
    """The rules' memory after these lines, where it is worth keeping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the ledger stands."""

    through_slot: int
    seq: int
    head: bytes


@dataclass(slots=True)
class _Tables:
    """Rows on their way, by table."""

    config_version: list[tuple[Any, ...]] = field(default_factory=list)
    event: list[tuple[Any, ...]] = field(default_factory=list)
    account: list[tuple[Any, ...]] = field(default_factory=list)
    epoch: list[tuple[Any, ...]] = field(default_factory=list)
    epoch_allocation: list[tuple[Any, ...]] = field(default_factory=list)
    payout: list[tuple[Any, ...]] = field(default_factory=list)
    transfer: list[tuple[Any, ...]] = field(default_factory=list)
    boosted_trade: list[tuple[Any, ...]] = field(default_factory=list)
    anomaly: list[tuple[Any, ...]] = field(default_factory=list)
    root_posted: list[tuple[Any, ...]] = field(default_factory=list)
    paid: list[tuple[Any, ...]] = field(default_factory=list)


_INSERTS: Final = {
    "config_version": "INSERT INTO config_version (seq, version, parameters) VALUES (?, ?, ?)",
    "event": "INSERT INTO event (seq, slot, tx_index, instruction, inner, signature, kind, series, sequence, "
    "payload, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "account": "INSERT INTO account (id, path, wallet, role, may_overdraw) VALUES (?, ?, ?, ?, ?)",
    "epoch": "INSERT INTO epoch (seq, epoch, start_slot, end_slot, rolled_over, emitted, allocated, "
    "claim_denominator, is_scaled, rules_version, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "epoch_allocation": "INSERT INTO epoch_allocation (epoch, wallet, claim_numerator, amount) VALUES (?, ?, ?, ?)",
    "payout": "INSERT INTO payout (id, epoch, wallet, part, leaf, amount) VALUES (?, ?, ?, ?, ?, ?)",
    "transfer": "INSERT INTO transfer (seq, cause_seq, leg, code, slot, debit, credit, amount, epoch, "
    "rules_version, inputs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "boosted_trade": "INSERT INTO boosted_trade (seq, trade_number, cause_seq, wallet, slot, is_voided) "
    "VALUES (?, ?, ?, ?, ?, ?)",
    "anomaly": "INSERT INTO anomaly (seq, kind, cause, slot, reason) VALUES (?, ?, ?, ?, ?)",
    "root_posted": "UPDATE payout SET root_seq = ? WHERE epoch = ? AND wallet = ?",
    "paid": "UPDATE payout SET state = 'posted', paid_seq = ? WHERE epoch = ? AND wallet = ?",
}
"""In the order in which rows may refer to each other."""


@dataclass(slots=True, eq=False)
class LedgerWriter:
    """The one who writes; made by `open_ledger`."""

    store: Store
    identity: Identity
    parameters: Parameters
    _seq: int = 0
    _head: bytes = b""
    _accounts: dict[str, int] = field(default_factory=dict)
    _causes: dict[str, int] = field(default_factory=dict)
    _versions: set[int] = field(default_factory=set)
    _is_known: bool = False

    async def commit(self, batch: Batch) -> Progress:
        """Write a batch, durably.

        Raises:
            LedgerConflict: a line contradicts what is recorded; nothing was written.
            StateError: the disk refused; nothing was written.
        """
        try:
            return await self.store.transaction(lambda db: self.write(db, batch))
        except BaseException:
            self._is_known = False
            raise

    def write(self, db: Database, batch: Batch) -> Progress:
        """Write a batch inside the caller's transaction.

        Raises:
            LedgerConflict: a line contradicts what is recorded.
        """
        if not self._is_known:
            self._recall(db)
        tables = _Tables()
        for line in batch.lines:
            self._take(db, tables, line)
        try:
            for name, statement in _INSERTS.items():
                if rows := getattr(tables, name):
                    db.conn.executemany(statement, rows)
            _move(db, batch, self._seq, self._head)
        except sqlite3.IntegrityError as error:
            raise LedgerConflict(_conflict(db, batch.lines, error)) from error
        return Progress(through_slot=batch.through_slot, seq=self._seq, head=self._head)

    def _recall(self, db: Database) -> None:
        self._accounts = dict(db.conn.execute("SELECT path, id FROM account"))
        self._versions = {row[0] for row in db.conn.execute("SELECT version FROM config_version")}
        self._causes = {}
        progress = read_progress(db)
        self._seq = 0 if progress is None else progress.seq
        self._head = self.identity.seed if progress is None else progress.head
        self._is_known = True

    def _chain(self, text: str) -> int:
        self._head = chained(self._head, text)
        self._seq += 1
        return self._seq

    def _take(self, db: Database, tables: _Tables, line: Line) -> None:
        if isinstance(line, Transfer):
            self._know_rules(tables, line.rules_version)
            seq = self._chain(text_of(line))
            self._take_transfer(db, tables, seq, line)
            return
        seq = self._chain(text_of(line))
        match line:
            case EventLine(event):
                tables.event.append(_event_row(seq, event, self._head))
                self._remember(event.source_id, seq)
            case EpochClose():
                self._take_close(tables, seq, line)
            case BoostedTrade():
                cause_seq = self._cause(db, line.cause)
                tables.boosted_trade.append(
                    (seq, line.trade_number, cause_seq, line.wallet, line.slot, line.is_voided)
                )
            case Anomaly():
                tables.anomaly.append((seq, line.kind, line.cause, line.slot, line.reason))

    def _take_transfer(self, db: Database, tables: _Tables, seq: int, line: Transfer) -> None:
        cause_seq = self._cause(db, line.cause)
        tables.transfer.append(
            (
                seq,
                cause_seq,
                line.leg,
                line.code.value,
                line.slot,
                self._account(tables, line.debit),
                self._account(tables, line.credit),
                line.amount,
                line.epoch,
                line.rules_version,
                inputs_text(line.inputs),
            )
        )
        if line.code is Code.ROOT:
            tables.root_posted.append((cause_seq, line.epoch, _wallet_of(line.credit)))
        elif line.code is Code.PAYOUT:
            tables.paid.append((cause_seq, line.epoch, _wallet_of(line.credit)))

    def _take_close(self, tables: _Tables, seq: int, close: EpochClose) -> None:
        version = self.parameters.version_at(close.epoch)
        tables.epoch.append(
            (
                seq,
                close.epoch,
                close.start_slot,
                close.end_slot,
                close.rolled_over,
                close.emitted,
                sum(each.amount for each in close.allocations),
                str(close.claim_denominator),
                close.is_scaled,
                version,
                self._head,
            )
        )
        self._remember(f"epoch:{close.epoch}", seq)
        for each in close.allocations:
            tables.epoch_allocation.append(
                (close.epoch, each.wallet, str(each.claim_numerator), each.amount)
            )
        leaves = [each for each in close.allocations if each.amount]
        for number, each in enumerate(leaves):
            part, leaf = divmod(number, LEAVES_MAX)
            row_id = payout_id(close.epoch, each.wallet, self.identity.mint)
            tables.payout.append((row_id, close.epoch, each.wallet, part, leaf, each.amount))

    def _know_rules(self, tables: _Tables, version: int) -> None:
        if version in self._versions:
            return
        parameters = self.parameters.version_json(version)
        seq = self._chain(rules_text(version, parameters))
        tables.config_version.append((seq, version, parameters))
        self._versions.add(version)

    def _account(self, tables: _Tables, path: str) -> int:
        found = self._accounts.get(path)
        if found is None:
            found = self._accounts[path] = len(self._accounts) + 1
            wallet = _wallet_of(path)
            tables.account.append(
                (found, path, wallet, path.rpartition("/")[2], path in _MAY_OVERDRAW)
            )
        return found

    def _remember(self, cause: str, seq: int) -> None:
        if len(self._causes) >= _CAUSES_KEPT:
            self._causes.clear()
        self._causes[cause] = seq

    def _cause(self, db: Database, cause: str) -> int:
        found = self._causes.get(cause)
        if found is None:
            found = find_cause(db, cause)
            if found is None:
                raise LedgerConflict(f"{cause} is named as a cause and is not in the ledger")
            self._causes[cause] = found
        return found


def payout_id(epoch: int, wallet: str, mint: str) -> bytes:
    """Return what identifies a payout: one per epoch, wallet and mint."""
    packed = epoch.to_bytes(8, "little") + bytes(Pubkey.from_string(wallet))
    return hashlib.sha256(packed + bytes(Pubkey.from_string(mint))).digest()


def find_cause(db: Database, cause: str) -> int | None:
    """Return the number of the line that a cause names, if it is recorded."""
    name, _, rest = cause.partition(":")
    if name == "epoch":
        row = db.conn.execute("SELECT seq FROM epoch WHERE epoch = ?", [int(rest)]).fetchone()
    else:
        instruction, _, inner = rest.partition(":")
        row = db.conn.execute(
            "SELECT seq FROM event WHERE signature = ? AND instruction = ? AND inner = ?",
            [name, int(instruction), int(inner)],
        ).fetchone()
    return None if row is None else row[0]


def read_progress(db: Database) -> Progress | None:
    """Return where a ledger stands; None while it is empty."""
    row = db.conn.execute("SELECT through_slot, seq, head FROM progress").fetchone()
    return None if row is None else Progress(through_slot=row[0], seq=row[1], head=row[2])


def _wallet_of(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if len(parts) == 3 else None  # noqa: PLR2004 - wallet/<base58>/<role>


def _event_row(seq: int, event: SourcedEvent, head: bytes) -> tuple[Any, ...]:
    place = event.place
    _version, kind, _, series, sequence, _slot = HEAD.unpack_from(event.payload)
    return (
        seq,
        place.slot,
        place.tx_index,
        place.instruction,
        place.inner,
        event.signature,
        kind,
        series,
        sequence,
        event.payload,
        head,
    )


def _move(db: Database, batch: Batch, seq: int, head: bytes) -> None:
    db.conn.executemany(
        "INSERT INTO series (series, sequence) VALUES (?, ?) "
        "ON CONFLICT (series) DO UPDATE SET sequence = excluded.sequence",
        batch.series.items(),
    )
    db.conn.execute(
        "INSERT INTO progress (id, through_slot, seq, head) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET through_slot = excluded.through_slot, seq = excluded.seq, head = excluded.head",
        [batch.through_slot, seq, head],
    )
    if batch.snapshot is not None:
        db.conn.execute("DELETE FROM snapshot")
        db.conn.execute(
            "INSERT INTO snapshot (seq, through_slot, body) VALUES (?, ?, ?)",
            [seq, batch.through_slot, batch.snapshot],
        )


def _conflict(db: Database, lines: Sequence[Line], error: Exception) -> str:
    """Say what a batch contradicts: an event recorded with another payload is the gravest."""
    if "constraint failed: event." not in str(error):
        return f"the ledger refuses a line: {error}"
    for line in lines:
        if isinstance(line, EventLine):
            event = line.event
            recorded = find_payload(db, event)
            if recorded is not None:
                same = "the same" if recorded == event.payload else "ANOTHER"
                return f"event {event.source_id} is in the ledger already, with {same} payload"
    return "an event comes twice in one batch"


def find_payload(db: Database, event: SourcedEvent) -> bytes | None:
    """Return the payload recorded under an event's source id."""
    row = db.conn.execute(
        "SELECT payload FROM event WHERE signature = ? AND instruction = ? AND inner = ?",
        [event.signature, event.place.instruction, event.place.inner],
    ).fetchone()
    return None if row is None else row[0]
