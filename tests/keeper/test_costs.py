"""keeper/costs.py against the committed program."""

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD, Platform

from keeper.costs import (
    CANCEL_CHAIN_CU,
    CANCEL_CHAIN_LOG_BYTES,
    LIQUIDATE_CU_PER_POSITION,
    UPDATE_PRICES_CU,
    UPDATE_PRICES_CU_PER_POOL,
    execute_chain_cu,
    execute_chain_log_bytes,
    liquidate_base_cu,
    update_prices_log_bytes,
)
from programs.accounts import Side

LIMIT_INSTRUCTION_CU = 150


def logged_bytes(receipt):
    """Of what is not the compute budget's."""
    return sum(len(line) for line in receipt.logs if "ComputeBudget" not in line)


@pytest.fixture(scope="module")
def platform():
    platform = Platform()
    platform.initialize()
    return platform


@pytest.mark.parametrize("pools", [1, 3, 16])
def test_a_posts_bound_holds_and_wastes_less_than_half(platform, pools):
    prices = (500_000,) if pools == 1 else tuple([1_000_000 // pools] * pools)
    market = platform.create_market(f"costs {pools}", *prices)
    platform.warp(5)
    receipt = platform.post(market, *prices)
    used = receipt.cu - LIMIT_INSTRUCTION_CU
    logged = logged_bytes(receipt)
    assert logged <= update_prices_log_bytes(pools) <= logged * 3 / 2, logged
    bound = UPDATE_PRICES_CU + UPDATE_PRICES_CU_PER_POOL * pools
    assert used <= bound <= used * 3 / 2, used


@pytest.mark.parametrize("count", [1, 4, 20])
def test_a_liquidations_bound_holds_and_wastes_less_than_half(platform, count):
    market = platform.create_market(f"liquidations {count}")
    maker, trader, keeper = platform.user(10**7), platform.user(), platform.user()
    platform.add_liquidity(maker, market, 10**6 * USD)
    if not platform.vault().cash:
        platform.stake(maker, 10**6 * USD)
    platform.warp(3)
    platform.post(market, 500_000)
    opened = [
        platform.open(trader, market, 100 * USD, leverage=5, side=Side.YES)[0] for _ in range(count)
    ]
    platform.move_oracle(market, 380_000)
    targets = [platform.position_address(trader, market, position) for position in opened]
    receipt = platform.liquidate(keeper, market, targets)
    used = receipt.cu - LIMIT_INSTRUCTION_CU
    bound = liquidate_base_cu(1) + LIQUIDATE_CU_PER_POSITION * count
    assert used <= bound <= used * 3 / 2, used


@pytest.fixture
def chain_market(platform):
    """A market whose YES is cheap enough for an arbitrage that stops at the oracle's price, which costs most."""
    maker = platform.user(10**8)
    market = platform.create_market(f"chains {len(platform.markets)}")
    platform.add_liquidity(maker, market, 10**6 * USD)
    platform.stake(maker, 10**6 * USD)
    platform.warp(3)
    platform.post(market, 500_000)
    platform.open(maker, market, 14_000 * USD, side=Side.NO)
    return market


@pytest.mark.parametrize(
    ("steps", "deposit_usd"),
    [
        ((BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening()), 1_000),
        ((BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening(2)), 10_000),
        ((ARBITRAGE, ARBITRAGE), 500_000),
        ((BORROW, BORROW), 1_000),
        ((LIQUIDITY,), 1_000),
        ((STAKE,), 1_000),
        ((opening(2),), 1_000),
    ],
)
def test_the_bound_of_a_chains_steps_holds_and_wastes_less_than_half(
    platform, chain_market, steps, deposit_usd
):
    owner, keeper = platform.user(10**7), platform.user(0)
    chain = platform.open_chain(owner, chain_market, deposit_usd * USD, *steps)
    receipt = platform.execute(keeper, chain, len(steps))
    used = receipt.cu - LIMIT_INSTRUCTION_CU
    logged = logged_bytes(receipt)
    assert logged <= execute_chain_log_bytes(len(steps)) <= logged * 3 / 2, logged
    bound = execute_chain_cu([step.kind for step in steps])
    assert used <= bound <= used * 3 / 2, used


def test_the_bound_of_a_cancelling_holds_and_wastes_less_than_half(platform, chain_market):
    owner, keeper = platform.user(10**7), platform.user(0)
    steps = (BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening(2))
    chain = platform.open_chain(
        owner, chain_market, 1_000 * USD, *steps, expiry_slot=platform.slot + 5
    )
    platform.execute(keeper, chain, 4)
    platform.warp(200)
    receipt = platform.cancel(keeper, chain)
    used = receipt.cu - LIMIT_INSTRUCTION_CU
    logged = logged_bytes(receipt)
    assert logged <= CANCEL_CHAIN_LOG_BYTES <= logged * 2, logged
    assert used <= CANCEL_CHAIN_CU <= used * 3 / 2, used
