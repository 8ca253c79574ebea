"""What holds for every vault, by the arithmetic alone; tests/chain shows that the program does this arithmetic."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from programs import vault_shares
from programs.accounts import Stake, Vault

EMPTY = Vault(
    event_sequence=0,
    cash=0,
    loans=0,
    weighted_debt_e6=0,
    share_supply=0,
    bad_debt=0,
    inventory_cost=0,
    locked_shares=0,
    withdraw_slot=0,
    withdrawn=0,
    tokens=Pubkey.default(),
    unvested=0,
    vest_slot=0,
)
CASH = st.integers(0, 10**15)
SLOTS = st.integers(0, 20_000)


@st.composite
def vaults(draw):
    """A vault that some history could have led to: at any price, with gains that have not vested."""
    cash, loans, inventory = draw(CASH), draw(CASH), draw(st.integers(0, 10**12))
    return replace(
        EMPTY,
        cash=cash,
        loans=loans,
        inventory_cost=inventory,
        share_supply=draw(st.integers(0, 10**18)),
        unvested=draw(st.integers(0, cash)),
        vest_slot=draw(st.integers(0, 1_000)),
        withdraw_slot=draw(st.integers(0, 1_000)),
        withdrawn=draw(st.integers(0, (cash + loans) // 5)),
    )


@dataclass
class Actor:
    """The vault with one actor's shares in it, and the instructions as vault.h does them, without limits."""

    vault: Vault
    shares: int = 0

    def stake(self, amount):
        shares = vault_shares.stake_shares(self.vault, amount)
        self.shares += shares
        self.vault = replace(
            self.vault,
            cash=self.vault.cash + amount,
            share_supply=self.vault.share_supply + shares,
        )

    def sweep(self, fees, slot):
        self.vault = replace(
            self.vault,
            cash=self.vault.cash + fees,
            unvested=vault_shares.unvested(self.vault, slot) + fees,
            vest_slot=slot,
        )

    def value(self, slot):
        return vault_shares.stake_value(self.vault, self.shares, slot)


@given(vaults(), st.integers(1, 10**14))
def test_a_stake_is_never_worth_more_than_it_cost(vault, amount):
    actor = Actor(vault)
    actor.stake(amount)
    assert actor.value(vault.vest_slot) <= amount


@given(vaults(), st.integers(1, 10**14), st.integers(0, 10**12))
def test_a_sweep_adds_nothing_to_what_a_stake_pays_in_its_own_slot(vault, amount, fees):
    actor, slot = Actor(vault), vault.vest_slot
    actor.stake(amount)
    before = actor.value(slot)
    actor.sweep(fees, slot)
    assert actor.value(slot) == before <= amount


@given(
    vaults(),
    st.integers(1, 10**14),
    st.lists(st.tuples(st.integers(0, 10**11), st.integers(0, 3_000)), max_size=6),
)
def test_a_stakes_gain_is_at_most_its_share_of_what_vested_meanwhile(vault, amount, sweeps):
    # The bound on every sequence of sweeps and waits, whoever times them.
    actor, slot = Actor(vault), vault.vest_slot
    actor.stake(amount)
    still = actor.vault.unvested
    for fees, slots in sweeps:
        actor.sweep(fees, slot)
        still += fees
        slot += slots
    vested = still - vault_shares.unvested(actor.vault, slot)
    supply = actor.vault.share_supply + vault_shares.VIRTUAL_SHARES
    worth = vault.value - vault.unvested
    assert vested >= 0
    assert actor.value(slot) * supply <= amount * supply + actor.shares * vested
    assert worth >= 0


@given(vaults(), st.lists(st.integers(1, 4_000), min_size=1, max_size=8))
def test_touching_never_makes_gains_vest_sooner(vault, waits):
    untouched = vault_shares.unvested(vault, vault.vest_slot + sum(waits))
    actor, slot = Actor(vault), vault.vest_slot
    for slots in waits:
        slot += slots
        actor.sweep(0, slot)
    assert actor.vault.unvested >= untouched


@given(vaults(), st.integers(0, 10**18), SLOTS)
def test_all_shares_together_are_worth_no_more_than_the_vault(vault, shares, slots):
    slot = vault.vest_slot + slots
    shares = min(shares, vault.share_supply)
    worth = vault.value - vault_shares.unvested(vault, slot)
    assert vault_shares.stake_value(vault, shares, slot) <= worth
    parts = [vault_shares.stake_value(vault, part, slot) for part in (shares // 3, shares // 7)]
    assert sum(parts) <= vault_shares.stake_value(vault, shares, slot)


def staked(shares, value, slot=0):
    return Stake(
        owner=Pubkey.default(),
        shares=shares,
        requested_shares=shares,
        request_slot=slot,
        request_value=value,
    )


@given(vaults(), st.integers(1, 10**18), st.integers(0, 10**15), st.integers(150, 2_000))
def test_a_payment_is_within_every_limit_and_leaves_no_one_poorer(vault, shares, value, slots):
    slot = vault.vest_slot + slots
    stake = staked(min(shares, vault.share_supply), value)
    paid = vault_shares.payment(vault, stake, slot)
    if paid is None:
        now = vault_shares.stake_value(vault, stake.requested_shares, slot)
        assert 0 in (stake.requested_shares, value, now, vault_shares.withdrawable(vault, slot))
        return
    assert paid.amount <= min(value, vault.cash, vault.equity // 5)
    assert paid.shares <= stake.shares
    assert paid.amount <= vault_shares.stake_value(vault, paid.shares, slot)
    after = replace(
        vault, cash=vault.cash - paid.amount, share_supply=vault.share_supply - paid.shares
    )
    one = 10**6
    others = vault_shares.stake_value(after, one, slot)
    assert others >= vault_shares.stake_value(vault, one, slot)


@given(vaults(), st.lists(st.integers(0, 300), min_size=1, max_size=12))
def test_in_any_150_slots_at_most_two_fifths_leave(vault, waits):
    # A full bucket at once, and what leaks out of it meanwhile: a leaky bucket bounds the rate, not each window.
    slot, start, paid = vault.vest_slot + 1_000, vault.equity, []
    for slots in waits:
        slot += slots
        amount = vault_shares.withdrawable(vault, slot)
        cap = vault.equity // vault_shares.WITHDRAWAL_DIVISOR
        gone = vault_shares.melted(cap, slot - vault.withdraw_slot, vault_shares.UNSTAKE_SLOTS)
        vault = replace(
            vault,
            cash=vault.cash - amount,
            withdrawn=max(vault.withdrawn - gone, 0) + amount,
            withdraw_slot=slot,
        )
        paid.append((slot, amount))
    for first, _ in paid:
        window = sum(amount for at, amount in paid if first <= at <= first + 150)
        assert window <= 2 * (start // 5)


@pytest.mark.parametrize(("slots", "paid"), [(149, None), (150, 100), (10**6, 100)])
def test_a_request_waits_150_slots(slots, paid):
    vault = replace(EMPTY, cash=10**9, share_supply=10**9 - 999)
    found = vault_shares.payment(vault, staked(100, 10**6), slots)
    assert (found and found.amount) == paid


def test_without_shares_requested_nothing_is_paid():
    assert vault_shares.payment(replace(EMPTY, cash=10), staked(0, 0), 1_000) is None


def test_an_empty_bucket_pays_nothing_but_buries_what_is_worth_nothing():
    empty = replace(EMPTY, cash=100, share_supply=10**6, withdrawn=20, withdraw_slot=150)
    assert vault_shares.payment(empty, staked(10**6, 100), 150) is None
    worthless = vault_shares.payment(empty, staked(10, 100), 150)
    assert worthless == vault_shares.Payment(amount=0, shares=10)


def test_part_of_a_request_takes_its_shares_rounded_up():
    vault = replace(EMPTY, cash=1_000, share_supply=10**6)
    paid = vault_shares.payment(vault, staked(900_000, 700), 150)
    assert paid == vault_shares.Payment(amount=200, shares=-(-900_000 * 200 // 700))


def test_a_vault_that_lost_more_than_its_vested_part_is_worth_nothing_to_leavers():
    vault = replace(EMPTY, cash=100, share_supply=10**6, unvested=150)
    assert vault_shares.stake_value(vault, 10**6, 0) == 0
    assert vault_shares.payment(vault, staked(10**6, 100), 150) is None
    assert vault_shares.payment(vault, staked(10**6, 100), 9_000).amount > 0


def test_a_promise_of_nothing_takes_no_shares():
    vault = replace(EMPTY, cash=1_000, share_supply=10**6)
    assert vault_shares.payment(vault, staked(10**6, 0), 150) is None
