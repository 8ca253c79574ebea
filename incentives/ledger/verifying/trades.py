"""Are the first hundred trades, and no others, rewarded as such.

Shell.
"""

from collections.abc import Iterator
from typing import Any

from solders.pubkey import Pubkey
from sqlite_utils import Database

from incentives.ledger.verifying.finding import Finding
from incentives.ledger.verifying.season import Promise
from incentives.rules.payloads import Picked
from incentives.unread import NUMBERED_NOTIONAL, UNREAD_KIND, Unread
from programs.event_layout import EventKind
from programs.instructions.tags import Tag
from programs.units import U64_MAX

_OPENED = Picked(EventKind.POSITION_OPENED, "owner", "trade_number")
_NUMBERED = 100


def check_boosted(db: Database, promise: Promise) -> Iterator[Finding]:
    """Compare the double rewards with the program's own numbers: at most one each, in the chain's order, gaps only where voided."""
    numbered, gap = _numbered(db)
    if gap is not None:
        yield gap
    recorded = {
        row[0]: row[1:]
        for row in db.conn.execute(
            "SELECT trade_number, cause_seq, wallet, slot, is_voided, seq FROM boosted_trade"
        )
    }
    rewarded = dict(
        db.conn.execute(
            "SELECT cause_seq, count(*) FROM transfer WHERE code = 'trade_boosted' GROUP BY cause_seq"
        )
    )
    beyond = {
        cause
        for (cause,) in db.conn.execute(
            "SELECT cause FROM anomaly WHERE kind = 'claim_beyond_limit'"
        )
    }
    for number, (cause_seq, wallet, slot, is_voided, seq) in sorted(recorded.items()):
        if numbered.get(number) != (cause_seq, wallet, slot):
            yield Finding(
                "boosted",
                f"boosted trade {number} in line {seq} is not what the program numbered so",
            )
        found = rewarded.pop(cause_seq, 0)
        source = db.conn.execute(
            "SELECT source_id FROM event WHERE seq = ?", [cause_seq]
        ).fetchone()
        expected = 0 if is_voided or (source and source[0] in beyond) else 1
        if found != expected:
            yield Finding(
                "boosted", f"boosted trade {number} has {found} double rewards, expected {expected}"
            )
    for cause_seq in rewarded:
        yield Finding(
            "boosted",
            f"the event in line {cause_seq} has a double reward and is none of the boosted trades",
        )
    yield from _missing(db, promise, numbered, set(recorded))


def _numbered(db: Database) -> tuple[dict[int, tuple[int, str, int]], Finding | None]:
    """Return line, wallet and slot of the trades that the program numbered, in the chain's order, and the first gap among them.

    An open that nobody could read took the next number if its notional is one; the steps of a chain may have taken one.
    """
    numbered, gap, last, doubtful = dict[int, tuple[int, str, int]](), None, 0, 0
    rows: Iterator[tuple[Any, ...]] = db.conn.execute(
        "SELECT seq, slot, kind, payload FROM event WHERE kind IN (?, ?) ORDER BY seq",
        [EventKind.POSITION_OPENED, UNREAD_KIND],
    )
    for seq, slot, kind, payload in rows:
        if last >= _NUMBERED:
            break
        if kind == UNREAD_KIND:
            unread = Unread.from_payload(payload)
            doubtful += unread.tag is Tag.EXECUTE_CHAIN
            if unread.tag is Tag.OPEN_POSITION and unread.amount >= NUMBERED_NOTIONAL:
                last += 1
                numbered[last] = (seq, str(Pubkey.from_bytes(unread.signer)), slot)
            continue
        owner, number = _OPENED.of(payload)
        if not number:
            continue
        if gap is None and not last < number <= last + 1 + doubtful:
            gap = Finding("boosted", f"the program's trade number {number} follows number {last}")
        numbered[number] = (seq, str(Pubkey.from_bytes(owner)), slot)
        last, doubtful = number, 0
    return numbered, gap


def _missing(
    db: Database, promise: Promise, numbered: dict[int, tuple[int, str, int]], recorded: set[int]
) -> Iterator[Finding]:
    through = db.conn.execute("SELECT coalesce(max(through_slot), -1) FROM progress").fetchone()[0]
    season, parameters = promise.season, promise.parameters
    for number, (seq, _, slot) in numbered.items():
        rules = parameters.rules(parameters.version_at(season.epoch_at(slot)))
        is_decided = slot + parameters.dwell_slots <= min(through, U64_MAX)
        if number <= rules.boosted_trades and is_decided and number not in recorded:
            yield Finding(
                "boosted",
                f"trade {number} in line {seq} has dwelt and is neither rewarded nor voided",
            )
        if number > rules.boosted_trades and number in recorded:
            yield Finding(
                "boosted", f"trade {number} is beyond the {rules.boosted_trades} that are boosted"
            )
