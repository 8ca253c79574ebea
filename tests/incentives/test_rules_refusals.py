"""incentives/rules: what is refused or recorded as an exception."""

import pytest

from incentives.lines import Anomaly, Code, EpochClose, EventLine, Transfer
from incentives.parameters import Parameters, ParametersError, Rules
from incentives.rules.errors import RulebookError
from incentives.rules.rulebook import Rulebook
from incentives.sourced import SourcedEvent
from programs.event_layout import VAULT_SERIES, EventKind
from programs.events import MalformedEventError
from tests.incentives.told_events import Telling
from tests.incentives.told_lines import MMT, SMALL, amounts, fold, of_type


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


def test_a_position_opened_twice_shows_a_gap():
    told = Telling()
    with pytest.raises(RulebookError, match="which is open: an event is missing"):
        fold([told.genesis(), told.opened("ann", "p"), told.opened("ann", "p")])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"formula_version":0}', "found formula version 0, expected 1: recompute from the events"),
        ('{"formula_version":1}', "cannot be read: 'last'"),
    ],
)
def test_a_snapshot_of_something_else_is_refused(wrong, sentence):
    with pytest.raises(RulebookError, match=sentence):
        Rulebook.from_json(wrong, SMALL)


def test_a_snapshot_goes_on_with_versions_that_start_later_and_with_no_others():
    told = Telling()
    rulebook = Rulebook(SMALL)
    for event in (told.genesis(), told.at(1_205).opened("ann", "p")):
        list(rulebook.take(event))
    assert 2 == rulebook.epoch
    text = rulebook.to_json()
    later = Parameters(epoch_slots=100, dwell_slots=10, versions=(Rules(), Rules(from_epoch=3)))
    assert 2 == Rulebook.from_json(text, later).epoch
    now = Parameters(epoch_slots=100, dwell_slots=10, versions=(Rules(), Rules(from_epoch=2)))
    with pytest.raises(ParametersError, match="but epoch 2 has begun: let it start at 3"):
        Rulebook.from_json(text, now)


def test_a_genesis_of_another_budget_is_another_programs():
    told = Telling()
    genesis = told.event(EventKind.INITIALIZED, VAULT_SERIES, season_slots=5, treasury_mmt=7)
    with pytest.raises(RulebookError, match="found a genesis of 7 base units over 5 slots"):
        fold([genesis])


def test_price_updates_are_passed_over_and_records_that_are_cut_are_refused():
    told = Telling()
    lines = fold([told.genesis(), told.event(EventKind.PRICES_UPDATED, 0)], to=1_050)
    assert 1 == len(of_type(lines, EventLine))
    whole = told.liquidated(("p", 1, 0))
    for cut in (1, 120, 140):
        event = SourcedEvent(whole.place, whole.signature, whole.payload[:-cut])
        with pytest.raises(MalformedEventError, match="for POSITIONS_LIQUIDATED"):
            fold([Telling().genesis(), event])


def test_what_a_wallet_mines_beyond_the_limit_is_a_recorded_exception():
    told = Telling()
    most = 2**64 - 1
    rules = Rules(mining_rate_ppm=100_000)
    parameters = Parameters(epoch_slots=9_000, dwell_slots=10, versions=(rules,))
    lines = fold([told.genesis(), told.added("max", most, most)], to=10_000, parameters=parameters)
    [anomaly] = of_type(lines, Anomaly)
    assert ("claim_beyond_limit", "epoch:0") == (anomaly.kind, anomaly.cause)
    assert not of_type(lines, EpochClose)[0].allocations


def test_a_body_that_is_cut_is_refused():
    told = Telling()
    genesis, whole = told.genesis(), told.opened("ann", "p")
    event = SourcedEvent(whole.place, whole.signature, whole.payload[:-1])
    with pytest.raises(MalformedEventError, match="for POSITION_OPENED"):
        fold([genesis, event])


def test_a_snapshot_from_before_genesis_goes_on_with_it():
    rulebook = Rulebook.from_json(Rulebook(SMALL).to_json(), SMALL)
    assert -1 == rulebook.epoch
    assert list(rulebook.take(Telling().genesis()))


def test_events_that_no_rule_reads_are_recorded_alone():
    told = Telling()
    lines = fold([told.genesis(), told.event(EventKind.STAKED, VAULT_SERIES)])
    assert isinstance(lines[-1], EventLine)
