"""state/headroom.py and state/recorded.py."""

from functools import partial

import pytest
from rows import AttemptRow, EndRow, JobRow

from state.attempts import Attempts
from state.headroom import headroom_bps
from state.in_loop import InLoopStore
from state.recorded import recorded


@pytest.fixture
async def store():
    opened = InLoopStore()
    yield opened
    opened.close()


async def land(store, number, *, cu_limit, cu_used, state="landed"):
    attempts = Attempts(store)
    signature = f"{number:x}" * 64
    job = JobRow(job_id=f"job {number}")
    await attempts.record_attempt(
        AttemptRow(signature_text=signature, jobs=(job,), cu_limit=cu_limit)
    )
    err = None if state == "landed" else '"Odd"'
    await attempts.record_ends(
        [EndRow(signature_text=signature, state=state, err=err, cu_used=cu_used)]
    )
    return signature


async def test_headroom_is_what_was_asked_for_beyond_use_by_nearest_rank(store):
    earlier = await land(store, 1, cu_limit=900_000, cu_used=1)
    after_id = await Attempts(store).last_id()
    for number, cu_used in enumerate((100_000, 99_999, 50_000), 2):
        await land(store, number, cu_limit=100_000, cu_used=cu_used)
    await land(store, 5, cu_limit=100_000, cu_used=1_000, state="failed")

    found = await store.read(partial(headroom_bps, after_id=after_id, percents=(1, 50, 99)))
    # Rounded up: one unit too many is not none.
    assert {1: 0, 50: 1, 99: 10_000} == found
    assert {earlier} == await store.read(partial(recorded, signatures=[earlier, "other"]))


async def test_without_landings_there_is_no_headroom(store):
    assert {50: None} == await store.read(partial(headroom_bps, after_id=0, percents=(50,)))
