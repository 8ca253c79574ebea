"""A keeper that misbehaves is caught: every rule of the judge, against deeds made up for it."""

from dataclasses import replace

import pytest

from keeper.drills.evidence import Evidence, Liquidated, Posted, Said
from keeper.drills.faults import Family
from keeper.drills.judge import REACTION_S, Leeway, judged_actions
from keeper.drills.model import Truth
from programs.accounts import Side

MARKET = "market"
LEEWAY = Leeway(slot_s=0.04, fresh_s=2.0)
POSTED = Posted(
    at_s=20.0,
    slot=500,
    signature="s",
    market=MARKET,
    price_e6=500_000,
    band_e6=5_000,
    price_class="valid",
    publish_slot=499,
)
LIQUIDATED = Liquidated(
    at_s=20.0,
    slot=500,
    signature="s",
    market=MARKET,
    side=Side.YES,
    price_e6=500_000,
    band_e6=5_000,
    price_class="valid",
    positions=1,
)


def truth(at_s, price_e6):
    return Truth(at_s=at_s, market=MARKET, price_e6=price_e6)


def said(at_s, price_e6, family=Family.STREAM):
    return Said(at_s=at_s, family=family, market=MARKET, price_e6=price_e6)


def fault(deed, truths, words=()):
    """What is bad about a deed; by default the stream has just said what is posted."""
    words = list(words) or [said(deed.at_s - 0.1, deed.price_e6)]
    evidence = Evidence(
        markets=[MARKET],
        phases=[],
        truths=truths,
        said=words,
        requests=[],
        heard=[],
        beliefs=[],
        notices=[],
        deeds=[deed],
        landed={},
        attempts=[],
        repeats=(),
        liquidated={},
        ledger_faults=[],
        exit_status=0,
        slot_at_start=0,
        took_s=0,
    )
    return judged_actions(evidence, LEEWAY)[0].bad


def test_a_post_of_the_truth_is_right():
    assert fault(POSTED, [truth(0, 500_000)]) is None


def test_a_post_within_its_band_and_a_tick_is_right_and_one_beyond_is_not():
    assert fault(POSTED, [truth(0, 506_000)]) is None
    assert "6001 from the truth, allowed 6000" in fault(POSTED, [truth(0, 506_001)])


def test_a_truth_lingers_for_the_reaction_time_and_no_longer():
    moved_s = 20.0 - REACTION_S
    assert fault(POSTED, [truth(0, 500_000), truth(moved_s + 0.01, 300_000)]) is None
    assert "from the truth" in fault(POSTED, [truth(0, 500_000), truth(moved_s - 0.01, 300_000)])


def test_a_degraded_post_may_be_as_old_as_the_table_allows_and_no_older():
    degraded = replace(POSTED, price_class="degraded", publish_slot=300)
    age_s = REACTION_S + 150 * LEEWAY.slot_s
    old = [said(20.0 - age_s, 500_000)]
    assert fault(degraded, [truth(0, 500_000), truth(20 - age_s + 0.1, 1)], old) is None
    assert fault(degraded, [truth(0, 500_000), truth(20 - age_s - 0.1, 1)], old)


@pytest.mark.parametrize("deed", [POSTED, LIQUIDATED])
def test_nothing_may_be_done_while_nobody_can_know(deed):
    assert "nobody could know" in fault(deed, [truth(0, 500_000), truth(5, None)])


def test_a_price_that_nobody_said_is_invented_even_when_it_is_true():
    words = [said(19.9, 499_000)]
    assert "no source had said" in fault(POSTED, [truth(0, 500_000)], words)


def test_a_price_that_was_said_too_long_ago_is_no_source_for_a_valid_post():
    words = [said(20 - REACTION_S - LEEWAY.fresh_s - 0.1, 500_000)]
    assert "no source had said" in fault(POSTED, [truth(0, 500_000)], words)


def test_what_gamma_alone_said_may_not_be_posted_as_valid():
    words = [said(19.9, 500_000, Family.GAMMA)]
    assert "only gamma had said" in fault(POSTED, [truth(0, 500_000)], words)
    degraded = replace(POSTED, price_class="degraded")
    assert fault(degraded, [truth(0, 500_000)], words) is None


def test_a_cached_price_stamped_with_the_present_is_younger_than_its_source():
    degraded = replace(POSTED, price_class="degraded")
    words = [said(14.0, 500_000)]
    assert "younger than any source's word" in fault(degraded, [truth(0, 500_000)], words)
    assert fault(replace(degraded, publish_slot=350), [truth(0, 500_000)], words) is None


def test_a_price_beyond_the_chains_range_is_posted_at_its_edge():
    edge = replace(POSTED, price_e6=999_000)
    assert fault(edge, [truth(0, 999_500)], [said(19.9, 999_500)]) is None


def test_a_liquidation_is_bad_only_where_the_chains_price_hurts_the_trader():
    assert fault(LIQUIDATED, [truth(0, 400_000)]) is None, "the truth is worse for YES"
    assert "worse for the trader" in fault(LIQUIDATED, [truth(0, 600_000)])
    short = replace(LIQUIDATED, side=Side.NO)
    assert fault(short, [truth(0, 600_000)]) is None
    assert "liquidated NO" in fault(short, [truth(0, 400_000)])


def test_a_chain_on_its_way_is_granted_the_slots_of_its_clamp():
    truths = [truth(0, 500_000), truth(20 - REACTION_S - 50 * LEEWAY.slot_s + 0.1, 700_000)]
    assert fault(LIQUIDATED, truths) is None
    assert fault(replace(LIQUIDATED, at_s=20.2), truths)


def test_what_the_script_delays_is_granted_on_top():
    late = replace(LEEWAY, venue_lag_s=2.0)
    assert late.window_s("valid") == LEEWAY.window_s("valid") + 2
    assert late.said_s("degraded") == LEEWAY.said_s("degraded") + 2
