"""Makers: what they pay, keep and earn, by the curve's own mirror in Python."""

import pytest
from harness import USD, refused

from programs import curve, normal
from programs.accounts import Side
from programs.curve import Curve

EPOCH_SLOTS = 9_000


def curve_of(pool):
    return Curve(liquidity=pool.liquidity, q=pool.q)


@pytest.mark.parametrize("price", [1_000, 50_000, 500_000, 730_000, 999_000])
def test_the_first_maker_pays_for_sets_at_the_oracles_price_and_keeps_the_surplus(platform, price):
    market, maker = platform.create_market("m", price), platform.user()
    expected = curve.add_liquidity(Curve(liquidity=0, q=0), 100_000 * USD, price)
    (event,) = platform.add_liquidity(maker, market, 100_000 * USD).events
    pool = platform.market(market).pools[0]
    assert platform.tokens(maker.tokens) == 1_000_000 * USD - expected.cash
    assert (pool.cash, pool.q) == (expected.cash, expected.q)
    assert pool.outstanding == (expected.surplus_yes, expected.surplus_no)
    assert normal.price_e6(curve.u(curve_of(pool))) == event.amount("price_e6") == price
    if expected.surplus_yes or expected.surplus_no:
        position = platform.position(maker, market, 0)
        assert position.shares == expected.surplus_yes + expected.surplus_no
        assert position.side == (Side.YES if expected.surplus_yes else Side.NO)
        assert (position.debt, position.margin, position.trade_number) == (0, 0, 0)
    else:
        assert not platform.exists(platform.position_address(maker, market, 0))


def test_a_later_maker_joins_at_the_pools_price_not_the_oracles(platform, market):
    platform.open(platform.user(), market, 50_000 * USD)
    pool = platform.market(market).pools[0]
    expected = curve.add_liquidity(curve_of(pool), 10_000 * USD, pool.price_e6)
    before = normal.price_e6(curve.u(curve_of(pool)))
    (event,) = platform.add_liquidity(platform.user(), market, 10_000 * USD).events
    assert event.amount("cash") == expected.cash
    assert abs(event.amount("price_e6") - before) <= 1
    after = platform.market(market).pools[0]
    assert event.amount("value") == curve.liquidity_value(curve.u(curve_of(after)), 10_000 * USD)
    assert event.amount("improvement_bps") == curve.improvement_bps(
        curve.u(curve_of(after)), pool.liquidity, after.liquidity
    )


def test_improvement_is_paid_once_per_epoch_and_level(platform):
    market, maker = platform.create_market("m"), platform.user(10_000_000)
    (first,) = platform.add_liquidity(maker, market, 10_000 * USD).events
    assert first.amount("liquidity_high") == 0
    assert first.amount("improvement_bps") > 0
    (second,) = platform.add_liquidity(maker, market, 1_000 * USD).events
    assert second.amount("liquidity_high") == 10_000 * USD
    assert platform.market(market).pools[0].high_this == 11_000 * USD


@pytest.mark.parametrize(
    ("epochs", "this", "previous"),
    [(0, 12_000, 0), (1, 12_000, 11_000), (2, 12_000, 11_000), (7, 12_000, 11_000)],
)
def test_the_highest_liquidity_of_two_epochs_is_kept(platform, epochs, this, previous):
    market, maker = platform.create_market("m"), platform.user(10_000_000)
    platform.add_liquidity(maker, market, 11_000 * USD)
    season = platform.global_().season_start_slot
    if epochs:
        platform.warp(season + epochs * EPOCH_SLOTS - platform.slot)
        platform.post(market, 500_000)
    platform.add_liquidity(maker, market, 1_000 * USD)
    pool = platform.market(market).pools[0]
    assert (pool.high_this, pool.high_previous) == (this * USD, previous * USD)


def test_makers_share_fees_by_liquidity_from_when_they_joined(platform, market):
    maker, late = platform.users[0], platform.user(10_000_000)
    platform.open(platform.user(), market, 10_000 * USD)
    alone = platform.market(market).fees_makers
    platform.add_liquidity(late, market, 1_000_000 * USD)
    assert platform.maker_of(late, market).fees_owed == 0
    platform.open(platform.user(), market, 10_000 * USD)
    both = platform.market(market).fees_makers - alone
    platform.add_liquidity(late, market, 1)
    platform.add_liquidity(maker, market, 1)
    owed = [platform.maker_of(user, market).fees_owed for user in (maker, late)]
    assert owed[0] + owed[1] <= alone + both
    assert alone + both - sum(owed) <= 2
    assert abs(owed[1] - both // 2) <= 1


def test_fees_split_seventy_twenty_ten_and_the_vault_takes_the_rest(platform, market):
    _, receipt = platform.open(platform.user(), market, 12_345_678)
    fee = receipt.events[0].amount("fee")
    state = platform.market(market)
    assert (state.fees_treasury, state.fees_makers) == (fee // 10, fee // 5)
    assert state.fees_vault == fee - fee // 10 - fee // 5


def test_paying_more_than_the_most_is_refused(platform, market):
    user = platform.user()
    cost = curve.add_liquidity(curve_of(platform.market(market).pools[0]), 10**9, 500_000).cash
    with refused("SLIPPAGE"):
        platform.add_liquidity(user, market, 10**9, cash_max=cost - 1)
    platform.add_liquidity(user, market, 10**9, cash_max=cost)


def test_a_maker_cannot_be_made_to_join_at_a_price_somebody_pushed(platform):
    market, attacker, victim = (
        platform.create_market("m", 700_000),
        platform.user(),
        platform.user(),
    )
    platform.add_liquidity(attacker, market, 20_000 * USD)
    now = curve_of(platform.market(market).pools[0])
    fair = curve.add_liquidity(now, 100_000 * USD, 700_000).cash
    bounds = {"price_min_e6": 695_000, "price_max_e6": 705_000}
    shares = curve.shares_to_price(now, Side.YES, 500_000)
    push, _ = platform.open(attacker, market, curve.buy_shares(now, Side.NO, shares), side=Side.NO)
    # At 0.5 liquidity costs less than at 0.7: the bound on cash would have let it through.
    pushed = curve_of(platform.market(market).pools[0])
    assert curve.add_liquidity(pushed, 100_000 * USD, 700_000).cash < fair
    with refused("SLIPPAGE"):
        platform.add_liquidity(victim, market, 100_000 * USD, cash_max=fair, **bounds)
    platform.close(attacker, market, push)
    platform.add_liquidity(victim, market, 100_000 * USD, cash_max=fair + 100, **bounds)


@pytest.mark.parametrize(
    ("low", "high", "lands"),
    [(500_000, 500_000, True), (500_001, 1_000_000, False), (0, 499_999, False)],
)
def test_the_bounds_on_the_price_include_their_ends(platform, market, low, high, lands):
    bounds = {"price_min_e6": low, "price_max_e6": high}
    if lands:
        platform.add_liquidity(platform.user(), market, USD, **bounds)
        return
    with refused("SLIPPAGE"):
        platform.add_liquidity(platform.user(), market, USD, **bounds)


def test_a_pool_the_market_does_not_have_is_refused(platform, market):
    with refused("BAD_POOL"):
        platform.add_liquidity(platform.user(), market, 10**9, pool=1)


def test_no_liquidity_at_all_is_refused(platform, market):
    with refused("ZERO_AMOUNT"):
        platform.add_liquidity(platform.user(), market, 0)


@pytest.mark.parametrize("liquidity", [10**18, 2**63, 2**64 - 1])
def test_more_liquidity_than_the_curve_carries_is_refused(platform, market, liquidity):
    with refused("ARITHMETIC"):
        platform.add_liquidity(platform.user(), market, liquidity)


def test_the_first_maker_needs_a_price_of_at_most_750_slots(platform):
    market, user = platform.create_market("m"), platform.user()
    platform.warp(751)
    with refused("PRICE_STALE"):
        platform.add_liquidity(user, market, 10**9)
    platform.post(market, 500_000, slot=platform.slot - 1)
    platform.warp(749)
    platform.add_liquidity(user, market, 10**9)


def test_a_used_position_id_is_refused(platform):
    market, maker = platform.create_market("m", 700_000), platform.user()
    platform.add_liquidity(maker, market, 10**9)
    maker.next_position_id = 0
    with refused("ALREADY_INITIALIZED"):
        platform.add_liquidity(maker, market, 10**9)


def test_adding_then_trading_then_closing_pays_a_maker_nothing(platform, market):
    user = platform.user(10_000_000)
    start = platform.tokens(user.tokens)
    platform.add_liquidity(user, market, 500_000 * USD)
    locked = start - platform.tokens(user.tokens)
    position, _ = platform.open(user, market, 100_000 * USD)
    platform.close(user, market, position)
    assert platform.tokens(user.tokens) < start - locked
