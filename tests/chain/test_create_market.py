"""Markets: who may create them, of what shape, and only one a condition."""

import hashlib

import pytest
from harness import keypair, refused, second_address
from solders.instruction import Instruction

from programs import addresses, instructions
from programs.event_layout import EventKind

FAIR = {2: (300_000,)} | {n: (1_000_000 // n,) * n for n in range(3, 17)}


def creation(platform, prices, *, outcomes=None, condition=bytes(range(32)), authority=None):
    return instructions.create_market(
        platform.program,
        authority or platform.admin.pubkey(),
        platform.quote_mint.pubkey(),
        condition_id=condition,
        outcomes=outcomes or (2 if len(prices) == 1 else len(prices)),
        yes_token_or_hash=hashlib.sha256(b"yes").digest(),
        no_token=hashlib.sha256(b"no").digest(),
        prices_e6=prices,
    )


def create(platform, prices, **kwargs):
    return platform.send(creation(platform, prices, **kwargs), [platform.admin])


@pytest.mark.parametrize("outcomes", FAIR)
def test_a_market_of_2_to_16_outcomes_gets_its_pools_and_prices(platform, outcomes):
    receipt = create(platform, FAIR[outcomes])
    address = addresses.market_address(platform.program, bytes(range(32)))[0]
    market = platform.market(address)
    assert market.outcomes == outcomes
    assert [pool.price_e6 for pool in market.pools] == list(FAIR[outcomes])
    assert len(market.pools) == (1 if outcomes == 2 else outcomes)
    assert {pool.liquidity for pool in market.pools} == {0}
    assert market.price_class == 1, "leverage waits for the oracle's first reading"
    assert (market.created_slot, market.publish_slot) == (platform.slot, platform.slot)
    assert bytes(market.yes_token_or_hash) == hashlib.sha256(b"yes").digest()
    assert bytes(market.no_token) == hashlib.sha256(b"no").digest()
    assert market.tokens == addresses.market_tokens_address(platform.program, address)[0]
    assert platform.data(market.tokens)[32:64] == bytes(address)
    (event,) = receipt.events
    assert (event.kind, event.series, event.sequence) == (EventKind.MARKET_CREATED, 0, 1)
    assert event.address("market") == address
    assert event.address("condition_id") == market.condition_id
    assert (event.amount("outcomes"), event.amount("pools")) == (outcomes, len(market.pools))


def test_markets_are_numbered_in_the_order_of_their_creation(platform):
    addresses_ = [platform.create_market(name) for name in "abc"]
    assert [platform.market(address).market_id for address in addresses_] == [0, 1, 2]
    assert platform.global_().market_count == 3


@pytest.mark.parametrize(
    ("prices", "outcomes", "name"),
    [
        ((500_000,), 1, "BAD_OUTCOMES"),
        ((1_000,) * 16, 17, "BAD_OUTCOMES"),
        ((1_000,) * 16, 255, "BAD_OUTCOMES"),
        ((999,), 2, "PRICE_RANGE"),
        ((999_001,), 2, "PRICE_RANGE"),
        ((0,), 2, "PRICE_RANGE"),
        ((500_000, 500_000), 3, "PRICE_RANGE"),  # the third is missing: zero
        ((316_666, 316_667, 316_666), 3, "PRICE_SUM"),
        ((350_000, 350_000, 350_001), 3, "PRICE_SUM"),
    ],
)
def test_a_market_of_another_shape_is_refused(platform, prices, outcomes, name):
    with refused(name):
        create(platform, prices, outcomes=outcomes)


@pytest.mark.parametrize(
    "prices", [(1_000,), (999_000,), (316_667, 316_667, 316_666), (350_000,) * 3]
)
def test_prices_at_the_very_edge_are_allowed(platform, prices):
    create(platform, prices)


def test_a_second_market_for_a_condition_is_refused(platform):
    create(platform, (500_000,))
    with refused("ALREADY_INITIALIZED"):
        create(platform, (400_000,))


@pytest.mark.parametrize("place", ["market", "tokens"])
def test_a_second_market_for_a_condition_under_another_bump_is_refused(platform, place):
    instruction = creation(platform, (500_000,))
    market = instruction.accounts[2].pubkey
    seeds = (
        [b"market", bytes(range(32))] if place == "market" else [b"market_tokens", bytes(market)]
    )
    index, byte = (2, 2) if place == "market" else (3, 3)
    data, accounts = bytearray(instruction.data), list(instruction.accounts)
    other, bump = second_address(platform.program, *seeds)
    data[byte] = bump
    accounts[index] = type(accounts[index])(other, is_signer=False, is_writable=True)
    with refused("WRONG_ADDRESS"):
        platform.send(Instruction(platform.program, bytes(data), accounts), [platform.admin])


def test_only_the_market_authority_creates_markets(platform):
    thief = keypair("thief")
    platform.svm.airdrop(thief.pubkey(), 10**9)
    with refused("WRONG_AUTHORITY"):
        platform.send(creation(platform, (500_000,), authority=thief.pubkey()), [thief])


def test_lamports_sent_to_the_addresses_beforehand_do_not_stop_a_market(platform):
    accounts = creation(platform, (500_000,)).accounts
    platform.svm.airdrop(accounts[2].pubkey, 1)
    platform.svm.airdrop(accounts[3].pubkey, 10**10)
    create(platform, (500_000,))
