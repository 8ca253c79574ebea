"""incentives/rules: genesis, epochs, and the end of the season."""

from incentives.emission import emitted_between, emitted_by
from incentives.lines import Anomaly, BoostedTrade, Code, EpochClose, EventLine, Transfer
from incentives.parameters import Parameters, Rules
from programs.genesis import SINK_MMT, TREASURY_MMT
from tests.incentives.told_events import Telling, balances
from tests.incentives.told_lines import MMT, USD, amounts, begun, fold, name, of_type


def test_genesis_fills_the_sink_and_the_season():
    lines = fold([Telling().genesis()])
    assert isinstance(lines[0], EventLine)
    expected = {"mint": -SINK_MMT - TREASURY_MMT, "sink": SINK_MMT, "season": TREASURY_MMT}
    assert expected == balances(lines)


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
    assert ["claim_voided"] * 2 == [line.kind for line in of_type(lines, Anomaly)]
    assert [False, False, True, True] == [boosted.is_voided for boosted in _by_number(lines)]


def _by_number(lines):
    return sorted(of_type(lines, BoostedTrade), key=lambda line: line.trade_number)


def test_claims_that_come_to_exactly_the_pot_are_not_scaled():
    told = Telling()
    emitted = emitted_by(1_100, 1_000)
    rules = Rules(trade_reward_ppm=1_000, notional_max=10**15, boosted_trades=0)
    parameters = Parameters(epoch_slots=100, dwell_slots=10, versions=(rules,))
    for more, is_scaled in ((0, False), (1, True)):
        events = [told.genesis(), told.opened("ann", "p", notional=emitted + more)]
        [close] = of_type(fold(events, to=1_099, parameters=parameters), EpochClose)
        assert (is_scaled, emitted) == (close.is_scaled, close.allocations[0].amount)
        told = Telling()


def test_a_season_of_whole_epochs_ends_with_the_last_of_them():
    lines = fold([Telling().genesis(season_slots=200)], to=2_000)
    assert [1_100, 1_200] == [close.end_slot for close in of_type(lines, EpochClose)]


def test_after_the_season_what_has_no_number_leaves_its_event_alone():
    told = Telling()
    events = [told.genesis(season_slots=200), told.at(1_300).added("max", 5, value=10**9)]
    events.append(told.opened("ann", "p", notional=5))
    lines = fold(events)
    assert not of_type(lines, Anomaly)
    assert 3 == len(of_type(lines, EventLine))


def test_an_epoch_that_emits_no_whole_base_unit_closes_without_an_emission():
    lines = fold([Telling().genesis(season_slots=2**62)], to=1_099)
    [close] = of_type(lines, EpochClose)
    assert 0 == close.emitted
    assert not [line for line in of_type(lines, Transfer) if line.code is Code.EMISSION]
