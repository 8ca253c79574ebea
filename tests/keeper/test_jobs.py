import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.jobs import Job, JobQueue, Urgency

MARKETS = [Pubkey(bytes([100 + n]) * 32) for n in range(3)]


def job(n, *, bounty=0, shortfall=0, seen=10, market=0, due=5):
    return Job(
        kind="liquidate",
        lane="liquidations",
        market=MARKETS[market],
        target=Pubkey(bytes([n]) * 32),
        effect=f"seen={seen}",
        urgency=Urgency(bounty=bounty, shortfall=shortfall),
        seen_slot=seen,
        due_slot=due,
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


def test_the_most_urgent_come_first_by_bounty_then_shortfall():
    queue = queue_of(job(1, bounty=5), job(2, bounty=7), job(3, bounty=5, shortfall=1))
    assert [bytes(one.target)[0] for one in queue.by_urgency()] == [2, 3, 1]


def test_a_target_is_queued_once_with_the_newest_view_and_the_oldest_due():
    queue = queue_of(job(1, bounty=1, seen=10, due=5))
    assert queue.offer([job(1, bounty=9, seen=12, due=12)], 0.0) == []
    (found,) = queue.by_urgency()
    assert (found.urgency.bounty, found.seen_slot, found.due_slot) == (9, 12, 5)
    assert reasons(queue.offer([job(1, seen=11)], 0.0)) == ["stale view"]


def test_when_full_the_least_urgent_give_way_and_are_named():
    queue = queue_of(job(1, bounty=1), job(2, bounty=2), capacity=2)
    (refused,) = queue.offer([job(3, bounty=3)], 0.0)
    assert refused == (job(1, bounty=1), "queue full")
    assert reasons(queue.offer([job(4, bounty=0)], 0.0)) == ["queue full"]


def test_a_target_in_flight_is_not_queued_again_until_its_outcome():
    queue = queue_of(job(1))
    queue.take_batch(MARKETS[0], 10)
    assert reasons(queue.offer([job(1, seen=99)], 0.0)) == ["in flight"]
    queue.expired([job(1).job_id])
    assert queue.offer([job(1, seen=99)], 0.0) == []


def test_after_landing_only_a_newer_view_queues_a_target_again():
    queue = queue_of(job(1))
    queue.take_batch(MARKETS[0], 10)
    queue.landed([job(1).job_id], 20)
    assert reasons(queue.offer([job(1, seen=20)], 0.0)) == ["stale view"]
    assert queue.offer([job(1, seen=21)], 0.0) == []


def test_a_landing_takes_back_what_an_older_view_queued():
    queue = queue_of(job(1, seen=10), job(2, seen=30))
    queue.landed([job(1).job_id, job(2).job_id], 20)
    assert [one.seen_slot for one in queue.by_urgency()] == [30]


def test_a_batch_holds_one_market_most_urgent_first():
    queue = queue_of(
        job(1, bounty=1), job(2, bounty=9, market=1), job(3, bounty=3), job(4, bounty=2)
    )
    assert [one.urgency.bounty for one in queue.take_batch(MARKETS[0], 2)] == [3, 2]
    assert queue.statistics().in_flight == 2
    assert [one.urgency.bounty for one in queue.by_urgency()] == [9, 1]


def test_only_markets_under_bisection_have_a_bound():
    queue = queue_of(job(1), job(2), job(3), job(4), job(5, market=1))
    assert queue.batch_limits() == {}
    failed = queue.take_batch(MARKETS[0], 10)
    queue.failed([one.job_id for one in failed], 0.0)
    queue.offer(failed, 0.0)
    assert queue.batch_limits() == {MARKETS[0]: 2}
    queue.take(failed)
    queue.landed([one.job_id for one in failed], 10)
    assert queue.batch_limits() == {}


def test_what_was_taken_but_never_signed_is_queued_again():
    queue = queue_of(job(1), job(2))
    queue.put_back(queue.take_batch(MARKETS[0], 10))
    assert (queue.statistics().queued, queue.statistics().in_flight) == (2, 0)


def test_jobs_of_an_earlier_process_are_held_until_settled():
    queue = JobQueue(10)
    queue.hold([job(1).job_id])
    assert reasons(queue.offer([job(1)], 0.0)) == ["in flight"]


@given(st.integers(1, 40), st.data())
def test_bisection_parks_the_guilty_job_alone_and_lands_every_innocent_one(count, data):
    guilty = data.draw(st.integers(1, count)) if count else 0
    queue = queue_of(*(job(n, bounty=n) for n in range(1, count + 1)))
    landed, attempts = set(), 0
    while batch := queue.take_batch(MARKETS[0], 16):
        attempts += 1
        assert attempts < 200
        ids = [one.job_id for one in batch]
        if job(guilty).job_id not in ids:
            queue.landed(ids, 10)
            landed.update(ids)
            continue
        queue.failed(ids, 0.0)
        queue.offer(batch, 0.0)
    assert landed == {job(n).job_id for n in range(1, count + 1)} - {job(guilty).job_id}
    assert reasons(queue.offer([job(guilty)], 0.0)) == ["parked"]


def test_a_parked_job_pauses_twice_as_long_each_time_up_to_five_minutes():
    queue = JobQueue(10)
    now_s, pauses = 0.0, []
    for _ in range(10):
        queue.offer([job(1)], now_s)
        queue.take_batch(MARKETS[0], 1)
        queue.failed([job(1).job_id], now_s)
        pause = 0
        while queue.offer([job(1)], now_s + pause):
            pause += 1
        queue.withdraw(job(1).job_id)
        pauses.append(pause)
        now_s += pause
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_need_that_is_gone_is_withdrawn():
    queue = queue_of(job(1))
    assert queue.withdraw(job(1).job_id)
    assert not queue.withdraw(job(1).job_id)


def test_what_no_longer_matters_is_forgotten():
    queue = JobQueue(10)
    queue.landed([job(1).job_id], 20)
    queue.failed([job(2).job_id], 0.0)
    queue.forget(landed_before=20, now_s=0.0)
    assert queue.statistics().remembered == 2
    queue.forget(landed_before=21, now_s=302.1)
    assert queue.statistics().remembered == 0


def test_the_statistics_name_the_oldest_due_slot():
    assert JobQueue(1).statistics().due_slot_oldest is None
    assert queue_of(job(1, due=7), job(2, due=3)).statistics().due_slot_oldest == 3


def test_a_queue_that_holds_nothing_is_refused():
    with pytest.raises(ValueError, match="capacity is 0"):
        JobQueue(0)
