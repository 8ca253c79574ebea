"""execute_chain against the model in Python: whatever the terms and the state, both say the same."""

import pytest
from harness import USD, Platform, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs import chains, errors
from programs.accounts import Side
from programs.chain_account import Chain, ChainStatus, Step, StepKind
from programs.chains import Stand

BORROW = Step(kind=StepKind.BORROW)
LIQUIDITY = Step(kind=StepKind.LIQUIDITY, limit_e6=1_000_000)
STAKE = Step(kind=StepKind.STAKE)
ARBITRAGE = Step(kind=StepKind.ARBITRAGE, limit_e6=1_000_000)
FIVE = (BORROW, LIQUIDITY, STAKE, ARBITRAGE)


def opening(leverage=3, limit_e6=1_000_000):
    return Step(kind=StepKind.OPEN, leverage=leverage, limit_e6=limit_e6)


def stand(platform, chain):
    state = platform.chain(chain)
    return Stand(chain=state, market=platform.market(state.market), vault=platform.vault())


def forecast(platform, chain, step_count=5):
    return chains.forecast(
        stand(platform, chain), slot=platform.slot, is_halted=False, step_count=step_count
    )


def told(receipt):
    """Kind, amount and shares of each step that an event reports."""
    return [
        (e.amount("kind"), e.amount("amount"), e.amount("shares"))
        for e in receipt.events
        if e.kind.name == "CHAIN_STEPPED"
    ]


def comparable(chain: Chain):
    """What the model promises of a chain: all but trade numbers and the fees of its maker."""
    position, maker = chain.position, chain.maker
    return (
        chain.status,
        chain.next_step,
        chain.leverage_e6,
        chain.working,
        chain.debt,
        chain.bounty,
        maker.liquidity,
        maker.last_add_slot,
        chain.stake.shares,
        [holding.shares for holding in chain.holdings],
        (position.shares, position.margin, position.debt, position.margin_bps),
        (position.notional, position.opened_slot),
    )


def check_forecast(platform, keeper, chain, step_count=5):
    """Execute, and compare every number with the model's; return the receipt."""
    expected = forecast(platform, chain, step_count)
    before = platform.tokens(keeper.tokens)
    if expected.refusal is not None and len(expected.steps) < step_count:
        with pytest.raises(expected.refusal):
            platform.execute(keeper, chain, step_count)
        if not expected.steps:
            return None
        step_count = len(expected.steps)
    receipt = platform.execute(keeper, chain, step_count)
    assert told(receipt) == [(s.kind, s.amount, s.shares) for s in expected.steps]
    after = stand(platform, chain)
    assert comparable(after.chain) == comparable(expected.after.chain)
    for ours, theirs in zip(after.market.pools, expected.after.market.pools, strict=True):
        assert (ours.liquidity, ours.cash, ours.outstanding, ours.leveraged) == (
            theirs.liquidity,
            theirs.cash,
            theirs.outstanding,
            theirs.leveraged,
        )
    vault, model = after.vault, expected.after.vault
    assert (vault.cash, vault.loans, vault.share_supply, vault.weighted_debt_e6) == (
        model.cash,
        model.loans,
        model.share_supply,
        model.weighted_debt_e6,
    )
    assert after.market.debt == expected.after.market.debt
    assert platform.tokens(keeper.tokens) - before == expected.bounty
    return receipt


@pytest.fixture
def keeper(platform):
    return platform.user()


@pytest.fixture
def owner(platform):
    return platform.user()


def test_five_steps_in_one_transaction_take_less_than_22_000_cu(platform, staked, owner, keeper):
    platform.open(owner, staked, 14_000 * USD, side=Side.NO)
    chain = platform.open_chain(owner, staked, 10_000 * USD, *FIVE, opening())
    receipt = check_forecast(platform, keeper, chain)
    assert [amount > 0 for _, amount, _ in told(receipt)] == [True] * 5
    assert receipt.cu <= 22_000
    assert platform.chain(chain).status is ChainStatus.DONE
    assert platform.chain(chain).leverage_e6 == 1_500_000 * 12 * 11 * 105 * 3 // 10_000


def test_a_step_that_buys_nothing_multiplies_nothing(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, 1_000 * USD, ARBITRAGE, opening(2))
    receipt = check_forecast(platform, keeper, chain)
    assert told(receipt)[0] == (StepKind.ARBITRAGE, 0, 0)
    assert platform.chain(chain).leverage_e6 == 2_000_000


STEPS = st.lists(
    st.one_of(
        st.builds(
            Step,
            kind=st.sampled_from([StepKind.LIQUIDITY, StepKind.ARBITRAGE]),
            limit_e6=st.sampled_from([0, 15_000, 500_000, 1_000_000, 1_000_000]),
        ),
        st.sampled_from([BORROW, BORROW, STAKE]),
    ),
    max_size=4,
)
OPENINGS = st.lists(
    st.builds(opening, st.integers(1, 12), st.sampled_from([550_000, 1_000_000, 1_000_000])),
    max_size=1,
)


@pytest.fixture(scope="module")
def world():
    """A platform that all examples share: each leaves it a little different."""
    platform = Platform()
    platform.initialize()
    maker = platform.user(100_000_000)
    markets = [
        platform.create_market("two", 500_000),
        platform.create_market("three", 500_000, 300_000, 200_000),
    ]
    platform.post(markets[0], 500_000)
    platform.post(markets[1], 500_000, 300_000, 200_000)
    platform.add_liquidity(maker, markets[0], 1_000_000 * USD)
    for pool in range(3):
        platform.add_liquidity(maker, markets[1], 1_000_000 * USD, pool)
    platform.stake(maker, 1_000_000 * USD)
    platform.user(100_000_000)
    platform.user()
    return platform


@given(
    steps=st.builds(lambda first, last: (*first, *last), STEPS, OPENINGS),
    market=st.integers(0, 1),
    pool=st.integers(0, 2),
    side=st.sampled_from(Side),
    deposit=st.one_of(
        st.integers(1, 10_000), st.integers(10**6, 10**9), st.integers(10**9, 40_000 * USD)
    ),
    push=st.sampled_from([0, 0, 2_000 * USD, 30_000 * USD]),
    parts=st.lists(st.integers(1, 3), min_size=5, max_size=5),
)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_the_program_does_what_the_model_says(
    world, steps, market, pool, side, deposit, push, parts
):
    _, owner, keeper = world.users
    where = world.markets[market]
    pool *= market
    prices = [p.price_e6 for p in world.market(where).pools]
    world.warp(1)
    world.post(where, *prices)
    if push:
        try:
            world.open(owner, where, push, pool=pool, side=Side(1 - side))
        except errors.ProgramError:
            pass
    plan = chains.plan_refusal(steps)
    if plan is not None:
        with pytest.raises(plan):
            world.open_chain(owner, where, deposit, *steps, pool=pool, side=side)
        return
    chain = world.open_chain(owner, where, deposit, *steps, pool=pool, side=side)
    assert world.chain(chain).bounty == chains.bounty_of(deposit)
    for part in parts:
        if world.chain(chain).status is ChainStatus.RUNNING:
            check_forecast(world, keeper, chain, part)
