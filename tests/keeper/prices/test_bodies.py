import json
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.bodies import (
    LEVELS_PER_SIDE_MAX,
    BestStated,
    LastTrade,
    MarketResolved,
    Refused,
    TickSizeChange,
    Unknown,
    book_of,
    events_of_frame,
)
from keeper.prices.book import BookDelta, BookSnapshot, Level, Side
from keeper.prices.errors import MalformedError
from keeper.prices.numerals import load_json
from keeper.prices.price import TokenId
from keeper.prices.quote import quote_of_snapshot
from keeper.prices.streamed_books import StreamedBooks

BOOK = {
    "event_type": "book",
    "asset_id": "1",
    "timestamp": "1782670540073",
    "bids": [{"price": "0.062", "size": "5"}, {"price": "0.063", "size": "14.33"}],
    "asks": [{"price": "0.07", "size": "1"}, {"price": "0.068", "size": "10.66"}],
    "last_trade_price": "0.062",
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["event_type", "asset_id", "bids", "asks", "price", "size", "side", "price_changes"]
            ),
            inner
            | st.sampled_from(
                ["book", "price_change", "last_trade_price", "tick_size_change", "market_resolved"]
            )
            | st.sampled_from(["BUY", "0.5", "1"]),
            max_size=6,
        )
    ),
    max_leaves=25,
)


def test_a_book_keeps_its_levels_time_and_last_trade():
    book = book_of(BOOK)
    assert book.bids == (
        Level(price_e6=62_000, size_e6=5_000_000),
        Level(price_e6=63_000, size_e6=14_330_000),
    )
    assert (book.token_id, book.time_ms, book.last_trade_e6) == ("1", 1_782_670_540_073, 62_000)
    assert quote_of_snapshot(book).price_e6 == 65_500


def test_a_malformed_level_is_left_out_and_counted_and_the_book_stands():
    bids = [{"price": "0.063", "size": "1"}, {"price": "1.2", "size": "1"}, {"price": "0.06"}, 7]
    book = book_of({**BOOK, "bids": bids})
    assert (len(book.bids), book.refused_levels) == (1, 3)


@pytest.mark.parametrize(
    "broken",
    [
        {"asset_id": None},
        {"asset_id": 5},
        {"bids": None},
        {"asks": {}},
        {"asks": [{}] * (LEVELS_PER_SIDE_MAX + 1)},
    ],
    ids=["no id", "id is a number", "no bids", "asks are an object", "too many levels"],
)
def test_a_book_without_an_id_or_two_lists_is_refused(broken):
    with pytest.raises(MalformedError):
        book_of({**BOOK, **broken})


@given(st.sampled_from([None, 5, [], {}, ["1"], "", "2"]))
def test_a_change_of_no_readable_or_no_wanted_token_changes_nothing(asset_id):
    change = {"asset_id": asset_id, "price": "0.5", "size": "7", "side": "SELL"}
    frame = {"event_type": "price_change", "timestamp": "5", "price_changes": [change]}
    events = list(events_of_frame(frame, {"1"}))
    assert [type(event) for event in events] == ([] if asset_id == "2" else [Refused])


def test_both_schemas_of_price_change_give_the_same_deltas():
    change = {"price": "0.5", "size": "7", "side": "SELL"}
    nested = {
        "event_type": "price_change",
        "timestamp": "5",
        "price_changes": [{**change, "asset_id": "1"}],
    }
    flat = {"event_type": "price_change", "timestamp": "5", "asset_id": "1", "changes": [change]}
    flatter = {"event_type": "price_change", "timestamp": "5", "asset_id": "1", **change}
    expected = BookDelta(
        token_id="1",
        side=Side.SELL,
        level=Level(price_e6=500_000, size_e6=7_000_000),
        time_ms=5,
    )
    for frame in (nested, flat, flatter, [nested]):
        assert list(events_of_frame(frame)) == [expected]


def test_one_malformed_change_is_refused_and_the_others_are_kept():
    good = {"asset_id": "1", "price": "0.5", "size": "7", "side": "BUY"}
    changes = [good, {**good, "side": "HOLD"}, {**good, "price": "-1"}, {"price": "0.5"}, 3, good]
    events = list(events_of_frame({"event_type": "price_change", "price_changes": changes}))
    kinds = [type(event) for event in events]
    assert kinds == [BookDelta, Refused, Refused, Refused, Refused, BookDelta]


def test_the_other_events_are_read_and_unknown_ones_named():
    frame = [
        {"event_type": "last_trade_price", "asset_id": "1", "price": "0.5", "side": ""},
        {"event_type": "last_trade_price", "asset_id": "1", "price": "0.4", "side": "BUY"},
        {"event_type": "tick_size_change", "asset_id": "1"},
        {"event_type": "market_resolved", "assets_ids": ["1", "2"]},
        {"event_type": "best_bid_ask", "asset_id": "1", "best_bid": "0.4", "best_ask": "1"},
        {"event_type": "new_market", "id": "7"},
        {"event_type": "something_new"},
        {"message": "hello"},
    ]
    assert list(events_of_frame(frame)) == [
        LastTrade(token_id="1", price_e6=None, time_ms=None),
        LastTrade(token_id="1", price_e6=400_000, time_ms=None),
        TickSizeChange(token_id="1"),
        MarketResolved(token_ids=("1", "2")),
        BestStated(token_id="1", bid_e6=400_000, ask_e6=None, time_ms=None),
        Unknown(kind="something_new"),
        Unknown(kind="none"),
    ]


@given(json_values)
def test_no_json_at_all_crashes_the_reader(value):
    books = StreamedBooks([TokenId("1")])
    for _ in range(2):
        outcome = books.apply_frame(load_json(json.dumps(value)))
        assert set(outcome.changed) | set(outcome.dropped) <= {"1"}
    try:
        book_of(value)
    except MalformedError:
        return


@pytest.mark.parametrize(
    ("name", "price_e6", "levels"),
    [("clob_book_binary.json", 65_500, 168), ("clob_book_negrisk_outcome.json", 106_500, None)],
)
def test_the_recorded_books_are_read_to_the_last_level(recorded, name, price_e6, levels):
    body = load_json((recorded / name).read_bytes())
    book = book_of(body)
    assert book.refused_levels == 0
    assert len(book.bids) + len(book.asks) == len(body["bids"]) + len(body["asks"])
    assert levels is None or len(book.bids) + len(book.asks) == levels
    assert quote_of_snapshot(book).price_e6 == price_e6


def test_every_event_of_the_recorded_capture_is_read(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    events = [event for frame in frames for event in events_of_frame(frame)]
    assert [type(event) for event in events] == [BookSnapshot] * 3 + [BookDelta] * 8


@pytest.mark.parametrize(
    "event",
    [
        '{"event_type":"book","asset_id":"1","bids":[{"price":%s,"size":"1"}],"asks":[]}',
        '{"event_type":"book","asset_id":"1","bids":[{"price":"0.5","size":%s}],"asks":[]}',
        '{"event_type":"price_change","price_changes":[{"asset_id":"1","side":"BUY","price":%s}]}',
        '{"event_type":"price_change","price_changes":[{"asset_id":"1","side":%s}]}',
        '{"event_type":"best_bid_ask","asset_id":"1","best_bid":%s}',
        '{"event_type":"last_trade_price","asset_id":"1","price":%s}',
    ],
)
def test_what_is_nested_so_deeply_that_it_can_be_read_and_not_be_written_is_refused(event):
    # Reading and writing give up at slightly different depths, and where depends on the caller's own.
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit()):
        with suppress(MalformedError):
            StreamedBooks(["1"]).apply_frame(load_json(event % ("[" * depth + "]" * depth)))


@pytest.mark.parametrize("field", ["market", "tick_size", "last_trade_price", "min_order_size"])
def test_a_book_keeps_no_long_text_for_the_sake_of_its_hash(field):
    fields = {"market": "0x" + "a" * 64, "tick_size": "0.001", "min_order_size": "5"}
    told = {**BOOK, **fields, "hash": "ab"}
    assert book_of(told).hash_stated is not None
    assert book_of({**told, field: "0" * 81}).hash_stated is None
