"""Sources held against each other: frozen streams, frozen tokens, frozen polls, and the gap in the band."""

import pytest
from believing import (
    AT_CLOB,
    AT_STREAM,
    RULES,
    after,
    classes,
    polled,
    price_at,
    seen,
    streamed,
    unsound,
)

from keeper.prices.fallback import lose, observe, withdraw
from keeper.prices.judgement import judge
from keeper.prices.price import PriceClass, Reason, Source


@pytest.mark.parametrize(
    ("stream_ms", "clob_ms", "kept"),
    [(1_000, 2_000, Source.CLOB), (2_000, 1_000, Source.STREAM), (1_000, 1_000, Source.CLOB)],
)
def test_after_three_disagreeing_polls_the_older_content_loses_trust(stream_ms, clob_ms, kept):
    state = after(streamed(500_000, 0, content_time_ms=stream_ms))
    for at_s in (1, 2, 3):
        if at_s > 1:
            assert price_at(state, at_s - 0.1).reason is Reason.SOURCES_DISAGREE
        state = after(polled(600_000, at_s, content_time_ms=clob_ms), state=state)
    if kept is Source.STREAM:  # The word of a source that has just lost its trust improves nothing.
        assert price_at(state, 3).price_class is PriceClass.UNCERTAIN
        state = after(streamed(500_000, 3.5, content_time_ms=stream_ms), state=state)
    price = price_at(state, 3.5)
    # The loser still says something else: the winner is acted on, but only as far as its band allows.
    assert (price.source, price.price_class) == (kept, PriceClass.DEGRADED)
    assert (price.reason, price.band_e6) == (Reason.CONTESTED, 101_000)


def test_a_winner_is_valid_again_once_the_loser_is_lost_or_agrees():
    contested = after(streamed(500_000, 0), *(polled(600_000, at_s) for at_s in (1, 2, 3)))
    lost = after(polled(600_000, 5), state=lose(contested, AT_STREAM))
    assert price_at(lost, 5).price_class is PriceClass.VALID
    agreeing = after(streamed(600_000, 4), polled(600_000, 5), state=contested)
    assert price_at(agreeing, 5).price_class is PriceClass.VALID
    assert price_at(agreeing, 5).source is Source.CLOB


def test_a_loser_that_is_asked_anew_contradicts_until_it_answers_or_is_overdue():
    contested = after(streamed(500_000, 0), *(polled(560_000, at_s) for at_s in (1, 2, 3)))
    asked = withdraw(contested, AT_STREAM, 4)
    held = after(*(polled(560_000, at_s) for at_s in range(5, 64, 2)), state=asked)
    assert price_at(held, 63).reason is Reason.CONTESTED
    late = after(polled(560_000, 65), state=held)  # 150 slots are 60 s
    assert price_at(late, 65).price_class is PriceClass.VALID
    answered = after(streamed(560_000, 4.5), polled(560_000, 5), state=asked)
    assert price_at(answered, 5).price_class is PriceClass.VALID


def test_asking_a_source_anew_is_no_way_to_silence_it_against_a_jump():
    contested = after(
        streamed(350_000, 0, content_time_ms=1), polled(350_000, 1, content_time_ms=1)
    )
    contested = after(*(polled(650_000, at_s, content_time_ms=2) for at_s in (3, 5, 7)), state=contested)  # fmt: skip
    asked = withdraw(contested, AT_STREAM, 8)
    for at_s in range(9, 60, 2):
        asked = after(polled(650_000, at_s, content_time_ms=2), state=asked)
        assert price_at(asked, at_s).reason is Reason.JUMP_CONTESTED


def test_a_stream_that_answers_with_the_very_book_that_was_behind_is_frozen_and_no_voice():
    state = after(streamed(500_000, 0, content_time_ms=1), polled(500_000, 1, content_time_ms=1))
    state = after(*(polled(700_000, at_s, content_time_ms=2) for at_s in (3, 5, 7)), state=state)
    state = withdraw(state, AT_STREAM, 7.5)
    told = classes(
        streamed(500_000, 8, content_time_ms=1),
        *(polled(700_000, at_s, content_time_ms=2) for at_s in (9, 11, 13)),
        state=state,
    )
    assert told[1:] == [("uncertain", "settling")] * 2 + [("valid", "ok")]
    # One that answers with something else, wrong or right, is a voice.
    other = after(streamed(510_000, 8, content_time_ms=3), state=state)
    other = after(*(polled(700_000, at_s, content_time_ms=2) for at_s in (9, 11, 13)), state=other)
    assert price_at(other, 13).reason is Reason.JUMP_CONTESTED


def test_the_loss_of_the_loser_alone_improves_nothing():
    contested = after(streamed(500_000, 0), *(polled(600_000, at_s) for at_s in (1, 2, 3)))
    assert price_at(lose(contested, AT_STREAM), 3.5).price_class is PriceClass.DEGRADED


def test_one_agreeing_poll_between_ends_the_row_of_disagreeing_ones():
    words = ((1, 600_000), (2, 600_000), (3, 500_000), (4, 600_000), (5, 600_000))
    state = after(streamed(500_000, 0), *(polled(price_e6, at_s) for at_s, price_e6 in words))
    assert state.sources[AT_STREAM].is_trusted
    assert price_at(state, 5).reason is Reason.SOURCES_DISAGREE


def test_two_sources_that_both_move_stay_in_disagreement_for_ever():
    state = after(streamed(300_000, 0))
    for at_s in range(1, 40):
        state = after(
            streamed(300_000 + at_s, at_s, content_time_ms=at_s * 1_000),
            polled(700_000 + at_s, at_s + 0.5, content_time_ms=at_s * 1_000 + 500),
            state=state,
        )
        assert price_at(state, at_s + 0.5).price_class is PriceClass.UNCERTAIN


def test_a_token_on_which_the_stream_is_silent_while_the_polls_move_is_doubted_within_five_points():
    # One token of a socket freezes: the stream stands at 0.50, the book goes on to 0.52.
    state = after(streamed(500_000, 0, content_time_ms=1), polled(500_000, 1, content_time_ms=1))
    for at_s in (3, 5):
        state = after(polled(520_000, at_s, content_time_ms=2), state=state)
        assert price_at(state, at_s).band_e6 == 21_000  # meanwhile the band tells
        assert state.sources[AT_STREAM].is_trusted
    state = after(polled(520_000, 7, content_time_ms=2), state=state)
    assert state.sources[AT_STREAM].doubt is Reason.BEHIND
    assert state.sources[AT_STREAM].doubts == 1
    assert price_at(state, 7).source is Source.CLOB


def test_a_doubted_stream_does_not_earn_its_trust_back_while_it_stays_behind():
    state = after(streamed(500_000, 0, content_time_ms=1), polled(500_000, 1, content_time_ms=1))
    state = after(
        *(polled(520_000, at_s, content_time_ms=2) for at_s in range(3, 40, 2)), state=state
    )
    assert not state.sources[AT_STREAM].is_trusted
    assert state.sources[AT_STREAM].doubts == 6  # asked for anew every third poll


def test_a_stream_that_speaks_between_the_polls_is_not_silent_however_the_two_differ():
    state = after(streamed(500_000, 0, content_time_ms=1))
    for at_s in range(1, 20, 2):
        state = after(
            polled(500_000 + at_s * 1_000, at_s, content_time_ms=10 * at_s),
            streamed(500_000 + at_s * 1_000 - 500, at_s + 1, content_time_ms=10 * at_s - 5),
            state=state,
        )
        assert state.sources[AT_STREAM].is_trusted


def test_a_poll_that_answers_with_an_old_book_is_distrusted_before_it_has_to_lead():
    # 200 with a book that stands still: within five points nobody would notice until the stream is lost.
    state = after(polled(500_000, 0, content_time_ms=1), streamed(530_000, 1, content_time_ms=2))
    for at_s in (2, 4, 6):
        assert state.sources[AT_CLOB].is_trusted
        state = after(
            polled(500_000, at_s, content_time_ms=1),
            streamed(530_000, at_s + 1, content_time_ms=2),
            state=state,
        )
    # The first of these polls may have been on its way while the stream moved: it does not count.
    assert state.sources[AT_CLOB].is_trusted
    state = after(polled(500_000, 8, content_time_ms=1), state=state)
    assert state.sources[AT_CLOB].doubt is Reason.BEHIND
    assert price_at(lose(state, AT_STREAM), 8).source is Source.LAST_GOOD


def test_a_book_without_a_price_contradicts_one_with_a_price_but_is_no_voice():
    assert classes(polled(500_000, 0), unsound(Source.STREAM, 1))[-1] == (
        "uncertain",
        "sources_disagree",
    )
    # 0.01 against 0.99 while the market is live: a wide book, once distrusted, says nothing of the price.
    wide = [polled(500_000, at_s, spread_e6=980_000, content_time_ms=1) for at_s in (1, 3, 5)]
    told = classes(streamed(600_000, 0, content_time_ms=2), *wide, streamed(600_000, 6))
    assert told[-1] == ("valid", "ok")


def test_an_empty_streamed_book_makes_no_price_of_a_poll_alone():
    state = after(unsound(Source.STREAM, 0, Reason.EMPTY_BOOK), polled(500_000, 1))
    verdict = judge(state, RULES, 1)
    assert (verdict.price, verdict.reason) == (None, Reason.SOURCES_DISAGREE)


def test_a_source_that_is_not_compared_is_in_nobodys_way():
    state = after(streamed(500_000, 0), polled(500_000, 1), seen(Source.GAMMA, 900_000, 2))
    price = price_at(state, 2)
    assert (price.price_class, price.band_e6) == (PriceClass.VALID, 1_000)


def test_an_answer_to_a_token_nobody_else_speaks_of_is_compared_with_nothing():
    state = observe(after(), polled(500_000, 1), RULES)
    assert state.sources[AT_CLOB].is_trusted
