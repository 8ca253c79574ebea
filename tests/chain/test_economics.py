"""The short form of `python -m bench.economics`: a jump, what the rules are worth, and attacks."""

import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from bench.economics.attacks import liquidations
from bench.economics.attacks.ground import Ground
from bench.economics.attacks.registry import ATTACKS, PROGRAM_ATTACKS, attempt
from bench.economics.jump import (
    LIQUIDITY,
    START_E6,
    USD,
    VAULT,
    Arbitrage,
    Crowd,
    fill,
    jump,
    keep,
    open_book,
)
from bench.economics.markdown import dollars
from bench.economics.model import RefusedError
from bench.economics.pushed import LATE_SLOTS, pushed
from bench.economics.rules import ALL_RULES, NO_RULES, WITHOUT
from bench.economics.study import EVERY
from bench.economics.svg import Panel, bar_chart, line_charts
from bench.economics.twin import POINT_E6
from programs.curve import Side

PAGE = Path(__file__).parents[2] / "docs/economics.md"
MODEL = Ground(has_chain=False)


@pytest.fixture(scope="module", params=LIQUIDITY, ids=["L 100k", "L 1M"])
def worst(request):
    """Everybody wrong by thirty points and the pool at the news at once, through program and model."""
    book = open_book(request.param, Crowd.ONE_SIDED, has_chain=True)
    return jump(book, 30, Arbitrage.AHEAD)  # asserts in every slot that the two agree


def test_a_jump_of_thirty_points_costs_the_vault_at_most_six_percent(worst):
    assert (worst.positions, worst.liquidated) == (100, 100)
    assert 0 < worst.loss_bps <= 600
    assert worst.loss == worst.bad_debt + worst.inventory_cost - worst.inventory_value


@pytest.mark.parametrize("seed", range(3))
def test_model_and_program_agree_on_batches_of_every_kind_in_any_order(seed):
    """Of leverage 2 to 20, a point around where the cap binds: healthy, partial, whole, underwater, and listed twice."""
    chance = Random(seed)
    twin = Ground().found(LIQUIDITY[1], 900_000)
    numbers = []
    for multiple in chance.choices((2, 3, 10, 20), (4, 1, 1, 1), k=14):
        twin.trade_to("arbitrageur", 900_000 + chance.choice((-2_000, 0, 0, 4_000)))
        margin = chance.randrange(4, 400) * USD // (multiple - 1)
        numbers.append(twin.open("YES", Side.YES, margin, multiple))
    numbers.append(twin.open("NO", Side.NO, 20 * USD, 2))
    oracle_e6 = chance.choice((469_000, 471_000, 471_800, 474_000))
    while twin.model.price_e6 != oracle_e6:
        for _ in range(5):
            twin.next_slot()
        twin.post(oracle_e6)
    twin.trade_to("arbitrageur", oracle_e6 + chance.choice((-60_000, -1_000, 5_000, 60_000)))
    for _ in range(3):
        batch = chance.sample(numbers, 12)
        with suppress(RefusedError):
            twin.liquidate("keeper", batch + batch[:2])
        twin.compare()
        twin.next_slot()
    twin.audit()


def test_the_page_tells_what_that_jump_costs(worst):
    (row,) = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| one-sided")
        and f"| {dollars(worst.liquidity, 0)} " in line
        and "| to the news " in line
        and "$" not in line.split("|")[4]
    ]
    assert row[-1] == str(worst.loss_bps)


def test_a_crowd_of_both_sides_loses_on_one_and_costs_half():
    book = open_book(LIQUIDITY[1], Crowd.MIXED, has_chain=False)
    result = jump(book, 30, Arbitrage.AHEAD)
    assert result.liquidated == 50
    assert result.loss_bps <= 300


def test_without_the_debt_cap_the_same_jump_costs_a_third_of_the_vault():
    rules = ALL_RULES.without("debt_cap")
    book = open_book(LIQUIDITY[1], Crowd.ONE_SIDED, rules=rules, has_chain=False)
    assert jump(book, 30, Arbitrage.AHEAD).loss_bps > 3_000


def test_without_the_clamp_following_the_oracle_is_as_bad_as_running_ahead_of_it():
    losses = []
    for rules in (ALL_RULES, ALL_RULES.without("price_clamp")):
        book = open_book(LIQUIDITY[1], Crowd.ONE_SIDED, rules=rules, has_chain=False)
        losses.append(jump(book, 30, Arbitrage.FOLLOW).loss_bps)
    assert losses[0] < 200
    assert losses[1] > 500


def test_no_rules_at_all_are_none_of_the_marked_ones():
    assert [getattr(NO_RULES, rule) for rule in WITHOUT] == [False] * len(WITHOUT)
    assert [getattr(ALL_RULES, rule) for rule in WITHOUT] == [True] * len(WITHOUT)


@pytest.fixture(scope="module", params=ATTACKS, ids=lambda attack: attack.__name__)
def best(request):
    """What the best of some variants of an attack earns, through program and model alike."""
    found = attempt(request.param, MODEL, every=EVERY)
    (variant,) = [variant for variant in request.param() if variant.name == found.best]
    assert variant.play(Ground()) == found.profit
    return found.profit


def test_no_attack_pays(best):
    assert best <= 0


@pytest.mark.parametrize(
    "attack",
    [liquidations.liquidate_oneself, liquidations.yes_and_no_through_a_fall],
    ids=lambda attack: attack.__name__,
)
def test_liquidating_oneself_would_pay_if_sales_did_not_repay_the_debt(attack):
    ground = Ground(rules=ALL_RULES.without("sales_repay"), has_chain=False)
    assert attempt(attack, ground, every=EVERY).profit > 0


@pytest.mark.parametrize("attack", PROGRAM_ATTACKS, ids=lambda attack: attack.__name__)
def test_no_attack_with_liquidity_stakes_or_chains_pays(attack):
    assert attempt(attack, Ground(), every=EVERY).profit <= 0


@pytest.mark.parametrize("buys_back", [False, True], ids=["left", "bought back"])
def test_an_update_beyond_the_reserve_pays_who_waited_for_it_less_than_the_vault_loses(buys_back):
    best = pushed(10.0, LATE_SLOTS, Ground(), buys_back=buys_back)
    assert 0 < best.profit < best.vault_loss < VAULT // 10


def test_what_the_inventory_took_at_the_oracles_price_is_an_even_bet():
    twin = MODEL.found(LIQUIDITY[1])
    fill(twin, [Side.YES] * 10, arbitrageur="trader")
    twin.next_slot()
    twin.post(START_E6 - POINT_E6)
    twin.trade_to("trader", START_E6 - 3 * POINT_E6)
    assert list(keep(twin))
    gains = []
    for move in (-2 * POINT_E6, 2 * POINT_E6):
        fork = twin.fork()
        fork.next_slot()
        fork.post(fork.model.price_e6 + move)
        fork.buy_inventory("anybody", Side.YES)
        gains.append(fork.model.vault_equity - VAULT)
    assert abs(gains[0]) > 400 * USD
    assert 0 <= sum(gains) <= 20, "roundings of the ten positions and of the sales, for the vault"


def test_an_update_within_the_reserve_pays_nobody():
    assert pushed(2.0, LATE_SLOTS, Ground(), buys_back=True).profit <= 0


def test_charts_are_well_formed_and_hold_every_point():
    panel = Panel(title="L < 1", xs=[2, 30], lines={"a & b": [0, 7], "c": [1, 578]})
    lines = ET.fromstring(line_charts("t", "x", "y", [panel, panel]))
    assert len(lines.findall(".//{*}polyline")) == 4
    bars = ET.fromstring(bar_chart("t", {"rule": (0, 5)}, ("with", "without")))
    assert len(bars.findall(".//{*}rect")) == 4
