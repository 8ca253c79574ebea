import pytest
from solders.pubkey import Pubkey

from keeper.jobs import Job, JobQueue, Urgency

MARKETS = [Pubkey(bytes([100 + n]) * 32) for n in range(3)]


def job(n, *, bounty=0, shortfall=0, seen=10, market=0, due=5):
    return Job(
        kind="liquidate",
        market=MARKETS[market],
        target=Pubkey(bytes([n]) * 32),
        effect=f"seen={seen}",
        urgency=Urgency(bounty=bounty, shortfall=shortfall),
        seen_slot=seen,
        due_at_s=float(due),
    )


def queue_of(*jobs, capacity=100):
    queue = JobQueue(capacity)
    assert queue.offer(jobs, 0.0) == []
    return queue


def reasons(refused):
    return [reason for _, reason in refused]


def test_the_same_need_is_the_same_job():
    assert job(1, seen=10).job_id == job(1, seen=99).job_id == f"liquidate:{job(1).target}"


def take(queue, *numbers):
    """Put queued jobs in flight; return their ids."""
    chosen = [one for one in queue.by_urgency() if bytes(one.target)[0] in numbers]
    assert len(chosen) == len(numbers)
    queue.take(chosen)
    return [one.job_id for one in chosen]


def test_the_most_money_at_stake_comes_first():
    queue = queue_of(job(1, bounty=5), job(2, bounty=7), job(3, bounty=1, shortfall=9))
    assert [bytes(one.target)[0] for one in queue.by_urgency()] == [3, 2, 1]


def test_a_target_is_queued_once_with_the_newest_view_and_the_oldest_due():
    queue = queue_of(job(1, bounty=1, seen=10, due=5))
    assert queue.offer([job(1, bounty=9, seen=12, due=12)], 0.0) == []
    (found,) = queue.by_urgency()
    assert (found.urgency.bounty, found.seen_slot, found.due_at_s) == (9, 12, 5.0)
    assert reasons(queue.offer([job(1, seen=11)], 0.0)) == ["stale view"]
    assert queue.offer([job(1, bounty=8, seen=12)], 0.0) == []
    assert queue.by_urgency()[0].urgency.bounty == 8


def test_when_full_the_least_urgent_give_way_and_are_named():
    queue = queue_of(job(1, bounty=1), job(2, bounty=2), capacity=2)
    (refused,) = queue.offer([job(3, bounty=3)], 0.0)
    assert refused == (job(1, bounty=1), "queue full")
    assert reasons(queue.offer([job(4, bounty=0)], 0.0)) == ["queue full"]


def test_a_target_in_flight_is_not_queued_again_until_its_outcome():
    queue = queue_of(job(1, due=5))
    ids = take(queue, 1)
    assert reasons(queue.offer([job(1, seen=99)], 0.0)) == ["in flight"]
    assert (0, 1) == (queue.statistics().queued, queue.statistics().in_flight)
    queue.released(ids)
    assert queue.offer([job(1, seen=99, due=99)], 0.0) == []
    (found,) = queue.by_urgency()
    assert (99, 5.0) == (found.seen_slot, found.due_at_s)


def test_after_landing_only_a_newer_view_queues_a_target_again_and_its_need_is_new():
    queue = queue_of(job(1, due=5))
    queue.landed(take(queue, 1), 20)
    assert reasons(queue.offer([job(1, seen=20)], 0.0)) == ["stale view"]
    assert queue.offer([job(1, seen=21, due=21)], 0.0) == []
    assert 21.0 == queue.by_urgency()[0].due_at_s


def test_a_failed_batch_comes_back_at_once_and_one_alone_after_its_pause_as_old_as_it_was():
    queue = queue_of(job(1, due=5), job(2, due=5))
    queue.failed(take(queue, 1, 2), 0.0)
    assert 2 == queue.statistics().queued
    queue.failed(take(queue, 1), 0.0)
    assert [job(2).job_id] == [one.job_id for one in queue.by_urgency()]
    assert reasons(queue.offer([job(1, seen=11, due=11)], 1.9)) == ["paused"]
    assert queue.offer([job(1, seen=12, due=12)], 2.0) == []
    assert {5.0} == {one.due_at_s for one in queue.by_urgency()}


def test_a_need_that_is_gone_is_withdrawn_whether_it_waits_or_pauses():
    queue = queue_of(job(1, due=5), job(2, due=5), job(3), job(4))
    queue.failed(take(queue, 1), 0.0)
    ids = take(queue, 4)
    queue.withdraw_others({job(3).job_id})
    assert [job(3).job_id] == [one.job_id for one in queue.by_urgency()]
    # What is in flight stays so; what paused is a new need when it comes back.
    queue.released(ids)
    assert queue.offer([job(1, seen=50, due=50)], 10.0) == []
    assert 50.0 == next(one.due_at_s for one in queue.by_urgency() if one.job_id == job(1).job_id)


def test_one_job_is_withdrawn_by_name():
    queue = queue_of(job(1))
    assert queue.withdraw(job(1).job_id)
    assert not queue.withdraw(job(1).job_id)


def test_what_no_longer_matters_is_forgotten():
    queue = queue_of(job(1), job(2))
    queue.landed(take(queue, 1), 20)
    queue.failed(take(queue, 2), 0.0)
    queue.forget(landed_before=20, now_s=0.0)
    assert queue.statistics().remembered == 2
    queue.forget(landed_before=21, now_s=302.1)
    assert queue.statistics().remembered == 0
    assert queue.offer([job(1, seen=1)], 0.0) == []


def test_a_landing_that_was_heard_of_late_is_forgotten_with_those_heard_of_before_it():
    queue = queue_of(job(1), job(2), job(3))
    queue.landed(take(queue, 1), 30)
    queue.landed(take(queue, 2), 20)
    queue.landed(take(queue, 3), 31)
    queue.offer([job(1, seen=31)], 0.0)
    queue.landed(take(queue, 1), 40)  # once more, and so it stands last
    queue.forget(landed_before=21, now_s=0.0)
    assert queue.statistics().remembered == 2
    queue.forget(landed_before=40, now_s=0.0)
    assert queue.statistics().remembered == 1


def test_a_queue_that_holds_nothing_is_refused():
    with pytest.raises(ValueError, match="capacity is 0"):
        JobQueue(0)


def test_a_job_rests_as_long_as_its_pause_lasts():
    queue = queue_of(job(1))
    queue.failed(take(queue, 1), 0.0)
    assert [job(1).target] == [each.target for each in queue.resting(1.9)]
    assert queue.resting(2.1) == []


def test_the_jobs_of_a_busy_market_are_left_out():
    queue = queue_of(job(1, market=0), job(2, market=1))
    assert [job(2).target] == [each.target for each in queue.by_urgency(without={MARKETS[0]})]
