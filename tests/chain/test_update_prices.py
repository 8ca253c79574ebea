"""The oracle's readings: clamped as one vector, in order, fresh, and only from its authority."""

import pytest
from harness import keypair, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs import instructions, leverage


@pytest.fixture
def trio_market(platform):
    """Three outcomes at 0.5, 0.3, 0.2."""
    return platform.create_market("three", 500_000, 300_000, 200_000)


def prices(platform, market):
    return [pool.price_e6 for pool in platform.market(market).pools]


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        (0, 500_000),
        (1, 520_000),
        (2, 540_000),
        (4, 580_000),
        (5, 600_000),
        (6, 600_000),
        (150, 600_000),
    ],
)
def test_a_price_moves_two_points_a_slot_and_at_most_ten(platform, slots, expected):
    market = platform.create_market("m", 500_000)
    platform.warp(slots)
    platform.post(market, 900_000)
    assert prices(platform, market) == [expected]


def test_a_near_price_is_taken_as_it_is(platform):
    market = platform.create_market("m", 500_000)
    platform.warp(1)
    platform.post(market, 480_001, band_e6=7_000)
    pool = platform.market(market).pools[0]
    assert (pool.price_e6, pool.band_e6) == (480_001, 7_000)


def test_a_second_post_in_a_slot_moves_nothing(platform):
    market = platform.create_market("m", 500_000)
    platform.warp(1)
    platform.post(market, 900_000)
    platform.post(market, 900_000)
    assert prices(platform, market) == [520_000]


def test_outcomes_move_along_one_line_so_that_their_sum_stays(platform, trio_market):
    platform.warp(1)
    platform.post(trio_market, 100_000, 400_000, 500_000)
    # The furthest goes 0.4 and may go 0.02: all go a twentieth of their way, down to the unit.
    assert prices(platform, trio_market) == [480_000, 305_000, 215_000]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=st.integers(1_000, 900_000),
    second=st.integers(1_000, 900_000),
    slots=st.integers(0, 8),
)
def test_every_posted_vector_is_the_formulas_own(platform, first, second, slots):
    total = first + second
    first, second = first * 990_000 // total + 2_000, second * 990_000 // total + 2_000
    wanted = [min(first, 990_000), min(second, 990_000), 5_000]
    market = platform.create_market(f"vector {len(platform.markets)}", 500_000, 300_000, 200_000)
    platform.warp(slots)
    old = prices(platform, market)
    (event,) = platform.post(market, *wanted).events
    furthest = max(abs(w - o) for w, o in zip(wanted, old, strict=True))
    step = 20_000 * min(slots, 5)
    moves = [
        abs(w - o) if furthest <= step else abs(w - o) * step // furthest
        for w, o in zip(wanted, old, strict=True)
    ]
    expected = [
        o + move if w > o else o - move for o, w, move in zip(old, wanted, moves, strict=True)
    ]
    assert prices(platform, market) == expected
    assert event.readings == tuple((price, 0) for price in expected)
    assert platform.market(market).sigma_e6 == leverage.sigma_next_e6(0, 0, max(moves))
    assert abs(sum(expected) - 1_000_000) <= 50_000 + 3


def test_sigma_is_the_moving_average_of_absolute_moves(platform):
    market, sigma, last = platform.create_market("m", 500_000), 0, 500_000
    for price in (520_000, 500_000, 500_000, 510_000):
        platform.warp(1)
        platform.post(market, price)
        sigma = (7 * sigma + abs(price - last)) // 8
        last = price
        assert platform.market(market).sigma_e6 == sigma


def test_class_slot_and_landing_are_recorded(platform):
    market = platform.create_market("m", 500_000)
    platform.warp(10)
    (event,) = platform.post(market, 500_000, price_class=1, slot=platform.slot - 7).events
    state = platform.market(market)
    assert (state.price_class, state.publish_slot) == (1, platform.slot - 7)
    assert state.price_update_slot == platform.slot
    assert event.amount("price_class") == 1
    assert event.amount("publish_slot") == platform.slot - 7


def test_a_reading_from_the_future_is_refused(platform, market):
    with refused("PRICE_FROM_FUTURE"):
        platform.post(market, 500_000, slot=platform.slot + 1)


def test_a_reading_older_than_150_slots_is_refused(platform, market):
    platform.warp(200)
    platform.post(market, 500_000, slot=platform.slot - 150)
    platform.warp(1)
    with refused("PRICE_STALE"):
        platform.post(market, 500_000, slot=platform.slot - 151)


def test_a_reading_older_than_the_last_is_refused(platform, market):
    platform.warp(10)
    platform.post(market, 500_000)
    with refused("PRICE_OUT_OF_ORDER"):
        platform.post(market, 500_000, slot=platform.slot - 1)


@pytest.mark.parametrize("price_class", [2, 3, 255])
def test_only_valid_and_degraded_readings_are_posted(platform, market, price_class):
    with refused("PRICE_CLASS"):
        platform.post(market, 500_000, price_class=price_class)


@pytest.mark.parametrize("price", [0, 999, 999_001, 2**32 - 1])
def test_a_price_out_of_range_is_refused(platform, market, price):
    with refused("PRICE_RANGE"):
        platform.post(market, price)


@pytest.mark.parametrize("posted", [(316_666, 316_666, 316_667), (350_001, 350_000, 350_000)])
def test_prices_that_do_not_sum_to_one_are_refused(platform, trio_market, posted):
    with refused("PRICE_SUM"):
        platform.post(trio_market, *posted)


@pytest.mark.parametrize("posted", [(), (500_000,), (500_000, 500_000), (250_000,) * 4])
def test_a_reading_of_another_number_of_pools_is_refused(platform, trio_market, posted):
    with refused("BAD_INSTRUCTION_DATA"):
        platform.post(trio_market, *posted)


def test_a_band_wider_than_the_price_range_is_refused(platform, market):
    with refused("BAD_INSTRUCTION_DATA"):
        platform.post(market, 500_000, band_e6=1_000_001)


def test_only_the_oracle_authority_posts(platform, market):
    thief = keypair("thief")
    platform.svm.airdrop(thief.pubkey(), 10**9)
    reading = instructions.update_prices(
        platform.program,
        thief.pubkey(),
        market,
        price_class=0,
        publish_slot=platform.slot,
        readings=[(500_000, 0)],
    )
    with refused("WRONG_AUTHORITY"):
        platform.send(reading, [thief])
