"""Leaving the vault: at the lower of two prices, 150 slots apart, a fifth of it at a time, without what has not vested."""

import struct

import pytest
from harness import USD, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction

from programs import instructions, vault_shares
from programs.accounts import Side
from programs.event_layout import EventKind
from programs.layout import VAULT_DTYPE

LOCK = 150


@pytest.fixture
def vault(platform, market):
    """$1M of users[1]'s in the vault, beside a market with fees to sweep."""
    platform.stake(platform.user(10_000_000), 1_000_000 * USD)
    platform.open(platform.user(), market, 300_000 * USD)
    platform.open(platform.user(), market, 300_000 * USD, side=Side.NO)
    return platform.users[1]


def leave(platform, user, shares=None):
    """Request, wait, and be paid once: the event."""
    platform.request_unstake(user, shares)
    platform.warp(LOCK)
    return platform.unstake(user).events[0]


def leave_for_good(platform, user):
    """Ask again until nothing is left: what was paid altogether."""
    platform.request_unstake(user)
    paid = 0
    while platform.exists(platform.stake_address(user)):
        platform.warp(LOCK)
        paid += platform.unstake(user).events[0].amount("amount")
    return paid


# ---- request_unstake ----


def test_a_request_notes_shares_slot_and_value_and_locks_the_shares(platform, vault):
    shares = platform.stake_of(vault).shares // 3
    (event,) = platform.request_unstake(vault, shares).events
    stake = platform.stake_of(vault)
    value = vault_shares.stake_value(platform.vault(), shares, platform.slot)
    assert event.kind is EventKind.UNSTAKE_REQUESTED
    assert (stake.requested_shares, stake.request_slot) == (shares, platform.slot)
    assert stake.request_value == event.amount("value") == value
    assert platform.vault().locked_shares == event.amount("locked_shares") == shares


def test_a_request_replaces_an_earlier_one_and_waits_anew(platform, vault):
    other = platform.user()
    platform.stake(other, 1_000 * USD)
    platform.request_unstake(other, 7)
    platform.request_unstake(vault, 1_000)
    platform.warp(100)
    platform.request_unstake(vault, 400)
    assert platform.stake_of(vault).requested_shares == 400
    assert platform.vault().locked_shares == 407
    platform.warp(100)
    with refused("STAKE_LOCKED"):
        platform.unstake(vault)


def test_a_request_for_nothing_takes_the_earlier_one_back(platform, vault):
    platform.request_unstake(vault)
    platform.request_unstake(vault, 0)
    assert platform.vault().locked_shares == 0
    platform.warp(LOCK)
    with refused("NO_REQUEST"):
        platform.unstake(vault)


def test_more_shares_than_the_stake_has_are_refused(platform, vault):
    with refused("NOT_ENOUGH_STAKE"):
        platform.request_unstake(vault, platform.stake_of(vault).shares + 1)


def test_another_ones_stake_cannot_be_requested_or_paid(platform, vault):
    thief = platform.user()
    platform.request_unstake(vault)
    platform.warp(LOCK)
    theirs = platform.stake_address(vault)
    request = instructions.request_unstake(platform.program, thief.address, shares=0)
    payment = instructions.unstake(platform.program, thief.address, thief.tokens)
    for good, index in ((request, 2), (payment, 4)):
        accounts = list(good.accounts)
        accounts[index] = AccountMeta(theirs, is_signer=False, is_writable=True)
        with refused("WRONG_AUTHORITY"):
            platform.send(Instruction(good.program_id, good.data, accounts), [thief.key])


# ---- unstake ----


def test_a_request_is_paid_after_150_slots_and_no_sooner(platform, vault):
    shares = platform.stake_of(vault).shares // 10
    platform.request_unstake(vault, shares)
    platform.warp(LOCK - 1)
    with refused("STAKE_LOCKED"):
        platform.unstake(vault)
    platform.warp(1)
    before, tokens = platform.vault(), platform.tokens(vault.tokens)
    expected = vault_shares.payment(before, platform.stake_of(vault), platform.slot)
    (event,) = platform.unstake(vault).events
    assert event.kind is EventKind.UNSTAKED
    assert (event.amount("amount"), event.amount("shares")) == (expected.amount, shares)
    assert 100_000 * USD - 1 <= expected.amount <= 100_000 * USD
    assert platform.tokens(vault.tokens) == tokens + expected.amount
    assert platform.vault().cash == before.cash - expected.amount
    assert platform.vault().locked_shares == event.amount("shares_left") == 0


def test_without_a_request_nothing_is_paid(platform, vault):
    with refused("NO_REQUEST"):
        platform.unstake(vault)


def test_the_last_share_closes_the_account_and_returns_the_rent(platform, vault):
    small = platform.user()
    platform.stake(small, 1_000 * USD)
    platform.request_unstake(small)
    platform.warp(LOCK)
    lamports = platform.svm.get_balance(small.address)
    (event,) = platform.unstake(small).events
    rent = platform.svm.minimum_balance_for_rent_exemption(104)
    assert platform.svm.get_balance(small.address) == lamports + rent - 5_000
    assert not platform.exists(platform.stake_address(small))
    assert 1_000 * USD - 1 <= event.amount("amount") <= 1_000 * USD


def test_a_stake_added_after_the_request_stays(platform, vault):
    small = platform.user()
    platform.stake(small, 1_000 * USD)
    platform.request_unstake(small)
    platform.stake(small, 500 * USD)
    platform.warp(LOCK)
    (event,) = platform.unstake(small).events
    assert event.amount("amount") <= 1_000 * USD
    assert platform.stake_of(small).shares > 0


# ---- the leaky bucket ----


def test_a_fifth_leaves_at_once_and_the_rest_as_the_bucket_leaks(platform, vault):
    platform.request_unstake(vault)
    platform.warp(LOCK)
    start = platform.vault()
    shares = platform.stake_of(vault).shares
    (first,) = platform.unstake(vault).events
    assert first.amount("amount") == start.equity // 5
    assert first.amount("shares") >= shares * first.amount("amount") // start.value
    assert first.amount("shares_left") == shares - first.amount("shares")
    with refused("WITHDRAWAL_LIMIT"):
        platform.unstake(vault)
    platform.warp(60)
    now = platform.vault()
    cap = now.equity // 5
    room = cap - (now.withdrawn - cap * 60 // 150)
    (second,) = platform.unstake(vault).events
    assert second.amount("amount") == room < cap


def test_the_bucket_is_everybodys(platform, vault):
    other = platform.user()
    platform.stake(other, 1_000 * USD)
    for user in (vault, other):
        platform.request_unstake(user)
    platform.warp(LOCK)
    platform.unstake(vault)
    with refused("WITHDRAWAL_LIMIT"):
        platform.unstake(other)
    platform.warp(50)
    assert platform.unstake(other).events[0].amount("amount") > 0


def test_what_is_lent_cannot_be_paid_out(platform):
    # A vault of $12_000 lends just under a tenth of itself in each of eight markets.
    staker, maker, trader = platform.user(), platform.user(100_000_000), platform.user()
    platform.stake(staker, 12_000 * USD)
    for number in range(8):
        market = platform.create_market(f"m{number}", 500_000)
        platform.post(market, 500_000)
        platform.add_liquidity(maker, market, 1_000_000 * USD)
        platform.open(trader, market, 1_150 * USD, leverage=2)
    platform.request_unstake(staker)
    platform.warp(LOCK)
    assert platform.unstake(staker).events[0].amount("amount") == 12_000 * USD // 5
    platform.warp(LOCK)
    cash = platform.vault().cash
    assert cash < platform.vault().equity // 5
    assert platform.unstake(staker).events[0].amount("amount") == cash
    platform.warp(LOCK)
    with refused("WITHDRAWAL_LIMIT"):
        platform.unstake(staker)


def test_less_than_a_units_worth_of_shares_ceases_for_nothing(platform, vault):
    dust = platform.user()
    platform.stake(dust, 1)
    platform.request_unstake(dust, 1)
    platform.warp(LOCK)
    (event,) = platform.unstake(dust).events
    assert (event.amount("shares"), event.amount("amount")) == (1, 0)


def test_a_loss_that_leaves_nothing_to_those_who_leave_takes_no_shares(platform, vault):
    # More has yet to vest than a loss has left: nothing is paid, and nothing ceases for it.
    platform.is_audited = False
    platform.request_unstake(vault)
    platform.warp(LOCK)
    address, at = platform.vault_address, VAULT_DTYPE.fields["unvested"][1]
    data, slot = platform.data(address), platform.slot
    poor = data[:at] + struct.pack("<QQ", platform.vault().value, slot) + data[at + 16 :]
    platform.set_data(address, poor)
    with refused("ZERO_AMOUNT"):
        platform.unstake(vault)
    platform.request_unstake(vault)
    assert platform.stake_of(vault).request_value == 0
    platform.warp(LOCK)
    with refused("ZERO_AMOUNT"):
        platform.unstake(vault)  # what was promised is nothing, whatever has vested since
    platform.request_unstake(vault)
    platform.warp(LOCK)
    assert platform.unstake(vault).events[0].amount("amount") > 0


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(waits=st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_being_paid_in_parts_pays_no_more_than_the_request_was_worth(platform, vault, waits):
    if not platform.exists(platform.stake_address(vault)):
        return
    platform.request_unstake(vault)
    promised = platform.stake_of(vault).request_value
    platform.warp(LOCK - 1)
    paid = 0
    for slots in waits:
        platform.warp(slots)
        before = platform.vault()
        stake = platform.stake_of(vault)
        expected = vault_shares.payment(before, stake, platform.slot)
        if expected is None:
            with refused("WITHDRAWAL_LIMIT"):
                platform.unstake(vault)
            continue
        (event,) = platform.unstake(vault).events
        assert (event.amount("amount"), event.amount("shares")) == (
            expected.amount,
            expected.shares,
        )
        paid += expected.amount
        if not event.amount("shares_left"):
            break
    assert paid <= promised


# ---- the lower of two prices ----


def lose(platform, market):
    """A position goes under water on a jump: the vault books bad debt."""
    user, pusher = platform.user(), platform.user(100_000_000)
    position_id, _ = platform.open(user, market, 1_000 * USD, leverage=10)
    platform.open(pusher, market, 600_000 * USD, side=Side.NO)
    before = platform.vault().bad_debt
    platform.move_oracle(market, 300_000)
    target = platform.position_address(user, market, position_id)
    platform.liquidate(platform.user(), market, [target])
    assert platform.vault().bad_debt > before


def test_a_loss_after_the_request_is_borne(platform, vault, market):
    shares = platform.stake_of(vault).shares // 10
    platform.request_unstake(vault, shares)
    promised = platform.stake_of(vault).request_value
    lose(platform, market)
    platform.warp(LOCK)
    now = vault_shares.stake_value(platform.vault(), shares, platform.slot)
    assert now < promised
    assert platform.unstake(vault).events[0].amount("amount") == now


def test_a_gain_after_the_request_is_forgone(platform, vault, market):
    shares = platform.stake_of(vault).shares // 10
    platform.request_unstake(vault, shares)
    promised = platform.stake_of(vault).request_value
    platform.sweep_fees(market)
    platform.warp(9_000)
    assert vault_shares.stake_value(platform.vault(), shares, platform.slot) > promised
    assert platform.unstake(vault).events[0].amount("amount") == promised


def test_a_loss_larger_than_what_vests_leaves_those_who_leave_what_is_left(platform, vault, market):
    # Unvested gains are not eaten by a loss: V - unvested may reach zero before V does, and never goes below.
    small = platform.user()
    platform.stake(small, 10 * USD)
    platform.sweep_fees(market)
    before = vault_shares.stake_value(platform.vault(), 1_000 * USD, platform.slot)
    lose(platform, market)
    after = vault_shares.stake_value(platform.vault(), 1_000 * USD, platform.slot)
    assert after < before


# ---- nobody gains by standing near a sweep ----


@pytest.mark.parametrize("amount", [USD, 1_000_000 * USD, 9_000_000 * USD])
def test_staking_before_a_sweep_and_asking_at_once_pays_nothing_of_it(
    platform, vault, market, amount
):
    user = platform.user(10_000_000)
    start = platform.tokens(user.tokens)
    platform.stake(user, amount)
    platform.sweep_fees(market)
    leave_for_good(platform, user)
    assert platform.tokens(user.tokens) <= start


def test_asking_before_the_sweep_pays_nothing_of_it_either(platform, vault, market):
    user = platform.user(10_000_000)
    start = platform.tokens(user.tokens)
    platform.stake(user, 1_000_000 * USD)
    platform.request_unstake(user)
    platform.sweep_fees(market)
    while platform.exists(platform.stake_address(user)):
        platform.warp(9_000)
        platform.unstake(user)
    assert platform.tokens(user.tokens) <= start


@pytest.mark.parametrize("slots", [1, 150, 4_500, 9_000])
def test_waiting_after_a_sweep_pays_the_share_of_what_has_vested_and_no_more(
    platform, vault, market, slots
):
    user = platform.user(10_000_000)
    start, fees = platform.tokens(user.tokens), platform.market(market).fees_vault
    platform.stake(user, 100_000 * USD)
    share, supply = platform.stake_of(user).shares, platform.vault().share_supply
    platform.sweep_fees(market)
    platform.warp(slots)
    leave_for_good(platform, user)
    gain = platform.tokens(user.tokens) - start
    vested = fees * min(slots, 9_000) // 9_000
    assert vested * share // supply - 2 <= gain <= vested * share // supply + 1


def test_who_comes_while_gains_vest_pays_for_them_and_leaves_without(platform, vault, market):
    platform.sweep_fees(market)
    user = platform.user(10_000_000)
    start = platform.tokens(user.tokens)
    platform.stake(user, 1_000_000 * USD)
    leave_for_good(platform, user)
    assert platform.tokens(user.tokens) < start


def test_those_who_stay_get_what_those_who_leave_leave_behind(platform, vault, market):
    stayer = platform.user(10_000_000)
    platform.stake(stayer, 100_000 * USD)
    fees = platform.market(market).fees_vault
    platform.sweep_fees(market)
    paid = leave_for_good(platform, vault)
    platform.warp(9_000)
    kept = leave_for_good(platform, stayer)
    assert paid <= 1_000_000 * USD + fees
    assert 100_000 * USD < kept
    assert paid + kept <= 1_100_000 * USD + fees


def test_the_virtual_shares_take_what_the_last_to_leave_leaves(platform, vault, market):
    fees = platform.market(market).fees_vault
    platform.sweep_fees(market)
    leave_for_good(platform, vault)
    left = platform.vault()
    assert left.share_supply == left.locked_shares == 0
    assert 0 < left.cash <= fees
    user = platform.user()
    platform.stake(user, 1_000 * USD)
    assert vault_shares.stake_value(platform.vault(), platform.stake_of(user).shares, 10**9) <= (
        1_000 * USD
    )
