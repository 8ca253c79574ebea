"""keeper/due.py."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import USD, market_address, market_row, position_address, position_row

from keeper.due import JOBS_PER_MARKET, DueSince, jobs_of, shortfall_below
from keeper.risk import assess
from keeper.snapshot import Snapshot, take_markets, take_positions
from programs.accounts import Side

SLOT = 1_000


def sight(positions, markets=(0,), apart=None, **changes):
    """A snapshot and what is due in it; `apart`: what is different in some of its markets, by their number."""
    rows, addresses, _ = take_positions(list(positions))
    terms = {each: changes | (apart or {}).get(each, {}) for each in markets}
    snapshot = Snapshot(
        slot=SLOT,
        global_=None,
        vault=None,
        markets=take_markets([market_row(each, slot=SLOT, **terms[each]) for each in markets])[0],
        positions=rows,
        addresses=addresses,
    )
    return snapshot, assess(snapshot.markets, snapshot.positions, SLOT)


def jobs(positions, *, waits=(), now_s=0.0, since=None, at_most=None, **terms):
    snapshot, found = sight(positions, **terms)
    asleep = {bytes(position_address(number)) for number in waits}
    mask = np.array([snapshot.addresses[at].tobytes() in asleep for at in found.index], np.bool_)
    return jobs_of(snapshot, found, mask, since or DueSince(), now_s, at_most)


def keys_of(*numbers):
    return np.array([bytes(position_address(number)) for number in numbers], "V32")


def test_each_due_position_is_a_job_with_what_it_acts_upon():
    (job,) = jobs([position_row(1)], now_s=3.0, event_sequence=7)
    assert (market_address(0), position_address(1)) == (job.market, job.target)
    assert f"{100 * USD}:{60 * USD}#7" == job.effect
    assert (SLOT, 3.0, 1, False) == (job.seen_slot, job.due_at_s, job.pools, job.is_chain)
    assert 10 * USD == job.urgency.shortfall


def test_no_more_of_a_market_than_a_transaction_may_need_and_the_most_urgent_of_it():
    many = [position_row(n, debt=(60 * USD) + n) for n in range(JOBS_PER_MARKET + 6)]
    found = jobs([*many, position_row(99, market=1)], markets=(0, 1))
    assert {position_address(n) for n in range(6, JOBS_PER_MARKET + 6)} == {
        job.target for job in found if job.market == market_address(0)
    }
    assert 1 == sum(job.market == market_address(1) for job in found)


def test_the_most_urgent_of_all_markets_where_there_is_room_for_few():
    rows = [position_row(n, market=n % 2, debt=(60 + n) * USD) for n in range(6)]
    found = jobs(rows, markets=(0, 1), at_most=3)
    assert [position_address(n) for n in (5, 4, 3)] == [job.target for job in found]


def test_what_must_wait_is_no_job_and_gives_its_place_to_the_next():
    many = [position_row(n, debt=(60 * USD) + n) for n in range(JOBS_PER_MARKET + 1)]
    found = jobs(many, waits=[JOBS_PER_MARKET])
    assert position_address(JOBS_PER_MARKET) not in {job.target for job in found}
    assert JOBS_PER_MARKET == len(found)


def test_a_need_is_as_old_as_its_first_sight_even_while_it_makes_no_job():
    since = DueSince()
    jobs([position_row(1), position_row(2)], waits=[1], now_s=1.0, since=since)
    again = jobs([position_row(1), position_row(3)], now_s=5.0, since=since)
    assert {position_address(1): 1.0, position_address(3): 5.0} == {
        job.target: job.due_at_s for job in again
    }
    back = jobs([position_row(2)], now_s=9.0, since=since)
    assert [9.0] == [job.due_at_s for job in back]


def test_ages_are_found_in_whatever_order_needs_come():
    since = DueSince()
    for now_s, numbers in ((0.0, range(49, -1, -1)), (1.0, range(25, 75))):
        since.update(keys_of(*numbers), now_s)
    shuffled = [74, 25, 49, 50, 80]
    assert [1.0, 0.0, 0.0, 1.0, 2.0] == since.update(keys_of(*shuffled), 2.0).tolist()
    assert [] == since.update(np.zeros(0, "V32"), 3.0).tolist()
    assert [4.0] == since.update(keys_of(25), 4.0).tolist()


def test_jobs_that_sell_together_have_one_sale_and_those_under_water_another():
    # Due, worth more than it owes, and too small for the slot's cap.
    fine = {"shares": 10 * USD, "debt": 4 * USD, "margin": 25 * USD}
    numbers = [
        job.sale
        for job in sorted(
            jobs([position_row(1), position_row(2), position_row(3, **fine)]),
            key=lambda job: bytes(job.target),
        )
    ]
    assert numbers[0] == numbers[1] != numbers[2]


@pytest.mark.parametrize(
    ("oracle_e6", "lost"), [(500_000, 15 * USD), (50_000, 60 * USD), (10_000, 60 * USD)]
)
def test_the_vault_stands_to_lose_what_a_fall_by_the_gap_leaves_uncovered(oracle_e6, lost):
    found = shortfall_below(*(np.array([n], np.uint64) for n in (100 * USD, 60 * USD, oracle_e6)))
    assert [lost] == found.tolist()


@given(
    shares=st.integers(0, 2**63),
    debt=st.integers(0, 2**64 - 1),
    oracle_e6=st.integers(0, 1_000_000),
)
def test_what_it_stands_to_lose_is_exact_over_all_of_u64(shares, debt, oracle_e6):
    found = shortfall_below(*(np.array([n], np.uint64) for n in (shares, debt, oracle_e6)))
    worth = shares * max(oracle_e6 - 50_000, 0) // 1_000_000
    assert [max(debt - worth, 0)] == found.tolist()


def test_a_side_is_valued_at_its_own_price():
    yes, no = jobs(
        [position_row(1), placed(2, side=Side.NO)], price_e6=400_000
    )  # YES at .40, NO at .60: debt 60 for 100 shares
    assert {position_address(1): 25 * USD, position_address(2): 5 * USD} == {
        job.target: job.at_risk for job in (yes, no)
    }


def test_an_outcome_is_valued_at_its_own_price_in_its_own_market():
    found = jobs(
        [placed(1, market=1, pool=0), placed(2, market=1, pool=1), placed(3, pool=2)],
        markets=(0, 1),
        prices_e6=(250_000, 550_000, 200_000),
        apart={1: {"prices_e6": (500_000, 300_000, 200_000)}},
    )
    assert {1: 15 * USD, 2: 35 * USD, 3: 45 * USD} == {
        bytes(job.target)[1]: job.at_risk for job in found
    }
    assert {3} == {job.pools for job in found}


def test_each_side_of_each_outcome_is_a_sale_of_its_own():
    places = [(pool, side) for pool in range(3) for side in Side]
    owing = {"debt": 80 * USD}  # more than either side of any is worth
    rows = [placed(n, pool=pool, side=side, **owing) for n, (pool, side) in enumerate(places)]
    found = jobs([*rows, placed(9, **owing)], prices_e6=(300_000, 300_000, 400_000))
    assert 7 == len(found)
    assert len(places) == len({job.sale for job in found})


def test_a_position_inside_of_a_chain_is_known_as_one():
    snapshot, found = sight([position_row(1), position_row(2)])
    snapshot = replace(snapshot, chains={bytes(position_address(2)): b""})
    made = jobs_of(snapshot, found, np.zeros(2, np.bool_), DueSince(), 0.0)
    assert {position_address(1): False, position_address(2): True} == {
        job.target: job.is_chain for job in made
    }


def placed(number, *, market=0, **fields):
    """A position on another side, or of another outcome."""
    address, data = position_row(number, market=market)
    row = take_positions([(address, data)])[0].copy()
    for name, value in fields.items():
        row[name] = value
    return address, row.tobytes()
