"""Lines into tables: one transaction a batch, all of it or nothing.

Shell. The writer numbers lines, chains their hashes, and knows accounts and recent causes by heart; where the file says otherwise,
because a transaction failed or was done over, it forgets all of that and reads it again. What it writes is decided by the rules
alone.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from sqlite_utils import Database

from incentives.ledger.encoding import (
    Chain,
    Identity,
    inputs_text,
    rules_text,
    text_of,
    transfer_text,
)
from incentives.ledger.errors import LedgerConflict
from incentives.ledger.recorded import (
    Progress,
    find_cause,
    find_line,
    find_payload,
    read_progress,
    read_texts,
)
from incentives.ledger.rows import (
    STATEMENTS,
    Row,
    account_key,
    allocation_rows,
    epoch_row,
    event_row,
    payout_rows,
    snapshot_row,
)
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
from state.sqlite import sqlite3
from state.store import Store

_CAUSES_KEPT: Final = 1 << 17
"""Events remembered by their source ids, 20 MB: an accrual follows its event by the dwell, seldom by more."""
_ACCOUNTS_KEPT: Final = 1 << 19
"""Accounts remembered by their paths, 120 MB; of more, those of the batches since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is committed together."""

    lines: Sequence[Line]
    through_slot: int
    """Everything the chain says up to this slot is in the ledger afterwards."""
    series: Mapping[int, int]
    """Running numbers read now, by series."""
    unsettled: frozenset[int] = frozenset()
    """Series, these or others, whose next number may be any higher one."""
    snapshot: str | None = None
    """The rules' memory after these lines, where it is worth keeping."""


@dataclass(slots=True, eq=False)
class LedgerWriter:
    """The one who writes; made by `open_ledger`."""

    store: Store
    identity: Identity
    parameters: Parameters
    _chain: Chain | None = None
    _accounts: dict[str, int] = field(default_factory=dict)
    _last_account: int = 0
    _knows_all_accounts: bool = False
    _causes: dict[str, int] = field(default_factory=dict)

    async def commit(self, batch: Batch) -> Progress:
        """Write a batch, durably. A batch that is in the ledger already, word for word, changes nothing.

        Raises:
            LedgerConflict: a line contradicts what is recorded; nothing was written.
            StateError: the disk refused; nothing was written.
        """
        try:
            return await self.store.transaction(lambda db: self.write(db, batch))
        except BaseException:
            self._chain = None
            raise

    def write(self, db: Database, batch: Batch) -> Progress:
        """Write a batch inside the caller's transaction.

        Raises:
            LedgerConflict: a line contradicts what is recorded.
        """
        before = read_progress(db)
        is_behind = before is not None and batch.through_slot <= before.through_slot
        if before is not None and is_behind and _is_recorded(db, batch.lines):
            return before
        chain = self._recalled(db, before)
        rows: dict[str, list[Row]] = defaultdict(list)
        for line in batch.lines:
            if isinstance(line, Transfer):
                self._take_transfer(db, chain, rows, line)
            elif isinstance(line, EventLine):
                seq = chain.add(text_of(line))
                rows["event"].append(event_row(seq, line.event, chain.head))
                self._causes[line.event.source_id] = seq
            else:
                self._take_rare(db, chain, rows, line)
        try:
            for name, statement in STATEMENTS.items():
                if name in rows:
                    db.conn.executemany(statement, rows[name])
            progress = Progress(through_slot=batch.through_slot, seq=chain.seq, head=chain.head)
            _move(db, batch, progress)
        except sqlite3.IntegrityError as error:
            raise LedgerConflict(_conflict(db, batch.lines, error)) from error
        self._forget_some()
        return progress

    def _recalled(self, db: Database, progress: Progress | None) -> Chain:
        """Return the chain as the file has it; memory of anything else is dropped."""
        seq = 0 if progress is None else progress.seq
        head = self.identity.seed if progress is None else progress.head
        chain = self._chain
        if chain is None or (chain.seq, chain.head) != (seq, head):
            versions = {row[0] for row in db.conn.execute("SELECT version FROM config_version")}
            self._chain = chain = Chain(self.parameters, seq, head, versions)
            self._causes.clear()
            self._recall_accounts(db)
        return chain

    def _recall_accounts(self, db: Database) -> None:
        (count,) = db.conn.execute("SELECT coalesce(max(id), 0) FROM account").fetchone()
        self._last_account = count
        self._knows_all_accounts = count <= _ACCOUNTS_KEPT
        self._accounts.clear()
        if self._knows_all_accounts:
            self._accounts.update(db.conn.execute("SELECT path, id FROM account"))

    def _forget_some(self) -> None:
        if len(self._causes) > _CAUSES_KEPT:
            for cause in list(self._causes)[: _CAUSES_KEPT // 2]:
                del self._causes[cause]
        if len(self._accounts) > _ACCOUNTS_KEPT:
            self._accounts.clear()
            self._knows_all_accounts = False

    def _take_transfer(
        self, db: Database, chain: Chain, rows: dict[str, list[Row]], line: Transfer
    ) -> None:
        if new := chain.version_before(line):
            rows["config_version"].append((chain.add(rules_text(*new)), *new))
        inputs = inputs_text(line.inputs)
        seq = chain.add(transfer_text(line, inputs))
        cause_seq = self._causes.get(line.cause) or self._find_cause(db, line.cause)
        rows["transfer"].append(
            (
                seq,
                cause_seq,
                line.leg,
                line.code.value,
                line.slot,
                self._accounts.get(line.debit) or self._find_account(db, rows, line.debit),
                self._accounts.get(line.credit) or self._find_account(db, rows, line.credit),
                line.amount,
                line.epoch,
                line.rules_version,
                inputs,
            )
        )
        if line.code is Code.ROOT or line.code is Code.PAYOUT:
            wallet, _ = account_key(line.credit)
            name = "root_posted" if line.code is Code.ROOT else "paid"
            rows[name].append((cause_seq, line.epoch, wallet))

    def _take_rare(
        self,
        db: Database,
        chain: Chain,
        rows: dict[str, list[Row]],
        line: EpochClose | BoostedTrade | Anomaly,
    ) -> None:
        seq = chain.add(text_of(line))
        match line:
            case EpochClose():
                version = self.parameters.version_at(line.epoch)
                rows["epoch"].append(epoch_row(seq, line, version, chain.head))
                rows["epoch_allocation"] += allocation_rows(line)
                rows["payout"] += payout_rows(line, self.identity.mint)
                self._causes[f"epoch:{line.epoch}"] = seq
            case BoostedTrade():
                cause_seq = self._causes.get(line.cause) or self._find_cause(db, line.cause)
                rows["boosted_trade"].append(
                    (seq, line.trade_number, cause_seq, line.wallet, line.slot, line.is_voided)
                )
            case Anomaly():
                rows["anomaly"].append((seq, line.kind, line.cause, line.slot, line.reason))

    def _find_account(self, db: Database, rows: dict[str, list[Row]], path: str) -> int:
        wallet, role = account_key(path)
        if not self._knows_all_accounts:
            found = db.conn.execute(
                "SELECT id FROM account WHERE wallet IS ? AND role = ?", [wallet, role]
            ).fetchone()
            if found is not None:
                number: int = found[0]
                self._accounts[path] = number
                return number
        self._last_account += 1
        self._accounts[path] = self._last_account
        rows["account"].append((self._last_account, wallet, role))
        return self._last_account

    def _find_cause(self, db: Database, cause: str) -> int:
        found = find_cause(db, cause)
        if found is None:
            raise LedgerConflict(f"{cause} is named as a cause and is not in the ledger")
        self._causes[cause] = found
        return found


def _is_recorded(db: Database, lines: Sequence[Line]) -> bool:
    """Say whether lines are in the ledger already, in their order and with nothing but rules' versions in between."""
    first = None if not lines else find_line(db, lines[0])
    if first is None:
        return False
    recorded = (text for _, text in read_texts(db, first) if not text.startswith("rules|"))
    return list(islice(recorded, len(lines))) == [text_of(line) for line in lines]


def _move(db: Database, batch: Batch, progress: Progress) -> None:
    db.conn.executemany(
        "INSERT INTO series (series, sequence, is_unsettled) VALUES (?, ?, ?) ON CONFLICT (series) "
        "DO UPDATE SET sequence = excluded.sequence, is_unsettled = excluded.is_unsettled "
        "WHERE (sequence, is_unsettled) <> (excluded.sequence, excluded.is_unsettled)",
        ((series, number, series in batch.unsettled) for series, number in batch.series.items()),
    )
    db.conn.execute(
        "INSERT INTO progress (id, through_slot, seq, head) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET through_slot = excluded.through_slot, seq = excluded.seq, head = excluded.head",
        [progress.through_slot, progress.seq, progress.head],
    )
    if batch.snapshot is not None:
        db.conn.execute("DELETE FROM snapshot")
        db.conn.execute(
            "INSERT INTO snapshot (seq, through_slot, body, hash) VALUES (?, ?, ?, ?)",
            snapshot_row(progress.seq, progress.through_slot, batch.snapshot),
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
    return f"an event's id or running number is in the ledger already: {error}"
