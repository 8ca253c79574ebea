"""resolve_market and redeem: what an outcome pays, and paying it, to whom it belongs and to nobody else."""

import pytest
import spl.token.instructions as spl
from harness import USD, RuntimeRefusalError, User, keypair, refused
from solders.instruction import AccountMeta, Instruction

from programs import instructions
from programs.accounts import MarketStatus, Side
from programs.chain_account import Step, StepKind
from programs.event_layout import VAULT_SERIES, EventKind

YES, NO = (1_000_000,), (0,)


def with_account(instruction, index, address):
    accounts = list(instruction.accounts)
    accounts[index] = AccountMeta(address, accounts[index].is_signer, accounts[index].is_writable)
    return Instruction(instruction.program_id, instruction.data, accounts)


# -- resolving --


@pytest.mark.parametrize("payouts", [YES, NO, (500_000,), (1,), (999_999,)])
def test_a_binary_market_resolves_to_any_payout(platform, market, payouts):
    receipt = platform.resolve(market, *payouts)
    state = platform.market(market)
    assert state.status == MarketStatus.RESOLVED
    assert state.pools[0].price_e6 == payouts[0]
    (event,) = receipt.events
    assert event.kind is EventKind.MARKET_RESOLVED
    assert event.series == state.market_id
    assert event.records == ({"payout_e6": payouts[0]},)


@pytest.mark.parametrize("outcomes", [3, 5, 16])
def test_the_payouts_of_many_outcomes_sum_to_one(platform, outcomes):
    even = [1_000_000 // outcomes] * outcomes
    even[0] += 1_000_000 - sum(even)
    market = platform.create_market("many", *even)
    for wrong in ([0] * outcomes, [1_000_000] * 2 + [0] * (outcomes - 2), [1, *even[1:]]):
        with refused("PAYOUT_SUM"):
            platform.resolve(market, *wrong)
    platform.resolve(market, *even)
    assert [pool.price_e6 for pool in platform.market(market).pools] == even
    other = platform.create_market("one of many", *even)
    platform.resolve(other, *[0] * (outcomes - 1), 1_000_000)


@pytest.mark.parametrize("payout", [1_000_001, 2**32 - 1])
def test_no_payout_exceeds_one(platform, market, payout):
    with refused("PAYOUT_SUM"):
        platform.resolve(market, payout)
    many = platform.create_market("many", 300_000, 300_000, 400_000)
    with refused("PAYOUT_SUM"):
        platform.resolve(many, payout, 0, 0)
    with refused("PAYOUT_SUM"):  # modulo 2**32 the sum would be right
        platform.resolve(many, payout, (1_000_000 - payout) % 2**32, 0)


def test_a_market_resolves_once(platform, market):
    platform.resolve(market, *YES)
    for payouts in (YES, NO):
        with refused("MARKET_NOT_OPEN"):
            platform.resolve(market, *payouts)
    assert platform.market(market).pools[0].price_e6 == 1_000_000


def test_only_the_oracle_resolves(platform, market):
    user = platform.user()
    instruction = instructions.resolve_market(
        platform.program, user.address, market, payouts_e6=YES
    )
    with refused("WRONG_AUTHORITY"):
        platform.send(instruction, [user.key])


@pytest.mark.parametrize("payouts", [(), (1_000_000, 0), (1_000_000,) * 16])
def test_another_number_of_payouts_than_pools_is_refused(platform, market, payouts):
    with refused("BAD_INSTRUCTION_DATA"):
        platform.resolve(market, *payouts)


def test_a_halt_does_not_keep_a_market_from_resolving_and_redeeming(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    platform.halt()
    platform.resolve(market, *YES)
    platform.redeem(user, market, position_id)


def test_a_resolved_market_does_not_trade(platform, staked):
    user = platform.user()
    lent, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    spot, _ = platform.open(user, staked, 100 * USD)
    platform.resolve(staked, *NO)
    refusals = [
        lambda: platform.post(staked, 500_000),
        lambda: platform.open(user, staked, 100 * USD),
        lambda: platform.open(user, staked, 100 * USD, leverage=2, side=Side.NO),
        lambda: platform.close(user, staked, spot),
        lambda: platform.close(user, staked, lent, has_debt=True),
        lambda: platform.liquidate(user, staked, [platform.position_address(user, staked, lent)]),
        lambda: platform.add_liquidity(user, staked, 10**9),
    ]
    for attempt in refusals:
        with refused("MARKET_NOT_OPEN"):
            attempt()


# -- redeeming --


@pytest.mark.parametrize(("payout", "side"), [(1_000_000, Side.YES), (0, Side.NO)])
def test_a_winning_share_pays_one(platform, market, payout, side):
    user = platform.user()
    position_id, _ = platform.open(user, market, 1_000 * USD, side=side)
    shares = platform.position(user, market, position_id).shares
    platform.resolve(market, payout)
    before = platform.tokens(user.tokens)
    (event,) = platform.redeem(user, market, position_id).events
    assert platform.tokens(user.tokens) - before == shares == event.amount("payout")
    assert not platform.exists(platform.position_address(user, market, position_id))
    assert event.fields == {
        "position": platform.position_address(user, market, position_id),
        "owner": user.address,
        "pool": 0,
        "side": side,
        "payout_e6": 1_000_000,
        "holding": 0,
        "shares": shares,
        "value": shares,
        "debt_repaid": 0,
        "bad_debt": 0,
        "payout": shares,
    }


def test_a_fifty_fifty_pays_both_sides_half_rounded_down(platform, market):
    user = platform.user()
    ids = [platform.open(user, market, 333 * USD + 1, side=side)[0] for side in Side]
    shares = [platform.position(user, market, i).shares for i in ids]
    platform.resolve(market, 500_000)
    before = platform.tokens(user.tokens)
    for position_id in ids:
        platform.redeem(user, market, position_id)
    assert platform.tokens(user.tokens) - before == sum(s // 2 for s in shares)


def test_each_pool_of_many_outcomes_pays_its_own(platform):
    market = platform.create_market("many", 500_000, 300_000, 200_000)
    platform.post(market, 500_000, 300_000, 200_000)
    maker, user = platform.user(10_000_000), platform.user()
    for pool in range(3):
        platform.add_liquidity(maker, market, 100_000 * USD, pool)
    held = [
        (platform.open(user, market, 50 * USD, pool=pool, side=side)[0], pool, side)
        for pool in range(3)
        for side in Side
    ]
    shares = {i: platform.position(user, market, i).shares for i, _, _ in held}
    payouts = (250_000, 0, 750_000)
    platform.resolve(market, *payouts)
    for position_id, pool, side in held:
        (event,) = platform.redeem(user, market, position_id).events
        pays = 1_000_000 - payouts[pool] if side else payouts[pool]
        assert event.amount("payout") == shares[position_id] * pays // 1_000_000


def test_a_worthless_position_closes_and_gives_its_rent_back(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 1_000 * USD)
    address = platform.position_address(user, market, position_id)
    rent = platform.svm.get_balance(address)
    platform.resolve(market, *NO)
    before = platform.svm.get_balance(user.address)
    platform.redeem(user, market, position_id)
    assert platform.svm.get_balance(user.address) - before == rent - 5_000
    assert not platform.exists(address)


def test_the_loan_is_repaid_first(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    shares = platform.position(user, staked, position_id).shares
    platform.resolve(staked, *YES)
    before, vault = platform.tokens(user.tokens), platform.vault_tokens()
    (event,) = platform.redeem(user, staked, position_id).events
    assert platform.vault_tokens() - vault == 9_000 * USD == event.amount("debt_repaid")
    assert platform.tokens(user.tokens) - before == shares - 9_000 * USD
    state = platform.market(staked)
    assert (state.debt, state.pools[0].leveraged) == (0, (0, 0))
    assert platform.vault().weighted_debt_e6 == 0


@pytest.mark.parametrize("payout", [0, 1, 200_000])
def test_what_the_shares_do_not_repay_is_bad_debt(platform, staked, payout):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    shares = platform.position(user, staked, position_id).shares
    platform.resolve(staked, payout)
    before, vault = platform.tokens(user.tokens), platform.vault()
    redeemed, bad = platform.redeem(user, staked, position_id).events
    value = shares * payout // 1_000_000
    assert redeemed.amount("debt_repaid") == value
    assert redeemed.amount("bad_debt") == 9_000 * USD - value
    assert (bad.kind, bad.series) == (EventKind.BAD_DEBT_BOOKED, VAULT_SERIES)
    assert bad.fields == {
        "amount": 9_000 * USD - value,
        "positions": 1,
        "market_id": platform.market(staked).market_id,
        "total": vault.bad_debt + 9_000 * USD - value,
    }
    assert platform.tokens(user.tokens) == before
    assert (platform.vault().loans, platform.vault().cash) == (0, vault.cash + value)


def test_a_loan_that_is_covered_to_the_unit_leaves_neither_payout_nor_bad_debt(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    position = platform.position(user, staked, position_id)
    payout = -(-position.debt * 1_000_000 // position.shares)
    platform.resolve(staked, payout)
    (event,) = platform.redeem(user, staked, position_id).events
    assert event.amount("bad_debt") == 0
    assert event.amount("payout") == position.shares * payout // 1_000_000 - position.debt


def test_what_liquidations_left_over_is_paid_too(platform, staked):
    user, keeper = platform.user(), platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    target = platform.position_address(user, staked, position_id)
    platform.move_oracle(staked, 465_000)
    for _ in range(80):
        platform.warp(1)
        platform.post(staked, 465_000)
        if platform.position(user, staked, position_id).residual:
            break
        platform.liquidate(keeper, staked, [target])
    position = platform.position(user, staked, position_id)
    assert position.residual > 0
    platform.resolve(staked, *YES)
    before = platform.tokens(user.tokens)
    platform.redeem(user, staked, position_id, caller=keeper)
    assert platform.tokens(user.tokens) - before == position.shares + position.residual
    assert platform.market(staked).residual == 0


def test_an_open_market_redeems_nothing(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    with refused("NOT_RESOLVED"):
        platform.redeem(user, market, position_id)


def test_a_position_redeems_once(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    platform.resolve(market, *YES)
    instruction = platform.redeem_instruction(user, market, position_id)
    with refused("WRONG_OWNER"):
        platform.send([instruction, instruction], [user.key])
    platform.redeem(user, market, position_id)
    with refused("WRONG_OWNER"):
        platform.redeem(user, market, position_id)


# -- by anybody, to the owner --


def test_anybody_redeems_for_the_owner_who_gets_the_money_and_the_rent(platform, market):
    user, stranger = platform.user(), platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    position = platform.position(user, market, position_id)
    rent = platform.svm.get_balance(platform.position_address(user, market, position_id))
    platform.resolve(market, *YES)
    lamports, tokens = platform.svm.get_balance(user.address), platform.tokens(user.tokens)
    others = platform.tokens(stranger.tokens)
    platform.redeem(user, market, position_id, caller=stranger)
    assert platform.svm.get_balance(user.address) - lamports == rent
    assert platform.tokens(user.tokens) - tokens == position.shares
    assert platform.tokens(stranger.tokens) == others


def test_neither_money_nor_rent_goes_to_anybody_else(platform, market):
    user, thief = platform.user(), platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    platform.resolve(market, *YES)
    good = platform.redeem_instruction(user, market, position_id, thief)
    with refused("WRONG_ADDRESS"):
        platform.send(with_account(good, 6, thief.address), [thief.key])
    with refused("WRONG_TOKEN_ACCOUNT"):
        platform.send(with_account(good, 7, thief.tokens), [thief.key])
    # The owner himself is paid to an account of his own too, so that one rule holds for all.
    own = platform.redeem_instruction(user, market, position_id)
    with refused("WRONG_TOKEN_ACCOUNT"):
        platform.send(with_account(own, 7, thief.tokens), [user.key])
    # A token account of the owner's, of another mint.
    admin, mint = platform.admin.pubkey(), platform.mmt_mint.pubkey()
    platform.send(spl.create_associated_token_account(admin, user.address, mint), [platform.admin])
    mmt = spl.get_associated_token_address(user.address, mint)
    with pytest.raises(RuntimeRefusalError):
        platform.send(with_account(good, 7, mmt), [thief.key])
    platform.send(good, [thief.key])


def test_the_owners_missing_token_account_does_not_save_a_position_from_its_loan(platform, staked):
    user, keeper = platform.user(), platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    platform.resolve(staked, *NO)
    gone = User(user.key, keypair("no account").pubkey())
    instruction = platform.redeem_instruction(gone, staked, position_id, keeper)
    platform.send(instruction, [keeper.key])
    assert platform.vault().bad_debt == 9_000 * USD


def test_a_position_of_another_market_is_refused(platform, market):
    user = platform.user()
    other = platform.create_market("other")
    platform.post(other, 500_000)
    platform.add_liquidity(platform.users[0], other, 1_000_000 * USD)
    position_id, _ = platform.open(user, other, 100 * USD)
    platform.resolve(market, *YES)
    wrong = instructions.redeem(
        platform.program,
        user.address,
        user.address,
        user.tokens,
        market,
        platform.position_address(user, other, position_id),
    )
    with refused("WRONG_ADDRESS"):
        platform.send(wrong, [user.key])


# -- what chains hold --


@pytest.fixture
def chain(platform, staked):
    """users[2]'s chain: its liquidity and stake are pledged to the loan of its position; users[3] keeps."""
    owner, keeper = platform.user(), platform.user()
    steps = (
        Step(kind=StepKind.LIQUIDITY, limit_e6=1_000_000),
        Step(kind=StepKind.STAKE),
        Step(kind=StepKind.OPEN, leverage=3, limit_e6=1_000_000),
    )
    platform.open(owner, staked, 20_000 * USD)  # a pool off 0.5 leaves a maker with a surplus
    chain = platform.open_chain(owner, staked, 1_000 * USD, *steps)
    platform.execute(keeper, chain)
    assert platform.chain(chain).position.debt > 0
    return chain


def test_a_chains_position_repays_its_loan_and_pays_its_owner(platform, staked, chain):
    owner, keeper = platform.users[2:4]
    position = platform.chain(chain).position
    platform.resolve(staked, *YES)
    before, lamports = platform.tokens(owner.tokens), platform.svm.get_balance(owner.address)
    platform.redeem_holding(keeper, chain, 0)
    assert platform.tokens(owner.tokens) - before == position.shares - position.debt
    assert platform.svm.get_balance(owner.address) == lamports  # the chain goes on
    after = platform.chain(chain)
    assert (after.position.shares, after.position.debt) == (0, 0)
    assert after.stake.shares > 0
    with refused("ZERO_AMOUNT"):
        platform.redeem_holding(keeper, chain, 0)


def test_pledges_answer_before_the_vault_does(platform, staked, chain):
    keeper = platform.users[3]
    held, bad = platform.chain(chain), platform.vault().bad_debt
    platform.resolve(staked, *NO)
    receipt = platform.redeem_holding(keeper, chain, 0)
    kinds = [event.kind for event in receipt.events]
    assert EventKind.PLEDGES_SEIZED in kinds
    seized = receipt.events[kinds.index(EventKind.PLEDGES_SEIZED)]
    redeemed = receipt.events[kinds.index(EventKind.POSITION_REDEEMED)]
    assert seized.amount("debt_repaid") > 0
    assert (
        redeemed.amount("debt_repaid") + redeemed.amount("bad_debt") + seized.amount("debt_repaid")
        == held.position.debt
    )
    assert platform.vault().bad_debt - bad == redeemed.amount("bad_debt")
    after = platform.chain(chain)
    assert (after.position.shares, after.position.debt) == (0, 0)
    assert after.stake.shares < held.stake.shares


def test_what_a_chain_holds_beside_its_position_redeems_too(platform, staked, chain):
    owner, keeper = platform.users[2:4]
    holdings = [holding.shares for holding in platform.chain(chain).holdings]
    platform.resolve(staked, 250_000)
    for index, shares in enumerate(holdings, start=1):
        if not shares:
            with refused("ZERO_AMOUNT"):
                platform.redeem_holding(keeper, chain, index)
            continue
        before = platform.tokens(owner.tokens)
        (event,) = platform.redeem_holding(keeper, chain, index).events
        pays = (250_000, 750_000)[index - 1]
        assert platform.tokens(owner.tokens) - before == shares * pays // 1_000_000
        assert event.amount("holding") == index
    assert sum(holdings) > 0


@pytest.mark.parametrize("holding", [3, 255])
def test_a_chain_has_three_holdings(platform, staked, chain, holding):
    platform.resolve(staked, *YES)
    with refused("BAD_INSTRUCTION_DATA"):
        platform.redeem_holding(platform.users[3], chain, holding)


def test_a_position_account_is_its_only_holding(platform, market):
    user = platform.user()
    position_id, _ = platform.open(user, market, 100 * USD)
    platform.resolve(market, *YES)
    good = platform.redeem_instruction(user, market, position_id)
    for holding in (1, 2, 3):
        wrong = Instruction(good.program_id, bytes([good.data[0], holding]), good.accounts)
        with refused("BAD_INSTRUCTION_DATA"):
            platform.send(wrong, [user.key])


@pytest.mark.parametrize("payouts", [YES, NO])
def test_a_resolved_chain_unwinds_to_nothing(platform, staked, chain, payouts):
    keeper = platform.users[3]
    platform.resolve(staked, *payouts)
    platform.redeem_holding(keeper, chain, 0)
    for index, holding in enumerate(platform.chain(chain).holdings, start=1):
        if holding.shares:
            platform.redeem_holding(keeper, chain, index)
    for _ in range(4):
        if platform.exists(chain):
            platform.warp(151)
            platform.cancel(keeper, chain)
            for index, holding in (
                enumerate(platform.chain(chain).holdings, start=1) if platform.exists(chain) else ()
            ):
                if holding.shares:
                    platform.redeem_holding(keeper, chain, index)
    assert not platform.exists(chain)
