"""incentives/rules: what a trade earns."""

import pytest

from incentives.lines import Anomaly, BoostedTrade, Code, Transfer
from incentives.parameters import Parameters, Rules
from tests.incentives.told_events import Telling
from tests.incentives.told_lines import MMT, USD, amounts, begun, fold, found, name, of_type


def test_a_first_trade_earns_two_mmt_per_hundred_dollars_at_its_qualifying_slot():
    told = Telling()
    lines = fold([told.genesis(), told.opened("ann", "p", notional=1_000 * USD)], to=1_010)
    [boosted] = found(lines, Code.TRADE_BOOSTED)
    assert (20 * MMT, 1_010) == (boosted.amount, boosted.slot)
    assert ("pot", f"wallet/{name('ann')}/accrued") == (boosted.debit, boosted.credit)
    assert BoostedTrade(1, boosted.cause, name("ann"), 1_000, is_voided=False) in lines


def test_the_trade_after_the_hundredth_earns_the_base_reward():
    told = Telling()
    lines = fold([*begun(told), told.opened("ann", "p", notional=250 * USD)], to=1_010)
    assert [2 * MMT] * 100 == amounts(lines, Code.TRADE_BOOSTED)
    assert [2_500_000_000] == amounts(lines, Code.TRADE)
    assert 100 == len(of_type(lines, BoostedTrade))


def test_nothing_is_paid_before_the_qualifying_slot_is_known_to_be_complete():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p")]
    assert not found(fold(events, to=1_008), Code.TRADE_BOOSTED)
    assert found(fold(events, to=1_009), Code.TRADE_BOOSTED)


def test_of_a_notional_ten_thousand_dollars_count_and_less_than_a_hundred_does_not():
    told = Telling()
    events = [
        *begun(told),
        told.opened("ann", "p", notional=10_001 * USD),
        told.opened("ann", "q", notional=100 * USD - 1),
    ]
    assert [100 * MMT] == amounts(fold(events, to=1_010), Code.TRADE)


def test_a_position_closed_a_slot_too_early_earns_nothing_and_uses_up_its_number():
    told = Telling()
    opened = [told.genesis(), told.opened("ann", "p")]
    early = fold([*opened, told.at(1_009).closed("ann", "p")], to=1_200)
    assert not found(early, Code.TRADE_BOOSTED)
    assert ["claim_voided"] == [line.kind for line in of_type(early, Anomaly)]
    assert [True] == [line.is_voided for line in of_type(early, BoostedTrade)]
    in_time = fold([*opened, told.at(1_010).closed("ann", "p")], to=1_200)
    assert [20 * MMT] == amounts(in_time, Code.TRADE_BOOSTED)
    assert not of_type(in_time, Anomaly)


@pytest.mark.parametrize("how", ["closed", "liquidated", "redeemed"])
def test_what_ends_before_the_dwell_earns_nothing(how):
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p", shares=500)]
    told.at(1_005)
    end = {
        "closed": lambda: told.closed("ann", "p"),
        "liquidated": lambda: told.liquidated(("p", 300, 200)),
        "redeemed": lambda: told.redeemed("ann", "p"),
    }[how]
    lines = fold([*events, end()], to=1_200)
    assert not found(lines, Code.TRADE_BOOSTED)
    [anomaly] = of_type(lines, Anomaly)
    assert how in anomaly.reason


def test_a_position_that_shrinks_counts_for_the_part_still_held():
    told = Telling()
    events = [
        told.genesis(),
        told.opened("ann", "p", notional=1_000 * USD, shares=3),
        told.at(1_004).liquidated(("p", 1, 0)),
    ]
    lines = fold(events, to=1_200)
    [boosted] = found(lines, Code.TRADE_BOOSTED)
    assert 666_666_666 * 10 * 2 == boosted.amount
    assert {"held_shares": "2", "counted_notional": "666666666"} == boosted.inputs
    assert ["claim_reduced"] == [line.kind for line in of_type(lines, Anomaly)]


def test_a_part_still_held_below_a_hundred_dollars_is_no_trade():
    told = Telling()
    events = [
        told.genesis(),
        told.opened("ann", "p", notional=150 * USD, shares=3),
        told.at(1_004).closed("ann", "p", shares_left=1),
    ]
    lines = fold(events, to=1_200)
    assert not found(lines, Code.TRADE_BOOSTED)
    assert ["claim_reduced", "claim_voided"] == [line.kind for line in of_type(lines, Anomaly)]


def test_an_account_opened_again_within_the_dwell_is_another_trade():
    told = Telling()
    events = [
        told.genesis(),
        told.opened("ann", "p"),
        told.at(1_003).closed("ann", "p"),
        told.opened("ann", "p", notional=200 * USD),
    ]
    assert [4 * MMT] == amounts(fold(events, to=1_200), Code.TRADE_BOOSTED)


def test_a_chains_arbitrage_is_no_trade_and_its_holdings_end_none():
    told = Telling()
    events = [
        told.genesis(),
        told.opened("ann", "chain", holding=1),
        told.opened("ann", "chain", notional=300 * USD),
        told.at(1_003).closed("ann", "chain", holding=1),
        told.redeemed("ann", "chain", holding=2),
    ]
    assert [6 * MMT] == amounts(fold(events, to=1_200), Code.TRADE_BOOSTED)


def test_an_event_is_judged_by_the_rules_of_its_own_slot_and_accrues_in_the_epoch_where_it_qualifies():
    told = Telling()
    versions = (Rules(), Rules(from_epoch=1, trade_reward_ppm=20_000))
    parameters = Parameters(epoch_slots=100, dwell_slots=10, versions=versions)
    events = [*begun(told), told.at(1_099).opened("ann", "p"), told.at(1_100).opened("ann", "q")]
    lines = fold(events, to=1_199, parameters=parameters)
    trades = [(t.rules_version, t.epoch, t.amount) for t in found(lines, Code.TRADE)]
    assert [(1, 1, 10 * MMT), (2, 1, 20 * MMT)] == trades


def test_rules_without_boosted_trades_have_no_bootstrap():
    told = Telling()
    parameters = Parameters(epoch_slots=100, dwell_slots=10, versions=(Rules(boosted_trades=0),))
    events = [
        told.genesis(),
        told.opened("ann", "p"),
        told.added("max", 1_000, value=432_000_000, improvement_bps=10),
    ]
    lines = fold(events, to=1_099, parameters=parameters)
    assert {Code.TRADE, Code.MAKER, Code.MINING} <= {line.code for line in of_type(lines, Transfer)}
    assert [100_000] == amounts(lines, Code.MINING)
    assert not of_type(lines, BoostedTrade)


def test_a_close_that_leaves_all_shares_is_no_loss():
    told = Telling()
    events = [
        told.genesis(),
        told.opened("ann", "p", shares=9),
        told.at(1_002).closed("ann", "p", 9),
    ]
    assert not of_type(fold(events, to=1_010), Anomaly)


def test_a_numbered_trade_below_what_the_rules_count_has_used_up_its_number():
    told = Telling()
    rules = Rules(notional_min=500 * USD)
    parameters = Parameters(epoch_slots=100, dwell_slots=10, versions=(rules,))
    events = [told.genesis(), told.opened("ann", "p", notional=499 * USD)]
    lines = fold(events, to=1_099, parameters=parameters)
    assert [True] == [line.is_voided for line in of_type(lines, BoostedTrade)]
    assert not found(lines, Code.TRADE_BOOSTED)
