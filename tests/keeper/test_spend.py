"""keeper/spend.py."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.spend import Spend, age_minutes

HOUR_S = 3_600.0


def hourly(cap=100):
    return Spend(cap)


def test_the_cap_comes_back_when_the_minute_it_was_spent_in_is_an_hour_ago():
    spend = hourly()
    spend.reserve(60, now_s=30.0)
    spend.reserve(40, now_s=1_800.0)

    assert 0 == spend.left_lamports(30.0 + HOUR_S)
    assert 60 == spend.left_lamports(60.0 + HOUR_S)
    assert 100 == spend.left_lamports(1_860.0 + HOUR_S)


def test_an_expired_bid_is_given_back():
    spend = hourly()
    spend.reserve(30, now_s=0.0)
    spend.settle(spend.reserve(60, now_s=10.0), 0)

    assert 70 == spend.left_lamports(60.0)
    assert 100 == spend.left_lamports(3_700.0)


def test_a_failed_bid_gives_back_the_rent_it_did_not_pay_and_no_more():
    spend = hourly()
    spend.settle(spend.reserve(60, now_s=10.0), 5)
    assert 95 == spend.left_lamports(60.0)


def test_a_bid_that_expires_after_its_hour_is_not_given_back_twice():
    spend = hourly()
    late = spend.reserve(60, now_s=0.0)
    spend.reserve(50, now_s=3_500.0)
    assert 50 == spend.left_lamports(3_661.0)
    spend.settle(late, 0)

    assert 50 == spend.left_lamports(3_662.0)


def test_the_hours_after_a_storm_of_expired_bids_are_capped_as_any():
    spend = hourly()
    for reservation in [spend.reserve(20, now_s=0.0) for _ in range(5)]:
        spend.settle(reservation, 0)

    assert [100, 100, 100] == [spend.left_lamports(at_s) for at_s in (80.0, 3_600.0, 3_650.0)]


def test_more_than_the_cap_is_never_negative():
    spend = hourly()
    spend.reserve(160, now_s=0.0)
    assert 0 == spend.left_lamports(1.0)


def test_a_day_caps_what_its_hours_would_allow():
    spend = Spend(100, 250)
    for hour in range(3):
        spend.reserve(min(100, spend.left_lamports(hour * 2 * HOUR_S)), now_s=hour * 2 * HOUR_S)

    assert (0, "day") == (spend.left_lamports(6 * HOUR_S), spend.reached(1, 6 * HOUR_S))
    assert 100 == spend.left_lamports(25 * HOUR_S)
    assert 50 == spend.spent_lamports("day", 27 * HOUR_S)


def test_a_cap_says_when_it_frees():
    spend = Spend(100, 150)
    spend.reserve(100, now_s=0.0)
    assert (0.0, "hour") == (spend.frees_in_s(0, 600.0), spend.reached(1, 600.0))
    assert 3_060.0 == spend.frees_in_s(1, 600.0)
    assert None is spend.frees_in_s(101, 600.0)
    spend.reserve(50, now_s=3_700.0)
    assert 24 * HOUR_S + 60.0 - 7_600.0 == spend.frees_in_s(1, 7_600.0)


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 600)), max_size=60))
def test_every_lamport_counts_for_an_hour_and_for_a_minute_more_at_most(bids):
    spend, now_s, history = hourly(1_000), 0.0, []
    for fee, wait_s in bids:
        now_s += wait_s
        spend.reserve(fee, now_s)
        history.append((now_s, fee))
    least = sum(fee for at_s, fee in history if at_s > now_s - HOUR_S)
    most = sum(fee for at_s, fee in history if at_s > now_s - HOUR_S - 60)
    assert least <= spend.spent_lamports("hour", now_s) <= most


def age(minute, slot, *, signed_minute=1_000, signed_slot=9_000):
    return age_minutes(
        signed_minute=signed_minute,
        signed_slot=signed_slot,
        minute=minute,
        slot=slot,
        slot_ms=400,
    )


def test_a_wall_clock_that_jumps_ahead_lifts_no_cap():
    assert 10 == age(1_010, 9_000 + 10 * 150)
    assert 10 == age(9_999_999, 9_000 + 10 * 150)


def test_a_wall_clock_that_is_set_back_lifts_no_cap():
    assert 0 == age(3, 9_000 + 10 * 150)


def test_slots_faster_than_nominal_lift_no_cap():
    assert 10 == age(1_010, 9_000_000)


def test_a_cluster_behind_what_was_signed_and_a_row_without_a_minute_count_as_new():
    assert 0 == age(1_010, 8_000)
    assert 0 == age(1_010, 9_000_000, signed_minute=None)
