from rows import AttemptRow, EndRow, JobRow

from state.attempts import Attempts
from state.duplicates import duplicates_between


async def land(attempts, letter, effect):
    signature = letter * 88
    job = JobRow(effect=effect)
    await attempts.record_attempt(AttemptRow(signature_text=signature, jobs=(job,)))
    await attempts.record_ends([EndRow(signature_text=signature, is_finalized=True)])


async def test_effects_that_land_again_are_counted_once_in_whichever_part_they_land(store):
    attempts = Attempts(store)
    for letter, effect in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "x"), ("e", "z")):
        await land(attempts, letter, effect)
    assert await store.read(lambda db: duplicates_between(db, 0)) == 2
    parts = [(0, 2), (2, 3), (3, 5)]
    counts = [
        await store.read(lambda db, part=part: duplicates_between(db, *part)) for part in parts
    ]
    assert counts == [0, 1, 1]
