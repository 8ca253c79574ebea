"""Do the lines lead to the head, in the order of the rules, and does every transfer go where its code says.

Shell. One pass over all lines, in their order.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from sqlite_utils import Database

from incentives.ledger.encoding import chained, id_of_source
from incentives.ledger.opened import read_identity
from incentives.ledger.recorded import RecordedLine, TextsOfRows, read_progress, read_rows
from incentives.ledger.verifying.finding import Finding
from incentives.lines import Code
from incentives.unread import UNREAD_KIND, UNREAD_SERIES, Unread
from programs.event_layout import EVENT_VERSION, HEAD, REWARDS_SERIES

ROUTES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    Code.GENESIS: (("mint", "sink"), ("mint", "season")),
    Code.EMISSION: (("season", "pot"),),
    Code.TRADE: (("pot", "accrued"),),
    Code.TRADE_BOOSTED: (("pot", "accrued"),),
    Code.MAKER: (("pot", "accrued"),),
    Code.MAKER_BOOSTED: (("pot", "accrued"),),
    Code.MINING: (("pot", "accrued"),),
    Code.ROUNDING: (("pot", "accrued"),),
    Code.SCALING: (("accrued", "pot"),),
    Code.ALLOCATION: (("accrued", "payable"),),
    Code.ROOT: (("payable", "in_flight"),),
    Code.PAYOUT: (("in_flight", "paid"),),
    Code.SEASON_END: (("pot", "unspent"),),
    Code.FOREIGN_PAYOUT: (("unspent", "unexplained"), ("pot", "unexplained")),
}
"""From which kind of account to which a code moves MMT; between two accounts of wallets, of the same wallet."""
_OVERDRAWN: Final = frozenset({"mint", "pot"})


class LineCheck:
    """Reads all lines once; what they sum to is there afterwards."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._texts = TextsOfRows(db)
        self._seq = 0
        self._anchor = 0
        """The last line whose hash was right."""
        self._head = read_identity(db).seed
        self._place: tuple[int, ...] = (-1,)
        self._slot = 0
        self._sequences: dict[int, int] = {}
        self._unsettled: set[int] = set()
        """Series of which something could not be read since their last event."""
        self._accounts: dict[int, tuple[str | None, str]] = {
            number: (wallet, role)
            for number, wallet, role in db.conn.execute("SELECT id, wallet, role FROM account")
        }
        self._pots = [number for number, key in self._accounts.items() if key == (None, "pot")]
        self._accrued = 0
        """By all wallets, in the epoch that runs."""
        self._close: tuple[int, int, int] | None = None
        """Its epoch, its line, and what it must leave in the pot."""
        self.debits: defaultdict[int, int] = defaultdict(int)
        self.credits: defaultdict[int, int] = defaultdict(int)

    def findings(self) -> Iterator[Finding]:
        """Read the lines."""
        for line in read_rows(self._db):
            yield from self._number(line)
            yield from self._hash(line)
            if line.table == "transfer":
                yield from self._transfer(line.row)
            elif line.table == "event":
                yield from self._event(line.row)
            elif line.table == "epoch":
                yield from self._epoch(line.row)
        yield from self._settle_close()
        yield from self._end()

    def _number(self, line: RecordedLine) -> Iterator[Finding]:
        if line.seq <= self._seq:
            yield Finding("lines", f"line {line.seq} is in {line.table} and in another table")
        elif line.seq == self._seq + 2:
            yield Finding("lines", f"line {line.seq - 1} is missing")
        elif line.seq > self._seq + 1:
            yield Finding("lines", f"lines {self._seq + 1} to {line.seq - 1} are missing")
        self._seq = line.seq

    def _hash(self, line: RecordedLine) -> Iterator[Finding]:
        try:
            self._head = chained(self._head, self._texts.text(line))
        except (ValueError, TypeError, AttributeError) as error:
            yield Finding("lines", f"line {line.seq} in {line.table} cannot be read: {error}")
        if line.table == "event":
            yield from self._compare(line.seq, line.row[7])
        elif line.table == "epoch":
            yield from self._compare(line.seq, line.row[10])

    def _compare(self, seq: int, recorded: bytes) -> Iterator[Finding]:
        if recorded != self._head:
            yield Finding(
                "chain",
                f"the chain of hashes breaks between line {self._anchor + 1} and line {seq}: one was changed",
            )
            self._head = recorded  # what comes after is judged by itself
        self._anchor = seq

    def _end(self) -> Iterator[Finding]:
        progress = read_progress(self._db)
        if progress is None:
            if self._seq:
                yield Finding(
                    "chain", f"there are {self._seq} lines and no record of where the ledger stands"
                )
            return
        if progress.seq != self._seq:
            yield Finding(
                "chain",
                f"the ledger says that it has {progress.seq} lines, but its last one is {self._seq}",
            )
        elif progress.head != self._head:
            yield Finding(
                "chain",
                f"lines {self._anchor + 1} to {self._seq} do not lead to the head {progress.head.hex()}: one was changed",
            )
        if self._place[0] > progress.through_slot:
            yield Finding(
                "order",
                f"an event of slot {self._place[0]} is recorded, but the ledger says it is read through slot {progress.through_slot}",
            )
        read = dict(self._db.conn.execute("SELECT series, sequence FROM series"))
        for series in self._sequences.keys() - read.keys():
            yield Finding("order", f"nothing says how far series {series} is read")
        for series, sequence in read.items():
            last = self._sequences.get(series, 0)
            if last > sequence or (series >= REWARDS_SERIES and last != sequence):
                yield Finding(
                    "order",
                    f"series {series} is read up to number {sequence}, but its last event has number {last}",
                )

    def _event(self, row: tuple[Any, ...]) -> Iterator[Finding]:
        (
            seq,
            source_id,
            slot,
            tx_index,
            instruction,
            inner,
            payload,
            _,
            found_id,
            kind,
            series,
            sequence,
        ) = row
        place = (slot, tx_index, instruction, inner)
        if place <= self._place:
            yield Finding(
                "order", f"event {source_id} in line {seq} is not after the event before it"
            )
        self._place = place
        told = HEAD.unpack_from(payload) if len(payload) >= HEAD.size else ()
        if told != (EVENT_VERSION, kind, 0, series, sequence, slot) or found_id != id_of_source(
            source_id
        ):
            yield Finding(
                "lines",
                f"the columns of event {source_id} in line {seq} are not what its bytes say",
            )
        last = self._sequences.get(series, 0)
        may_skip = series < REWARDS_SERIES or series in self._unsettled or series == UNREAD_SERIES
        # Price updates take numbers in a market's series and are not recorded.
        if sequence <= last or (sequence != last + 1 and not may_skip):
            yield Finding(
                "order",
                f"event {source_id} has number {sequence} of series {series}, after number {last}",
            )
        self._sequences[series] = sequence
        self._unsettled.discard(series)
        if kind == UNREAD_KIND:
            self._unsettled |= Unread.from_payload(payload).touched

    def _transfer(self, row: tuple[Any, ...]) -> Iterator[Finding]:
        seq, cause_seq, _, code, slot, debit, credit, amount, *_ = row
        if self._close is not None and (cause_seq != self._close[1] or code == Code.SEASON_END):
            yield from self._settle_close()
        if slot < self._slot:
            yield Finding(
                "order",
                f"the transfer in line {seq} holds from slot {slot}, the one before it from {self._slot}",
            )
        self._slot = slot
        wallet, source = self._accounts.get(debit, (None, ""))
        other, target = self._accounts.get(credit, (None, ""))
        if (source, target) not in ROUTES.get(code, ()) or (wallet and other and wallet != other):
            yield Finding(
                "routes",
                f"the transfer in line {seq} is a {code} from {wallet or ''} {source} to {other or ''} {target}".replace(
                    "  ", " "
                ),
            )
        self.debits[debit] += amount
        self.credits[credit] += amount
        if self.credits[debit] < self.debits[debit] and source not in _OVERDRAWN:
            yield Finding(
                "balances", f"the transfer in line {seq} overdraws {self._texts_path(debit)}"
            )
        if source == "accrued":
            self._accrued -= amount
        if target == "accrued":
            self._accrued += amount

    def _texts_path(self, account: int) -> str:
        wallet, role = self._accounts.get(account, (None, f"account {account}"))
        return role if wallet is None else f"wallet/{wallet}/{role}"

    def _pot(self) -> int:
        return sum(self.credits[number] - self.debits[number] for number in self._pots)

    def _epoch(self, row: tuple[Any, ...]) -> Iterator[Finding]:
        seq, epoch, _, _, rolled_over, emitted, _, _, allocated, *_ = row
        yield from self._settle_close()
        before = self._pot() + self._accrued
        if before != rolled_over:
            yield Finding(
                "epochs",
                f"epoch {epoch} takes over {rolled_over} base units, but earlier ones left {before} in the pot",
            )
        self._close = (epoch, seq, rolled_over + emitted - allocated)

    def _settle_close(self) -> Iterator[Finding]:
        """Compare what a close left with what it said, once its transfers are over."""
        if self._close is None:
            return
        epoch, _, left = self._close
        self._close = None
        if self._accrued:
            yield Finding(
                "epochs",
                f"the close of epoch {epoch} leaves {self._accrued} base units accrued and not allocated",
            )
        if (pot := self._pot()) != left:
            yield Finding(
                "epochs",
                f"the close of epoch {epoch} leaves {pot} base units in the pot, expected {left}",
            )


def check_balances(db: Database, lines: LineCheck) -> Iterator[Finding]:
    """Compare the projection with what the transfers sum to: debits are credits, whatever the projection says."""
    projected = {
        number: said
        for number, *said in db.conn.execute(
            "SELECT account, debits, credits, may_overdraw FROM balance"
        )
    }
    for number, wallet, role, path in db.conn.execute("SELECT id, wallet, role, path FROM account"):
        summed = [
            lines.debits[number],
            lines.credits[number],
            wallet is None and role in _OVERDRAWN,
        ]
        if (said := projected.pop(number, None)) != summed:
            what = f"{said[0]} debits and {said[1]} credits" if said else "nothing"
            yield Finding(
                "balances",
                f"the balance of {path} says {what}, its transfers {summed[0]} debits and {summed[1]} credits",
            )
    for number in projected:
        yield Finding("balances", f"there is a balance of account {number}, which does not exist")
    sums = db.conn.execute("SELECT sum(debits), sum(credits) FROM balance").fetchone()
    if sums[0] != sums[1]:
        yield Finding(
            "balances",
            f"all balances together have {sums[0]} debits and {sums[1]} credits: they must be equal",
        )
