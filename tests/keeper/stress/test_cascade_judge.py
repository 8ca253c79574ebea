"""What a cascade is judged by: each play beside the least of its own."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from solders.pubkey import Pubkey

from keeper.stress.evidence import Rival
from keeper.stress.scenarios.cascade_judge import judge
from programs.accounts import Side
from programs.event_layout import EventKind
from programs.layout import POSITION_DTYPE
from tests.keeper.stress.test_stress_verdicts import WELL, event, landing

MARKET, POSITION = Pubkey([7] * 32), Pubkey([8] * 32)
USD = 10**6
DEBT = 900 * USD


def play(fallen_to_e6):
    """One position of 2,000 shares that owes $900, and a price at which no pool pays more than the oracle's."""
    rows = np.zeros(1, POSITION_DTYPE)
    rows["market"], rows["debt"], rows["shares"] = bytes(MARKET), DEBT, 2_000 * USD
    rows["margin"], rows["margin_bps"] = 100 * USD, 500
    posted = event(EventKind.PRICES_UPDATED, {}, ({"price_e6": fallen_to_e6, "band_e6": 1_000},))
    sale = event(EventKind.POSITIONS_LIQUIDATED, {}, ({"position": POSITION},))
    pool = SimpleNamespace(
        liquidity=10**12, q=-(10**12), inventory={Side.YES: 0}, inventory_cost=(0,), price_e6=0
    )
    market = SimpleNamespace(market_id=1, pools=[pool])
    kept = {
        "positions": rows,
        "markets": {MARKET: market},
        "pools": {10: {MARKET: pool}},
        "slot": 10,
        "left": 0,
        "users": 1,
        "leverage": 10,
        "after": [market],
    }
    return (landing("p", 10, events=(posted,)), landing("s", 12, events=(sale,))), kept


def judged(fallen_to_e6, lost, rival_fell_to_e6, rival_lost):
    landings, kept = play(fallen_to_e6)
    theirs, their_kept = play(rival_fell_to_e6)
    found = judge(
        replace(
            WELL,
            landings=landings,
            kept=kept,
            vault_after=replace(WELL.vault_before, bad_debt=lost),
            rival=Rival(landings=theirs, bad_debt=rival_lost, kept=their_kept),
        ),
        slots_late_max=8.0,
        lane_slots_max=10.0,
        beyond_percent=1.0,
    )
    figures = {each.name: each.value for each in found.measures}
    verdicts = {each.expected.partition(" at most")[0]: each for each in found.verdicts}
    return figures, verdicts


@pytest.mark.parametrize("price_e6", [300_000, 400_000])
def test_the_least_is_what_the_oracles_price_leaves_of_the_debt(price_e6):
    least = DEBT - 2_000 * price_e6
    figures, verdicts = judged(price_e6, least, price_e6, least + 1)
    assert figures["least bad debt of any keeper"] == least
    assert figures["least bad debt in that play"] == least
    assert verdicts["bad debt"].passed
    assert verdicts["bad debt beyond the least"].passed
    slots = "slots from a market's first unhealthy price on chain to its last liquidation"
    assert verdicts[slots].seen == "2 slots"


def test_more_than_the_bound_beyond_the_least_is_missed():
    least = DEBT - 2_000 * 300_000
    _, verdicts = judged(300_000, least + DEBT // 99, 300_000, DEBT)
    assert not verdicts["bad debt"].passed


def test_each_keeper_is_held_against_the_least_of_its_own_play():
    mine, theirs = DEBT - 2_000 * 300_000, DEBT - 2_000 * 400_000
    # In all it lost more than the rival did, for its world fell further; beyond the least it lost less.
    _, verdicts = judged(300_000, mine + 10 * USD, 400_000, theirs + 20 * USD)
    assert verdicts["bad debt beyond the least"].passed
    _, verdicts = judged(300_000, mine + 30 * USD, 400_000, theirs + 20 * USD)
    assert not verdicts["bad debt beyond the least"].passed


def test_two_plays_that_differ_by_roundings_tell_no_keeper_from_the_other():
    least = DEBT - 2_000 * 300_000
    _, verdicts = judged(300_000, least + USD // 2, 300_000, least)
    assert verdicts["bad debt beyond the least"].passed
