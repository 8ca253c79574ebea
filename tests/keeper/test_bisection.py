"""keeper/bisection.py."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.bisection import Bisection


def ids(count):
    return [str(number) for number in range(count)]


def test_nobody_is_suspected_before_a_failure():
    assert ids(5) == Bisection().first_batch(ids(5))
    assert [] == Bisection().first_batch([])


def test_a_failed_batch_is_halved_downwards_to_one():
    bisection, waiting, sizes = Bisection(), ids(9), []
    while not bisection.is_paused("0", 0.0):
        batch = bisection.first_batch(waiting)
        sizes.append(len(batch))
        bisection.failed(batch, 0.0)
    assert [9, 4, 2, 1] == sizes


def test_a_suspect_goes_with_suspects_of_its_own_bound_or_wider_and_with_nobody_new():
    bisection = Bisection()
    bisection.failed(["a", "b", "c", "d"], 0.0)
    assert ["new"] == bisection.first_batch(["new", "a", "b", "c", "d"])
    assert ["a", "new"] == bisection.first_batch(["a", "new", "b"])
    bisection.landed(["a"])
    assert ["a", "new"] == bisection.first_batch(["a", "new", "b"])


@given(st.integers(1, 40), st.data())
def test_only_the_guilty_pause_and_every_innocent_lands(count, data):
    guilty = data.draw(st.sets(st.sampled_from(ids(count)), min_size=1, max_size=3))
    bisection, waiting, failures = Bisection(), ids(count), 0
    landed = set()
    while waiting := [
        job_id for job_id in waiting if job_id not in landed and not bisection.is_paused(job_id, 0)
    ]:
        batch = bisection.first_batch(waiting)
        if guilty.isdisjoint(batch):
            bisection.landed(batch)
            landed.update(batch)
        else:
            bisection.failed(batch, 0.0)
            failures += 1
    assert {*ids(count)} - guilty == landed
    assert failures <= len(guilty) * (count.bit_length() + 1) + len(guilty)


def test_a_pause_doubles_each_time_up_to_five_minutes():
    bisection, now_s, pauses = Bisection(), 0.0, []
    for _ in range(10):
        bisection.failed(["a"], now_s)
        pause = next(s for s in range(1_000) if not bisection.is_paused("a", now_s + s))
        pauses.append(pause)
        now_s += pause
    assert [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] == pauses


def test_jobs_refused_each_for_itself_pause_and_keep_their_companions():
    bisection = Bisection()
    bisection.refused(ids(8), 0.0)
    assert all(bisection.is_paused(job_id, 1.9) for job_id in ids(8))
    assert ids(8) == bisection.first_batch(ids(8))
    bisection.refused(ids(8), 2.0)
    assert bisection.is_paused("3", 5.9)
    assert not bisection.is_paused("3", 6.0)


def test_landing_clears_the_pauses_of_the_past():
    bisection = Bisection()
    for _ in range(3):
        bisection.failed(["a"], 0.0)
    bisection.landed(["a", "never heard of"])
    bisection.failed(["a"], 0.0)
    assert not bisection.is_paused("a", 2.0)


def test_a_suspicion_is_forgotten_five_minutes_after_its_last_confirmation():
    bisection = Bisection()
    bisection.failed(["alone"], 0.0)
    bisection.failed(["one", "other"], 0.0)
    bisection.forget(299.9)
    assert 3 == len(bisection)
    bisection.forget(300.0)
    assert 1 == len(bisection)
    bisection.forget(302.0)
    assert 0 == len(bisection)
