"""How a source that lost its trust earns it back, and that nothing shortens it."""

import pytest
from believing import (
    AT_CLOB,
    AT_GAMMA,
    AT_STREAM,
    RULES,
    after,
    listed,
    polled,
    price_at,
    streamed,
    unsound,
)

from keeper.prices.fallback import lose, observe
from keeper.prices.judgement import judge
from keeper.prices.price import PriceClass, Reason, Source


def test_a_distrusted_stream_returns_after_three_polls_agree_with_it():
    state = after(streamed(500_000, 0), *(polled(560_000, at_s) for at_s in (1, 2, 3)))
    assert not state.sources[AT_STREAM].is_trusted
    state = after(streamed(561_000, 4), polled(560_000, 5), state=state)
    assert price_at(state, 5).source is Source.CLOB
    state = after(polled(560_000, 7), state=state)
    assert price_at(state, 7).source is Source.STREAM


def test_a_stream_that_is_back_is_on_probation_and_says_so():
    state = lose(after(streamed(500_000, 0)), AT_STREAM)
    assert state.sources[AT_STREAM].doubt is Reason.LOST
    state = after(streamed(500_000, 1), state=state)
    assert state.sources[AT_STREAM].doubt is Reason.PROBATION


def test_probes_within_one_slot_are_one_probe():
    state = lose(after(streamed(500_000, 0)), AT_STREAM)
    state = after(*(streamed(500_000, 1 + n / 100) for n in range(30)), state=state)
    assert not state.sources[AT_STREAM].is_trusted
    state = after(streamed(500_000, 2), streamed(500_000, 3), state=state)
    assert state.sources[AT_STREAM].is_trusted


@pytest.mark.parametrize(("pause_s", "is_back"), [(0.4, True), (0.399, False)])
def test_probes_a_whole_slot_apart_are_probes_of_their_own(pause_s, is_back):
    state = lose(after(polled(500_000, 0.0)), AT_CLOB)
    for number in range(3):
        state = observe(state, polled(500_000, number * pause_s), RULES)
    assert is_back == state.sources[AT_CLOB].is_trusted


def test_a_silent_poll_is_lost_and_returns_after_three_probes_that_agree_with_one_another():
    state = after(polled(500_000, 0))
    verdict = judge(state, RULES, 6.1)
    assert (verdict.price.price_class, verdict.price.source) == ("degraded", "last_good")
    assert verdict.state.sources[AT_CLOB].doubt is Reason.SILENT
    state = after(polled(580_000, 8), polled(500_000, 10), state=verdict.state)
    state = after(polled(501_000, 12), polled(502_000, 14), state=state)
    assert price_at(state, 14).price_class is PriceClass.DEGRADED
    state = after(polled(503_000, 16), state=state)
    assert price_at(state, 16).price_class is PriceClass.VALID


def test_a_source_alone_that_returns_after_hours_needs_three_probes_and_no_more():
    state = after(polled(500_000, 0))
    state = judge(state, RULES, 10_000).state
    state = after(polled(900_000, 10_000), polled(900_000, 10_002), state=state)
    assert price_at(state, 10_002).price_class is PriceClass.HALTED
    state = after(polled(900_000, 10_004), state=state)
    assert price_at(state, 10_004).price_class is PriceClass.VALID


def test_a_probe_without_a_price_begins_the_count_anew():
    state = lose(after(polled(500_000, 0)), AT_CLOB)
    words = [polled(500_000, 1), polled(500_000, 2), unsound(Source.CLOB, 3), polled(500_000, 4)]
    state = after(*words, polled(500_000, 5), state=state)
    assert not state.sources[AT_CLOB].is_trusted


def test_a_returning_poll_has_to_agree_with_the_stream_that_never_left():
    state = lose(after(streamed(500_000, 0), polled(500_000, 1)), AT_CLOB)
    far = [polled(600_000, at_s, content_time_ms=1) for at_s in (2, 4, 6, 8)]
    state = after(*far, state=observe(state, streamed(500_000, 1.5, content_time_ms=9), RULES))
    assert not state.sources[AT_CLOB].is_trusted


def test_a_silent_gamma_returns_after_three_polls_of_its_own():
    state = judge(after(listed(500_000, 0)), RULES, 60.1).state
    assert state.sources[AT_GAMMA].doubt is Reason.SILENT
    state = after(listed(500_000, 90), listed(500_000, 120), state=state)
    assert price_at(state, 120).source is Source.LAST_GOOD
    assert price_at(after(listed(500_000, 150), state=state), 150).source is Source.GAMMA
