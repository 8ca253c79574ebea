"""Fees on their way out: to makers by liquidity, to the treasury's owner, to the vault by anybody's hand."""

import pytest
from harness import USD, Platform, refused
from solders.instruction import AccountMeta, Instruction

from programs import instructions
from programs.accounts import Side
from programs.event_layout import EventKind


@pytest.fixture
def traded(platform, staked):
    """A vault of $1M and a market in which somebody has paid fees."""
    platform.open(platform.user(), staked, 100_000 * USD)
    return staked


# ---- claim_maker_fees ----


def test_a_maker_is_paid_what_its_liquidity_earned_and_keeps_the_liquidity(platform, traded):
    maker, market = platform.users[0], platform.market(traded)
    tokens = platform.tokens(maker.tokens)
    (event,) = platform.claim_maker_fees(maker, traded).events
    assert event.kind is EventKind.MAKER_FEES_CLAIMED
    assert market.fees_makers - 1 <= event.amount("amount") <= market.fees_makers
    assert platform.tokens(maker.tokens) == tokens + event.amount("amount")
    assert platform.maker_of(maker, traded).liquidity == 1_000_000 * USD
    assert platform.maker_of(maker, traded).fees_owed == 0


def test_claiming_twice_pays_once(platform, traded):
    platform.claim_maker_fees(platform.users[0], traded)
    with refused("ZERO_AMOUNT"):
        platform.claim_maker_fees(platform.users[0], traded)


def test_claiming_often_pays_no_more_than_claiming_once(platform, traded):
    # Every claim rounds down, so two makers of the same size differ by less than a unit a claim.
    patient, busy = platform.user(10_000_000), platform.user(10_000_000)
    for maker in (patient, busy):
        platform.add_liquidity(maker, traded, 1_000_000 * USD)
    paid = 0
    for _ in range(5):
        platform.open(platform.user(), traded, 10_000 * USD)
        paid += platform.claim_maker_fees(busy, traded).events[0].amount("amount")
    at_once = platform.claim_maker_fees(patient, traded).events[0].amount("amount")
    assert at_once - 5 <= paid <= at_once


def test_a_late_maker_has_no_part_in_earlier_fees(platform, traded):
    late = platform.user(10_000_000)
    platform.add_liquidity(late, traded, 1_000_000 * USD)
    with refused("ZERO_AMOUNT"):
        platform.claim_maker_fees(late, traded)


def test_what_a_maker_earned_survives_its_removal_of_liquidity(platform, traded):
    maker = platform.users[0]
    earned = platform.market(traded).fees_makers
    platform.warp(150)
    (event,) = platform.remove_liquidity(maker, traded, 400_000 * USD).events
    assert earned - 1 <= event.amount("fees_paid") <= earned
    assert platform.market(traded).fees_makers <= 1


def test_another_makers_fees_cannot_be_claimed(platform, traded):
    thief = platform.user()
    good = instructions.claim_maker_fees(
        platform.program, thief.address, thief.tokens, traded, pool=0
    )
    accounts = list(good.accounts)
    theirs = platform.maker_address(platform.users[0], traded)
    accounts[4] = AccountMeta(theirs, is_signer=False, is_writable=True)
    with refused("WRONG_AUTHORITY"):
        platform.send(Instruction(good.program_id, good.data, accounts), [thief.key])


# ---- withdraw_fees ----


def test_the_treasury_takes_its_tenth_once(platform, traded):
    treasury, due = platform.user(), platform.market(traded).fees_treasury
    tokens = platform.tokens(treasury.tokens)
    (event,) = platform.withdraw_fees(traded, treasury.tokens).events
    assert event.kind is EventKind.FEES_WITHDRAWN
    assert event.amount("amount") == due > 0
    assert platform.tokens(treasury.tokens) == tokens + due
    assert platform.market(traded).fees_treasury == 0
    with refused("ZERO_AMOUNT"):
        platform.withdraw_fees(traded, treasury.tokens)


def test_nobody_else_takes_it(platform, traded):
    thief = platform.user()
    stolen = instructions.withdraw_fees(platform.program, thief.address, thief.tokens, traded)
    with refused("WRONG_AUTHORITY"):
        platform.send(stolen, [thief.key])


# ---- sweep_fees ----


def test_the_vaults_part_becomes_its_cash_and_vests(platform, traded):
    due, cash = platform.market(traded).fees_vault, platform.vault().cash
    (event,) = platform.sweep_fees(traded).events
    assert event.kind is EventKind.FEES_SWEPT
    assert event.amount("fees") == due > 0
    assert (event.amount("inventory_cash"), event.amount("inventory_cost")) == (0, 0)
    vault = platform.vault()
    assert vault.cash == platform.vault_tokens() == cash + due
    assert (vault.unvested, vault.vest_slot) == (due, platform.slot)


def test_a_second_sweep_finds_nothing(platform, traded):
    platform.sweep_fees(traded)
    with refused("ZERO_AMOUNT"):
        platform.sweep_fees(traded)


def test_sweeps_melt_what_is_left_of_earlier_ones_first(platform, traded):
    first = platform.market(traded).fees_vault
    platform.sweep_fees(traded)
    platform.warp(3_000)
    platform.post(traded, 500_000)
    platform.open(platform.user(), traded, 100_000 * USD)
    second = platform.market(traded).fees_vault
    platform.sweep_fees(traded)
    assert platform.vault().unvested == first - first * 3_000 // 9_000 + second


@pytest.mark.parametrize(
    ("slots", "left"), [(0, 9), (1_000, 8), (8_999, 1), (9_000, 0), (10**6, 0)]
)
def test_fees_vest_linearly_over_9000_slots(platform, traded, slots, left):
    platform.sweep_fees(traded)
    due = platform.vault().unvested
    platform.warp(slots)
    platform.request_unstake(platform.users[1], 1)
    expected = due - due * min(slots, 9_000) // 9_000
    assert platform.vault().unvested == expected
    assert abs(expected - due * left // 9) <= due // 9


def test_touching_the_vault_often_vests_slower_never_faster(platform, traded):
    platform.sweep_fees(traded)
    due = platform.vault().unvested
    for _ in range(30):
        platform.warp(100)
        platform.request_unstake(platform.users[1], 1)
    assert due - due * 3_000 // 9_000 <= platform.vault().unvested < due


def test_a_sweep_needs_no_price_no_halt_and_no_signature_of_the_vaults(platform, traded):
    platform.warp(100_000)
    sweep = instructions.sweep_fees(platform.program, traded)
    assert not any(meta.is_signer for meta in sweep.accounts)
    platform.sweep_fees(traded)


# Fees that come before the stakers: see process_sweep_fees.


@pytest.fixture
def unstaked(platform, market):
    """Fees in a market, and a vault in which nobody has staked."""
    platform.open(platform.user(), market, 100_000 * USD)
    return market


def test_fees_wait_for_a_vault_that_they_do_not_dwarf(platform, unstaked):
    due, user = platform.market(unstaked).fees_vault, platform.user()
    with refused("VAULT_TOO_SMALL"):
        platform.sweep_fees(unstaked)
    enough = -(
        -(due - 1_000) // 999
    )  # each unit brings 1_000 shares, and is one of the vault's value
    platform.stake(user, enough - 1)
    with refused("VAULT_TOO_SMALL"):
        platform.sweep_fees(unstaked)
    platform.stake(user, 1)
    platform.sweep_fees(unstaked)
    vault = platform.vault()
    assert vault.value <= vault.share_supply + 1_000


def test_fees_may_double_a_vault_whose_shares_are_dear_already(platform, unstaked):
    # Its stakers have left gains behind that nobody owns: the fees of tomorrow must not wait for ever.
    first = platform.user()
    platform.stake(first, platform.market(unstaked).fees_vault // 999)
    platform.sweep_fees(unstaked)
    while platform.exists(platform.stake_address(first)):
        platform.request_unstake(first)
        platform.warp(150)
        platform.unstake(first)
    vault = platform.vault()
    assert vault.share_supply == 0
    assert vault.value > 1_000 * USD // 10  # a share would cost more than $0.10
    platform.post(unstaked, 500_000)
    platform.open(platform.user(), unstaked, 10_000 * USD)
    platform.sweep_fees(unstaked)


def test_no_sweep_makes_a_stake_lose_more_than_a_unit_to_rounding(platform, unstaked):
    # Swept into an empty vault the same fees would make one share worth $0.19, and that is what a stake would lose.
    due, victim = platform.market(unstaked).fees_vault, platform.user()
    platform.stake(platform.user(), due // 999)
    platform.sweep_fees(unstaked)
    before = platform.vault()
    platform.stake(victim, 10 * USD)
    price_up = -(-(before.value + 1) // (before.share_supply + 1_000))
    assert price_up == 1
    worth = platform.stake_of(victim).shares * (before.value + 1) // (before.share_supply + 1_000)
    assert worth >= 10 * USD - 2


# ---- after resolution: inventory redeems with the sweep ----


def with_inventory(platform: Platform, market):
    """A position at ten times goes under water over an emptied order book: the vault takes its shares over."""
    user = platform.user()
    position_id, _ = platform.open(user, market, 1_000 * USD, leverage=10)
    pusher = platform.user(100_000_000)
    platform.open(pusher, market, 600_000 * USD, side=Side.NO)
    platform.move_oracle(market, 400_000)
    platform.liquidate(
        platform.user(), market, [platform.position_address(user, market, position_id)]
    )
    assert platform.market(market).pools[0].inventory[0] > 0


@pytest.mark.parametrize("payout", [0, 500_000, 1_000_000])
def test_inventory_pays_the_vault_once_its_market_is_resolved(platform, staked, payout):
    with_inventory(platform, staked)
    pool, before = platform.market(staked).pools[0], platform.vault()
    fees = platform.market(staked).fees_vault
    platform.resolve(staked, payout)
    (event,) = platform.sweep_fees(staked).events
    cash, cost = pool.inventory[0] * payout // 10**6, pool.inventory_cost[0]
    assert (event.amount("inventory_cash"), event.amount("inventory_cost")) == (cash, cost)
    vault, left = platform.vault(), platform.market(staked).pools[0]
    assert vault.cash == before.cash + fees + cash
    assert vault.inventory_cost == 0
    assert (left.inventory, left.inventory_cost) == ((0, 0), (0, 0))
    assert left.outstanding[0] == pool.outstanding[0] - pool.inventory[0]
    # A gain vests; a loss is everybody's at once.
    assert vault.unvested == fees + max(cash - cost, 0)
    with refused("ZERO_AMOUNT"):
        platform.sweep_fees(staked)


def test_inventory_stays_while_its_market_is_open(platform, staked):
    with_inventory(platform, staked)
    pool = platform.market(staked).pools[0]
    platform.sweep_fees(staked)
    assert platform.market(staked).pools[0].inventory == pool.inventory
