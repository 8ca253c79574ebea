import pytest

from state.attempts import Attempts
from state.errors import AlreadyOpen, HistoryConflict
from state.sqlite import sqlite3
from tests.state.rows import AttemptRow, EndRow, FactsRow, JobRow


@pytest.fixture
def attempts(store):
    return Attempts(store)


def named(letter, **fields):
    return AttemptRow(signature_text=letter * 88, **fields)


def end(letter="s", **fields):
    return EndRow(signature_text=letter * 88, **fields)


async def test_an_attempt_is_read_back_with_its_jobs_and_bytes(attempts):
    jobs = (JobRow(), JobRow(job_id="liquidate:B", target="B"))
    await attempts.record_attempt(AttemptRow(jobs=jobs))
    (found,) = await attempts.open_attempts(after_id=0, at_most=99)
    assert (found.state, found.wire, found.last_valid_block_height) == ("open", b"\x01" * 200, 150)
    assert [job.job_id for job in found.jobs] == ["liquidate:A", "liquidate:B"]


async def test_a_job_has_at_most_one_open_attempt(attempts):
    await attempts.record_attempt(AttemptRow())
    with pytest.raises(AlreadyOpen, match="liquidate:A is held by ssss"):
        await attempts.record_attempt(named("t"))
    assert len(await attempts.open_attempts(after_id=0, at_most=99)) == 1


async def test_a_signature_is_recorded_once(attempts):
    await attempts.record_attempt(AttemptRow())
    with pytest.raises(AlreadyOpen):
        await attempts.record_attempt(AttemptRow(jobs=(JobRow(job_id="other"),)))


@pytest.mark.parametrize(
    "how",
    [
        EndRow(),
        EndRow(state="failed", err='{"InstructionError":[0,{"Custom":6}]}'),
        EndRow(state="expired", slot=None, is_finalized=True, fee_lamports=0),
    ],
    ids=["landed", "failed", "expired"],
)
async def test_any_end_frees_the_job_for_another_attempt(attempts, how):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([how])
    await attempts.record_attempt(named("t", jobs=(JobRow(effect="shares=60"),)))


async def test_an_effect_that_landed_is_held_until_it_is_finalized(attempts):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end()])
    with pytest.raises(AlreadyOpen, match=r"liquidate:A is held by s+, which landed and is"):
        await attempts.record_attempt(named("t"))
    await attempts.mark_finalized(["s" * 88])
    await attempts.record_attempt(named("t"))


async def test_what_landed_is_known_by_job_and_effect_with_its_newest_slot(attempts):
    opened = JobRow(job_id="open:A", effect="create")
    await attempts.record_attempt(AttemptRow(jobs=(opened, JobRow(job_id="open:B", effect="x"))))
    await attempts.record_attempt(named("t", jobs=(JobRow(job_id="open:C", effect="create"),)))
    wanted = ["open:A", "open:B", "open:C", "open:D"]
    assert await attempts.landed_slots(wanted, "create") == {}
    await attempts.record_ends([end(slot=7, is_finalized=True)])
    expired = end("t", state="expired", slot=None, is_finalized=True, fee_lamports=0)
    await attempts.record_ends([expired])
    assert await attempts.landed_slots(wanted, "create") == {"open:A": 7}
    await attempts.record_attempt(named("u", jobs=(opened,)))
    await attempts.record_ends([end("u", slot=9)])
    assert await attempts.landed_slots(wanted, "create") == {"open:A": 9}
    assert await attempts.landed_slots([], "create") == {}


async def test_an_effect_that_failed_or_was_undone_is_free_at_once(attempts):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end()])
    await attempts.record_ends([end(state="expired", slot=None, err="gone", is_finalized=True)])
    await attempts.record_attempt(named("t"))
    await attempts.record_ends([end("t", state="failed", err="{}")])
    await attempts.record_attempt(named("u"))


async def test_facts_are_recorded_after_the_end_once_and_of_the_right_block(attempts, store):
    async def found():
        read = "SELECT cu_used, fee_lamports FROM attempt"
        return await store.read(lambda db: db.conn.execute(read).fetchone())

    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end(cu_used=None)])
    await attempts.record_facts([FactsRow(slot=8)])
    assert await found() == (None, 5_200)
    await attempts.mark_finalized(["s" * 88])
    await attempts.record_facts([FactsRow(cu_used=77, fee_lamports=5_111)])
    await attempts.record_facts([FactsRow(cu_used=78)])
    assert await found() == (77, 5_111)
    with pytest.raises(sqlite3.IntegrityError, match="what a finalized attempt used never"):
        await store.transaction(lambda db: db.conn.execute("UPDATE attempt SET cu_used = 1"))


async def test_what_was_used_in_a_block_left_behind_is_forgotten_with_it(attempts, store):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end(slot=7, cu_used=None)])
    await attempts.record_facts([FactsRow(cu_used=77)])
    await attempts.record_ends([end(slot=9, cu_used=None)])
    read = "SELECT slot, cu_used FROM attempt"
    assert await store.read(lambda db: db.conn.execute(read).fetchone()) == (9, None)


async def test_signed_bytes_are_kept_until_the_attempt_is_finalized_and_no_longer(attempts, store):
    async def kept():
        read = "SELECT count(*) FROM attempt_wire"
        return await store.read(lambda db: db.conn.execute(read).fetchone()[0])

    for letter in "stu":
        await attempts.record_attempt(named(letter, jobs=(JobRow(job_id=letter),)))
    await attempts.record_ends([end("t"), end("s", is_finalized=True)])
    assert await kept() == 2
    await attempts.mark_finalized(["t" * 88])
    await attempts.record_ends(
        [end("u", state="expired", slot=None, err="gone", is_finalized=True, cu_used=None)]
    )
    assert await kept() == 0
    assert (await attempts.summary()).attempts == 3


async def test_unsettled_attempts_are_read_a_page_at_a_time(attempts):
    for letter in "stuv":
        await attempts.record_attempt(named(letter, jobs=(JobRow(job_id=letter),)))
    await attempts.record_ends([end("t", is_finalized=True)])
    first = await attempts.open_attempts(after_id=0, at_most=2)
    assert [(each.signature_text[0], each.jobs[0].job_id) for each in first] == [
        ("s", "s"),
        ("u", "u"),
    ]
    (last,) = await attempts.open_attempts(after_id=first[-1].id, at_most=2)
    assert last.signature_text == "v" * 88
    assert await attempts.open_attempts(after_id=last.id, at_most=2) == ()


async def test_a_landed_attempt_stays_unsettled_until_finalized(attempts):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end()])
    assert [found.state for found in await attempts.open_attempts(after_id=0, at_most=99)] == [
        "landed"
    ]
    await attempts.mark_finalized(["s" * 88])
    assert await attempts.open_attempts(after_id=0, at_most=99) == ()
    await attempts.mark_finalized(["s" * 88])


async def test_a_fork_may_move_a_landed_attempt_until_it_is_finalized(attempts, store):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end(slot=7)])
    await attempts.record_ends([end(slot=9)])
    await attempts.record_ends([end(slot=9, is_finalized=True)])
    turns = "SELECT state, slot, is_finalized FROM attempt_event ORDER BY id"
    assert await store.read(lambda db: db.conn.execute(turns).fetchall()) == [
        ("landed", 7, 0),
        ("landed", 9, 0),
        ("landed", 9, 1),
    ]
    with pytest.raises(HistoryConflict, match="is landed at slot 9, not landed at slot 11"):
        await attempts.record_ends([end(slot=11)])


async def test_repeating_a_record_changes_nothing(attempts, store):
    await attempts.record_attempt(AttemptRow())
    for _ in range(2):
        await attempts.record_ends([end(is_finalized=True)])
    await attempts.record_ends([end(is_finalized=False)])
    count = "SELECT count(*) FROM attempt_event"
    assert await store.read(lambda db: db.conn.execute(count).fetchone()[0]) == 1


async def test_an_open_attempt_cannot_be_finalized(attempts):
    await attempts.record_attempt(AttemptRow())
    with pytest.raises(HistoryConflict, match="no end yet"):
        await attempts.mark_finalized(["s" * 88])


async def test_an_unknown_signature_is_a_conflict(attempts):
    with pytest.raises(HistoryConflict, match="no attempt has the signature xxxx"):
        await attempts.record_ends([end("x")])
    with pytest.raises(HistoryConflict, match="no attempt has the signature xxxx"):
        await attempts.mark_finalized(["x" * 88])


async def test_an_attempt_without_jobs_is_refused(attempts):
    with pytest.raises(HistoryConflict, match="carries no job"):
        await attempts.record_attempt(AttemptRow(jobs=()))


async def test_a_u64_beyond_what_sqlite_stores_is_refused(attempts):
    with pytest.raises(HistoryConflict, match="last_valid_block_height is 9223372036854775808"):
        await attempts.record_attempt(AttemptRow(last_valid_block_height=2**63))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM attempt",
        "DELETE FROM attempt_job",
        "DELETE FROM attempt_event",
        "UPDATE attempt SET blockhash = signature",
        "UPDATE attempt_wire SET wire = zeroblob(100)",
        "DELETE FROM attempt_wire",
        "UPDATE attempt_job SET effect = 'x'",
        "UPDATE attempt SET state = 'open', slot = NULL",
        "UPDATE attempt_job SET is_open = 1",
        "UPDATE attempt_job SET job_id = 'x'",
        "UPDATE attempt_event SET slot = 1",
        "INSERT OR REPLACE INTO attempt SELECT * FROM attempt",
        "INSERT OR REPLACE INTO attempt_event SELECT * FROM attempt_event",
        "UPDATE attempt SET state = 'failed'",
        "UPDATE attempt SET slot = NULL",
    ],
)
async def test_the_file_itself_refuses_to_rewrite_history(attempts, store, statement):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end()])
    with pytest.raises(sqlite3.IntegrityError):
        await store.transaction(lambda db: db.conn.execute(statement))


async def test_the_summary_counts_what_happened_since_an_id(attempts):
    await attempts.record_attempt(AttemptRow())
    await attempts.record_ends([end(cu_used=None)])
    since = await attempts.last_id()
    two = (JobRow(job_id="liquidate:B"), JobRow(job_id="liquidate:C"))
    await attempts.record_attempt(named("t", jobs=two))
    await attempts.record_ends([end("t", is_finalized=True)])
    await attempts.record_attempt(named("u", jobs=two))
    await attempts.record_ends([end("u", state="failed", err="{}", cu_used=9, fee_lamports=5_000)])
    await attempts.record_attempt(named("v", jobs=(JobRow(effect="shares=60"),)))
    report = await attempts.summary(after_id=since)
    assert (report.attempts, report.landed, report.failed, report.open) == (3, 1, 1, 1)
    assert (report.jobs_landed, report.finalized, report.duplicates) == (2, 1, 0)
    assert {"{}": 1} == report.errors
    assert (report.cu_requested, report.cu_used, report.fees_lamports) == (400_000, 150_009, 10_200)


async def test_the_same_effect_of_one_job_landing_twice_is_a_duplicate(attempts):
    for letter, effect in (("s", "shares=100"), ("t", "shares=60"), ("u", "shares=100")):
        await attempts.record_attempt(named(letter, jobs=(JobRow(effect=effect),)))
        await attempts.record_ends([end(letter, is_finalized=True)])
    assert (await attempts.summary()).duplicates == 1
    assert (await attempts.summary(final_up_to=2)).duplicates == 1  # the third repeats the first
    assert (await attempts.summary(final_up_to=3)).duplicates == 0


async def test_what_an_earlier_run_left_open_counts_among_the_duplicates_of_the_one_that_settles_it(
    attempts,
):
    for letter in "stu":
        await attempts.record_attempt(named(letter, jobs=(JobRow(job_id=f"liquidate:{letter}"),)))
        if letter == "s":
            await attempts.record_ends([end(letter, is_finalized=True)])
    assert (await attempts.final_up_to(), await attempts.last_id()) == (1, 3)
    await attempts.record_ends([end("t", is_finalized=True), end("u", is_finalized=True)])
    assert await attempts.final_up_to() == 3


async def test_fees_since_a_slot_are_summed_by_lane_and_an_expired_attempt_cost_nothing(attempts):
    for letter, lane, slot, how in (
        ("a", "prices", 9, end("a", fee_lamports=5_001)),  # too old
        ("b", "prices", 10, end("b", fee_lamports=5_010)),
        ("c", "prices", 11, end("c", state="failed", err="{}", fee_lamports=5_100)),
        (
            "d",
            "liquidations",
            12,
            end("d", state="expired", slot=None, fee_lamports=0, is_finalized=True),
        ),
        ("e", "liquidations", 12, None),  # open: it may still cost what was bid
    ):
        job = JobRow(job_id=letter)
        await attempts.record_attempt(
            named(letter, lane=lane, created_slot=slot, jobs=(job,), fee_bid_lamports=5_200)
        )
        if how is not None:
            await attempts.record_ends([how])

    found = await attempts.spent(from_minute=29_000_001, from_slot=10)

    assert {"prices": 10_400, "liquidations": 5_200} == {row.lane: row.lamports for row in found}
