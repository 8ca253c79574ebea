"""keeper/stress/steep.py against the program: the highest leverage that opens, and the least that a fall must cost."""

from dataclasses import replace

import pytest
from harness import USD
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.stress.steep import Exposure, least_bad_debt, steepest
from programs import curve
from programs.accounts import Pool, Side
from programs.curve import Curve
from programs.errors import ProgramError

MARGIN = 20 * USD


@pytest.mark.parametrize("price_e6", [300_000, 500_000, 800_000])
@pytest.mark.parametrize("side", Side)
def test_it_is_the_highest_leverage_at_which_the_program_opens(platform, price_e6, side):
    market = platform.create_market("steep", price_e6)
    platform.add_liquidity(platform.user(10_000_000), market, 1_000_000 * USD)
    platform.stake(platform.user(10_000_000), 5_000_000 * USD)
    platform.warp(1)
    platform.post(market, price_e6)
    multiple = steepest(platform.market(market), platform.vault(), side, MARGIN)
    assert multiple > 5
    with pytest.raises(ProgramError):
        platform.open(platform.user(), market, MARGIN, leverage=multiple + 1, side=side)
    position_id, _ = platform.open(
        user := platform.user(), market, MARGIN, leverage=multiple, side=side
    )
    assert platform.position(user, market, position_id).debt == MARGIN * (multiple - 1)


def test_an_empty_vault_allows_none(platform, market):
    assert steepest(platform.market(market), platform.vault(), Side.YES, MARGIN) == 1


@settings(max_examples=50)
@given(
    shares=st.lists(st.integers(1, 10**11), min_size=1, max_size=5),
    debt_ppm=st.integers(100_000, 600_000),
    price_e6=st.integers(100_000, 900_000),
)
def test_no_order_of_sales_loses_less(founded_pool, shares, debt_ppm, price_e6):
    debts = [each * debt_ppm // 1_000_000 for each in shares]
    pool = replace(founded_pool, outstanding=(0, 0))
    exposure = Exposure(shares=sum(shares), debt=sum(debts))
    least = least_bad_debt({Side.YES: exposure}, pool, price_e6)
    state, lost = Curve(liquidity=pool.liquidity, q=pool.q), 0
    for count, debt in zip(shares, debts, strict=True):
        sold = min(curve.shares_to_price(state, curve.Side.YES, price_e6), count)
        got = curve.sell_shares(state, curve.Side.YES, sold) if sold else 0
        state = replace(state, q=state.q - sold)
        lost += max(debt - got - (count - sold) * price_e6 // 1_000_000, 0)
    assert lost >= least


@pytest.fixture(scope="module")
def founded_pool():
    pairs = dict.fromkeys(("outstanding", "leveraged", "inventory", "inventory_cost"), (0, 0))
    zeros = dict.fromkeys(
        ("cash", "price_e6", "band_e6", "fee_per_liquidity_q64", "high_this", "high_previous"), 0
    )
    return Pool(liquidity=10**12, **pairs, **zeros)
