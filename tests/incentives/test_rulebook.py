"""incentives/rules/rulebook.py: what each rule pays, by examples."""

import pytest
from solders.pubkey import Pubkey

from incentives.emission import emitted_between, emitted_by
from incentives.lines import Anomaly, BoostedTrade, Code, EpochClose, EventLine, Transfer
from incentives.parameters import Parameters, Rules
from incentives.roots import roots_of
from incentives.rules.errors import RulebookError
from incentives.rules.rulebook import Rulebook
from programs.events import MalformedEventError
from programs.genesis import SINK_MMT, TREASURY_MMT
from tests.incentives.told_events import Telling, address, balances

MMT = 10**9
USD = 10**6
SMALL = Parameters(epoch_slots=100, dwell_slots=10)


def name(wallet):
    return str(Pubkey.from_bytes(address(wallet)))


def fold(events, to=None, parameters=SMALL):
    rulebook = Rulebook(parameters)
    lines = [line for event in events for line in rulebook.take(event)]
    if to is not None:
        lines += rulebook.pass_slot(to)
    return lines


def found(lines, *codes):
    return [line for line in lines if isinstance(line, Transfer) and line.code in codes]


def amounts(lines, *codes):
    return [line.amount for line in found(lines, *codes)]


def of_type(lines, kind):
    return [line for line in lines if isinstance(line, kind)]


def begun(told):
    """Genesis, and a hundred trades of one wallet: the bootstrap is over."""
    yield told.genesis()
    for i in range(100):
        yield told.opened("early", f"early {i}", notional=100 * USD)


def test_genesis_fills_the_sink_and_the_season():
    lines = fold([Telling().genesis()])
    assert isinstance(lines[0], EventLine)
    expected = {"mint": -SINK_MMT - TREASURY_MMT, "sink": SINK_MMT, "season": TREASURY_MMT}
    assert expected == balances(lines)


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


def test_an_event_is_judged_by_the_rules_of_its_own_slot_and_accrues_in_the_epoch_where_it_qualifies():
    told = Telling()
    versions = (Rules(), Rules(from_epoch=1, trade_reward_ppm=20_000))
    parameters = Parameters(epoch_slots=100, dwell_slots=10, versions=versions)
    events = [*begun(told), told.at(1_099).opened("ann", "p"), told.at(1_100).opened("ann", "q")]
    lines = fold(events, to=1_199, parameters=parameters)
    trades = [(t.rules_version, t.epoch, t.amount) for t in found(lines, Code.TRADE)]
    assert [(1, 1, 10 * MMT), (2, 1, 20 * MMT)] == trades


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


def test_an_epochs_pot_is_what_it_emits_and_what_is_left_rolls_over():
    told = Telling()
    lines = fold([told.genesis(), told.opened("ann", "p")], to=1_199)
    first, second = of_type(lines, EpochClose)
    emitted = emitted_by(1_100, 1_000)
    assert (0, emitted, False) == (first.rolled_over, first.emitted, first.is_scaled)
    assert (emitted - 20 * MMT, emitted_between(1_100, 1_200, 1_000)) == (
        second.rolled_over,
        second.emitted,
    )
    [allocation] = first.allocations
    assert (name("ann"), 20 * MMT) == (allocation.wallet, allocation.amount)
    assert 20 * MMT == balances(lines)[f"wallet/{name('ann')}/payable"]


def test_claims_beyond_the_pot_are_scaled_so_that_the_parts_sum_to_it():
    told = Telling()
    events = [
        *begun(told),
        *(told.opened(f"w{i}", f"p{i}", notional=10_000 * USD) for i in range(300)),
    ]
    lines = fold(events, to=1_099)
    [close] = of_type(lines, EpochClose)
    assert close.is_scaled
    assert close.emitted == sum(allocation.amount for allocation in close.allocations)
    assert 0 == balances(lines)["pot"]


def test_a_wallets_claims_are_floored_once_for_the_epoch():
    told = Telling()
    rules = Rules(trade_reward_ppm=1)
    parameters = Parameters(epoch_slots=100, dwell_slots=10, versions=(rules,))
    notional = 100 * USD + 600
    events = [
        *begun(told),
        told.opened("ann", "p", notional=notional),
        told.opened("ann", "q", notional=notional),
    ]
    lines = fold(events, to=1_099, parameters=parameters)
    assert [100_000, 100_000] == amounts(lines, Code.TRADE)
    assert [1] == amounts(lines, Code.ROUNDING)
    assert 200_001 in amounts(lines, Code.ALLOCATION)


def test_a_season_ends_with_what_is_unspent_and_nothing_accrues_after_it():
    told = Telling()
    events = [
        told.genesis(season_slots=250),
        told.opened("ann", "p"),
        told.at(1_239).opened("ann", "in time"),
        told.at(1_240).opened("ann", "too late"),
        told.at(1_300).opened("ann", "after"),
        told.added("max", 1_000, 10**9, improvement_bps=5),
    ]
    lines = fold(events, to=2_000)
    assert [1_100, 1_200, 1_250] == [close.end_slot for close in of_type(lines, EpochClose)]
    assert [20 * MMT] * 2 == amounts(lines, Code.TRADE_BOOSTED)
    sums = balances(lines)
    assert (0, 0) == (sums["season"], sums["pot"])
    assert TREASURY_MMT - 40 * MMT == sums["unspent"]
    assert [False, False, True, True] == [boosted.is_voided for boosted in _by_number(lines)]


def _by_number(lines):
    return sorted(of_type(lines, BoostedTrade), key=lambda line: line.trade_number)


def _posted(lines, told, epoch=0, parameters=SMALL):
    """The events that post the root of a closed epoch, and pay its leaves."""
    [close] = [line for line in of_type(lines, EpochClose) if line.epoch == epoch]
    [tree] = roots_of(close, parameters.epoch_slots)
    place, leaves = (tree.epoch, tree.index), tree.rewards
    posted = told.posted(*place, tree.root, len(leaves), tree.total)
    paid = told.paid(
        *place, [(i, bytes(leaf.wallet), leaf.amount) for i, leaf in enumerate(leaves)]
    )
    return posted, paid


def test_a_root_of_ours_moves_payable_to_in_flight_and_its_payment_to_paid():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p"), told.opened("bob", "q", notional=200 * USD)]
    posted, paid = _posted(fold(events, to=1_099), told.at(1_110))
    sums = balances(fold([*events, posted]))
    assert (0, 20 * MMT) == (
        sums[f"wallet/{name('ann')}/payable"],
        sums[f"wallet/{name('ann')}/in_flight"],
    )
    lines = fold([*events, posted, paid])
    sums = balances(lines)
    assert (0, 4 * MMT) == (
        sums[f"wallet/{name('bob')}/in_flight"],
        sums[f"wallet/{name('bob')}/paid"],
    )
    assert not of_type(lines, Anomaly)


def test_a_root_that_nobody_here_computed_is_an_anomaly_and_what_it_pays_is_unexplained():
    told = Telling()
    events = [
        told.genesis(),
        told.opened("ann", "p"),
        told.at(1_110).posted(0, 0, address("another root"), 1, 5),
        told.paid(0, 0, [(0, address("eve"), 5)]),
    ]
    lines = fold(events, to=1_199)
    assert ["unknown_root", "foreign_payout"] == [line.kind for line in of_type(lines, Anomaly)]
    assert [5] == amounts(lines, Code.FOREIGN_PAYOUT)
    sums = balances(lines)
    assert (5, 20 * MMT) == (sums["unexplained"], sums[f"wallet/{name('ann')}/payable"])
    assert (
        sums["pot"]
        == of_type(lines, EpochClose)[-1].emitted + of_type(lines, EpochClose)[-1].rolled_over
    )


def test_a_leaf_is_paid_once_and_the_same_leaf_again_is_foreign():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p"), told.opened("bob", "q", notional=200 * USD)]
    posted, paid = _posted(fold(events, to=1_099), told.at(1_110))
    again = told.paid(0, 0, [(0, address("ann"), 20 * MMT)])
    lines = fold([*events, posted, paid, again])
    assert [4 * MMT, 20 * MMT] == sorted(amounts(lines, Code.PAYOUT))
    assert [20 * MMT] == amounts(lines, Code.FOREIGN_PAYOUT)


def test_claims_at_the_limits_of_u64_are_recorded_exceptions_and_invent_nothing():
    told = Telling()
    most = 2**64 - 1
    events = [
        told.genesis(),
        told.opened("ann", "p", notional=most, shares=most),
        *(told.added(f"max {i}", most, value=most, improvement_bps=1_000) for i in range(3)),
    ]
    lines = fold(events, to=1_099)
    assert [200 * MMT] == amounts(lines, Code.TRADE_BOOSTED)
    assert "claim_beyond_limit" in [line.kind for line in of_type(lines, Anomaly)]
    assert all(line.amount < 2**63 for line in of_type(lines, Transfer))
    [close] = of_type(lines, EpochClose)
    assert close.emitted == sum(allocation.amount for allocation in close.allocations)


def test_an_event_delivered_twice_or_late_is_refused_and_changes_nothing():
    told = Telling()
    genesis, opened = told.genesis(), told.opened("ann", "p")
    rulebook = Rulebook(SMALL)
    for event in (genesis, opened):
        list(rulebook.take(event))
    before = rulebook.to_json()
    for event in (genesis, opened):
        with pytest.raises(RulebookError, match="once, in the chain's order"):
            list(rulebook.take(event))
    assert before == rulebook.to_json()
    list(rulebook.pass_slot(1_004))
    with pytest.raises(RulebookError, match="from slot 1005 on"):
        list(rulebook.take(told.at(1_004).closed("ann", "p")))


def test_a_missing_trade_number_is_refused():
    told = Telling()
    events = [told.genesis(), told.opened("ann", "p")]
    told.trades += 1
    with pytest.raises(RulebookError, match="found trade number 3 at slot 1000, expected 2"):
        fold([*events, told.opened("bob", "q")])


def test_events_without_a_genesis_and_a_second_genesis_are_refused():
    with pytest.raises(RulebookError, match="genesis first"):
        fold([Telling().opened("ann", "p")])
    told = Telling()
    with pytest.raises(RulebookError, match="one genesis only"):
        fold([told.genesis(), told.genesis()])


def test_bytes_of_another_version_are_refused():
    told = Telling()
    event = told.genesis()
    other = type(event)(event.place, event.signature, b"\2" + event.payload[1:])
    with pytest.raises(MalformedEventError, match="found 0201"):
        fold([other])
