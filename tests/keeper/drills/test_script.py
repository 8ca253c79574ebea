"""The scripted venue says what the script wants said, in bodies that the keeper's own readers understand."""

import json

import pytest

from keeper.drills.faults import HONEST, Family, Shape, Telling
from keeper.drills.venue.script import ScriptedVenue
from keeper.prices.bodies import book_of, events_of_frame
from keeper.prices.listing import listing_of
from keeper.prices.numerals import load_json
from keeper.prices.price import Reason
from keeper.prices.quote import quote_of_book, quote_of_snapshot
from keeper.prices.streamed_books import StreamedBooks


class Clock:
    ms = 1_782_000_000_000

    def __call__(self):
        return self.ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def script(clock):
    return ScriptedVenue((500_000, 400_000), wander_e6=0, clock_ms=clock)


def yes(script, market=0):
    return script.markets[market].token_ids[0]


def clob(script, market=0):
    answer = script.book(yes(script, market))
    return None if answer is None else quote_of_snapshot(book_of(answer.body))


def gamma(script, market=0):
    # As it crosses the wire: numbers are read from their text.
    return listing_of(load_json(json.dumps(script.listings()[market].body)))


class Follower:
    """A reader of the stream, as the keeper has one."""

    def __init__(self, script):
        self.token = yes(script)
        self.books = StreamedBooks([self.token])
        self.outcomes = []
        self.take(script.opening_frames([self.token]))

    def take(self, frames):
        for frame in frames:
            if self.token in frame.token_ids:
                self.outcomes.append(self.books.apply_frame(frame.body))

    @property
    def price_e6(self):
        return quote_of_book(self.books.book(self.token)).price_e6


def test_every_family_tells_the_truth_until_told_otherwise(script):
    follower = Follower(script)
    follower.take(script.set_truth(0, 430_000))
    assert 430_000 == clob(script).price_e6 == gamma(script).quote.price_e6 == follower.price_e6
    assert not any(outcome.dropped for outcome in follower.outcomes)


def test_one_family_lies_and_the_others_do_not(script):
    follower = Follower(script)
    follower.take(script.tell(Family.STREAM, Telling(price_e6=300_000), 0))
    assert 300_000 == follower.price_e6
    assert 500_000 == clob(script).price_e6 == gamma(script).quote.price_e6
    follower.take(script.tell(Family.STREAM, HONEST, 0))
    assert 500_000 == follower.price_e6


def test_a_lie_may_move_along_with_the_truth(script):
    follower = Follower(script)
    follower.take(script.tell(Family.STREAM, Telling(offset_e6=-150_000), 0))
    follower.take(script.set_truth(0, 520_000))
    assert 370_000 == follower.price_e6


def test_a_frozen_family_keeps_its_word_and_its_stamp(script, clock):
    stamp_ms = book_of(script.book(yes(script)).body).time_ms
    assert not script.tell(Family.STREAM, Telling(is_frozen=True))
    script.tell(Family.CLOB, Telling(is_frozen=True))
    clock.ms += 5_000
    assert not script.set_truth(0, 300_000), "a frozen stream sends nothing"
    assert 500_000 == clob(script).price_e6
    assert stamp_ms == book_of(script.book(yes(script)).body).time_ms
    assert 300_000 == gamma(script).quote.price_e6
    script.tell(Family.CLOB, HONEST)
    assert 300_000 == clob(script).price_e6


def test_a_liar_may_stamp_every_answer_with_the_present(script, clock):
    script.tell(Family.CLOB, Telling(is_restamped=True))
    clock.ms += 5_000
    assert clock.ms == book_of(script.book(yes(script)).body).time_ms


def test_the_venues_clock_can_be_wrong(script, clock):
    script.shift_clock(-3_600_000)
    script.set_truth(0, 510_000)
    assert clock.ms - 3_600_000 == script.time_ms == book_of(script.book(yes(script)).body).time_ms


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (Shape.EMPTY, Reason.EMPTY_BOOK),
        (Shape.ONE_SIDED, Reason.ONE_SIDED),
        (Shape.CROSSED, Reason.CROSSED),
        (Shape.THIN, Reason.WIDE_SPREAD),
    ],
)
def test_a_shape_is_what_its_name_says_at_every_family(script, shape, reason):
    follower = Follower(script)
    for family in Family:
        follower.take(script.tell(family, Telling(shape=shape), 0))
    assert reason == clob(script).reason == gamma(script).quote.reason
    assert reason == quote_of_book(follower.books.book(yes(script))).reason


def test_an_omitted_market_has_no_book_and_no_listing(script):
    for family in (Family.CLOB, Family.GAMMA):
        script.tell(family, Telling(shape=Shape.OMITTED), 0)
    assert clob(script) is None
    assert yes(script) not in gamma(script).token_ids


def test_a_resolved_market_is_closed_everywhere(script):
    frames = script.tell(Family.STREAM, Telling(is_closed=True), 0)
    kinds = [type(event).__name__ for frame in frames for event in events_of_frame(frame.body)]
    assert "MarketResolved" in kinds
    for family in (Family.CLOB, Family.GAMMA):
        script.tell(family, Telling(is_closed=True), 0)
    assert clob(script) is None
    assert gamma(script).is_closed


def test_another_tick_makes_the_reader_drop_its_book_and_fits_the_new_grid(script):
    follower = Follower(script)
    follower.take(script.tell(Family.STREAM, Telling(tick_e6=10_000), 0))
    assert [yes(script)] == list(follower.outcomes[1].dropped)
    follower.take(script.opening_frames([yes(script)]))
    assert 500_000 == follower.price_e6
    book = follower.books.book(yes(script))
    assert (490_000, 510_000) == (book.best_bid_e6, book.best_ask_e6)


def test_disordered_deltas_come_twice_and_an_older_one_after_them(script, clock):
    follower = Follower(script)
    script.tell(Family.STREAM, Telling(is_disordered=True), 0)
    clock.ms += 100
    follower.take(script.set_truth(0, 510_000))
    clock.ms += 100
    frames = script.set_truth(0, 520_000)
    follower.take(frames)
    assert 3 == len(frames)
    assert 520_000 == follower.price_e6


def test_nobody_can_know_means_empty_books_at_the_honest(script):
    script.set_truth(0, None)
    assert Reason.EMPTY_BOOK == clob(script).reason
    assert script.worths[-1].price_e6 is None


def test_everything_said_is_logged_with_its_price(script, clock):
    script.sent.clear()
    script.set_truth(0, 430_000)
    clob(script)
    script.tell(Family.CLOB, Telling(shape=Shape.CROSSED), 0)
    clob(script)
    assert [(Family.STREAM, 430_000), (Family.CLOB, 430_000)] == [
        (word.family, word.price_e6) for word in script.sent
    ], "what has no midpoint is no price"


def test_live_markets_wander_a_little_around_where_the_script_put_them(clock):
    script = ScriptedVenue((500_000,), wander_e6=2_000, clock_ms=clock)
    seen = set()
    for _ in range(60):
        clock.ms += 100
        script.tick()
        seen.add(script.truth_e6(0))
    assert {498_000, 499_000, 500_000, 501_000, 502_000} == seen
