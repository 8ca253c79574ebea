"""Jumps, spikes and flapping: what has to settle before it is a price again."""

from itertools import pairwise

import pytest
from believing import AT_CLOB, AT_STREAM, RULES, after, classes, polled, price_at, streamed, unsound

from keeper.prices.fallback import lose
from keeper.prices.judgement import judge
from keeper.prices.price import PriceClass, Reason, Source


def test_a_lone_source_that_jumps_is_believed_at_its_third_poll():
    told = classes(*(polled(price_e6, at_s) for price_e6, at_s in ((500_000, 0), (600_001, 2), (600_001, 4), (600_001, 6))))  # fmt: skip
    assert told == [("valid", "ok"), ("uncertain", "jump"), ("uncertain", "jump"), ("valid", "ok")]


def test_ten_points_are_a_move_and_no_jump():
    assert classes(polled(500_000, 0), polled(600_000, 2))[-1] == ("valid", "ok")


def test_polls_of_a_jump_within_one_slot_are_one_poll():
    state = after(polled(500_000, 0), *(polled(700_000, 1 + n / 100) for n in range(20)))
    assert price_at(state, 1.2).reason is Reason.JUMP


def test_a_spike_that_comes_and_goes_is_never_acted_on():
    words = [polled(500_000, 0)]
    words += [polled((900_000, 500_000)[n % 2], 2 + 2 * n) for n in range(20)]
    told = classes(*words)
    assert {one for one, _ in told[1:]} == {"uncertain"}
    # Three calm polls end it.
    calm = [polled(500_000, 42 + 2 * n) for n in range(3)]
    assert classes(*words, *calm)[-1] == ("valid", "ok")


def test_a_jump_that_the_other_source_makes_too_is_none():
    state = after(streamed(500_000, 0), polled(500_000, 1), streamed(700_000, 2))
    assert price_at(state, 2).reason is Reason.SOURCES_DISAGREE
    state = after(polled(700_000, 3), state=state)
    assert price_at(state, 3).reason is Reason.SETTLING
    state = after(polled(700_000, 5), polled(700_000, 7), state=state)
    assert price_at(state, 7).price_class is PriceClass.VALID


def test_a_jump_that_a_distrusted_source_contradicts_is_believed_by_nobody():
    # The poll spikes, the quiet stream looks frozen beside it, and is distrusted: its word still counts against a jump.
    state = after(streamed(500_000, 0, content_time_ms=1), polled(500_000, 1, content_time_ms=1))
    for at_s in range(3, 60, 2):
        state = after(polled(900_000, at_s, content_time_ms=2), state=state)
        assert price_at(state, at_s).price_class is PriceClass.UNCERTAIN
    assert not state.sources[AT_STREAM].is_trusted
    assert price_at(state, 59).reason is Reason.JUMP_CONTESTED
    # Asked anew, the stream agrees: then it was no spike.
    state = after(streamed(900_000, 60), *(polled(900_000, at_s) for at_s in (61, 63, 65)), state=state)  # fmt: skip
    assert price_at(state, 65).price_class is PriceClass.VALID


def test_a_contested_jump_is_let_go_when_the_last_good_price_means_nothing_any_more():
    state = after(streamed(500_000, 0, content_time_ms=1))
    for at_s in range(1, 304, 2):
        state = after(polled(900_000, at_s, content_time_ms=2), state=state)
    # 750 slots are 300 s: the polls at 301 and 303 have begun to count, the one at 305 is the third.
    assert price_at(state, 303).price_class is PriceClass.UNCERTAIN
    state = after(polled(900_000, 305, content_time_ms=2), state=state)
    price = price_at(state, 305)
    assert (price.price_class, price.reason, price.band_e6) == (
        PriceClass.DEGRADED,
        Reason.CONTESTED,
        401_000,
    )


def test_a_lone_source_is_not_held_back_by_a_stale_price():
    state = judge(after(streamed(500_000, 0)), RULES, 60.1).state
    assert price_at(after(streamed(900_000, 60.1), state=state), 60.1).reason is Reason.OK


def test_a_venue_that_flaps_every_few_seconds_makes_one_uncertain_price_and_no_train_of_valid_ones():
    words = [polled(500_000, 0), streamed(500_000, 0.5)]
    for n in range(40):
        at_s = 1 + 3 * n
        words += [
            streamed(620_000, at_s, content_time_ms=at_s),
            streamed(500_000, at_s + 0.5, content_time_ms=at_s),
            polled(500_000, at_s + 1, content_time_ms=at_s),
        ]
    told = classes(*words)
    changes = sum(one != other for (one, _), (other, _) in pairwise(told))
    assert changes == 1
    assert told[-1] == ("uncertain", "settling")


def test_the_loss_of_one_side_of_a_disagreement_does_not_settle_it():
    state = after(streamed(500_000, 0), polled(600_000, 1))
    state = lose(state, AT_STREAM)
    told = classes(*(polled(600_000, at_s) for at_s in (3, 5, 7)), state=state)
    assert told == [("uncertain", "settling")] * 2 + [("valid", "ok")]


def test_where_nothing_is_polled_the_streams_own_words_settle_its_jump():
    told = classes(streamed(500_000, 0), *(streamed(700_000, 1 + n) for n in range(3)))
    assert told[1:] == [("uncertain", "jump")] * 2 + [("valid", "ok")]


def test_where_polls_are_to_be_had_the_streams_own_words_settle_nothing():
    state = after(streamed(500_000, 0), polled(600_000, 1), streamed(600_000, 2))
    state = after(*(streamed(600_000, 2 + n) for n in range(1, 5)), state=state)
    assert price_at(state, 6).reason is Reason.SETTLING


def test_a_crossed_book_heals_without_having_to_settle():
    told = classes(
        polled(500_000, 0),
        streamed(500_000, 1),
        unsound(Source.STREAM, 1.1, Reason.CROSSED),
        streamed(500_000, 1.2),
    )
    assert told[-2:] == [("uncertain", "sources_disagree"), ("valid", "ok")]


@pytest.mark.parametrize("source_lost", [AT_STREAM, AT_CLOB])
def test_time_and_losses_alone_do_not_improve_a_class(source_lost):
    state = after(streamed(500_000, 0), polled(600_000, 1))
    for at_s in (1.5, 6.5, 8, 11):
        verdict = judge(state, RULES, at_s)
        assert verdict.price.price_class is PriceClass.UNCERTAIN
        state = verdict.state
    verdict = judge(lose(state, source_lost), RULES, 11.5)
    assert verdict.price.price_class is PriceClass.UNCERTAIN
