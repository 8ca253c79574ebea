from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.price import TokenId
from keeper.prices.snapshot_requests import (
    INTERVAL_MAX_S,
    INTERVAL_S,
    PATIENCE_S,
    RELAPSE_S,
    SnapshotRequests,
)

ONE, TWO = TokenId("1"), TokenId("2")


def test_a_wanted_snapshot_is_asked_for_at_once_or_after_the_time_given():
    requests = SnapshotRequests()
    requests.want([ONE], 5.0)
    requests.want([TWO], 5.0, after_s=3.0)
    assert requests.next_due_s == 5.0
    assert requests.take_due(5.0) == [ONE]
    assert requests.take_due(7.9) == []
    assert requests.take_due(8.0) == [TWO]


def test_the_sooner_of_two_wishes_counts():
    requests = SnapshotRequests()
    requests.want([ONE], 0.0, after_s=10.0)
    requests.want([ONE], 1.0)
    requests.want([ONE], 1.0, after_s=10.0)
    assert requests.take_due(1.0) == [ONE]


def test_what_arrives_is_asked_for_no_more_and_what_is_forgotten_neither():
    requests = SnapshotRequests()
    requests.want([ONE, TWO], 0.0, after_s=1.0)
    requests.arrive([ONE], 0.5)
    requests.forget([TWO])
    assert requests.take_due(100.0) == []


def test_a_token_is_asked_for_no_sooner_than_the_interval_allows():
    requests = SnapshotRequests()
    requests.want([ONE], 0.0)
    assert requests.take_due(0.0) == [ONE]
    requests.arrive([ONE], 0.1)
    requests.want([ONE], 0.2)
    assert requests.take_due(INTERVAL_S - 0.1) == []
    assert requests.take_due(INTERVAL_S) == [ONE]


def test_requests_without_an_answer_double_their_distance_up_to_a_limit():
    requests = SnapshotRequests()
    requests.want([ONE], 0.0)
    asked_s = [at for at in range(2_000) if requests.take_due(float(at))]
    assert asked_s[:5] == [0, 10, 30, 70, 150]
    assert {late - soon for soon, late in pairwise(asked_s[6:])} == {INTERVAL_MAX_S}


def test_a_doubted_token_is_beyond_help_when_its_snapshot_does_not_come():
    requests = SnapshotRequests()
    requests.doubt([ONE], 0.0)
    assert requests.take_due(0.0) == [ONE]
    assert not requests.are_beyond_help(PATIENCE_S, followed=3)
    assert requests.are_beyond_help(PATIENCE_S + 0.1, followed=3)
    requests.arrive([ONE], 2.0)
    assert not requests.are_beyond_help(PATIENCE_S + 0.1, followed=3)


def test_a_token_doubted_again_soon_after_its_snapshot_is_beyond_help():
    requests = SnapshotRequests()
    requests.doubt([ONE], 0.0)
    requests.arrive([ONE], 1.0)
    requests.doubt([ONE], 1.0 + RELAPSE_S)
    assert not requests.are_beyond_help(1.0 + RELAPSE_S, followed=3)
    requests.arrive([ONE], 70.0)
    requests.doubt([ONE], 80.0)
    assert requests.are_beyond_help(80.0, followed=3)


def test_half_of_four_tokens_doubted_are_the_sockets_doing_and_half_of_three_are_not():
    requests = SnapshotRequests()
    requests.doubt([ONE, TWO], 0.0)
    assert requests.are_beyond_help(0.0, followed=4)
    assert not requests.are_beyond_help(0.0, followed=3)
    assert not requests.are_beyond_help(0.0, followed=5)


@given(
    st.lists(
        st.tuples(st.sampled_from(["want", "doubt", "arrive", "ask"]), st.floats(0, 30)),
        max_size=40,
    )
)
def test_whatever_happens_no_token_is_asked_for_twice_within_the_interval(steps):
    requests, now_s, asked_s = SnapshotRequests(), 0.0, []
    for step, pause_s in steps:
        now_s += pause_s
        if step == "want":
            requests.want([ONE], now_s)
        elif step == "doubt":
            requests.doubt([ONE], now_s)
        elif step == "arrive":
            requests.arrive([ONE], now_s)
        elif requests.take_due(now_s):
            asked_s.append(now_s)
    assert all(late - soon >= INTERVAL_S for soon, late in pairwise(asked_s))
