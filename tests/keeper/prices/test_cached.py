"""Gamma in an outage: what a cached quote is worth, and what a lying one can do."""

import pytest
from believing import AT_CLOB, AT_STREAM, RULES, after, listed, polled, price_at, streamed

from keeper.prices.fallback import lose, observe
from keeper.prices.judgement import judge
from keeper.prices.price import PriceClass, Reason, Source


@pytest.mark.parametrize("age_s", [1, 59, 61, 299, 301, 100_000])
def test_the_distance_from_the_last_valid_price_widens_the_band_however_old_that_is(age_s):
    # A venue that lies through an outage of hours is never believed closer than its distance from what was proved.
    state = lose(after(streamed(500_000, 0.0)), AT_STREAM)
    for at_s in range(0, age_s, 20_000):
        state = judge(observe(state, listed(740_000, at_s), RULES), RULES, at_s).state
    state = judge(state, RULES, age_s - 0.5).state
    for number in range(3):
        state = judge(observe(state, listed(740_000, age_s + number), RULES), RULES, age_s + number).state  # fmt: skip
    price = price_at(state, age_s + 2)
    assert (price.source, price.price_class) == (Source.GAMMA, PriceClass.DEGRADED)
    assert price.band_e6 == 241_000


@pytest.mark.parametrize(
    ("price_e6", "reason"), [(800_000, Reason.FALLBACK), (800_001, Reason.FALLBACK_FAR)]
)
def test_thirty_points_from_a_fresh_last_good_price_are_the_most_a_cached_quote_may_be(
    price_e6, reason
):
    state = lose(after(polled(500_000, 0)), AT_CLOB)
    price = price_at(after(listed(price_e6, 1), state=state), 1)
    assert price.reason is reason
    if reason is Reason.FALLBACK_FAR:
        assert (price.price_class, price.price_e6) == (PriceClass.UNCERTAIN, 500_000)
        assert (price.source, price.received_at_s) == (Source.LAST_GOOD, 0)


def test_a_refused_cached_quote_is_not_taken_because_time_passed_but_because_it_was_said_again():
    state = lose(after(polled(500_000, 0)), AT_CLOB)
    state = after(listed(900_000, 59), state=state)
    # The last good price is stale at 60 s: the quote of 59 s stays refused.
    verdict = judge(state, RULES, 61)
    assert verdict.price.reason is Reason.FALLBACK_FAR
    price = price_at(after(listed(900_000, 89), state=verdict.state), 89)
    assert (price.price_class, price.band_e6) == (PriceClass.DEGRADED, 401_000)


def test_a_cached_quote_is_held_against_a_source_on_probation_too():
    state = lose(after(polled(500_000, 0)), AT_CLOB)
    state = after(polled(560_000, 1), listed(520_000, 2), state=state)
    price = price_at(state, 2)
    assert (price.source, price.band_e6) == (Source.GAMMA, 41_000)


@pytest.mark.parametrize(("age_s", "kept_e6"), [(60.0, 500_000), (60.1, 540_000)])
def test_gamma_becomes_the_last_good_price_once_the_better_one_is_stale(age_s, kept_e6):
    state = after(streamed(500_000, 0.0))
    state = judge(observe(state, listed(540_000, age_s), RULES), RULES, age_s).state
    assert kept_e6 == state.last_good.price_e6
    assert state.last_valid.price_e6 == 500_000


def test_a_carried_cached_price_keeps_the_band_it_had():
    state = lose(after(streamed(500_000, 0.0)), AT_STREAM)
    state = after(listed(540_000, 100), state=state)
    price = price_at(state, 160.0)
    assert (price.source, price.band_e6) == (Source.GAMMA, 41_000)
    price = price_at(state, 160.1)
    assert (price.source, price.price_class, price.band_e6) == ("last_good", "stale", 41_000)
