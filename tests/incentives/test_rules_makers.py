"""incentives/rules: what liquidity earns."""

from incentives.lines import Anomaly, Code
from incentives.parameters import Parameters, Rules
from tests.incentives.told_events import Telling
from tests.incentives.told_lines import MMT, USD, amounts, begun, fold, found, of_type


def test_a_maker_earns_the_value_added_times_the_improvement_twice_during_the_bootstrap():
    told = Telling()
    events = [told.genesis(), told.added("max", 5_000, value=1_000 * USD, improvement_bps=250)]
    lines = fold(events, to=1_010)
    assert [1_000 * 10**7 * 250 // 10_000 * 2] == amounts(lines, Code.MAKER_BOOSTED)


def test_a_deposit_in_the_slot_of_trade_100_is_early_and_one_slot_later_is_not():
    told = Telling()
    events = [
        *begun(told),
        told.added("max", 5_000, value=1_000 * USD, improvement_bps=10),
        told.at(1_001).added("max", 5_000, value=1_000 * USD, improvement_bps=10),
        told.added("max", 5_000, value=1_000 * USD, improvement_bps=0),
    ]
    lines = fold(events, to=1_020)
    assert [20 * MMT // 1_000] == amounts(lines, Code.MAKER_BOOSTED)
    assert [10 * MMT // 1_000] == amounts(lines, Code.MAKER)


def test_a_deposit_removed_before_its_dwell_earns_nothing_the_newest_first():
    told = Telling()
    events = [
        *begun(told),
        told.at(1_001).added("max", 5_000, value=1_000 * USD, improvement_bps=10),
        told.at(1_006).added("max", 4_000, value=1_000 * USD, improvement_bps=20),
        told.at(1_012).removed("max", 3_000),
    ]
    lines = fold(events, to=1_020)
    assert [10_000_000, 5_000_000] == amounts(lines, Code.MAKER)
    assert ["claim_reduced"] == [line.kind for line in of_type(lines, Anomaly)]


def test_liquidity_mines_its_value_for_every_slot_that_it_is_there():
    told = Telling()
    value = 432 * USD
    events = [
        *begun(told),
        told.at(1_020).added("max", 1_000, value),
        told.at(1_060).removed("max", 1_000),
    ]
    [mined] = found(fold(events, to=1_100), Code.MINING)
    assert value * 40 * 1_000 // (1_000 * 432_000) == mined.amount
    assert ("epoch:0", 1_100, 0) == (mined.cause, mined.slot, mined.epoch)
    assert {"value_slots": str(value * 40), "bootstrap_value_slots": "0"} == mined.inputs


def test_mining_goes_on_over_epochs_and_doubles_up_to_the_slot_of_trade_100():
    told = Telling()
    value = 432_000_000
    events = [told.genesis(), told.added("max", 1_000, value)]
    told.at(1_150)
    events += [told.opened("ann", f"p{i}") for i in range(100)]
    lines = fold(events, to=1_299)
    sums = [
        (int(m.inputs["value_slots"]) // value, int(m.inputs["bootstrap_value_slots"]) // value)
        for m in found(lines, Code.MINING)
    ]
    assert [(100, 100), (100, 51), (100, 0)] == sums
    assert [200_000, 151_000, 100_000] == amounts(lines, Code.MINING)


def test_what_has_not_dwelt_at_a_close_mines_all_its_slots_in_the_next_epoch():
    told = Telling()
    value = 432_000_000
    events = [*begun(told), told.at(1_095).added("max", 1_000, value)]
    lines = fold(events, to=1_199)
    assert [105_000] == amounts(lines, Code.MINING)
    assert [1] == [m.epoch for m in found(lines, Code.MINING)]


def test_slots_are_paid_by_the_rules_of_their_own_epoch():
    told = Telling()
    value = 432_000_000
    versions = (Rules(), Rules(from_epoch=1, mining_rate_ppm=10_000))
    parameters = Parameters(epoch_slots=100, dwell_slots=10, versions=versions)
    events = [*begun(told), told.at(1_095).added("max", 1_000, value)]
    lines = fold(events, to=1_199, parameters=parameters)
    mined = [(m.rules_version, m.amount) for m in found(lines, Code.MINING)]
    assert [(1, 5_000), (2, 1_000_000)] == mined


def test_a_resolution_ends_mining_and_voids_what_had_not_dwelt():
    told = Telling()
    value = 432_000_000
    events = [
        *begun(told),
        told.added("max", 1_000, value),
        told.at(1_045).added("max", 1_000, value, improvement_bps=100),
        told.at(1_050).resolved(),
        told.at(1_070).removed("max", 2_000),
    ]
    lines = fold(events, to=1_199)
    assert [51_000] == amounts(lines, Code.MINING)  # slot 1_000 counts twice
    assert not found(lines, Code.MAKER)
    assert ["claim_voided"] == [line.kind for line in of_type(lines, Anomaly)]


def test_an_improvement_of_one_basis_point_counts():
    told = Telling()
    lines = fold(
        [*begun(told), told.at(1_001).added("max", 5, value=10_000, improvement_bps=1)], to=1_020
    )
    assert [10] == amounts(lines, Code.MAKER)


def test_a_deposit_in_a_resolved_market_is_void():
    told = Telling()
    lines = fold([told.genesis(), told.resolved(), told.added("max", 5, value=10**9)], to=1_199)
    assert ["claim_voided"] == [line.kind for line in of_type(lines, Anomaly)]
    assert not found(lines, Code.MINING)


def test_liquidity_that_nobody_brought_is_an_anomaly_when_it_leaves():
    told = Telling()
    lines = fold([told.genesis(), told.added("max", 5, value=5), told.at(1_200).removed("max", 7)])
    [anomaly] = of_type(lines, Anomaly)
    assert ("unknown_liquidity", True) == (anomaly.kind, "removed 2 more" in anomaly.reason)
