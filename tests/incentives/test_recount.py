"""The rules against an independent, slow count with fractions: to the base unit."""

from fractions import Fraction

from hypothesis import given, settings

from incentives.lines import EpochClose
from incentives.parameters import Parameters
from incentives.rules.rulebook import Rulebook
from tests.incentives.invented_history import PARAMETERS, cut_histories, histories
from tests.incentives.recount import Terms, recount
from tests.incentives.told_events import Telling

LAST_SLOT = 1_600


def terms_of(rules):
    return Terms(
        from_epoch=rules.from_epoch,
        least=rules.notional_min,
        most=rules.notional_max,
        mmt_per_dollar=Fraction(rules.trade_reward_ppm, 10**6),
        mining_rate=Fraction(rules.mining_rate_ppm, 10**6),
        boosted=rules.boosted_trades,
        trade_factor=rules.trade_multiplier,
        maker_factor=rules.maker_multiplier,
        mining_factor=rules.mining_multiplier,
        improvement_least=rules.improvement_min_bps,
    )


def allocated(events, parameters, through_slot):
    rulebook = Rulebook(parameters)
    lines = [line for event in events for line in rulebook.take(event)]
    lines += rulebook.pass_slot(through_slot)
    return {
        line.epoch: {each.wallet: each.amount for each in line.allocations if each.amount}
        for line in lines
        if isinstance(line, EpochClose)
    }


def counted_again(events, parameters, through_slot):
    return recount(
        events,
        through_slot,
        epoch_slots=parameters.epoch_slots,
        dwell=parameters.dwell_slots,
        versions=tuple(map(terms_of, parameters.versions)),
    )


@given(histories)
@settings(deadline=None, max_examples=40)
def test_an_independent_count_agrees_to_the_base_unit(events):
    first = allocated(events, PARAMETERS, LAST_SLOT)
    assert first == counted_again(events, PARAMETERS, LAST_SLOT)
    assert first


@given(cut_histories)
@settings(deadline=None, max_examples=40)
def test_an_independent_count_agrees_where_logs_are_cut(events):
    first = allocated(events, PARAMETERS, LAST_SLOT)
    assert first == counted_again(events, PARAMETERS, LAST_SLOT)


def test_a_season_under_the_specified_rules_agrees_to_the_base_unit():
    telling, events = Telling(slot=1_000), []
    events.append(telling.genesis(season_slots=60_000))
    for number in range(60):
        telling.at(1_000 + 130 * number)
        events.append(
            telling.opened(number % 7, f"position {number}", notional=(90 + 37 * number) * 10**6)
        )
        if number % 5 == 0:
            events.append(telling.added(number % 4, 1_000 + number, (number + 1) * 10**8, number))
        if number % 9 == 0:
            events.append(
                telling.closed(number % 7, f"position {number}", shares_left=number % 3 * 300)
            )
        if number % 11 == 0:
            events.append(telling.removed(number % 4, 700))
    parameters = Parameters()
    first = allocated(events, parameters, 20_000)
    assert len(first) == 2
    assert sum(len(epoch) for epoch in first.values()) >= 10
    assert first == counted_again(events, parameters, 20_000)
