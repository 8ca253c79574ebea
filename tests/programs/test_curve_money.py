"""Nobody takes money out of a pool by trading with it, at any size, in any order."""

from itertools import product
from random import Random

import pytest
from mpmath import mpf

from programs import curve, normal
from programs.betting_platform.make_tables import falling_branch
from programs.curve import Curve, CurveError, Side
from programs.tables import U_MAX

SIZES = (10**6, 10**9, 10**12, 10**15)
PRICES = (1_000, 1_001, 5_000, 100_000, 499_999, 500_000, 700_000, 995_000, 998_999)


def pool_at(liquidity: int, price_e6: int) -> Curve:
    """Return a pool as its first maker leaves it."""
    q = curve.add_liquidity(Curve(liquidity=0, q=0), liquidity, price_e6).q
    return Curve(liquidity=liquidity, q=q)


def traded(pool: Curve, side: Side, bought: int) -> Curve:
    """Return the pool after so many shares were bought (sold, below zero)."""
    return Curve(liquidity=pool.liquidity, q=pool.q + (bought if side == Side.YES else -bought))


def room(pool: Curve, side: Side) -> int:
    """Return how many shares of the side can still be bought."""
    q = pool.q if side == Side.YES else -pool.q
    return U_MAX * pool.liquidity // 10**18 - q


def draws(count: int, seed: int):
    """Yield random pools, sides and sizes from one base unit to all the room there is."""
    rng = Random(seed)
    for _ in range(count):
        pool = pool_at(rng.choice(SIZES), rng.choice((rng.randint(1_000, 999_000), *PRICES)))
        side = rng.choice(tuple(Side))
        most = room(pool, side)
        if most > 1:
            yield rng, pool, side, max(1, int(most ** rng.random()))


@pytest.mark.parametrize("liquidity", SIZES)
def test_one_base_unit_is_never_free_and_never_pays(liquidity):
    for price_e6, side in product(PRICES, Side):
        pool = pool_at(liquidity, price_e6)
        if room(pool, side):
            assert 1 <= curve.buy_shares(pool, side, 1) <= 2
        if room(pool, Side(1 - side)):
            assert curve.sell_shares(pool, side, 1) == 0


def test_a_buy_costs_at_least_and_a_sale_pays_at_most_the_price_before():
    for _, pool, side, shares in draws(1_500, 7):
        u = curve.u(pool) if side == Side.YES else -curve.u(pool)
        price = normal.price_e18(u)
        assert curve.buy_shares(pool, side, shares) * 10**18 >= shares * price
        after = traded(pool, side, shares)
        u = curve.u(after) if side == Side.YES else -curve.u(after)
        assert curve.sell_shares(after, side, shares) * 10**18 <= shares * normal.price_e18(u)


def test_a_round_trip_never_profits_whole_or_in_parts():
    for rng, pool, side, shares in draws(1_500, 8):
        cost = curve.buy_shares(pool, side, shares)
        after = traded(pool, side, shares)
        assert curve.sell_shares(after, side, shares) <= cost
        part = rng.randint(1, shares)
        back = curve.sell_shares(after, side, part)
        if part < shares:
            back += curve.sell_shares(traded(after, side, -part), side, shares - part)
        assert back <= cost


def test_two_orders_are_never_cheaper_than_one():
    for rng, pool, side, shares in draws(1_500, 9):
        if shares < 2:
            continue
        first = rng.randint(1, shares - 1)
        middle, after = traded(pool, side, first), traded(pool, side, shares)
        whole = curve.buy_shares(pool, side, shares)
        assert (
            curve.buy_shares(pool, side, first) + curve.buy_shares(middle, side, shares - first)
            >= whole
        )
        sold = curve.sell_shares(after, side, shares - first) + curve.sell_shares(
            middle, side, first
        )
        assert sold <= curve.sell_shares(after, side, shares)


def test_a_share_of_each_side_costs_at_least_the_set_it_completes():
    for _, pool, side, shares in draws(1_500, 10):
        other = Side(1 - side)
        cost = curve.buy_shares(pool, side, shares)
        assert cost + curve.buy_shares(traded(pool, side, shares), other, shares) >= shares


def test_exact_cash_is_spent_but_for_two_base_units_in_ten_steps_and_five_on_average():
    steps = []
    for rng, pool, side, shares in draws(2_500, 11):
        most = curve.buy_shares(pool, side, shares)
        cash = rng.randint(1, most)
        try:
            bought = curve.buy_cash(pool, side, cash)
        except CurveError:
            assert cash <= 2 or shares == room(pool, side)
            continue
        steps.append(bought.iterations)
        cost = curve.buy_shares(pool, side, bought.shares)
        assert cash - 2 <= cost <= cash
    assert max(steps) <= curve.ITERATIONS_MAX
    assert sum(steps) / len(steps) <= 5


def test_the_search_needs_no_more_than_six_steps_from_tail_to_tail():
    steps = []
    for liquidity, price_e6, fraction in product(SIZES, PRICES, range(1, 60)):
        pool = pool_at(liquidity, price_e6)
        whole = (
            curve.buy_shares(pool, Side.YES, room(pool, Side.YES)) if room(pool, Side.YES) else 0
        )
        cash = int(whole * 0.8**fraction)
        if cash > 2:
            steps.append(curve.buy_cash(pool, Side.YES, cash).iterations)
    assert max(steps) <= 6
    assert sum(steps) / len(steps) <= 5


def test_a_sale_down_to_a_floor_stops_at_it_and_not_two_shares_early():
    for rng, pool, side, _ in draws(1_000, 12):
        floor_e6 = rng.randint(1_000, 999_000)
        shares = curve.shares_to_price(pool, side, floor_price_e6=floor_e6)
        after = traded(pool, side, -shares)
        sign = 1 if side == Side.YES else -1
        if shares:
            assert normal.price_e18(sign * curve.u(after)) >= floor_e6 * 10**12
            curve.sell_shares(pool, side, shares)
        slack = 2 + 2 * normal.U_ERROR * pool.liquidity // 10**18
        beyond = traded(after, side, -slack)
        assert normal.price_e18(sign * curve.u(beyond)) < floor_e6 * 10**12


def test_adding_and_removing_liquidity_never_profits():
    for rng, drawn, _, _ in draws(1_500, 13):
        delta = max(1, int(10 ** rng.uniform(-6, 1) * drawn.liquidity))
        pool = drawn if rng.random() < 0.8 else Curve(liquidity=0, q=0)
        added = curve.add_liquidity(pool, delta, rng.randint(1_000, 999_000))
        after = Curve(liquidity=pool.liquidity + delta, q=added.q)
        assert abs(curve.u(after)) <= U_MAX
        try:
            removed = curve.remove_liquidity(after, delta)
        except curve.ZeroAmount:
            assert delta < 4_000
            continue
        # The maker minted `cash` sets: holding more than that of a side would be money from nothing.
        assert added.surplus_yes + removed.yes <= added.cash
        assert added.surplus_no + removed.no <= added.cash
        assert max(added.surplus_yes + removed.yes, added.surplus_no + removed.no) >= added.cash - 4


def test_all_of_a_pool_can_always_leave():
    for liquidity, price_e6 in product((1, 2, 17, 999, 10**6, 10**18), PRICES):
        added = curve.add_liquidity(Curve(liquidity=0, q=0), liquidity, price_e6)
        removed = curve.remove_liquidity(Curve(liquidity=liquidity, q=added.q), liquidity)
        assert removed.q == 0


def test_dust_of_liquidity_in_the_tail_is_refused_instead_of_rounded_in_its_favour():
    pool = pool_at(10**12, 998_999)
    with pytest.raises(curve.ZeroAmount):
        curve.remove_liquidity(pool, 3)


@pytest.mark.parametrize("seed", range(4))
def test_the_cash_covers_either_outcome_after_any_sequence_of_orders(seed):
    """C >= each outstanding side, and the stronger claim behind it: the YES reserve never falls below L g(-u)."""
    rng = Random(seed)
    liquidity = q = cash = yes = no = 0
    for _ in range(120):
        pool = Curve(liquidity=liquidity, q=q)
        side = rng.choice(tuple(Side))
        size = max(1, int((liquidity or 10**6) * 10 ** rng.uniform(-6, 0)))
        try:
            match rng.randrange(5):
                case 0:
                    added = curve.add_liquidity(pool, size, rng.randint(1_000, 999_000))
                    cash += added.cash
                    yes, no = yes + added.surplus_yes, no + added.surplus_no
                    liquidity, q = liquidity + size, added.q
                case 1:
                    removed = curve.remove_liquidity(pool, size)
                    pairs = min(removed.yes, removed.no)
                    cash -= pairs
                    yes, no = yes + removed.yes - pairs, no + removed.no - pairs
                    liquidity, q = liquidity - size, removed.q
                case 2:
                    held = yes if side == Side.YES else no
                    size = min(size, held)
                    cash -= curve.sell_shares(pool, side, size)
                    yes, no = (yes - size, no) if side == Side.YES else (yes, no - size)
                    q = yes - no
                case _:
                    cost = curve.buy_shares(pool, side, size)
                    cash += cost
                    yes, no = (yes + size, no) if side == Side.YES else (yes, no + size)
                    q = yes - no
        except CurveError:
            continue
        assert q == yes - no
        assert cash >= max(yes, no)
        if liquidity:
            u = mpf(q) / liquidity
            reserve = liquidity * (falling_branch(abs(u)) + max(-u, 0))
            assert cash - yes >= reserve
