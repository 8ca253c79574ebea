"""Does the chain hold what the ledger says, wherever it was read.

Shell. Anybody may burn MMT of their own, or send it to the sink or the treasury: more there than the ledger says is no harm.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from sqlite_utils import Database

from incentives.ledger.verifying.finding import Finding
from incentives.rules.payloads import Picked
from incentives.unread import UNREAD_KIND, Unread, is_unread
from programs.event_layout import EventKind
from programs.instructions.tags import Tag

_POSTED = Picked(EventKind.EPOCH_POSTED, "posted_mmt")
_LEFT = """
    SELECT slot, sum(amount) FROM transfer WHERE code IN ('payout', 'foreign_payout') GROUP BY slot ORDER BY slot"""


def check_readings(db: Database) -> Iterator[Finding]:
    """Compare supply, sink, treasury and posted roots with the ledger at the slot of each reading."""
    genesis = dict(
        db.conn.execute(
            "SELECT account.role, sum(amount) FROM transfer JOIN account ON account.id = credit WHERE code = 'genesis' GROUP BY 1"
        )
    )
    sink, season = genesis.get("sink", 0), genesis.get("season", 0)
    paid = db.conn.execute(_LEFT).fetchall()
    paid_slots, paid_sums = (
        [slot for slot, _ in paid],
        [0, *accumulate(amount for _, amount in paid)],
    )
    posted = _posted(db)
    posted_slots, posted_sums = [slot for slot, _ in posted], [0, *(total for _, total in posted)]
    rows = db.conn.execute(
        "SELECT slot, supply, sink, treasury, posted FROM chain_reading "
        "WHERE slot <= (SELECT through_slot FROM progress) ORDER BY id"
    )
    for slot, supply, in_sink, in_treasury, roots in rows:
        due = season - paid_sums[bisect_right(paid_slots, slot)]
        if in_treasury < due:
            yield Finding(
                "treasury",
                f"at slot {slot} the treasury held {in_treasury} base units, {due - in_treasury} less than the ledger explains",
            )
        if supply > sink + season:
            yield Finding(
                "treasury",
                f"at slot {slot} there were {supply} base units of MMT, but genesis made {sink + season}",
            )
        if in_sink < sink:
            yield Finding(
                "treasury",
                f"at slot {slot} the sink held {in_sink} base units, genesis put {sink} there",
            )
        stood = posted_sums[bisect_right(posted_slots, slot)]
        if roots != stood:
            yield Finding(
                "treasury",
                f"at slot {slot} the chain had roots of {roots} base units in all, the events say {stood}",
            )


def _posted(db: Database) -> list[tuple[int, int]]:
    """Return what all roots came to after each that was posted, by slot."""
    found = list[tuple[int, int]]()
    rows = db.conn.execute(
        "SELECT slot, payload FROM event WHERE kind IN (?, ?) ORDER BY seq",
        [EventKind.EPOCH_POSTED, UNREAD_KIND],
    )
    for slot, payload in rows:
        if not is_unread(payload):
            found.append((slot, _POSTED.of(payload)[0]))
        elif (unread := Unread.from_payload(payload)).tag is Tag.POST_EPOCH:
            found.append((slot, (found[-1][1] if found else 0) + unread.posted[1]))
    return found
