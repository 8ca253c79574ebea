"""keeper/chain_book.py and due_chains.py: columns against the program's own arithmetic, one chain at a time."""

import random

import numpy as np
import pytest
from scripted import market_address, market_row
from solders.pubkey import Pubkey

from keeper.chain_book import ChainBook, next_book
from keeper.due_chains import EXPIRES_SOON_SLOTS, DueChain, FoundChains, find_chains
from keeper.snapshot import take_markets
from programs.chain_account import Chain, ChainStatus
from programs.chain_steps import Stand
from programs.chains import why_not_due
from programs.layout import CHAIN_DTYPE, LAYOUT_VERSION, AccountKind

SLOT = 1_000
NOBODYS = Pubkey(bytes([9] * 32))


def chain_address(number):
    return Pubkey(bytes([150, number % 256, number // 256]) + bytes(29))


def chain_row(number, *, market=0, **changes):
    """One running chain of two steps as account bytes, due at any price, for ever."""
    row = np.zeros(1, CHAIN_DTYPE)
    row["kind"], row["version"] = AccountKind.CHAIN, LAYOUT_VERSION
    row["positions"]["kind"], row["positions"]["version"] = AccountKind.POSITION, LAYOUT_VERSION
    row["market"] = np.frombuffer(bytes(market_address(market)), "V32")
    row["step_count"], row["steps"]["kind"] = 2, 2
    row["trigger_e6"], row["is_above"], row["expiry_slot"] = 1_000, 1, 10**9
    row["bounty"], row["working"] = 1_000, 10**6
    for name, value in changes.items():
        row[name] = value
    return bytes(chain_address(number)), row.tobytes()


def found_of(chains, markets, *, slot=SLOT, is_halted=False, since=None):
    book = ChainBook(dict(chains))
    known = take_markets(markets)[0]
    return find_chains(book, known, slot=slot, is_halted=is_halted, since=since or {})


def addresses(found):
    return {each.address for each in found}


@pytest.mark.parametrize("is_halted", [False, True])
def test_a_thousand_chains_are_judged_as_the_program_judges_each(is_halted):
    dice = random.Random(7)
    markets = [
        market_row(
            number,
            slot=SLOT - dice.choice([0, 149, 150, 151, 400]),
            prices_e6=[500_000] if number % 2 else [400_000, 500_000, 100_000],
            price_class=dice.choice([0, 0, 0, 1]),
            status=dice.choice([0, 0, 0, 1]),
        )
        for number in range(12)
    ]
    chains = dict(
        chain_row(
            number,
            market=(market := dice.randrange(12)),
            pool=dice.randrange(1 if market % 2 else 3),
            side=dice.randrange(2),
            status=dice.choice([0, 0, 0, 1, 2]),
            trigger_e6=dice.choice([399_999, 400_000, 500_000, 500_001, 600_000]),
            is_above=dice.randrange(2),
            expiry_slot=dice.choice([SLOT - 1, SLOT, SLOT + 1]),
        )
        for number in range(1_000)
    )
    book, known = ChainBook(chains), take_markets(markets)[0]
    due, ended = set(), set()
    for address, chain in book.items():
        market = known[chain.market]
        stand = Stand(chain=chain, market=market, vault=None)
        if why_not_due(stand, slot=SLOT, is_halted=is_halted) is None:
            due.add(address)
        if chain.status is ChainStatus.RUNNING and (SLOT > chain.expiry_slot or market.status):
            ended.add(address)
    assert {ChainStatus.RUNNING} == {chain.status for chain in book.values()}
    done = [data for data in chains.values() if Chain.from_bytes(data).status]
    assert len(chains) == len(book) + len(done)
    found = find_chains(book, known, slot=SLOT, is_halted=is_halted, since={})
    assert due == addresses(found.due)
    assert ended == addresses(found.ended)
    assert is_halted or len(due) > 50 < len(ended)


def test_what_expires_soon_goes_first_then_what_is_due_for_longest_then_the_largest_bounty():
    soon, sooner = SLOT + EXPIRES_SOON_SLOTS, SLOT + 1
    chains = [
        chain_row(0, bounty=5),
        chain_row(1, bounty=7),
        chain_row(2, market=1),
        chain_row(3, expiry_slot=soon),
        chain_row(4, expiry_slot=sooner),
        chain_row(5, expiry_slot=soon + 1, bounty=6),
    ]
    markets = [market_row(0, slot=SLOT), market_row(1, slot=SLOT - 9)]
    order = [each.address for each in found_of(chains, markets).due]
    assert [chain_address(number) for number in (4, 3, 2, 1, 5, 0)] == order


def test_since_when_a_chain_is_due_is_remembered_while_its_market_is_priced_anew():
    chains = [chain_row(0, opened_slot=SLOT - 20)]
    (first,) = found_of(chains, [market_row(0, slot=SLOT - 30)]).due
    assert SLOT - 20 == first.since_slot
    since = {first.address: first.since_slot}
    (again,) = found_of(chains, [market_row(0, slot=SLOT)], since=since).due
    assert SLOT - 20 == again.since_slot


def test_the_largest_debt_to_the_vault_is_cancelled_first():
    chains = [
        chain_row(number, expiry_slot=1, debt=debt, bounty=bounty)
        for number, (debt, bounty) in enumerate([(0, 5), (0, 9), (10, 1)])
    ]
    order = [each.address for each in found_of(chains, [market_row(0, slot=SLOT)]).ended]
    assert [chain_address(number) for number in (2, 1, 0)] == order


def test_chains_of_unknown_markets_and_pools_are_left_alone():
    chains = [chain_row(0, market=5), chain_row(1, pool=1), chain_row(2, step_count=0)]
    assert FoundChains() == found_of(chains, [market_row(0, slot=SLOT)])
    assert FoundChains() == found_of([], [market_row(0, slot=SLOT)])
    assert FoundChains() == found_of([chain_row(0)], [])


@pytest.mark.parametrize(
    "changes",
    [{"status": 3}, {"side": 2}, {"step_count": 6}, {"next_step": 3}, {"steps": (9, 0, 0, 0)}],
    ids=["status", "side", "step count", "next step", "step kind"],
)
def test_an_account_that_no_program_writes_is_left_out_and_counted(changes):
    address, data = chain_row(0, **changes)
    book = ChainBook({address: data, **dict([chain_row(1)])})
    assert (1, 1, [chain_address(1)]) == (book.unreadable, len(book), list(book))
    with pytest.raises(KeyError):
        book[chain_address(0)]
    assert chain_address(1) == book.address_of(0)


def test_a_chain_is_decoded_once_while_its_bytes_stay_the_same():
    accounts = dict([chain_row(0), chain_row(1)])
    book = ChainBook(accounts)
    assert book is next_book(accounts, book)
    kept, changed = book[chain_address(0)], book[chain_address(1)]
    later = next_book(accounts | dict([chain_row(1, next_step=1)]), book)
    assert kept is later[chain_address(0)]
    assert changed is not later[chain_address(1)]
    assert 1 == later[chain_address(1)].next_step
    with pytest.raises(KeyError):
        later[NOBODYS]


def test_a_rank_says_how_many_slots_are_left_only_when_few_are():
    def rank(left):
        return DueChain(
            address=chain_address(0),
            market=market_address(0),
            pool=0,
            since_slot=1,
            expiry_slot=SLOT + left,
            bounty=2,
        ).rank(SLOT)[:3]

    assert (150, 1, -2) == rank(150)
    assert (151, 1, -2) == rank(151) == rank(10**6)
