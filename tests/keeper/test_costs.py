"""keeper/costs.py against the committed program."""

import pytest
from harness import USD, Platform

from keeper.costs import (
    LIQUIDATE_CU_PER_POSITION,
    UPDATE_PRICES_CU,
    UPDATE_PRICES_CU_PER_POOL,
    liquidate_base_cu,
)
from programs.accounts import Side

LIMIT_INSTRUCTION_CU = 150


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
    used = platform.post(market, *prices).cu - LIMIT_INSTRUCTION_CU
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
