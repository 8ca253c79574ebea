"""execute_chain against the model in Python: whatever the terms and the state, both say the same."""

import contextlib
import itertools

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD, Platform, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs import chains, errors
from programs.accounts import Side
from programs.chain_account import Chain, ChainStatus, Step, StepKind
from programs.chains import Stand
from programs.layout import CHAIN_DTYPE

FIVE = (BORROW, LIQUIDITY, STAKE, ARBITRAGE)


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
        with contextlib.suppress(errors.ProgramError):
            world.open(owner, where, push, pool=pool, side=Side(1 - side))
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


def partitions(count):
    """Every way to run this many steps in a row of transactions."""
    for cuts in itertools.product([False, True], repeat=count - 1):
        parts = [1]
        for cut in cuts:
            if cut:
                parts.append(1)
            else:
                parts[-1] += 1
        yield parts


def run_in_parts(parts):
    """The bytes of chain, market and vault after the same five steps in these parts, and what the keeper earned."""
    platform = Platform(is_audited=False)
    platform.initialize()
    market = platform.create_market("m", 500_000)
    platform.post(market, 500_000)
    platform.add_liquidity(platform.user(10_000_000), market, 1_000_000 * USD)
    owner, keeper = platform.user(10_000_000), platform.user()
    platform.stake(owner, 1_000_000 * USD)
    platform.open(owner, market, 14_000 * USD, side=Side.NO)
    chain = platform.open_chain(owner, market, 9_999_999_999, *FIVE, opening())
    for part in parts:
        platform.execute(keeper, chain, part)
    accounts = (chain, market, platform.vault_address, platform.global_address)
    return [platform.data(a) for a in accounts], platform.tokens(keeper.tokens)


def test_every_partition_of_five_steps_leaves_the_same_bytes_and_pays_the_same_bounty():
    results = [run_in_parts(parts) for parts in partitions(5)]
    assert len(results) == 16
    assert all(result == results[0] for result in results)


@given(
    attempts=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 6)), max_size=25
    )
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_no_order_or_repetition_of_executions_skips_or_repeats_a_step(world, attempts):
    """The books count the steps of every chain; here whoever stands at another step is refused."""
    _, owner, keeper = world.users
    world.warp(1)
    world.post(world.markets[0], 500_000)
    plans = [(BORROW, STAKE, ARBITRAGE), (LIQUIDITY, STAKE), (STAKE, LIQUIDITY, ARBITRAGE, STAKE)]
    open_chains = [world.open_chain(owner, world.markets[0], 10**9, *plan) for plan in plans]
    stands = [0, 0, 0]
    for which, first, count in attempts:
        at, length = stands[which], len(plans[which])
        chain = open_chains[which]
        if at == length:
            reason = "CHAIN_NOT_RUNNING"
        elif first != at:
            reason = "STEP_OUT_OF_ORDER"
        elif count == 0:
            reason = "ZERO_AMOUNT"
        else:
            world.execute(keeper, chain, count, first_step=first)
            stands[which] = min(at + count, length)
            continue
        with refused(reason):
            world.execute(keeper, chain, count, first_step=first)
    for chain, at in zip(open_chains, stands, strict=True):
        assert world.chain(chain).next_step == at


def test_a_chain_runs_while_it_is_due_and_at_no_other_time(platform, staked, owner, keeper):
    above = platform.open_chain(owner, staked, 10**9, STAKE, STAKE, trigger_e6=510_000)
    below = platform.open_chain(
        owner, staked, 10**9, STAKE, trigger_e6=490_000, is_above=False, side=Side.NO
    )
    for chain in (above, below):
        with refused("NOT_TRIGGERED"):
            platform.execute(keeper, chain)
        assert forecast(platform, chain).refusal is errors.BY_NAME["NOT_TRIGGERED"]
    platform.move_oracle(staked, 510_000)
    platform.execute(keeper, above, 1)
    platform.execute(keeper, below)
    platform.move_oracle(staked, 509_999)
    with refused("NOT_TRIGGERED"):
        platform.execute(keeper, above)


def test_a_step_needs_a_fresh_and_valid_price(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, 10**9, STAKE)
    platform.warp(151)
    for refusal, renew in (
        ("PRICE_STALE", lambda: platform.post(staked, 500_000, price_class=1)),
        ("PRICE_CLASS", lambda: platform.post(staked, 500_000)),
    ):
        assert forecast(platform, chain).refusal is errors.BY_NAME[refusal]
        with refused(refusal):
            platform.execute(keeper, chain)
        platform.warp(1)
        renew()
    platform.warp(149)
    platform.execute(keeper, chain)


def test_the_last_slot_of_a_chain_is_its_expiry_slot(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, 10**9, STAKE, STAKE, expiry_slot=platform.slot + 5)
    platform.warp(5)
    platform.execute(keeper, chain, 1)
    platform.warp(1)
    assert forecast(platform, chain).refusal is errors.BY_NAME["CHAIN_EXPIRED"]
    with refused("CHAIN_EXPIRED"):
        platform.execute(keeper, chain)


def test_a_halt_stops_the_steps_but_not_the_cancelling(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, 10**9, BORROW)
    platform.execute(keeper, platform.open_chain(owner, staked, 10**9, BORROW))
    state = platform.data(platform.global_address)
    platform.set_data(platform.global_address, state[:3] + bytes([1]) + state[4:])
    with refused("HALTED"):
        platform.execute(keeper, chain)
    halted = chains.forecast(stand(platform, chain), slot=platform.slot, is_halted=True)
    assert halted.refusal is errors.BY_NAME["HALTED"]
    with refused("HALTED"):
        platform.open_chain(owner, staked, 10**9, BORROW)
    platform.cancel(owner, chain)
    assert not platform.exists(chain)


def test_a_cancelled_chain_runs_no_more(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, 10**9, STAKE, STAKE)
    platform.execute(keeper, chain, 1)
    platform.cancel(owner, chain)
    with refused("CHAIN_NOT_RUNNING"):
        platform.execute(keeper, chain)


TIGHT = Step(kind=StepKind.LIQUIDITY, limit_e6=9_000)


@pytest.mark.parametrize(
    ("step", "deposit", "push", "refusal"),
    [
        (TIGHT, 10**9, 14_000, "SLIPPAGE"),
        (opening(limit_e6=489_000), 10**9, 14_000, "SLIPPAGE"),
        (opening(71), 10**9, 0, "LEVERAGE_TOO_HIGH"),
        (opening(50), 10**9, 0, "MARGIN_TOO_THIN"),
        (opening(8), 10_000 * USD, 0, "SLIPPAGE_TOO_LARGE"),
        (opening(2), 70_000 * USD, 0, "SIDE_CAP"),
        (opening(2), 101_000 * USD, 0, "MARKET_DEBT_CAP"),
        (BORROW, 201_000 * USD, 0, "MARKET_DEBT_CAP"),
        (BORROW, 1, 0, "ZERO_AMOUNT"),
        (STAKE, 9, 0, "ZERO_AMOUNT"),
        (LIQUIDITY, 4, 0, "ZERO_AMOUNT"),
    ],
)
def test_a_step_is_refused_where_any_trader_is(
    platform, staked, owner, keeper, step, deposit, push, refusal
):
    if push:
        platform.open(owner, staked, push * USD, side=Side.NO)
    chain = platform.open_chain(owner, staked, deposit, step)
    with refused(refusal):
        platform.execute(keeper, chain)
    assert forecast(platform, chain).refusal is errors.BY_NAME[refusal]


def test_an_empty_vault_lends_nothing_and_an_empty_pool_takes_no_liquidity(platform, owner, keeper):
    market = platform.create_market("empty", 500_000)
    platform.post(market, 500_000)
    for step, refusal in (
        (BORROW, "COVERAGE_LOW"),
        (LIQUIDITY, "NO_LIQUIDITY"),
        (opening(1), "NO_LIQUIDITY"),
    ):
        chain = platform.open_chain(owner, market, 10**9, step)
        with refused(refusal):
            platform.execute(keeper, chain)
        assert forecast(platform, chain).refusal is errors.BY_NAME[refusal]
    check_forecast(platform, keeper, platform.open_chain(owner, market, 10**9, ARBITRAGE))


def test_a_chain_that_owed_more_than_it_has_would_not_run_on(platform, staked, owner, keeper):
    """Out of reach of the steps: the debt is written by hand."""
    platform.is_audited = False
    at = CHAIN_DTYPE.fields["debt"][1]
    for step in (STAKE, BORROW, opening()):
        chain = platform.open_chain(owner, staked, 10**9, step)
        data = platform.data(chain)
        platform.set_data(chain, data[:at] + (10**9).to_bytes(8, "little") + data[at + 8 :])
        with refused("CHAIN_OVERDRAWN"):
            platform.execute(keeper, chain)
        assert forecast(platform, chain).refusal is errors.BY_NAME["CHAIN_OVERDRAWN"]


def test_an_arbitrage_stops_at_the_oracles_price_and_at_its_limit(platform, staked, owner, keeper):
    platform.open(owner, staked, 14_000 * USD, side=Side.NO)
    dear = Step(kind=StepKind.ARBITRAGE, limit_e6=400_000)
    chain = platform.open_chain(owner, staked, 10_000_000 * USD // 20, dear, ARBITRAGE)
    first, second = told(check_forecast(platform, keeper, chain))
    assert first == (StepKind.ARBITRAGE, 0, 0)
    assert second[1] < platform.chain(chain).deposit // 20, (
        "less than the budget: the price is there"
    )
    assert abs(platform.market(staked).pools[0].q) <= 1, "the pool is back at the oracle"


def test_a_first_trade_of_a_chain_takes_a_trade_number_and_needs_the_global_account(
    platform, staked, owner, keeper
):
    chain = platform.open_chain(owner, staked, 1_000 * USD, opening())
    good = platform.execute_instruction(keeper, chain)
    metas = list(good.accounts)
    metas[1] = type(metas[1])(metas[1].pubkey, is_signer=False, is_writable=False)
    with refused("GLOBAL_NOT_WRITABLE"):
        platform.send(type(good)(good.program_id, bytes(good.data), metas), [keeper.key])
    platform.execute(keeper, chain)
    assert platform.chain(chain).position.trade_number == 1
    assert platform.global_().trade_count == 1


def test_an_arbitrage_is_no_trade_for_rewards(platform, staked, owner, keeper):
    platform.open(owner, staked, 14_000 * USD, side=Side.NO)
    chain = platform.open_chain(owner, staked, 10_000 * USD, ARBITRAGE)
    receipt = platform.execute(keeper, chain)
    opened = next(e for e in receipt.events if e.kind.name == "POSITION_OPENED")
    assert opened.amount("notional") > 100 * USD
    assert (opened.amount("holding"), opened.amount("trade_number")) == (1, 0)
    assert platform.global_().trade_count == 1, "the push alone"
