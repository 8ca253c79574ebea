"""Which source leads, what it makes of a price, and how prices age when all are gone."""

import pytest
from believing import (
    RULES,
    TOKEN,
    after,
    price_at,
    seen,
    unsound,
)

from keeper.prices.circumstances import Circumstances
from keeper.prices.fallback import close, lose, observe
from keeper.prices.judgement import judge
from keeper.prices.price import PERMISSIONS, PriceClass, Reason, Source

FAILING = Circumstances(are_sources_failing=True)


def test_the_table_of_permissions_is_that_of_the_specification():
    acts = {one: (p.post, p.liquidate, p.execute_chain) for one, p in PERMISSIONS.items()}
    assert acts == {
        PriceClass.VALID: (True, True, True),
        PriceClass.DEGRADED: (True, True, False),
        PriceClass.UNCERTAIN: (False, False, False),
        PriceClass.STALE: (False, False, False),
        PriceClass.HALTED: (False, False, False),
    }
    assert all(one.pay_rewards for one in PERMISSIONS.values())
    assert [one for one, p in PERMISSIONS.items() if p.liquidate_at_band] == [PriceClass.DEGRADED]


def test_no_source_means_no_price_and_a_reason():
    verdict = judge(TOKEN, RULES, 0)
    assert (verdict.price, verdict.reason) == (None, Reason.NO_SOURCE)


def test_the_first_contact_with_a_source_is_believed():
    price = price_at(after(seen(Source.CLOB, 65_500, 10, content_time_ms=7)), 10)
    assert (price.price_e6, price.price_class, price.source) == (65_500, "valid", "clob")
    assert (price.received_at_s, price.content_time_ms, price.reason) == (10, 7, Reason.OK)


def test_the_stream_leads_and_the_gap_to_the_poll_widens_the_band():
    price = price_at(after(seen(Source.CLOB, 500_000, 0), seen(Source.STREAM, 520_000, 1)), 1)
    assert (price.source, price.price_e6, price.band_e6) == (Source.STREAM, 520_000, 21_000)
    assert price.price_class is PriceClass.VALID


def test_a_quiet_stream_gives_way_to_the_poll_without_being_lost():
    state = after(seen(Source.STREAM, 500_000, 0), seen(Source.CLOB, 500_000, 10.1))
    assert price_at(state, 10.1).source is Source.CLOB
    assert (
        price_at(after(seen(Source.STREAM, 501_000, 11), state=state), 11).source is Source.STREAM
    )


def test_five_points_apart_is_agreement_and_a_hair_more_is_uncertain():
    state = after(seen(Source.CLOB, 500_000, 0), seen(Source.STREAM, 550_000, 1))
    assert price_at(state, 1).price_class is PriceClass.VALID
    price = price_at(after(seen(Source.STREAM, 550_001, 1), state=state), 1)
    assert (price.price_class, price.reason) == (PriceClass.UNCERTAIN, Reason.SOURCES_DISAGREE)


def test_one_sided_against_two_sided_is_a_disagreement():
    price = price_at(after(seen(Source.CLOB, 500_000, 0), unsound(Source.STREAM, 1)), 1)
    assert price.reason is Reason.SOURCES_DISAGREE
    # Nothing is invented: the number is the last good one, and so is its time.
    assert (price.price_e6, price.received_at_s, price.source) == (500_000, 0, Source.LAST_GOOD)


@pytest.mark.parametrize(
    ("reason", "spread_e6"), [(Reason.WIDE_SPREAD, 120_000), (Reason.OK, 100_000)]
)
def test_a_wide_spread_is_uncertain(reason, spread_e6):
    price = price_at(after(seen(Source.CLOB, 500_000, 0, spread_e6=spread_e6)), 0)
    assert price.reason is reason
    assert PERMISSIONS[price.price_class].post is (reason is Reason.OK)


@pytest.mark.parametrize(
    ("age_s", "price_class"),
    [(6, "valid"), (6.1, "degraded"), (60, "degraded"), (60.1, "stale"), (300, "stale"), (300.1, "halted")],
)  # fmt: skip
def test_with_every_source_gone_the_last_good_price_ages_through_its_classes(age_s, price_class):
    price = price_at(after(seen(Source.CLOB, 500_000, 0)), age_s)
    assert (price.price_class, price.price_e6, price.received_at_s) == (price_class, 500_000, 0)


def test_gamma_is_never_better_than_degraded_and_its_distance_from_the_last_good_widens_the_band():
    assert price_at(after(seen(Source.GAMMA, 500_000, 0)), 0).price_class is PriceClass.DEGRADED
    state = lose(after(seen(Source.CLOB, 500_000, 0)), 1)
    state = after(seen(Source.GAMMA, 530_000, 1), state=state)
    price = price_at(state, 1)
    assert (price.source, price.price_class, price.band_e6) == ("gamma", "degraded", 31_000)
    assert price_at(state, 30).band_e6 == 31_000


def test_gamma_itself_ages_out():
    price = price_at(after(seen(Source.GAMMA, 500_000, 0)), 60.1)
    assert (price.source, price.price_class) == (Source.LAST_GOOD, PriceClass.STALE)


def test_gamma_without_a_sound_quote_is_uncertain():
    price = price_at(after(seen(Source.GAMMA, 500_000, 0, spread_e6=200_000)), 0)
    assert (price.price_class, price.reason) == (PriceClass.UNCERTAIN, Reason.WIDE_SPREAD)


def test_failures_on_every_source_halt_at_once():
    state = after(seen(Source.CLOB, 500_000, 0))
    price = price_at(state, 0.1, FAILING)
    assert (price.price_class, price.reason) == (PriceClass.HALTED, Reason.SOURCES_FAILING)


def test_a_closed_market_is_not_an_outage_however_old_its_price():
    state = close(after(seen(Source.CLOB, 500_000, 0)), RULES, 0, is_closed=True)
    price = price_at(state, 10_000, FAILING)
    assert (price.price_class, price.reason) == (PriceClass.UNCERTAIN, Reason.MARKET_CLOSED)


@pytest.mark.parametrize(("age_s", "kept_e6"), [(60.0, 500_000), (60.1, 540_000)])
def test_gamma_becomes_the_last_good_price_once_the_better_one_is_stale(age_s, kept_e6):
    # 150 slots of 0.4 s are 60 s.
    state = after(seen(Source.STREAM, 500_000, 0.0))
    state = judge(observe(state, seen(Source.GAMMA, 540_000, age_s), RULES), RULES, age_s).state
    assert kept_e6 == state.last_good.price_e6
