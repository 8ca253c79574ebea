"""How the recorded attempts ended, counted: what the final report says is what the database says."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from sqlite_utils import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCounts:
    """Counts of some attempts."""

    attempts: int = 0
    open: int = 0
    landed: int = 0
    failed: int = 0
    expired: int = 0
    finalized: int = 0
    jobs_landed: int = 0
    """Jobs carried by landed attempts."""
    cu_requested: int = 0
    """Over the attempts whose use is known, so that it compares with `cu_used`."""
    cu_used: int = 0
    fees_lamports: int = 0
    """Failed attempts pay too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSummary(AttemptCounts):
    """Counts of all attempts, and of each lane's."""

    duplicates: int
    """Landings beyond the first of the same (job, effect), by whichever attempts."""
    by_lane: Mapping[str, AttemptCounts]
    errors: Mapping[str, int]
    """How many failed with each error, in the node's own JSON; the most frequent first."""


def summarize(db: Database, after_id: int, unsettled_after_id: int) -> AttemptSummary:
    """Count the attempts whose id is above `after_id`.

    Args:
        db: the state.
        after_id: attempts above this id count.
        unsettled_after_id: for duplicates those above this one count, each against the whole history: what is older was
            final before. The rest of the history is not read, so that the end of a run takes no longer every day.
    """
    by_lane = {
        lane: AttemptCounts(**dict(zip(_COLUMNS, counts, strict=True)))
        for lane, *counts in db.conn.execute(_BY_LANE, [after_id])
    }
    totals = {name: sum(getattr(counts, name) for counts in by_lane.values()) for name in _COLUMNS}
    (duplicates,) = db.conn.execute(_DUPLICATES, [unsettled_after_id]).fetchone()
    errors = dict(db.conn.execute(_ERRORS, [after_id]).fetchall())
    return AttemptSummary(**totals, duplicates=duplicates, by_lane=by_lane, errors=errors)


_COLUMNS = tuple(each.name for each in fields(AttemptCounts))
_ERRORS = """
SELECT err, count(*) FROM attempt WHERE id > ? AND state = 'failed' GROUP BY err ORDER BY count(*) DESC, err
"""
_DUPLICATES = """
SELECT coalesce(sum(times - 1), 0) FROM (
    SELECT count(*) AS times
    FROM (SELECT DISTINCT job_id, effect FROM attempt_job WHERE attempt_id > ?) AS carried
    CROSS JOIN attempt_job AS job ON job.job_id = carried.job_id AND job.effect = carried.effect
    CROSS JOIN attempt ON attempt.id = job.attempt_id
    WHERE attempt.state = 'landed' GROUP BY job.job_id, job.effect
)
"""
_BY_LANE = """
SELECT lane,
    count(*),
    count(*) FILTER (WHERE state = 'open'),
    count(*) FILTER (WHERE state = 'landed'),
    count(*) FILTER (WHERE state = 'failed'),
    count(*) FILTER (WHERE state = 'expired'),
    count(*) FILTER (WHERE is_finalized = 1),
    coalesce(sum(jobs) FILTER (WHERE state = 'landed'), 0),
    coalesce(sum(cu_limit) FILTER (WHERE cu_used IS NOT NULL), 0),
    coalesce(sum(cu_used), 0),
    coalesce(sum(fee_lamports), 0)
FROM (
    SELECT *, (SELECT count(*) FROM attempt_job WHERE attempt_id = attempt.id) AS jobs
    FROM attempt WHERE id > ?
)
GROUP BY lane ORDER BY lane
"""
