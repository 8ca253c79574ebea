"""The vault: shares by its internal count of cash, and no gain from being first, last or generous."""

import pytest
import spl.token.instructions as spl
from harness import USD, RuntimeRefusalError, refused
from spl.token.models import TransferParams

from programs import addresses, instructions
from programs.addresses import TOKEN_PROGRAM


def value_of(platform, user):
    """What a user's shares would pay by the stake formula turned round, rounded down."""
    vault = platform.vault()
    worth = vault.cash + vault.loans + vault.inventory_cost
    return platform.stake_of(user).shares * (worth + 1) // (vault.share_supply + 1_000)


@pytest.mark.parametrize("amounts", [(1, 1, 1), (USD, 10**12, 7), (999_999_999_999, 3, 10**12)])
def test_shares_follow_the_formula(platform, amounts):
    supply = worth = 0
    for amount in amounts:
        user = platform.user()
        (event,) = platform.stake(user, amount).events
        shares = amount * (supply + 1_000) // (worth + 1)
        supply, worth = supply + shares, worth + amount
        assert platform.stake_of(user).shares == event.amount("shares") == shares
        assert event.amount("vault_value") == platform.vault().cash == worth


def test_a_second_stake_adds_to_the_first(platform):
    user = platform.user()
    platform.stake(user, USD)
    platform.stake(user, USD)
    assert platform.stake_of(user).shares == platform.vault().share_supply


def test_tokens_sent_to_the_vault_do_not_move_the_price_of_a_share(platform):
    # The inflation attack: one unit in, a donation, and the next staker's shares round to nothing.
    attacker, victim = platform.user(), platform.user()
    platform.stake(attacker, 1)
    donation = spl.transfer(
        TransferParams(
            program_id=TOKEN_PROGRAM,
            source=attacker.tokens,
            dest=addresses.vault_tokens_address(platform.program)[0],
            owner=attacker.address,
            amount=100_000 * USD,
        )
    )
    platform.is_audited = False  # the donation belongs to nobody: no counter has it
    platform.send(donation, [attacker.key])
    platform.stake(victim, 1_000 * USD)
    assert platform.vault().cash == 1_000 * USD + 1
    assert value_of(platform, victim) >= 1_000 * USD - 1
    assert platform.quote_total() == platform.minted


@pytest.mark.parametrize("first", [1, 999, USD])
@pytest.mark.parametrize("second", [1, 1_000, 12_345_678])
def test_nobodys_shares_are_worth_more_than_what_they_paid(platform, first, second):
    one, two = platform.user(), platform.user()
    platform.stake(one, first)
    platform.stake(two, second)
    assert value_of(platform, one) <= first
    assert value_of(platform, two) <= second


def test_fewer_shares_than_asked_are_refused(platform):
    user = platform.user()
    stake = instructions.stake(
        platform.program, user.address, user.tokens, amount=USD, shares_min=1_000 * USD + 1
    )
    with refused("SLIPPAGE"):
        platform.send(stake, [user.key])


def test_an_amount_of_nothing_is_refused(platform):
    with refused("ZERO_AMOUNT"):
        platform.stake(platform.user(), 0)


def test_an_amount_whose_shares_overflow_is_refused(platform):
    with refused("ARITHMETIC"):
        platform.stake(platform.user(), 2**64 - 1)


def test_more_than_the_user_has_is_the_token_programs_refusal(platform):
    with pytest.raises(RuntimeRefusalError, match="insufficient funds"):
        platform.stake(platform.user(1), 2 * USD)
    assert not platform.exists(
        addresses.stake_address(platform.program, platform.users[0].address)[0]
    )


def test_staking_around_a_fee_earns_nothing_of_it(platform, market):
    # Fees wait in the market's account: a stake between a trade and another sees no part of them.
    user = platform.user()
    platform.stake(platform.user(), 1_000 * USD)
    platform.open(platform.user(), market, 100_000 * USD)
    assert platform.market(market).fees_vault > 0
    platform.stake(user, 1_000 * USD)
    platform.open(platform.user(), market, 100_000 * USD)
    assert value_of(platform, user) <= 1_000 * USD
