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
    spend.reserve(60, now_s=0.0)
    spend.release(60, now_s=50.0)

    assert 100 == spend.left_lamports(60.0)
    assert 100 == spend.left_lamports(3_700.0)


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
