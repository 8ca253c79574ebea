from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.fallback import (
    Observation,
    TrustRules,
    close,
    judge,
    lose,
    observe,
    unheard,
)
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import PERMISSIONS, PriceClass, Reason, Source, TokenId
from keeper.prices.quote import Quote, quote

STREAM, CLOB, GAMMA = (
    replace(traits, fresh_ms=fresh_ms)
    for traits, fresh_ms in zip(
        FeedConfig().trust_rules.sources, (10_000, 6_000, 90_000), strict=True
    )
)
RULES = TrustRules(slot_ms=400, sources=(STREAM, CLOB, GAMMA))
TOKEN = unheard(TokenId("1"), RULES)


def seen(source, price_e6, at_s, *, content_time_ms=None, spread_e6=2_000):
    half = spread_e6 // 2
    return Observation(
        source=source,
        quote=quote(price_e6 - half, price_e6 + half),
        received_at_s=at_s,
        content_time_ms=content_time_ms,
    )


def unsound(source, at_s, reason=Reason.ONE_SIDED):
    return replace(seen(source, 500_000, at_s), quote=Quote(None, 0, reason))


def after(*observations, state=TOKEN):
    for observation in observations:
        state = observe(state, observation, RULES)
        state = judge(state, RULES, observation.received_at_s).state
    return state


def price_at(state, now_s, **how):
    return judge(state, RULES, now_s, **how).price


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
    ("stream_ms", "clob_ms", "kept"),
    [(1_000, 2_000, Source.CLOB), (2_000, 1_000, Source.STREAM), (1_000, 1_000, Source.CLOB)],
)
def test_after_three_disagreeing_polls_the_older_content_is_distrusted(stream_ms, clob_ms, kept):
    state = after(seen(Source.STREAM, 500_000, 0, content_time_ms=stream_ms))
    for at_s in (1, 2, 3):
        assert price_at(state, at_s - 0.1).reason is not Reason.OK or at_s == 1
        state = after(seen(Source.CLOB, 600_000, at_s, content_time_ms=clob_ms), state=state)
    price = price_at(state, 3)
    assert (price.source, price.price_class) == (kept, PriceClass.VALID)


def test_one_agreeing_poll_between_ends_the_row_of_disagreeing_ones():
    state = after(seen(Source.STREAM, 500_000, 0))
    for at_s, price_e6 in ((1, 600_000), (2, 600_000), (3, 500_000), (4, 600_000), (5, 600_000)):
        state = after(seen(Source.CLOB, price_e6, at_s), state=state)
    assert state.sources[0].is_trusted
    assert price_at(state, 5).reason is Reason.SOURCES_DISAGREE


def test_a_distrusted_stream_returns_after_three_polls_agree_with_it():
    state = after(seen(Source.STREAM, 500_000, 0))
    state = after(*(seen(Source.CLOB, 600_000, at_s) for at_s in (1, 2, 3)), state=state)
    assert not state.sources[0].is_trusted
    state = after(seen(Source.STREAM, 601_000, 4), state=state)
    state = after(seen(Source.CLOB, 600_000, 5), state=state)
    assert price_at(state, 5).source is Source.CLOB
    state = after(seen(Source.CLOB, 600_000, 7), state=state)
    assert price_at(state, 7).source is Source.STREAM


def test_probes_within_one_slot_are_one_probe():
    state = lose(after(seen(Source.STREAM, 500_000, 0)), 0)
    state = after(*(seen(Source.STREAM, 500_000, 1 + n / 100) for n in range(30)), state=state)
    assert not state.sources[0].is_trusted
    state = after(seen(Source.STREAM, 500_000, 2), seen(Source.STREAM, 500_000, 3), state=state)
    assert state.sources[0].is_trusted


def test_a_silent_poll_is_lost_and_returns_after_three_probes_that_agree_with_one_another():
    state = after(seen(Source.CLOB, 500_000, 0))
    verdict = judge(state, RULES, 6.1)
    assert (verdict.price.price_class, verdict.price.source) == ("degraded", "last_good")
    state = after(
        seen(Source.CLOB, 700_000, 8), seen(Source.CLOB, 500_000, 10), state=verdict.state
    )
    state = after(seen(Source.CLOB, 501_000, 12), seen(Source.CLOB, 502_000, 14), state=state)
    assert price_at(state, 14).price_class is PriceClass.DEGRADED
    state = after(seen(Source.CLOB, 503_000, 16), state=state)
    assert price_at(state, 16).price_class is PriceClass.VALID


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
    price = price_at(state, 0.1, are_sources_failing=True)
    assert (price.price_class, price.reason) == (PriceClass.HALTED, Reason.SOURCES_FAILING)


def test_a_closed_market_is_not_an_outage_however_old_its_price():
    state = close(after(seen(Source.CLOB, 500_000, 0)), is_closed=True)
    price = price_at(state, 10_000, are_sources_failing=True)
    assert (price.price_class, price.reason) == (PriceClass.UNCERTAIN, Reason.MARKET_CLOSED)


steps = st.lists(
    st.tuples(
        st.sampled_from(["observe", "lose", "unsound"]),
        st.sampled_from([Source.STREAM, Source.CLOB, Source.GAMMA]),
        st.integers(100_000, 900_000),
        st.floats(0, 100),
    ),
    max_size=25,
)


@given(steps)
def test_no_history_makes_a_valid_price_that_is_old_invented_or_contradicted(history):
    state, now_s, told = TOKEN, 0.0, {}
    for kind, source, price_e6, wait_s in history:
        now_s += wait_s
        if kind == "lose":
            state = lose(state, RULES.place_of(source))
            told.pop(source, None)
        elif kind == "unsound":
            state = observe(state, unsound(source, now_s), RULES)
            told.pop(source, None)
        else:
            state = observe(state, seen(source, price_e6, now_s), RULES)
            told[source] = (price_e6, now_s)
        verdict = judge(state, RULES, now_s)
        state = verdict.state
        price = verdict.price
        if price is not None and price.price_class is PriceClass.VALID:
            assert told[price.source] == (price.price_e6, price.received_at_s)
            assert price.source is not Source.GAMMA
            assert now_s - price.received_at_s <= RULES.fresh_s(RULES.place_of(price.source))
        if price is not None and PERMISSIONS[price.price_class].post:
            assert now_s - price.received_at_s <= 60


@pytest.mark.parametrize(("age_s", "band_e6"), [(300.0, 41_000), (300.1, 1_000)])
def test_a_last_good_price_widens_gammas_band_until_it_is_too_old_to_mean_anything(age_s, band_e6):
    # 750 slots of 0.4 s are 300 s: at that age it still counts.
    state = after(seen(Source.STREAM, 500_000, 0.0))
    price = price_at(observe(state, seen(Source.GAMMA, 540_000, age_s), RULES), age_s)
    assert band_e6 == price.band_e6


@pytest.mark.parametrize(("age_s", "kept_e6"), [(60.0, 500_000), (60.1, 540_000)])
def test_gamma_becomes_the_last_good_price_once_the_better_one_is_stale(age_s, kept_e6):
    # 150 slots of 0.4 s are 60 s.
    state = after(seen(Source.STREAM, 500_000, 0.0))
    state = judge(observe(state, seen(Source.GAMMA, 540_000, age_s), RULES), RULES, age_s).state
    assert kept_e6 == state.last_good.price_e6


@pytest.mark.parametrize(("pause_s", "is_back"), [(0.4, True), (0.399, False)])
def test_probes_a_whole_slot_apart_are_probes_of_their_own(pause_s, is_back):
    state = lose(after(seen(Source.CLOB, 500_000, 0.0)), 1)
    for number in range(3):
        state = observe(state, seen(Source.CLOB, 500_000, number * pause_s), RULES)
    assert is_back == state.sources[1].is_trusted
