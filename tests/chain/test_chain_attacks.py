"""Chains against their own platform: what an owner, or the keeper that executes, might try to gain by."""

import itertools

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD, Platform, refused

from programs import curve, errors
from programs.accounts import Side
from programs.chain_account import ChainStatus, Step, StepKind

SHAPES = (
    (opening(10),),
    (BORROW, opening(6)),
    (BORROW, STAKE, LIQUIDITY, opening(5)),
    (LIQUIDITY, LIQUIDITY, opening(8)),
    (BORROW, BORROW, opening(3)),
)


def arena(price_e6=500_000, liquidity=1_000_000):
    """A market with a pool and a vault that belong to others, an owner of everything else."""
    platform = Platform()
    platform.initialize()
    market = platform.create_market("m", price_e6)
    platform.post(market, price_e6)
    platform.add_liquidity(platform.user(10_000_000), market, liquidity * USD)
    platform.stake(platform.user(10_000_000), 1_000_000 * USD)
    return platform, market, platform.user(10_000_000)


def close_everything(platform, market, owner, chains):
    """Whatever is left is sold, unstaked and removed; what cannot be sold any more counts at the oracle's price."""
    for chain in chains:
        if not platform.exists(chain):
            continue
        state = platform.chain(chain)
        for holding, position in enumerate((state.position, *state.holdings)):
            if position.shares or position.residual:
                platform.close_holding(owner, chain, holding)
        platform.cancel(owner, chain)
    platform.warp(150)
    platform.post(market, platform.market(market).pools[0].price_e6)
    for chain in chains:
        while platform.exists(chain):
            try:
                platform.cancel(owner, chain)
            except errors.BY_NAME["CHAIN_LOCKED"]:
                state = platform.chain(chain)
                for holding, position in enumerate((state.position, *state.holdings)):
                    if position.shares:
                        platform.close_holding(owner, chain, holding)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("target", [200_000, 440_000, 800_000])
def test_two_opposite_chains_of_one_owner_never_profit_from_a_jump(shape, target):
    """Nobody else trades: what the winner could gain, only the loser's sale or the vault could pay."""
    platform, market, owner = arena()
    start = platform.tokens(owner.tokens)
    chains = [platform.open_chain(owner, market, 2_000 * USD, *shape, side=side) for side in Side]
    for chain in chains:
        platform.execute(owner, chain)
    platform.move_oracle(market, target)
    for _ in range(4):
        platform.warp(1)
        try:
            platform.liquidate(owner, market, chains)
        except errors.BY_NAME["NOTHING_LIQUIDATED"]:
            break
    close_everything(platform, market, owner, chains)
    assert platform.tokens(owner.tokens) < start


def test_an_owner_who_executes_his_own_chain_gets_back_what_he_prepaid_and_no_more():
    platform, market, owner = arena()
    start = platform.tokens(owner.tokens)
    for _ in range(3):
        chain = platform.open_chain(owner, market, 999_999, BORROW, BORROW)
        platform.execute(owner, chain)
        platform.cancel(owner, chain)
    assert platform.tokens(owner.tokens) == start


@pytest.mark.parametrize(
    "step", [opening(3, 520_000), Step(kind=StepKind.LIQUIDITY, limit_e6=9_999)]
)
def test_a_keeper_who_pushes_the_pool_first_finds_the_limit(step):
    platform, market, owner = arena()
    keeper = platform.user(10_000_000)
    chain = platform.open_chain(owner, market, 1_000 * USD, step)
    pushed, _ = platform.open(keeper, market, 40_000 * USD)
    with refused("SLIPPAGE"):
        platform.execute(keeper, chain)
    platform.close(keeper, market, pushed)
    platform.execute(keeper, chain)


def test_pushing_the_pool_under_an_arbitrage_costs_more_than_it_brings():
    """The step buys what the keeper has made cheap: the keeper sells low and buys back higher."""
    platform, market, owner = arena()
    keeper = platform.user(10_000_000)
    start = platform.tokens(keeper.tokens)
    chain = platform.open_chain(owner, market, 100_000 * USD, ARBITRAGE)
    pushed, _ = platform.open(keeper, market, 30_000 * USD, side=Side.NO)
    platform.execute(keeper, chain)
    platform.close(keeper, market, pushed)
    bounty = 20 * USD
    assert platform.tokens(keeper.tokens) < start + bounty
    assert platform.chain(chain).holdings[Side.YES].shares > 2 * 4_990 * USD


def test_liquidity_of_a_chain_does_not_vanish_under_what_it_let_others_open():
    """Inflate the pool, open up to the larger side cap, take the liquidity back: the cap holds on the way out."""
    platform, market, owner = arena(liquidity=10_000)
    chain = platform.open_chain(owner, market, 500_000 * USD, LIQUIDITY)
    platform.execute(owner, chain)
    thief = platform.user()
    platform.open(thief, market, 5_000 * USD, leverage=2)
    platform.warp(150)
    platform.post(market, 500_000)
    platform.cancel(owner, chain)
    pool = platform.market(market).pools[0]
    assert pool.leveraged[Side.YES] <= pool.liquidity // 8
    assert platform.chain(chain).maker.liquidity > 0
    platform.warp(1)
    with refused("CHAIN_LOCKED"):
        platform.cancel(owner, chain)


def test_a_stake_inside_a_chain_cannot_flee_from_a_loss():
    """Cancelled before a loss and paid after it: the lower price counts."""
    platform, market, owner = arena()
    chain = platform.open_chain(owner, market, 1_000_000 * USD, STAKE)
    platform.execute(owner, chain)
    loser = platform.user(10_000_000)
    position, _ = platform.open(loser, market, 2_000 * USD, leverage=8)
    platform.cancel(owner, chain)
    platform.move_oracle(market, 200_000)
    pool = platform.market(market).pools[0]
    state = curve.Curve(liquidity=pool.liquidity, q=pool.q)
    shares = curve.shares_to_price(state, curve.Side.YES, 200_000)
    cost = curve.buy_shares(state, curve.Side.NO, shares)
    platform.open(platform.user(10_000_000), market, cost, side=Side.NO)
    platform.liquidate(owner, market, [platform.position_address(loser, market, position)])
    assert platform.vault().bad_debt > 0
    platform.warp(150)
    before = platform.tokens(owner.tokens)
    platform.cancel(owner, chain)
    assert platform.tokens(owner.tokens) - before < 100_000 * USD


def test_a_full_bucket_delays_a_chains_stake_and_not_its_liquidity():
    platform, market, owner = arena()
    chain = platform.open_chain(owner, market, 4_000_000 * USD, STAKE, LIQUIDITY)
    platform.execute(owner, chain)
    platform.cancel(owner, chain)
    platform.warp(150)
    platform.post(market, 500_000)
    platform.cancel(owner, chain)
    assert platform.chain(chain).maker.liquidity == 0
    assert platform.chain(chain).stake.shares > 0, "a fifth of the vault a time"
    with refused("CHAIN_LOCKED"):
        platform.cancel(owner, chain)
    platform.warp(150)
    platform.cancel(owner, chain)


def highest(platform, market, keeper, owner, shape):
    """The highest leverage at which this shape's OPEN runs, by bisection on the program; its effective leverage."""
    low, best = 1, 0
    high = 100
    while low <= high:
        middle = (low + high) // 2
        chain = platform.open_chain(owner, market, 20 * USD, *shape, opening(middle))
        try:
            platform.execute(keeper, chain)
        except errors.ProgramError:
            high = middle - 1
        else:
            best = max(best, platform.chain(chain).leverage_e6)
            low = middle + 1
        if platform.chain(chain).status is ChainStatus.DONE:
            platform.close_holding(owner, chain, 0)
    return best


def test_the_highest_effective_leverage_is_145_of_the_500_allowed():
    """Over every shape, where the pool is dear for nobody: 4 x LIQUIDITY and an OPEN at the tier's 70."""
    best = {}
    platform, market, owner = arena(price_e6=500_000)
    platform.is_audited = False
    keeper = platform.user()
    platform.open(platform.user(10_000_000), market, 100_000 * USD, side=Side.NO)
    prefixes = {
        tuple(sorted(p, key=lambda step: step.kind))
        for n in range(5)
        for p in itertools.product((BORROW, LIQUIDITY, STAKE), repeat=n)
        if p.count(BORROW) <= 2
    }
    for shape in prefixes:
        try:
            best[shape] = highest(platform, market, keeper, owner, shape)
        except errors.BY_NAME["BAD_CHAIN"]:
            continue
    top = max(best, key=lambda shape: best[shape])
    assert top == (LIQUIDITY,) * 4
    assert best[top] == 145_152_000
