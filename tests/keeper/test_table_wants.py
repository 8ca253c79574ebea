"""keeper/table_wants.py: which addresses the chain shows to deserve a place in a table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import PAYER, PROGRAM, USD, market_address, market_row, position_address, position_row
from solders.pubkey import Pubkey

from keeper.batching import Desk
from keeper.snapshot import Snapshot, take_markets, take_positions
from keeper.table_wants import odds_bps, wanted_tables
from programs.addresses import global_address, vault_address
from programs.instructions import liquidate_header

DESK = Desk(program=PROGRAM, payer=PAYER.pubkey(), quote_mint=Pubkey(bytes([8] * 32)))
SLOT = 1_000
CAP = 10**9
FINE = {"debt": 38 * USD}
"""At a price of .5 and for 100 shares: 10 dollars, or 10 points, beyond debt and requirement. At 12 it were too far."""
SAFE = {"debt": 10 * USD}


def wanted(markets, positions=()):
    """`markets`: what each of them has lent, by number."""
    rows, addresses, _ = take_positions(list(positions))
    lending = [
        market_row(number, slot=SLOT, sigma_e6=10_000, debt=debt)
        for number, debt in markets.items()
    ]
    snapshot = Snapshot(
        slot=SLOT,
        global_=None,
        vault=None,
        markets=take_markets(lending)[0],
        positions=rows,
        addresses=addresses,
    )
    return wanted_tables(DESK, snapshot, CAP)


def header_of(number):
    metas = liquidate_header(PROGRAM, DESK.payer, DESK.tokens, market_address(number))
    return {meta.pubkey for meta in metas if not meta.is_signer}


def odds(cushion, *, shares=100 * USD, sigma_e6=10_000):
    figures = (np.array([float(figure)]) for figure in (cushion, shares, sigma_e6))
    return odds_bps(*figures).tolist()[0]


def test_a_platform_on_which_nobody_owes_anything_wants_nothing_yet():
    assert wanted({}) is None
    assert wanted({0: 0, 1: 0}, [position_row(1, debt=0)]) is None


def test_every_market_that_lends_gets_its_accounts_a_place_the_busiest_first():
    found = wanted({0: 5, 1: 0, 2: 9, 3: 7})
    assert [2, 3, 0] == [
        next(number for number in range(4) if market_address(number) in group)
        for group in found.groups
    ]
    for group, number in zip(found.groups, (2, 3, 0), strict=True):
        assert header_of(number) == {*found.shared, *group}
    assert vault_address(PROGRAM)[0] in found.shared
    assert (global_address(PROGRAM)[0], CAP) == (found.marker, found.rent_lamports_max)


def test_positions_near_their_liquidation_get_a_place_in_their_markets_table_the_nearest_first():
    found = wanted(
        {0: 9, 1: 5},
        [
            position_row(1, **FINE),
            position_row(2, **SAFE),
            position_row(3),  # under water
            position_row(4, market=1),
        ],
    )
    first, second = found.groups
    assert (position_address(3), position_address(1)) == first[-2:]
    assert position_address(2) not in first
    assert position_address(4) == second[-1]


def test_positions_without_debt_or_market_deserve_no_place():
    empty = position_row(1, debt=0, shares=0)  # its margin alone would make it due
    found = wanted({0: 9, 1: 5}, [empty, position_row(2, market=7)])
    assert header_of(0) | header_of(1) == {*found.shared, *found.groups[0], *found.groups[1]}


@pytest.mark.parametrize(
    ("cushion", "sigma_e6", "expected"),
    [
        (-1, 0, 10_000),  # due now, however still its market is
        (0, 0, 10_000),
        (8 * USD, 0, 0),
        # A hundred moves of one point: a deviation of ten points, 8 away. (10 / 8)^2 / 2
        (8 * USD, 10_000, 7_812),
        (20 * USD, 10_000, 1_250),
        (5 * USD, 10_000, 10_000),  # a bound above one says nothing
    ],
)
def test_the_odds_are_half_of_what_chebyshev_allows(cushion, sigma_e6, expected):
    assert expected == odds(cushion, sigma_e6=sigma_e6)


@settings(max_examples=25)
@given(
    near=st.integers(-(10**15), 10**15),
    further=st.integers(0, 10**15),
    shares=st.integers(0, 10**15),
    sigma_e6=st.integers(0, 10**6),
    livelier=st.integers(0, 10**6),
)
def test_the_odds_grow_with_moves_and_shrink_with_distance_and_are_odds(
    near, further, shares, sigma_e6, livelier
):
    here = odds(near, shares=shares, sigma_e6=sigma_e6)
    assert 0 <= odds(near + further, shares=shares, sigma_e6=sigma_e6) <= here <= 10_000
    assert here <= odds(near, shares=shares, sigma_e6=sigma_e6 + livelier)
