"""How much more compute was asked for than was used: what a budget wastes, of each landed transaction."""

from collections.abc import Mapping, Sequence

from sqlite_utils import Database

_BPS = 10_000


def headroom_bps(
    db: Database, *, after_id: int, percents: Sequence[int]
) -> Mapping[int, int | None]:
    """Return nearest-rank percentiles of (requested - used) / used, bps, rounded up; None where nothing landed.

    Args:
        db: the state.
        after_id: attempts above this id count.
        percents: which percentiles.
    """
    ordered = [
        bps
        for (bps,) in db.conn.execute(
            "SELECT ((cu_limit - cu_used) * ? + cu_used - 1) / cu_used AS bps FROM attempt "
            "WHERE id > ? AND state = 'landed' AND cu_used > 0 ORDER BY bps",
            [_BPS, after_id],
        )
    ]
    return {
        percent: ordered[max(1, -(-percent * len(ordered) // 100)) - 1] if ordered else None
        for percent in percents
    }
