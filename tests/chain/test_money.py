"""Which tokens each instruction moves: every token account that changes, and none besides."""

import pytest
from harness import USD, refused

from programs.accounts import Side
from programs.errors import ProgramError


def balances(platform):
    """Every quote token account, by what it is."""
    users = {f"user {i}": platform.tokens(u.tokens) for i, u in enumerate(platform.users)}
    markets = {f"market {i}": platform.market_tokens(m) for i, m in enumerate(platform.markets)}
    return {"vault": platform.vault_tokens()} | users | markets


def moved(platform, act):
    """Run one instruction: by how much every token account changed; the sum must be nothing."""
    before = balances(platform)
    act()
    after = balances(platform)
    change = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert sum(after.values()) == sum(before.values()) == platform.minted
    return change


def test_create_market_and_update_prices_move_no_token(platform, staked):
    platform.warp(1)
    assert moved(platform, lambda: platform.post(staked, 510_000)) == {}
    before = platform.quote_total()
    platform.create_market("another")
    assert platform.quote_total() == before


def test_initialize_creates_no_quote_token(platform):
    assert (platform.vault_tokens(), platform.minted) == (0, 0)


def test_add_liquidity_moves_the_makers_cash_to_the_market(platform, staked):
    change = moved(platform, lambda: platform.add_liquidity(platform.users[0], staked, 10**9))
    cash = -change["user 0"]
    assert change == {"user 0": -cash, "market 0": cash}
    assert cash > 0


def test_stake_moves_cash_to_the_vault(platform, staked):
    change = moved(platform, lambda: platform.stake(platform.users[0], 12_345))
    assert change == {"user 0": -12_345, "vault": 12_345}


def test_remove_liquidity_moves_cash_and_fees_to_the_maker(platform, staked):
    maker = platform.users[0]
    platform.open(platform.user(), staked, 10_000 * USD)
    platform.warp(150)
    receipts = []
    change = moved(
        platform, lambda: receipts.append(platform.remove_liquidity(maker, staked, 10**9))
    )
    (event,) = receipts[0].events
    cash = event.amount("cash") + event.amount("fees_paid")
    assert change == {"user 0": cash, "market 0": -cash}


def test_fees_move_to_the_maker_the_treasury_and_the_vault(platform, staked):
    platform.open(platform.user(), staked, 10_000 * USD)
    maker, treasury = platform.users[0], platform.user()
    fees = platform.market(staked)
    change = moved(platform, lambda: platform.claim_maker_fees(maker, staked))
    assert change == {"user 0": -change["market 0"], "market 0": change["market 0"]}
    assert fees.fees_makers - 1 <= change["user 0"] <= fees.fees_makers
    due = fees.fees_treasury
    change = moved(platform, lambda: platform.withdraw_fees(staked, treasury.tokens))
    assert change == {"user 3": due, "market 0": -due}
    change = moved(platform, lambda: platform.sweep_fees(staked))
    assert change == {"vault": fees.fees_vault, "market 0": -fees.fees_vault}


def test_unstake_moves_cash_from_the_vault_and_a_request_moves_none(platform, staked):
    user = platform.user()
    platform.stake(user, 1_000 * USD)
    assert moved(platform, lambda: platform.request_unstake(user)) == {}
    platform.warp(150)
    change = moved(platform, lambda: platform.unstake(user))
    assert change == {"user 2": change["user 2"], "vault": -change["user 2"]}
    assert 1_000 * USD - 1 <= change["user 2"] <= 1_000 * USD


def test_a_spot_open_moves_margin_and_fee_to_the_market(platform, staked):
    user = platform.user()
    fee = -(-10_000 * USD * 3_000_001 // 10**10)
    change = moved(platform, lambda: platform.open(user, staked, 10_000 * USD))
    assert change == {"user 2": -10_000 * USD - fee, "market 0": 10_000 * USD + fee}


def test_a_leveraged_open_moves_the_loan_too(platform, staked):
    user = platform.user()
    fee = -(-5_000 * USD * 3_000_001 // 10**10)
    change = moved(platform, lambda: platform.open(user, staked, 1_000 * USD, leverage=5))
    assert change == {
        "user 2": -1_000 * USD - fee,
        "vault": -4_000 * USD,
        "market 0": 5_000 * USD + fee,
    }


def test_a_close_moves_the_loan_back_and_the_rest_to_the_owner(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=5)
    change = moved(platform, lambda: platform.close(user, staked, position_id, has_debt=True))
    assert change["vault"] == 4_000 * USD
    assert 990 * USD < change["user 2"] < 1_000 * USD
    assert change["market 0"] == -change["vault"] - change["user 2"]


def test_a_liquidation_moves_the_loan_back_and_the_bounty_to_the_keeper(platform, staked):
    user, keeper = platform.user(), platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    target = [platform.position_address(user, staked, position_id)]
    platform.move_oracle(staked, 465_000)
    change = moved(platform, lambda: platform.liquidate(keeper, staked, target))
    assert change.keys() == {"vault", "market 0", "user 3"}
    assert change["vault"] == 9_000 * USD
    assert change["market 0"] == -9_000 * USD - change["user 3"]


def test_a_refused_instruction_moves_nothing(platform, staked):
    user = platform.user()

    def attempt():
        with refused("SLIPPAGE"):
            platform.open(user, staked, 1_000 * USD, worst_price_e6=100_000)

    assert moved(platform, attempt) == {}


@pytest.mark.parametrize("leverage", [1, 5])
@pytest.mark.parametrize("side", Side)
def test_nobody_profits_from_opening_and_closing_at_one_price(platform, staked, side, leverage):
    user = platform.user()
    start = platform.tokens(user.tokens)
    for _ in range(3):
        position_id, _ = platform.open(user, staked, 777 * USD, side=side, leverage=leverage)
        platform.close(user, staked, position_id, has_debt=leverage > 1)
        assert platform.tokens(user.tokens) < start


def test_both_sides_at_once_are_worth_no_more_than_they_cost(platform, staked):
    user = platform.user()
    start = platform.tokens(user.tokens)
    ids = [platform.open(user, staked, 50_000 * USD, side=side)[0] for side in Side]
    for position_id in ids:
        platform.close(user, staked, position_id)
    assert platform.tokens(user.tokens) < start


def test_the_dust_of_many_tiny_trades_stays_with_the_pool(platform, staked):
    user = platform.user()
    start = platform.tokens(user.tokens)
    for amount in range(1, 40):
        try:
            position_id, _ = platform.open(user, staked, amount)
        except ProgramError:
            continue
        platform.close(user, staked, position_id)
        assert platform.tokens(user.tokens) <= start
        start = platform.tokens(user.tokens)
