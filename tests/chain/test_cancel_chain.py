"""cancel_chain: whatever a chain has made comes back, in the order that locks allow, to its owner."""

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD, refused

from programs.accounts import Side
from programs.chain_account import ChainStatus

OPEN, SPOT = opening(), opening(1)
DEPOSIT = 1_000 * USD
BOUNTY = DEPOSIT * 2 // 10_000


@pytest.fixture
def owner(platform):
    return platform.user()


@pytest.fixture
def keeper(platform):
    return platform.user()


def rent(platform, user):
    return platform.svm.get_account(user.address).lamports


def cancelled(receipt):
    return next(e for e in receipt.events if e.kind.name == "CHAIN_CANCELLED")


def test_a_chain_of_which_nothing_ran_gives_back_deposit_bounty_and_rent(
    platform, staked, owner, keeper
):
    start, lamports = platform.tokens(owner.tokens), rent(platform, owner)
    chain = platform.open_chain(owner, staked, DEPOSIT, BORROW, OPEN)
    assert platform.tokens(owner.tokens) == start - DEPOSIT - BOUNTY
    told = cancelled(platform.cancel(owner, chain))
    assert platform.tokens(owner.tokens) == start
    assert not platform.exists(chain)
    assert rent(platform, owner) == lamports - 2 * 5_000
    assert (told.amount("cash"), told.amount("bounty"), told.amount("is_closed")) == (
        DEPOSIT,
        BOUNTY,
        1,
    )


def test_a_loan_that_nothing_was_bought_with_goes_back_first(platform, staked, owner, keeper):
    start = platform.tokens(owner.tokens)
    chain = platform.open_chain(owner, staked, DEPOSIT, BORROW, BORROW, OPEN)
    platform.execute(keeper, chain, 2)
    assert platform.vault().loans == DEPOSIT * 5 // 4
    told = cancelled(platform.cancel(owner, chain))
    assert told.amount("debt_repaid") == DEPOSIT * 5 // 4
    assert platform.vault().loans == 0
    kept = BOUNTY // 3 + (BOUNTY - BOUNTY // 3) // 2
    assert platform.tokens(owner.tokens) == start - kept
    assert not platform.exists(chain)


def test_stake_and_liquidity_follow_when_their_locks_are_over(platform, staked, owner, keeper):
    start = platform.tokens(owner.tokens)
    chain = platform.open_chain(owner, staked, DEPOSIT, BORROW, LIQUIDITY, STAKE, OPEN)
    platform.execute(keeper, chain, 3)
    first = cancelled(platform.cancel(owner, chain))
    assert (first.amount("debt_repaid"), first.amount("cash")) == (500 * USD, 580 * USD)
    state = platform.chain(chain)
    assert state.status is ChainStatus.CANCELLED
    assert (state.working, state.debt, state.bounty) == (0, 0, 0)
    assert state.stake.requested_shares == state.stake.shares > 0
    platform.warp(149)
    with refused("CHAIN_LOCKED"):
        platform.cancel(owner, chain)
    platform.warp(1)
    last = cancelled(platform.cancel(owner, chain))
    assert last.amount("shares_staked") == state.stake.shares
    assert not platform.exists(chain)
    lost = start - platform.tokens(owner.tokens) - 3 * BOUNTY // 4
    assert 0 <= lost <= 10, "rounding alone"
    assert platform.vault().locked_shares == 0


def test_nothing_locked_leaves_a_slot_early(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, DEPOSIT, STAKE, LIQUIDITY)
    platform.execute(keeper, chain, 1)
    platform.warp(100)
    platform.post(staked, 500_000)
    platform.execute(keeper, chain, 1)
    platform.cancel(owner, chain)
    platform.warp(149)
    with refused("CHAIN_LOCKED"):
        platform.cancel(owner, chain)


def test_a_stake_through_a_chain_waits_as_long_and_pays_no_more_than_any_other(
    platform, staked, owner, keeper
):
    """A gain between request and payment is not the leaver's; a loss is."""
    chain = platform.open_chain(owner, staked, DEPOSIT, STAKE)
    platform.execute(keeper, chain)
    platform.cancel(owner, chain)
    platform.warp(150)
    before = platform.tokens(owner.tokens)
    platform.cancel(owner, chain)
    assert 100 * USD - 2 <= platform.tokens(owner.tokens) - before <= 100 * USD
    assert not platform.exists(chain)


def test_liquidity_that_carries_leveraged_shares_stays_until_they_are_gone(platform, owner, keeper):
    market = platform.create_market("thin", 500_000)
    platform.post(market, 500_000)
    platform.stake(platform.user(10_000_000), 1_000_000 * USD)
    platform.add_liquidity(owner, market, 20_000 * USD)
    chain = platform.open_chain(owner, market, 100_000 * USD, LIQUIDITY)
    platform.execute(keeper, chain)
    trader = platform.user()
    position, _ = platform.open(trader, market, 1_000 * USD, leverage=4)
    leveraged = max(platform.market(market).pools[0].leveraged)
    total = platform.market(market).pools[0].liquidity
    assert total - platform.chain(chain).maker.liquidity < 8 * leveraged
    platform.warp(150)
    platform.cancel(owner, chain)
    pool = platform.market(market).pools[0]
    assert pool.liquidity == 8 * leveraged, "all but what the side cap needs has left"
    with refused("CHAIN_LOCKED"):
        platform.cancel(owner, chain)
    platform.close(trader, market, position, has_debt=True)
    platform.cancel(owner, chain)
    assert platform.chain(chain).maker.liquidity == 0


def test_what_a_chain_holds_is_sold_by_its_owner_and_then_it_closes(
    platform, staked, owner, keeper
):
    platform.open(platform.user(), staked, 30_000 * USD, side=Side.NO)
    chain = platform.open_chain(owner, staked, DEPOSIT, LIQUIDITY, ARBITRAGE)
    platform.execute(keeper, chain)
    assert platform.chain(chain).holdings[Side.YES].shares > 0
    platform.warp(150)
    platform.cancel(owner, chain)
    platform.warp(1)
    platform.post(staked, 500_000)
    with refused("CHAIN_LOCKED"):
        platform.cancel(owner, chain)
    for holding, position in enumerate(platform.chain(chain).holdings, 1):
        if position.shares:
            platform.close_holding(owner, chain, holding)
    told = cancelled(platform.cancel(owner, chain))
    assert told.amount("is_closed") == 1


def test_only_its_owner_sells_what_a_chain_holds(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, DEPOSIT, SPOT)
    platform.execute(keeper, chain)
    with refused("WRONG_AUTHORITY"):
        platform.close_holding(keeper, chain, 0)
    with refused("BAD_INSTRUCTION_DATA"):
        platform.close_holding(owner, chain, 3)
    platform.close_holding(owner, chain, 0)
    assert platform.chain(chain).position.shares == 0


def test_a_chain_in_debt_is_cancelled_after_its_position_is_closed(platform, staked, owner, keeper):
    start = platform.tokens(owner.tokens)
    chain = platform.open_chain(owner, staked, DEPOSIT, BORROW, LIQUIDITY, STAKE, OPEN)
    platform.execute(keeper, chain)
    assert platform.chain(chain).position.debt > 500 * USD
    with refused("CHAIN_IN_DEBT"):
        platform.cancel(owner, chain)
    platform.close_holding(owner, chain, 0)
    platform.warp(150)
    platform.cancel(owner, chain)
    platform.warp(150)
    platform.cancel(owner, chain)
    assert not platform.exists(chain)
    assert 0 < start - platform.tokens(owner.tokens) < 30 * USD


def test_after_expiry_anyone_cancels_and_gets_the_bounty_that_is_left(
    platform, staked, owner, keeper
):
    start = platform.tokens(owner.tokens)
    chain = platform.open_chain(
        owner, staked, DEPOSIT, BORROW, OPEN, expiry_slot=platform.slot + 10
    )
    platform.execute(keeper, chain, 1)
    platform.warp(10)
    with refused("NOT_CANCELLABLE"):
        platform.cancel(keeper, chain)
    platform.warp(1)
    with refused("CHAIN_EXPIRED"):
        platform.execute(keeper, chain)
    lamports = rent(platform, owner)
    platform.cancel(keeper, chain)
    assert platform.tokens(owner.tokens) == start - BOUNTY
    assert platform.tokens(keeper.tokens) == 1_000_000 * USD + BOUNTY
    assert rent(platform, owner) > lamports, "the rent is the owner's, whoever calls"
    assert not platform.exists(chain)


def test_a_third_party_cannot_send_the_cash_elsewhere(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, DEPOSIT, BORROW, expiry_slot=platform.slot + 1)
    platform.warp(2)
    good = platform.cancel_instruction(keeper, chain)
    metas = list(good.accounts)
    metas[8] = metas[9]
    wrong = type(good)(good.program_id, bytes(good.data), metas)
    with refused("WRONG_TOKEN_ACCOUNT"):
        platform.send(wrong, [keeper.key])
    metas = list(good.accounts)
    metas[7] = metas[0]
    with refused("WRONG_ADDRESS"):
        platform.send(type(good)(good.program_id, bytes(good.data), metas), [keeper.key])


def test_borrowing_and_cancelling_leaves_coverage_where_it_was(platform, staked, owner):
    vault = platform.vault()
    for _ in range(3):
        chain = platform.open_chain(owner, staked, 10_000 * USD, BORROW, BORROW)
        platform.execute(owner, chain)
        platform.cancel(owner, chain)
    after = platform.vault()
    assert (after.cash, after.loans, after.weighted_debt_e6) == (vault.cash, 0, 0)


def test_a_resolved_market_freezes_its_chains_and_lets_anyone_cancel_them(
    platform, staked, owner, keeper
):
    start = platform.tokens(owner.tokens)
    waiting = platform.open_chain(owner, staked, DEPOSIT, BORROW, LIQUIDITY, STAKE, OPEN)
    done = platform.open_chain(owner, staked, DEPOSIT, BORROW, LIQUIDITY, STAKE, OPEN)
    platform.execute(keeper, waiting, 3)
    platform.execute(keeper, done)
    platform.resolve(staked, 1_000_000)
    with refused("MARKET_NOT_OPEN"):
        platform.execute(keeper, waiting)
    with refused("MARKET_NOT_OPEN"):
        platform.open_chain(owner, staked, DEPOSIT, STAKE)
    platform.cancel(keeper, waiting)
    with refused("CHAIN_IN_DEBT"):
        platform.cancel(keeper, done)
    platform.redeem_holding(keeper, done, 0)
    platform.cancel(keeper, done)
    platform.warp(150)
    for chain in (waiting, done):
        platform.cancel(keeper, chain)
        assert not platform.exists(chain)
    assert platform.tokens(owner.tokens) > start + DEPOSIT, "YES has won"
    assert platform.vault().loans == platform.market(staked).escrow == 0


def test_a_lost_chain_pays_with_its_pledges_at_redemption(platform, staked, owner, keeper):
    chain = platform.open_chain(owner, staked, DEPOSIT, BORROW, LIQUIDITY, STAKE, OPEN)
    platform.execute(keeper, chain)
    owed = platform.chain(chain).position.debt
    platform.resolve(staked, 0)
    receipt = platform.redeem_holding(keeper, chain, 0)
    told = next(e for e in receipt.events if e.kind.name == "PLEDGES_SEIZED")
    assert told.amount("debt_repaid") + platform.vault().bad_debt == owed
    assert told.amount("stake_shares") > 0
    assert told.amount("cash") > 0
    platform.cancel(keeper, chain)
    assert not platform.exists(chain)
