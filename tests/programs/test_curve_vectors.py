"""The vectors of SPEC.md section 4, at L = 1000 shares, and what the pool's coordinates say."""

import pytest

from programs import curve, normal
from programs.curve import Curve, CurveOverflow, NoLiquidity, PriceRange, Side, ZeroAmount
from programs.tables import U_MAX

L = 1_000_000_000
EVEN = Curve(liquidity=L, q=0)


def pool_at(price_e6: int, liquidity: int = L) -> Curve:
    """Return a pool as its first maker leaves it."""
    q = curve.add_liquidity(Curve(liquidity=0, q=0), liquidity, price_e6).q
    return Curve(liquidity=liquidity, q=q)


@pytest.mark.parametrize(
    ("cash", "shares", "price_after"),
    [
        (10, 19.8429249539, 0.5079156623),
        (50, 96.3029621890, 0.5383600207),
        (100, 186.2072487601, 0.5738588802),
        (200, 351.2733391692, 0.6373083528),
    ],
)
def test_exact_cash_buys_the_vector_less_at_most_one_base_unit(cash, shares, price_after):
    bought = curve.buy_cash(EVEN, Side.YES, cash * 1_000_000).shares
    assert -1 <= bought - shares * 1e6 <= 0
    after = normal.price_e18(curve.u(Curve(liquidity=L, q=bought)))
    assert after / 1e18 == pytest.approx(price_after, abs=1e-9)


def test_a_hundred_shares_cost_the_vector_rounded_up_and_sell_for_it_rounded_down():
    assert curve.buy_shares(EVEN, Side.YES, 100_000_000) == 51_993_051
    assert curve.sell_shares(EVEN, Side.YES, 100_000_000) == 48_006_949


def test_a_hundred_no_at_one_tenth_cost_the_vector_rounded_up():
    assert curve.buy_shares(pool_at(100_000), Side.NO, 100_000_000) == 90_840_501


@pytest.mark.parametrize(
    ("price_e6", "yes", "no"),
    [
        (500_000, 398.9422804014, 398.9422804014),
        (900_000, 47.3431753780, 1328.8947409226),
        (950_000, 20.8929590278, 1665.7465859793),
        (200_000, 953.2589072661, 111.6376736932),
    ],
)
def test_a_new_pool_holds_the_reserves_of_the_vector_rounded_up(price_e6, yes, no):
    added = curve.add_liquidity(Curve(liquidity=0, q=0), L, price_e6)
    assert 0 <= added.cash - added.surplus_yes - yes * 1e6 <= 2
    assert 0 <= added.cash - added.surplus_no - no * 1e6 <= 2
    assert added.q == added.surplus_yes - added.surplus_no


def test_prices_and_their_coordinates_invert_each_other_at_every_millionth_tried():
    for price_e6 in (*range(1_000, 1_200), *range(499_900, 500_100), *range(998_800, 999_001)):
        assert normal.price_e6(normal.u_of_price(price_e6)) == price_e6
        assert normal.u_of_price(1_000_000 - price_e6) == -normal.u_of_price(price_e6)


def test_a_price_outside_the_range_is_read_as_the_nearer_end():
    assert normal.u_of_price(0) == normal.u_of_price(1_000) == -U_MAX
    assert normal.u_of_price(2_000_000) == normal.u_of_price(999_000) == U_MAX


def test_no_is_the_same_pool_in_the_mirror():
    for q in (0, 1, 123_456_789, 2_000_000_000):
        left, right = Curve(liquidity=L, q=q), Curve(liquidity=L, q=-q)
        for amount in (1, 999_999, 70_000_000):
            assert curve.buy_shares(left, Side.YES, amount) == curve.buy_shares(
                right, Side.NO, amount
            )
            assert curve.sell_shares(left, Side.NO, amount) == curve.sell_shares(
                right, Side.YES, amount
            )
            assert curve.buy_cash(left, Side.NO, amount) == curve.buy_cash(right, Side.YES, amount)


def test_every_refusal_has_its_own_error():
    empty, tiny = Curve(liquidity=0, q=0), Curve(liquidity=10**18, q=0)
    with pytest.raises(NoLiquidity):
        curve.buy_cash(empty, Side.YES, 1)
    with pytest.raises(NoLiquidity):
        curve.buy_shares(empty, Side.YES, 1)
    with pytest.raises(NoLiquidity):
        curve.shares_to_price(empty, Side.YES, 500_000)
    with pytest.raises(NoLiquidity):
        curve.remove_liquidity(EVEN, L + 1)
    with pytest.raises(ZeroAmount):
        curve.buy_cash(EVEN, Side.YES, 0)
    with pytest.raises(ZeroAmount):
        curve.buy_cash(tiny, Side.YES, 3)
    with pytest.raises(ZeroAmount):
        curve.sell_shares(EVEN, Side.YES, 0)
    with pytest.raises(ZeroAmount):
        curve.add_liquidity(EVEN, 0, 500_000)
    with pytest.raises(ZeroAmount):
        curve.remove_liquidity(EVEN, 0)
    with pytest.raises(PriceRange):
        curve.add_liquidity(empty, L, 999)
    with pytest.raises(PriceRange):
        curve.add_liquidity(empty, L, 999_001)
    with pytest.raises(PriceRange):
        curve.buy_shares(EVEN, Side.YES, 2**63)
    with pytest.raises(PriceRange):
        curve.buy_cash(EVEN, Side.YES, 2**64 - 1)
    with pytest.raises(CurveOverflow):
        curve.add_liquidity(tiny, 1, 500_000)


def test_a_pool_stops_at_its_last_price_from_both_sides():
    last = U_MAX * L // 10**18
    curve.buy_shares(EVEN, Side.YES, last)
    curve.sell_shares(EVEN, Side.YES, last)
    with pytest.raises(PriceRange):
        curve.buy_shares(EVEN, Side.YES, last + 1)
    with pytest.raises(PriceRange):
        curve.sell_shares(EVEN, Side.YES, last + 1)
    outside = Curve(liquidity=L, q=last + 1)
    with pytest.raises(PriceRange):
        curve.buy_cash(outside, Side.NO, 1_000_000)


def test_value_and_impact_of_liquidity_follow_the_density():
    assert curve.liquidity_value(0, L) == 398_942_280
    # phi / P * $1_000 / L at one half and L = $10_000: 0.0798 of price.
    assert curve.impact_e9(0, 10_000_000_000) == 79_788_456
    assert curve.impact_e9(0, L) == curve.impact_e9(0, 0) == 100_000_000
    assert curve.improvement_bps(0, 0, 10_000_000_000) == 202
    assert curve.improvement_bps(0, 10_000_000_000, 20_000_000_000) == 398
    assert curve.improvement_bps(0, 20_000_000_000, 10_000_000_000) == 0


def test_an_empty_pool_stands_at_zero():
    assert curve.u(Curve(liquidity=0, q=5)) == 0


def test_a_search_from_a_bad_start_is_fenced_by_bisection():
    wanted = normal.g(10**18)
    found, steps = curve._u_of_g(-U_MAX, 1 - U_MAX, wanted, 16)
    assert steps <= curve.ITERATIONS_MAX
    assert wanted - 16 <= normal.g(found) <= wanted


def test_a_search_that_runs_out_of_steps_returns_a_u_below():
    # Ten steps cannot reach a tolerance of zero: what they found must still cost the buyer no more than wanted.
    wanted = normal.g(-2 * 10**18)
    found, steps = curve._u_of_g(-U_MAX, 1 - U_MAX, wanted, 0)
    assert steps == curve.ITERATIONS_MAX
    assert normal.g(found) <= wanted
