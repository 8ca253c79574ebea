from keeper.prices.numerals import load_json
from keeper.prices.price import TokenId
from keeper.prices.streamed_books import StreamedBooks

ONE, TWO = TokenId("1"), TokenId("2")


def book(token_id=ONE, bid="0.4", ask="0.5", timestamp="1000"):
    return {
        "event_type": "book",
        "asset_id": token_id,
        "timestamp": timestamp,
        "bids": [{"price": bid, "size": "1"}],
        "asks": [{"price": ask, "size": "1"}],
    }


def change(*changes, timestamp="1000"):
    return {"event_type": "price_change", "timestamp": timestamp, "price_changes": list(changes)}


def level(price, size="1", side="BUY", token_id=ONE, **stated):
    return {"asset_id": token_id, "price": price, "size": size, "side": side, **stated}


def test_a_frame_names_the_books_it_changed_and_ignores_tokens_not_asked_for():
    books = StreamedBooks([ONE])
    outcome = books.apply_frame([book(), book(TWO)])
    assert (outcome.changed, outcome.refusals, outcome.dropped) == ([ONE], [], [])
    outcome = books.apply_frame(change(level("0.45"), level("0.55", token_id=TWO)))
    assert outcome.changed == [ONE]
    assert books.book(ONE).best_bid_e6 == 450_000


def test_deltas_before_the_snapshot_and_older_ones_are_refused_by_name():
    books = StreamedBooks([ONE])
    assert books.apply_frame(change(level("0.45"))).refusals == ["no_snapshot"]
    books.apply_frame(book(timestamp="2000"))
    outcome = books.apply_frame([change(level("0.45")), book(timestamp="1999")])
    assert (outcome.changed, outcome.refusals) == ([], ["out_of_order", "older"])


def test_a_stated_best_is_compared_once_the_whole_frame_is_applied():
    books = StreamedBooks([ONE])
    books.apply_frame(book())
    stated = {"best_bid": "0.42", "best_ask": "0.5"}
    frame = change(level("0.4", "0", **stated), level("0.42", **stated))
    assert books.apply_frame(frame).changed == [ONE]


def test_a_book_that_contradicts_the_stated_best_is_dropped_until_a_snapshot():
    books = StreamedBooks([ONE])
    books.apply_frame(book())
    outcome = books.apply_frame(change(level("0.3", best_bid="0.41", best_ask="0.5")))
    assert (outcome.changed, outcome.dropped) == ([], [ONE])
    assert outcome.refusals == ["best_contradicted"]
    assert books.apply_frame(change(level("0.45"))).refusals == ["no_snapshot"]
    assert books.apply_frame(book()).changed == [ONE]


def test_a_tick_size_change_drops_the_book_unless_the_snapshot_is_in_the_same_frame():
    books = StreamedBooks([ONE])
    books.apply_frame(book())
    tick = {"event_type": "tick_size_change", "asset_id": ONE}
    assert books.apply_frame([tick, book()]).changed == [ONE]
    outcome = books.apply_frame(tick)
    assert (outcome.changed, outcome.dropped) == ([], [ONE])


def test_a_book_whose_remembered_levels_ran_out_is_dropped():
    books = StreamedBooks([ONE])
    prices = [f"0.{number:04}" for number in range(1_000, 1_100)]
    bids = [{"price": price, "size": "1"} for price in prices]
    books.apply_frame({**book(), "bids": bids})
    best_64 = change(*(level(price, "0") for price in prices[-64:]))
    assert books.apply_frame(best_64).dropped == [ONE]


def test_a_crossed_book_is_granted_one_frame_to_heal():
    books = StreamedBooks([ONE])
    books.apply_frame(book())
    assert books.apply_frame(change(level("0.6"))).changed == [ONE]
    assert books.apply_frame(change(level("0.6", "0"))).changed == [ONE]
    assert books.apply_frame(change(level("0.6"))).changed == [ONE]
    outcome = books.apply_frame(change(level("0.61")))
    assert (outcome.dropped, outcome.refusals) == ([ONE], ["crossed_twice"])


def test_a_resolved_market_is_passed_on_and_rubbish_is_refused():
    books = StreamedBooks([ONE])
    resolved = {"event_type": "market_resolved", "assets_ids": [ONE, TWO]}
    outcome = books.apply_frame([resolved, 7, {"event_type": "book"}])
    assert outcome.resolved == [ONE]
    assert outcome.refusals == ["malformed_event", "malformed_event"]


def test_the_recorded_capture_gives_the_books_that_it_states_itself(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [TokenId(one["asset_id"]) for one in frames[0]]
    books = StreamedBooks(tokens)
    assert set(books.apply_frame(frames[0]).changed) == set(tokens)
    for frame in frames[1:]:
        outcome = books.apply_frame(frame)
        assert (outcome.refusals, outcome.dropped) == ([], [])
        assert set(outcome.changed) == set(tokens[:2])
    low, high = (books.book(token_id) for token_id in tokens[:2])
    assert (low.best_bid_e6, low.best_ask_e6) == (1_000, 2_000)
    # The two tokens of one market mirror one another, level by level.
    assert [(1_000_000 - one.price_e6, one.size_e6) for one in low.asks()] == [
        (one.price_e6, one.size_e6) for one in high.bids()
    ]
    # The last delta removed this level, which the snapshot held.
    assert 910_000 not in [one.price_e6 for one in low.asks()]
    other = books.book(tokens[2])
    assert (other.best_bid_e6, other.time_ms) == (922_000, 1_782_852_245_133)


def test_replaying_the_recorded_capture_twice_changes_nothing(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [TokenId(one["asset_id"]) for one in frames[0]]
    books = StreamedBooks(tokens)
    for frame in frames:
        books.apply_frame(frame)
    before = [books.book(token_id).asks() for token_id in tokens]
    for frame in frames[-1:]:
        books.apply_frame(frame)
    assert [books.book(token_id).asks() for token_id in tokens] == before
