"""keeper/spend.py."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.spend import HourlySpend


def test_the_cap_comes_back_an_hour_after_it_was_spent():
    spend = HourlySpend(cap_lamports=100)
    spend.reserve(60, now_s=0.0)
    spend.reserve(40, now_s=1_800.0)

    assert 0 == spend.left_lamports(3_599.0)
    assert 60 == spend.left_lamports(3_600.0)
    assert 100 == spend.left_lamports(5_400.0)


def test_an_expired_bid_is_given_back():
    spend = HourlySpend(cap_lamports=100)
    spend.reserve(30, now_s=0.0)
    spend.release(spend.reserve(60, now_s=10.0))

    assert 70 == spend.left_lamports(60.0)
    assert 100 == spend.left_lamports(3_700.0)


def test_a_bid_that_expires_after_its_hour_is_not_given_back_twice():
    spend = HourlySpend(cap_lamports=100)
    late = spend.reserve(60, now_s=0.0)
    spend.reserve(50, now_s=3_500.0)
    assert 50 == spend.left_lamports(3_601.0)
    spend.release(late)

    assert 50 == spend.left_lamports(3_602.0)


def test_the_hours_after_a_storm_of_expired_bids_are_capped_as_any():
    spend = HourlySpend(cap_lamports=100)
    storm = [spend.reserve(20, now_s=0.0) for _ in range(5)]
    for reservation in storm:
        spend.release(reservation)

    assert [100, 100, 100] == [spend.left_lamports(at_s) for at_s in (80.0, 3_600.0, 3_650.0)]


def test_more_than_the_cap_is_never_negative():
    spend = HourlySpend(cap_lamports=100)
    spend.reserve(160, now_s=0.0)
    assert 0 == spend.left_lamports(1.0)


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 600)), max_size=60))
def test_what_is_left_is_the_cap_less_the_last_hour(bids):
    spend, now_s, history = HourlySpend(cap_lamports=1_000), 0.0, []
    for fee, wait_s in bids:
        now_s += wait_s
        spend.reserve(fee, now_s)
        history.append((now_s, fee))
    recent = sum(fee for at_s, fee in history if at_s > now_s - 3_600)
    assert max(0, 1_000 - recent) == spend.left_lamports(now_s)
