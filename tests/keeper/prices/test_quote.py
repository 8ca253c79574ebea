import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.book import Book, BookSnapshot, Level
from keeper.prices.price import Reason
from keeper.prices.quote import (
    Quote,
    last_trade_e6_from,
    quote,
    quote_of_book,
    quote_of_snapshot,
)

maybe = st.none() | st.integers(1, 999_999)


def test_the_price_is_the_midpoint_and_the_band_half_the_spread_rounded_up():
    assert quote(63_000, 68_000) == Quote(65_500, 2_500, Reason.OK)
    assert quote(63_000, 63_001) == Quote(63_000, 1, Reason.OK)


def test_a_spread_of_ten_cents_is_sound_and_a_hair_more_is_uncertain():
    assert quote(400_000, 500_000).is_sound
    assert quote(400_000, 500_001).reason is Reason.WIDE_SPREAD


def test_a_wide_book_shows_the_last_trade_unless_that_lies_outside_it():
    assert quote(300_000, 500_000, 310_000).price_e6 == 310_000
    assert quote(300_000, 500_000, 290_000).price_e6 == 400_000
    assert quote(300_000, 500_000, None).price_e6 == 400_000


@pytest.mark.parametrize(
    ("bid", "ask", "trade", "expected"),
    [
        (300_000, None, None, Quote(None, 0, Reason.ONE_SIDED)),
        (300_000, None, 310_000, Quote(310_000, 0, Reason.ONE_SIDED)),
        (300_000, None, 290_000, Quote(None, 0, Reason.ONE_SIDED)),
        (None, 300_000, 310_000, Quote(None, 0, Reason.ONE_SIDED)),
        (None, None, None, Quote(None, 0, Reason.EMPTY_BOOK)),
        (300_000, 300_000, 300_000, Quote(None, 0, Reason.CROSSED)),
        (300_001, 300_000, None, Quote(None, 0, Reason.CROSSED)),
    ],
)
def test_a_book_without_two_orderly_sides_has_no_midpoint(bid, ask, trade, expected):
    assert quote(bid, ask, trade) == expected


@given(maybe, maybe, maybe)
def test_a_price_never_lies_outside_the_book(bid, ask, trade):
    found = quote(bid, ask, trade)
    assert found.is_sound is (bid is not None and ask is not None and 0 < ask - bid <= 100_000)
    if found.price_e6 is not None:
        assert bid is None or bid <= found.price_e6
        assert ask is None or found.price_e6 <= ask
    if found.is_sound:
        assert found.price_e6 - found.half_spread_e6 <= bid
        assert found.price_e6 + found.half_spread_e6 + 1 >= ask


def test_a_half_without_a_side_is_a_placeholder_and_no_trade():
    assert last_trade_e6_from("0.5", "") is None
    assert last_trade_e6_from("0.5", None) is None
    assert last_trade_e6_from("0.5", "BUY") == 500_000
    assert last_trade_e6_from("0.08", "") == 80_000
    assert last_trade_e6_from("", None) is None
    assert last_trade_e6_from(None, None) is None


def test_a_rest_book_and_a_streamed_book_of_the_same_levels_quote_alike():
    snapshot = BookSnapshot(
        token_id="1",
        bids=(Level(price_e6=10_000, size_e6=1), Level(price_e6=20_000, size_e6=1)),
        asks=(
            Level(price_e6=15_000, size_e6=0),
            Level(price_e6=40_000, size_e6=1),
            Level(price_e6=30_000, size_e6=1),
        ),
        time_ms=None,
        last_trade_e6=None,
    )
    book = Book()
    book.apply_snapshot(snapshot)
    assert quote_of_book(book) == quote_of_snapshot(snapshot) == Quote(25_000, 5_000, Reason.OK)
