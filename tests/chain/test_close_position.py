"""Closing: exact proceeds, debt first, and the rent back to the owner."""

import pytest
from harness import USD, refused

from programs import curve, leverage
from programs.accounts import Side
from programs.curve import Curve
from programs.event_layout import EventKind
from programs.instructions import ALL_SHARES


def state(platform, market):
    pool = platform.market(market).pools[0]
    return Curve(liquidity=pool.liquidity, q=pool.q)


@pytest.mark.parametrize("side", Side)
def test_closing_pays_the_curves_proceeds_less_the_fee_and_returns_the_rent(platform, market, side):
    user = platform.user()
    position_id, _ = platform.open(user, market, 10_000 * USD, side=side)
    shares = platform.position(user, market, position_id).shares
    expected = curve.sell_shares(state(platform, market), side, shares)
    tokens = platform.tokens(user.tokens)
    lamports = platform.svm.get_balance(user.address)
    (event,) = platform.close(user, market, position_id).events
    fee = leverage.fee_amount(expected, leverage.fee_rate_ubp(0))
    assert platform.tokens(user.tokens) == tokens + expected - fee
    assert not platform.exists(platform.position_address(user, market, position_id))
    rent = platform.svm.minimum_balance_for_rent_exemption(160)
    assert platform.svm.get_balance(user.address) == lamports + rent - 5_000
    assert event.kind is EventKind.POSITION_CLOSED
    assert (event.amount("proceeds"), event.amount("fee")) == (expected, fee)
    assert event.amount("payout") == expected - fee
    assert (event.amount("shares"), event.amount("shares_left")) == (shares, 0)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("parts", [1, 3, 10])
def test_opening_and_closing_at_one_price_never_pays(platform, market, side, parts):
    user = platform.user()
    start = platform.tokens(user.tokens)
    ids = [platform.open(user, market, 30_000 * USD // parts, side=side)[0] for _ in range(parts)]
    for position_id in ids:
        platform.close(user, market, position_id)
    fees = 2 * 30_000 * USD * 28 // 10_000
    assert start - fees - 3 * parts <= platform.tokens(user.tokens) < start
    assert abs(platform.market(market).pools[0].q) == 0


def test_a_part_can_be_closed_and_the_rest_stays(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 10_000 * USD)
    shares = platform.position(user, market, position_id).shares
    (event,) = platform.close(user, market, position_id, shares=shares // 3).events
    left = platform.position(user, market, position_id)
    assert left.shares == event.amount("shares_left") == shares - shares // 3
    platform.close(user, market, position_id, shares=left.shares)
    assert not platform.exists(platform.position_address(user, market, position_id))


def test_closing_repays_the_debt_first(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=5)
    (event,) = platform.close(user, staked, position_id, has_debt=True).events
    vault = platform.vault()
    assert event.amount("debt_repaid") == 4_000 * USD
    assert (vault.cash, vault.loans, vault.weighted_debt_e6) == (1_000_000 * USD, 0, 0)
    assert platform.market(staked).pools[0].leveraged == (0, 0)


def test_a_partial_close_of_a_leveraged_position_repays_all_of_its_debt(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=3)
    shares = platform.position(user, staked, position_id).shares
    with refused("PROCEEDS_BELOW_DEBT"):
        platform.close(user, staked, position_id, has_debt=True, shares=shares // 2)
    platform.close(user, staked, position_id, has_debt=True, shares=shares * 3 // 4)
    left = platform.position(user, staked, position_id)
    assert (left.debt, left.shares) == (0, shares - shares * 3 // 4)
    assert platform.market(staked).pools[0].leveraged == (0, 0)
    platform.close(user, staked, position_id)


def test_a_sale_that_does_not_cover_the_debt_is_refused(platform, staked):
    user, other = platform.user(), platform.user(10_000_000)
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    platform.open(other, staked, 120_000 * USD, side=Side.NO)
    with refused("PROCEEDS_BELOW_DEBT"):
        platform.close(user, staked, position_id, has_debt=True)


def test_a_worse_price_than_the_worst_is_refused(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 10_000 * USD)
    shares = platform.position(user, market, position_id).shares
    proceeds = curve.sell_shares(state(platform, market), Side.YES, shares)
    worst = proceeds * 1_000_000 // shares
    with refused("SLIPPAGE"):
        platform.close(user, market, position_id, worst_price_e6=worst + 1)
    platform.close(user, market, position_id, worst_price_e6=worst)


def test_closing_is_never_blocked_by_an_old_or_degraded_price(platform, staked):
    user = platform.user()
    ids = [platform.open(user, staked, 100 * USD, leverage=2)[0] for _ in range(2)]
    platform.post(staked, 500_000, price_class=1)
    platform.close(user, staked, ids[0], has_debt=True)
    platform.warp(100_000)
    platform.close(user, staked, ids[1], has_debt=True)


def test_more_shares_than_held_and_none_are_refused(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    shares = platform.position(user, market, position_id).shares
    for wrong, name in (
        (shares + 1, "NOT_ENOUGH_SHARES"),
        (ALL_SHARES - 1, "NOT_ENOUGH_SHARES"),
        (0, "ZERO_AMOUNT"),
    ):
        with refused(name):
            platform.close(user, market, position_id, shares=wrong)


def test_an_address_can_be_used_again_after_its_position_closed(platform, market):
    user = platform.user()
    for _ in range(2):
        user.next_position_id = 0
        position_id, _ = platform.open(user, market, 100 * USD)
        platform.close(user, market, position_id)


def test_closing_and_opening_again_in_one_transaction_leaves_a_fresh_position(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD, side=Side.NO)
    first = platform.position(user, market, position_id)
    close = platform.close_instruction(user, market, position_id)
    again = platform.open_instruction(user, market, 50 * USD, position_id=position_id)
    platform.send([close, again], [user.key])
    second = platform.position(user, market, position_id)
    assert (second.side, second.margin, second.residual) == (Side.YES, 50 * USD, 0)
    assert second.shares < first.shares


def test_a_closed_position_cannot_be_revived_by_paying_its_rent_in_the_same_transaction(
    platform, market
):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    target = platform.position_address(user, market, position_id)
    close = platform.close_instruction(user, market, position_id)
    platform.send([close, platform.pay(user, target, 10**7)], [user.key])
    account = platform.svm.get_account(target)
    assert account.data == b""
    assert account.lamports == 10**7
    with refused("WRONG_OWNER"):
        platform.close(user, market, position_id)


def test_a_position_closes_only_once_in_a_transaction(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    close = platform.close_instruction(user, market, position_id)
    with refused("WRONG_OWNER"):
        platform.send([close, close], [user.key])
