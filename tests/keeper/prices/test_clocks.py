"""Stamps that lie: the future, a venue whose clock is set back, replicas that lag."""

from dataclasses import replace

import pytest
from believing import AT_CLOB, AT_STREAM, RULES, TOKEN, after, polled, price_at, streamed

from keeper.prices.circumstances import CALM, Circumstances
from keeper.prices.clocks import Older, are_clocks_sane, is_from_future, older_of
from keeper.prices.price import PriceClass, Reason, Source

NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("ahead_ms", "skew_ms", "is_future"),
    [
        (10_000, None, False),
        (10_001, None, True),
        (40_000, 30_000, False),
        (40_001, 30_000, True),
        (10_001, -30_000, True),
        (10_000, -30_000, False),
    ],
)
def test_a_stamp_later_than_both_clocks_and_ten_seconds_is_from_the_future(
    ahead_ms, skew_ms, is_future
):
    about = Circumstances(skew_ms=skew_ms)
    assert is_from_future(NOW_MS + ahead_ms, NOW_MS, about, RULES) is is_future


@pytest.mark.parametrize(
    ("skew_ms", "is_sane"),
    [(None, True), (10_000, True), (-10_000, True), (10_001, False), (-10_001, False)],
)
def test_clocks_are_sane_within_ten_seconds_either_way(skew_ms, is_sane):
    assert are_clocks_sane(Circumstances(skew_ms=skew_ms), RULES) is is_sane


def frozen_against(polls_ms, about, *, stream_ms=NOW_MS):
    """A stream that stands at 0.50, and three polls at 0.58 with the given stamps."""
    state = after(
        polled(500_000, 0, content_time_ms=NOW_MS),
        streamed(500_000, 1, content_time_ms=stream_ms),
        about=about,
    )
    words = [polled(580_000, 2 * n, content_time_ms=ms) for n, ms in enumerate(polls_ms, start=1)]
    return after(*words, state=state, about=about)


def test_a_venue_whose_clock_was_set_back_does_not_leave_us_on_the_frozen_stream():
    # The stream drops what looks older; the polls move on, with stamps of an hour ago.
    back = [NOW_MS - 3_600_000 + 2_000 * n for n in range(4)]
    skewed = Circumstances(skew_ms=-3_600_000, clock_read_at_s=100)
    state = frozen_against(back, skewed)
    assert state.sources[AT_STREAM].doubt is Reason.BEHIND
    assert price_at(state, 8, skewed).source is Source.CLOB


def test_until_the_clock_is_read_again_nobody_is_the_older():
    back = [NOW_MS - 3_600_000 + 2_000 * n for n in range(4)]
    state = frozen_against(back, CALM)
    assert all(known.is_trusted for known in state.sources)
    assert price_at(state, 8).reason is Reason.SOURCES_DISAGREE


def test_a_replica_that_lags_loses_once_the_clock_was_read_and_is_sane():
    lagging = [NOW_MS - 60_000] * 4
    state = frozen_against(lagging, Circumstances(skew_ms=0, clock_read_at_s=100))
    assert state.sources[AT_CLOB].doubt is Reason.BEHIND
    assert state.sources[AT_STREAM].is_trusted


def test_while_clocks_are_apart_the_one_that_moved_last_is_the_newer():
    skewed = Circumstances(skew_ms=60_000)
    state = after(polled(500_000, 0, content_time_ms=9), streamed(500_000, 1, content_time_ms=1))
    for n in range(1, 4):
        state = after(
            streamed(570_000 + n, 2 * n, content_time_ms=1 + n),
            polled(500_000, 2 * n + 1, content_time_ms=9),
            state=state,
            about=skewed,
        )
    assert state.sources[AT_CLOB].doubt is Reason.BEHIND
    assert state.sources[AT_STREAM].is_trusted


@pytest.mark.parametrize(
    ("poll_ms", "other_ms", "older"),
    [(1, 2, Older.FIRST), (2, 1, Older.SECOND), (1, 1, Older.SECOND)],
)
def test_with_sane_clocks_the_stamps_decide_and_a_tie_goes_to_the_poll(poll_ms, other_ms, older):
    state = after(
        streamed(500_000, 0, content_time_ms=other_ms), polled(510_000, 1, content_time_ms=poll_ms)
    )
    polled_state, other = state.sources[AT_CLOB], state.sources[AT_STREAM]
    assert older_of(polled_state, other, CALM, RULES) is older


@pytest.mark.parametrize(
    ("stream_at_s", "older"), [(0, Older.SECOND), (1, Older.SECOND), (2, Older.FIRST)]
)
def test_without_a_stamp_the_one_that_moved_last_is_the_newer(stream_at_s, older):
    state = after(polled(510_000, 1, content_time_ms=5), state=TOKEN)
    stream = replace(
        after(streamed(500_000, stream_at_s)).sources[AT_STREAM], changed_at_s=stream_at_s
    )
    assert older_of(state.sources[AT_CLOB], stream, CALM, RULES) is older


def test_a_price_is_aged_by_its_receipt_and_never_by_its_stamp():
    state = after(polled(500_000, 0, content_time_ms=1))
    price = price_at(state, 0)
    assert (price.price_class, price.content_time_ms) == (PriceClass.VALID, 1)
    assert price_at(after(polled(500_000, 0, content_time_ms=NOW_MS)), 60.1).price_class is PriceClass.STALE  # fmt: skip
