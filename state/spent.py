"""What lanes spent, minute by minute: fees, failed ones too, and rent.

A fee counts as it was bid, for that is what a block charges; what a node says of it is recorded beside, and frees no cap.
"""

from dataclasses import dataclass

from sqlite_utils import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one lane spent in one minute of the wall clock."""

    lane: str
    signed_minute: int | None
    """Unix minutes; None for attempts that were not dated."""
    created_slot: int
    """The newest blockhash of the minute: a second clock, should the wall clock have been set."""
    lamports: int
    """An attempt that is still open counts what it may come to."""


def spent_by_minute(db: Database, from_minute: int, from_slot: int) -> tuple[Spent, ...]:
    """Sum the attempts that either clock says are new enough."""
    return tuple(
        Spent(lane=lane, signed_minute=minute, created_slot=slot, lamports=lamports)
        for lane, minute, slot, lamports in db.conn.execute(_SPENT, [from_minute, from_slot])
    )


_SPENT = """
SELECT lane, signed_minute, max(created_slot), sum(
    fee_bid_lamports + CASE state WHEN 'failed' THEN 0 ELSE rent_lamports END)
FROM attempt
WHERE state <> 'expired' AND (signed_minute >= ? OR created_slot >= ?)
GROUP BY lane, signed_minute ORDER BY lane, signed_minute
"""
