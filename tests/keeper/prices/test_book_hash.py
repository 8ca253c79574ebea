import json
from dataclasses import replace

import pytest

from keeper.prices.bodies import book_of, events_of_frame
from keeper.prices.book import Book
from keeper.prices.book_hash import HashedFields, fields_that_fit, hash_of_book
from keeper.prices.numerals import load_json
from keeper.prices.streamed_books import StreamedBooks

FIELDS = HashedFields(
    market="0xab", tick_size="0.01", last_trade_price="0.5", min_order_size="5", is_neg_risk=False
)


def test_the_hash_is_of_the_compact_body_with_its_hash_left_empty():
    body = {
        "market": "0xab",
        "asset_id": "1",
        "timestamp": "1000",
        "hash": "",
        "bids": [{"price": "0.4", "size": "12.5"}],
        "asks": [{"price": "0.6", "size": "1"}, {"price": "0.5", "size": "100"}],
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "0.5",
    }
    compact = json.dumps(body, separators=(",", ":"))
    assert compact.startswith('{"market":"0xab","asset_id":"1"')
    bids, asks = [(400_000, 12_500_000)], [(600_000, 1_000_000), (500_000, 100_000_000)]
    # sha1sum of `compact`, computed once.
    assert (
        hash_of_book("1", 1_000, bids, asks, FIELDS) == "ad384e9a9df7fb0d79862ccc2da1432494acb958"
    )


@pytest.mark.parametrize("name", ["clob_book_binary.json", "clob_book_negrisk_outcome.json"])
def test_a_recorded_rest_book_has_the_hash_it_states(recorded, name):
    body = load_json((recorded / name).read_bytes())
    snapshot = book_of(body)
    fields = fields_that_fit(
        snapshot.token_id, snapshot.time_ms, snapshot.bids, snapshot.asks, snapshot.hash_stated
    )
    assert fields is not None
    assert fields.is_neg_risk is body["neg_risk"]
    fewer = snapshot.bids[1:]
    assert (
        fields_that_fit(
            snapshot.token_id, snapshot.time_ms, fewer, snapshot.asks, snapshot.hash_stated
        )
        is None
    )


def test_every_recorded_change_states_the_hash_of_the_book_it_leaves(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    books = {}
    for snapshot in events_of_frame(frames[0]):
        book = books[snapshot.token_id] = Book()
        book.apply_snapshot(snapshot)
        book.hashed = book.fit_hash(snapshot.token_id, snapshot.hash_stated)
        assert book.hashed is not None
    held = 0
    for delta in events_of_frame(frames[1:]):
        book = books[delta.token_id]
        book.apply_delta(delta)
        assert not book.misfits(delta.token_id, delta.hash_stated)
        assert book.misfits(delta.token_id, "0" * 40)
        held += 1
    assert held == 8


def test_a_lost_change_far_from_the_best_shows_in_the_hash_of_the_next(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [one["asset_id"] for one in frames[0]]
    books = StreamedBooks(tokens)
    books.apply_frame(frames[0])
    outcome = books.apply_frame(frames[3])
    # What was left out (0.07, far below the best bid of 0.998) changes no price: the book stands, and is asked for.
    assert set(outcome.changed) == set(tokens[:2]) == set(outcome.suspected)
    assert outcome.refusals == ["hash_misfit", "hash_misfit"]
    assert outcome.dropped == []
    again = books.apply_frame(frames[4])
    assert (again.refusals, again.suspected) == ([], [])


def test_a_hash_is_held_against_no_book_that_it_never_fitted(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [one["asset_id"] for one in frames[0]]
    books = StreamedBooks(tokens)
    snapshots = [{**one, "hash": "00"} for one in frames[0]]
    assert books.apply_frame(snapshots).refusals == []
    for frame in frames[1:]:
        outcome = books.apply_frame({**frame, "hash": "00"})
        assert (outcome.refusals, outcome.suspected) == ([], [])


def test_a_snapshot_that_stops_fitting_is_told_once_and_asked_for(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [one["asset_id"] for one in frames[0]]
    books = StreamedBooks(tokens)
    books.apply_frame(frames[0])
    wrong = {**frames[0][0], "hash": "00"}
    outcome = books.apply_frame(wrong)
    assert (outcome.changed, outcome.suspected) == ([tokens[0]], [tokens[0]])
    assert outcome.refusals == ["hash_misfit"]
    assert books.apply_frame(wrong).refusals == []


def test_a_trade_suspends_the_hash_until_the_next_snapshot(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [one["asset_id"] for one in frames[0]]
    books = StreamedBooks(tokens)
    books.apply_frame(frames[0])
    for token_id in tokens:
        trade = {
            "event_type": "last_trade_price",
            "asset_id": token_id,
            "price": "0.5",
            "side": "BUY",
        }
        books.apply_frame(trade)
    wrong = json.loads(json.dumps(frames[1]).replace("c27351dc", "00000000"))
    assert books.apply_frame(wrong).refusals == []


def test_only_so_many_hashes_are_computed_between_two_looks(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [one["asset_id"] for one in frames[0]]
    books = StreamedBooks(tokens)
    books.apply_frame(frames[0])
    books.apply_frame(frames[1])
    wrong = json.loads(json.dumps(frames[2]).replace("5e273de0", "00000000"))
    assert books.apply_frame(wrong).refusals == []
    books.look_again()
    wrong = json.loads(json.dumps(frames[3]).replace("ab579151", "00000000"))
    assert books.apply_frame(wrong).refusals == ["hash_misfit"]


def test_the_unsent_fields_are_found_by_trying():
    fields = replace(FIELDS, is_neg_risk=True)
    stated = hash_of_book("1", 5, [], [], fields)
    snapshot = book_of(
        {
            "asset_id": "1", "timestamp": "5", "hash": stated, "market": "0xab", "tick_size": "0.01",
            "last_trade_price": "0.5", "bids": [], "asks": [],
        }
    )  # fmt: skip
    assert fields_that_fit("1", 5, [], [], snapshot.hash_stated) == fields
