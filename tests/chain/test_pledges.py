"""What a chain's stake and liquidity answer for, when its position ends with debt left."""

import pytest
from chain_terms import BORROW, LIQUIDITY, STAKE, opening
from harness import USD, Platform, refused

from programs import curve
from programs.accounts import Side
from programs.chain_account import ChainStatus
from programs.curve import Curve
from programs.layout import CHAIN_DTYPE, MAKER_DTYPE


@pytest.fixture
def owner(platform):
    return platform.user()


@pytest.fixture
def keeper(platform):
    return platform.user()


def jump(platform, market, price_e6):
    """The oracle goes there without anybody being liquidated on the way, and traders take the pool with it."""
    platform.move_oracle(market, price_e6)
    pool = platform.market(market).pools[0]
    state = Curve(liquidity=pool.liquidity, q=pool.q)
    shares = curve.shares_to_price(state, curve.Side.YES, price_e6)
    cost = curve.buy_shares(state, curve.Side.NO, shares)
    platform.open(platform.user(10_000_000), market, cost, side=Side.NO)


def liquidate(platform, market, keeper, chain):
    """Until nothing is left to liquidate; the last receipt."""
    receipt = platform.liquidate(keeper, market, [chain])
    while platform.chain(chain).position.debt:
        platform.warp(1)
        receipt = platform.liquidate(keeper, market, [chain])
    return receipt


def ruined(platform, market, owner, keeper, *steps, price_e6=200_000, deposit=3_000 * USD):
    """A chain whose position is liquidated after a jump, and the receipt of that."""
    chain = platform.open_chain(owner, market, deposit, *steps)
    platform.execute(keeper, chain)
    jump(platform, market, price_e6)
    return chain, liquidate(platform, market, keeper, chain)


def kinds(receipt):
    return [event.kind.name for event in receipt.events]


def seized(receipt):
    return next(e for e in receipt.events if e.kind.name == "PLEDGES_SEIZED")


def test_pledges_repay_before_the_vault_books_a_loss(platform, staked, owner, keeper):
    chain, receipt = ruined(platform, staked, owner, keeper, BORROW, STAKE, LIQUIDITY, opening(6))
    told, state = seized(receipt), platform.chain(chain)
    assert state.position.shares == state.position.debt == 0
    assert told.amount("stake_shares") > 0
    assert state.stake.shares == 0
    assert told.amount("cash") > 0
    assert state.maker.liquidity == 0
    assert kinds(receipt).index("PLEDGES_SEIZED") < kinds(receipt).index("BAD_DEBT_BOOKED")
    without = Platform()
    without.initialize()
    market = without.create_market("m", 500_000)
    without.post(market, 500_000)
    without.add_liquidity(without.user(10_000_000), market, 1_000_000 * USD)
    without.stake(without.user(10_000_000), 1_000_000 * USD)
    bare, _ = ruined(without, market, without.user(), without.user(), BORROW, opening(6))
    assert without.chain(bare).position.debt == 0
    assert platform.vault().bad_debt < without.vault().bad_debt


def test_only_as_much_stake_is_burned_as_is_owed(platform, staked, owner, keeper):
    """A small debt against a large stake: the rest of the stake, and all of the liquidity, stay the owner's."""
    chain = platform.open_chain(
        owner, staked, 20_000 * USD, LIQUIDITY, STAKE, STAKE, STAKE, opening(2)
    )
    platform.execute(keeper, chain)
    before = platform.chain(chain)
    jump(platform, staked, 230_000)
    receipt = liquidate(platform, staked, keeper, chain)
    state = platform.chain(chain)
    told = seized(receipt)
    assert 0 < state.stake.shares < before.stake.shares
    assert state.maker == before.maker
    assert told.amount("cash") == told.amount("inventory_shares") == 0
    assert platform.vault().bad_debt == 0


def test_what_the_liquidity_gives_beyond_the_debt_stays_the_chains(platform, staked, owner, keeper):
    chain, receipt = ruined(
        platform, staked, owner, keeper, LIQUIDITY, LIQUIDITY, opening(2), price_e6=230_000
    )
    told, state = seized(receipt), platform.chain(chain)
    assert told.amount("debt_repaid") == told.amount("cash") + told.amount("inventory_credit")
    assert state.maker.liquidity == 0
    assert state.working > 0, "its escrow holds what the pairs gave beyond the debt"
    assert platform.vault().bad_debt == 0
    start = platform.tokens(owner.tokens)
    platform.cancel(owner, chain)
    assert platform.tokens(owner.tokens) - start == state.working


def test_shares_of_seized_liquidity_go_to_the_inventory_at_the_oracles_price(
    platform, staked, owner, keeper
):
    """A pool far from a half hands back more of one side than pairs: here of YES, at 0.1."""
    _, receipt = ruined(
        platform, staked, owner, keeper, LIQUIDITY, BORROW, opening(6), price_e6=100_000
    )
    told = seized(receipt)
    taken = told.amount("inventory_shares")
    assert 0 < taken <= platform.market(staked).pools[0].inventory[Side.YES]
    assert told.amount("inventory_credit") == taken // 10


def test_a_ruined_chain_still_closes(platform, staked, owner, keeper):
    chain, _ = ruined(platform, staked, owner, keeper, BORROW, STAKE, LIQUIDITY, opening(6))
    assert platform.chain(chain).status is ChainStatus.DONE
    platform.warp(1)
    platform.post(staked, 200_000)
    for holding, position in enumerate(platform.chain(chain).holdings, 1):
        if position.shares:
            platform.close_holding(owner, chain, holding)
    platform.cancel(owner, chain)
    assert not platform.exists(chain)


def test_a_healthy_chain_is_left_alone(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, 1_000 * USD, BORROW, opening(2))
    platform.execute(keeper, chain)
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(keeper, staked, [chain])


def test_liquidity_below_the_curves_grain_does_not_stop_a_liquidation(
    platform, staked, owner, keeper
):
    """Written by hand: a maker of one base unit, of which the curve can hand nothing back."""
    chain = platform.open_chain(owner, staked, 3_000 * USD, BORROW, LIQUIDITY, opening(6))
    platform.execute(keeper, chain)
    platform.is_audited = False
    at = CHAIN_DTYPE.fields["maker"][1] + MAKER_DTYPE.fields["liquidity"][1]
    data = platform.data(chain)
    platform.set_data(chain, data[:at] + (1).to_bytes(8, "little") + data[at + 8 :])
    jump(platform, staked, 200_000)
    receipt = liquidate(platform, staked, keeper, chain)
    assert seized(receipt).amount("debt_repaid") == 0
    state = platform.chain(chain)
    assert (state.position.shares, state.position.debt) == (0, 0)
