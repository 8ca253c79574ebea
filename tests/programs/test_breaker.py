import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs.breaker import Breaker, BreakerRules, BreakerState, Setback

RULES = BreakerRules(failures=3, probe_s=1.0, probe_max_s=10.0)
TIMEOUT = Setback(reason="timeout")
EVEN = 0.5
"""A draw that leaves the interval as it is."""


def failed(breaker, now_s, setback=TIMEOUT, draw=EVEN):
    return breaker.fail(RULES, setback, now_s, draw)


def opened(now_s=100.0, setback=TIMEOUT):
    breaker = Breaker()
    while breaker.state is not BreakerState.OPEN:
        breaker = failed(breaker, now_s, setback)
    return breaker


def test_it_opens_at_the_third_failure_in_a_row_and_an_answer_between_starts_anew():
    breaker = failed(failed(Breaker(), 1.0), 2.0)
    assert (breaker.state, breaker.wait_s(2.0)) == (BreakerState.CLOSED, 0)
    breaker = failed(failed(breaker.succeed(), 3.0), 4.0)
    assert breaker.state is BreakerState.CLOSED
    breaker = failed(breaker, 5.0)
    assert (breaker.state, breaker.reason, breaker.since_s) == (BreakerState.OPEN, "timeout", 5.0)
    assert breaker.wait_s(5.0) == 1.0
    assert breaker.wait_s(6.0) == 0


def test_one_probe_goes_and_the_rest_wait_for_its_answer():
    probing = opened(100.0).admit(RULES, 101.0)
    assert probing.state is BreakerState.PROBING
    assert probing.wait_s(101.0) == 1.0
    assert probing.succeed() == Breaker()


def test_each_failed_probe_doubles_the_wait_up_to_the_longest():
    breaker, now_s, waits = opened(0.0), 0.0, []
    for _ in range(6):
        waits.append(breaker.wait_s(now_s))
        now_s += waits[-1]
        breaker = failed(breaker.admit(RULES, now_s), now_s)
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert (breaker.since_s, breaker.openings) == (0.0, 7)


@pytest.mark.parametrize(("draw", "wait_s"), [(0.0, 0.75), (0.5, 1.0), (0.999999, 1.25)])
def test_a_wait_is_drawn_around_its_interval(draw, wait_s):
    breaker = failed(failed(failed(Breaker(), 0.0), 0.0), 0.0, draw=draw)
    assert breaker.wait_s(0.0) == pytest.approx(wait_s, abs=1e-6)


def test_a_refusal_opens_at_once_and_a_lasting_one_for_as_long_as_there_is():
    assert opened(0.0, Setback(reason="status_429", is_refusal=True)).wait_s(0.0) == 1.0
    forbidden = Setback(reason="status_403", is_refusal=True, is_lasting=True)
    breaker = failed(Breaker(), 0.0, forbidden)
    assert (breaker.failures, breaker.wait_s(0.0)) == (1, 10.0)


def test_a_wish_to_be_left_alone_opens_at_once_and_is_granted_beyond_the_longest_wait():
    breaker = failed(Breaker(), 0.0, Setback(reason="status_429", retry_after_s=60.0))
    assert breaker.wait_s(0.0) == 60.0
    # After it one probe goes; the interval has not grown by the venue's wish.
    breaker = failed(breaker.admit(RULES, 60.0), 60.0)
    assert breaker.wait_s(60.0) == 2.0


def test_a_late_answer_to_a_call_from_before_changes_nothing_but_a_late_wish_does():
    breaker = opened(0.0)
    assert breaker.succeed() == breaker
    assert failed(breaker, 0.5) == breaker
    later = failed(breaker, 0.5, Setback(reason="status_429", retry_after_s=5.0))
    assert later.wait_s(0.5) == 5.0
    assert later.state is BreakerState.OPEN


def test_a_probe_that_is_never_heard_of_again_gives_way_to_another():
    probing = opened(0.0).admit(RULES, 1.0)
    assert probing.wait_s(2.0) == 0
    assert probing.admit(RULES, 2.0).wait_s(2.0) == 1.0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ok", "timeout", "forbidden", "wish"]),
            st.floats(0, 1, exclude_max=True),
            st.floats(0, 30),
        ),
        max_size=60,
    )
)
def test_no_call_goes_while_it_is_open_and_no_wait_is_longer_than_allowed(ends):
    breaker, now_s = Breaker(), 0.0
    for end, draw, pause_s in ends:
        now_s += pause_s
        wait_s = breaker.wait_s(now_s)
        assert wait_s <= 300
        if wait_s > 0:
            assert breaker.state is not BreakerState.CLOSED
            continue
        breaker = breaker.admit(RULES, now_s)
        assert breaker.state is not BreakerState.OPEN
        if end == "ok":
            breaker = breaker.succeed()
            assert breaker == Breaker()
            continue
        setback = {
            "timeout": TIMEOUT,
            "forbidden": Setback(reason="status_403", is_refusal=True, is_lasting=True),
            "wish": Setback(reason="status_503", retry_after_s=300.0),
        }[end]
        breaker = failed(breaker, now_s, setback, draw)
        if end == "timeout" and breaker.state is BreakerState.OPEN:
            assert 0.75 <= breaker.wait_s(now_s) + 1e-9 <= RULES.probe_max_s + 2e-9
