import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.buckets import WINDOW_S, CallLimits, bucket_of
from keeper.prices.endpoints import Endpoint, allowances_of, url_of
from keeper.prices.feed_config import FeedConfig


@given(
    limit=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60),
)
def test_no_ten_seconds_wherever_they_begin_hold_more_calls_than_the_limit(limit, pauses):
    now_s, bucket, calls = 0.0, bucket_of(limit, 0.0), []
    for pause_s in pauses:
        now_s += pause_s
        # As many as will go at once, and one that waits its turn.
        while bucket.wait_s(now_s) == 0:
            bucket = bucket.take(now_s)
            calls.append(now_s)
        now_s += bucket.wait_s(now_s)
        bucket = bucket.take(now_s)
        calls.append(now_s)
    first = 0
    for last, at_s in enumerate(calls):
        while at_s - calls[first] >= WINDOW_S:
            first += 1
        assert last - first + 1 <= limit


@given(st.integers(1, 600))
def test_whoever_waits_as_long_as_told_has_a_turn(limit):
    bucket, now_s = bucket_of(limit, 1e7), 1e7
    for _ in range(20):
        now_s += bucket.wait_s(now_s)
        assert bucket.wait_s(now_s) == 0
        bucket = bucket.take(now_s)


def test_a_full_refresh_of_84_calls_goes_out_at_once_under_the_default_limit():
    bucket = bucket_of(CallLimits().books_per_10_s, 0.0)
    for _ in range(84):
        assert bucket.wait_s(0.0) == 0
        bucket = bucket.take(0.0)


def test_a_bucket_never_holds_more_than_its_burst_and_time_never_runs_backwards_in_it():
    bucket = bucket_of(40, 0.0).take(1_000.0)
    assert bucket.level == 9
    assert bucket.take(500.0).level == 8
    assert bucket.take(500.0).at_s == 1_000.0


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("clob_per_10_s", 9_000),
        ("books_per_10_s", 500),
        ("gamma_per_10_s", 4_000),
        ("markets_per_10_s", 300),
    ],
)
def test_limits_above_the_published_ones_are_refused(name, published):
    CallLimits(**{name: published})
    for wrong in (0, published + 1):
        with pytest.raises(ValueError, match=rf"{name} is {wrong}, wanted 1 to {published}"):
            CallLimits(**{name: wrong})


def test_every_endpoint_counts_towards_its_host_and_lies_under_it():
    config = FeedConfig(clob_url="http://clob", gamma_url="http://gamma")
    for endpoint in Endpoint:
        host = endpoint.split(".")[0]
        assert allowances_of(endpoint, CallLimits())[0][0] == host
        assert url_of(endpoint, config).startswith(f"http://{host}/")
