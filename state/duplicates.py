"""Effects that landed more than once, counted over a part of the history."""

from sqlite_utils import Database

_DUPLICATES = """
SELECT count(*) FROM attempt
CROSS JOIN attempt_job AS job ON job.attempt_id = attempt.id
WHERE attempt.id > ? AND attempt.id <= ? AND attempt.state = 'landed' AND EXISTS (
    SELECT 1 FROM attempt_job AS earlier CROSS JOIN attempt AS former ON former.id = earlier.attempt_id
    WHERE earlier.job_id = job.job_id AND earlier.effect = job.effect
        AND former.id < attempt.id AND former.state = 'landed'
)
"""
_NEWEST = 2**63 - 1


def duplicates_between(db: Database, after_id: int, up_to_id: int = _NEWEST) -> int:
    """Count the jobs of attempts above `after_id` and not above `up_to_id` that landed an effect that had landed before.

    Over parts of the history the counts add up.
    """
    (found,) = db.conn.execute(_DUPLICATES, [after_id, up_to_id]).fetchone()
    return int(found)
