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


def play(fallen_to_e6, inventory_cost=0):
    """One position of 2,000 shares that owes $900, and a price at which no pool pays more than the oracle's.

    Where the vault has taken the shares, they are worth 20 cents each in the end.
    """
    rows = np.zeros(1, POSITION_DTYPE)
    rows["market"], rows["debt"], rows["shares"] = bytes(MARKET), DEBT, 2_000 * USD
    rows["margin"], rows["margin_bps"] = 100 * USD, 500
    posted = event(EventKind.PRICES_UPDATED, {}, ({"price_e6": fallen_to_e6, "band_e6": 1_000},))
    sale = event(EventKind.POSITIONS_LIQUIDATED, {}, ({"position": POSITION},))
    pool = SimpleNamespace(
        liquidity=10**12,
        q=-(10**12),
        inventory={Side.YES: 2_000 * USD if inventory_cost else 0},
        inventory_cost=(inventory_cost, 0),
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
        "truths": [200_000],
    }
    return (landing("p", 10, events=(posted,)), landing("s", 12, events=(sale,))), kept


def judged(mine, lost, theirs, rival_lost):
    landings, kept = mine
    their_landings, their_kept = theirs
    found = judge(
        replace(
            WELL,
            landings=landings,
            kept=kept,
            vault_after=replace(WELL.vault_before, bad_debt=lost),
            rival=Rival(landings=their_landings, bad_debt=rival_lost, kept=their_kept),
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
    figures, verdicts = judged(play(price_e6), least, play(price_e6), least + 1)
    assert figures["least bad debt of any keeper"] == least
    assert figures["least bad debt in that play"] == least
    assert verdicts["bad debt"].passed
    slots = "slots from a market's first unhealthy price on chain to its last liquidation"
    assert verdicts[slots].seen == "2 slots"


def test_more_than_the_bound_beyond_the_least_is_missed():
    least = DEBT - 2_000 * 300_000
    _, verdicts = judged(play(300_000), least + DEBT // 99, play(300_000), DEBT)
    assert not verdicts["bad debt"].passed


def test_who_books_little_and_has_the_vault_buy_dearly_costs_it_as_much():
    sold_late, sold_early = DEBT - 2_000 * 300_000, DEBT - 2_000 * 400_000
    cheaply, dearly = play(300_000, 2_000 * 300_000), play(400_000, 2_000 * 400_000)
    figures, verdicts = judged(cheaply, sold_late, dearly, sold_early)
    assert figures["lost in all"] == figures["lost in all in that play"] == DEBT - 2_000 * 200_000
    assert verdicts["lost in all"].passed
    _, verdicts = judged(cheaply, sold_late + 2 * USD, dearly, sold_early)
    assert not verdicts["lost in all"].passed


def test_what_nobody_has_liquidated_is_lost_as_well():
    landings, kept = play(300_000)
    left = landings, kept | {"left": 100 * USD}
    _, verdicts = judged(left, 0, play(300_000), 50 * USD)
    assert not verdicts["lost in all"].passed
