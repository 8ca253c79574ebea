from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.numerals import e6_from, load_json
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


def levels_of(body, side):
    return {level["price"]: level["size"] for level in body[side]}


def e6_levels(levels):
    return {e6_from(price): e6_from(size) for price, size in levels.items()}


def test_the_recorded_capture_gives_the_books_that_it_states_itself(recorded):
    frames = load_json((recorded / "ws_market_capture.json").read_bytes())
    tokens = [TokenId(one["asset_id"]) for one in frames[0]]
    books = StreamedBooks(tokens)
    assert books.apply_frame(frames[0]).changed == tokens
    # Beside them, two dictionaries of text a token: what the venue's words come to without this package.
    plain = {one["asset_id"]: {s: levels_of(one, s) for s in ("bids", "asks")} for one in frames[0]}
    for frame in frames[1:]:
        books.look_again()
        outcome = books.apply_frame(frame)
        assert (outcome.refusals, outcome.dropped, outcome.suspected) == ([], [], [])
        assert set(outcome.changed) == set(tokens[:2])
        for change in frame["price_changes"]:
            levels = plain[change["asset_id"]]["bids" if change["side"] == "BUY" else "asks"]
            levels.pop(change["price"], None)
            if change["size"] != "0":
                levels[change["price"]] = change["size"]
            book = books.book(change["asset_id"])
            # Stated by the venue with this very change: its best prices, and the hash of every level.
            assert (book.best_bid_e6, book.best_ask_e6) == (
                e6_from(change["best_bid"]),
                e6_from(change["best_ask"]),
            )
            assert book.hashed is not None
            assert not book.misfits(change["asset_id"], change["hash"])
    for token_id in tokens:
        book, sides = books.book(token_id), plain[token_id]
        assert {one.price_e6: one.size_e6 for one in book.bids()} == e6_levels(sides["bids"])
        assert {one.price_e6: one.size_e6 for one in book.asks()} == e6_levels(sides["asks"])
    assert books.book(tokens[2]).time_ms == 1_782_852_245_133


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


def test_an_older_change_that_repeats_the_book_is_dropped_and_one_that_does_not_is_suspect():
    books = StreamedBooks([ONE])
    books.apply_frame(book(timestamp="2000"))
    repeated = books.apply_frame(change(level("0.4"), timestamp="1990"))
    assert (repeated.refusals, repeated.suspected, repeated.changed) == (["older"], [], [])
    gone = books.apply_frame(change(level("0.1", "0"), timestamp="1990"))
    assert (gone.refusals, gone.suspected) == (["older"], [])
    late = books.apply_frame(change(level("0.45"), timestamp="1990"))
    assert (late.refusals, late.suspected, late.dropped) == (["out_of_order"], [ONE], [])
    assert books.book(ONE).best_bid_e6 == 400_000


def test_content_older_than_any_reordering_drops_the_book():
    for frame in (change(level("0.4"), timestamp="9999"), book(timestamp="9999")):
        books = StreamedBooks([ONE])
        books.apply_frame(book(timestamp="20000"))
        outcome = books.apply_frame(frame)
        assert (outcome.refusals, outcome.dropped) == (["clock_stepped"], [ONE])
        assert not books.has_book(ONE)
        assert books.apply_frame(book(timestamp="10000")).snapshots == [ONE]


def test_ten_seconds_are_still_a_reordering():
    books = StreamedBooks([ONE])
    books.apply_frame(book(timestamp="20000"))
    outcome = books.apply_frame(change(level("0.45"), timestamp="10000"))
    assert (outcome.refusals, outcome.dropped) == (["out_of_order"], [])


def test_a_tick_size_change_is_awaiting_the_snapshot_that_follows_it():
    books = StreamedBooks([ONE, TWO])
    books.apply_frame([book(), book(TWO)])
    outcome = books.apply_frame({"event_type": "tick_size_change", "asset_id": ONE})
    assert (outcome.dropped, outcome.awaiting) == ([ONE], [ONE])
    assert books.known() == (TWO,)


def stated(bid, ask, timestamp="1000"):
    return {
        "event_type": "best_bid_ask",
        "asset_id": ONE,
        "best_bid": bid,
        "best_ask": ask,
        "timestamp": timestamp,
    }


def looked_at_twice(*frames):
    books = StreamedBooks([ONE])
    books.apply_frame(book())
    outcomes = []
    for frame in frames:
        books.apply_frame(frame)
        outcomes.append(books.look_again())
    outcomes.append(books.look_again())
    return [outcome.dropped for outcome in outcomes]


def test_a_statement_that_differs_at_two_looks_drops_the_book():
    assert looked_at_twice(stated("0.41", "0.5")) == [[], [ONE]]


def test_a_statement_that_the_book_comes_to_agree_with_or_outdates_is_none_against_it():
    assert looked_at_twice(stated("0.4", "0.5")) == [[], []]
    assert looked_at_twice(stated("0.41", "0.5"), change(level("0.41"))) == [[], [], []]
    newer = change(level("0.42"), timestamp="1001")
    assert looked_at_twice(stated("0.41", "0.5"), newer) == [[], [], []]
    # An empty side is stated as 0 or 1, and says nothing.
    assert looked_at_twice(stated("0", "1")) == [[], []]


def test_tokens_come_and_go_and_the_other_books_stay():
    books = StreamedBooks([ONE])
    books.apply_frame([book(), stated("0.41", "0.5")])
    books.look_again()
    books.follow([ONE, TWO])
    assert books.known() == (ONE,)
    assert books.apply_frame(book(TWO)).changed == [TWO]
    books.forget([ONE])
    assert books.look_again().dropped == []
    assert books.apply_frame([book(), change(level("0.41"))]).changed == []
    assert books.known() == (TWO,)


def test_unknown_events_are_counted_and_are_no_rubbish():
    books = StreamedBooks([ONE])
    outcome = books.apply_frame({"event_type": "fireworks"})
    assert (outcome.refusals, outcome.is_rubbish) == (["unknown_event"], False)
    assert books.apply_frame([7, {"event_type": "book"}]).is_rubbish
    assert not books.apply_frame([7, book()]).is_rubbish
    assert not books.apply_frame([]).is_rubbish


ticks = st.integers(1, 8).map(lambda number: f"0.{number}")
changes = st.lists(
    st.tuples(ticks, st.sampled_from(["0", "1", "2"]), st.sampled_from(["BUY", "SELL"])),
    min_size=1,
    max_size=12,
)


@given(changes, st.data())
def test_any_order_and_repetition_of_changes_ends_in_the_venues_book_once_a_snapshot_comes(
    sent, data
):
    venue = {"BUY": {"0.1": "1"}, "SELL": {"0.9": "1"}}
    frames = []
    for number, (price, size, side) in enumerate(sent):
        venue[side].pop(price, None)
        if size != "0":
            venue[side][price] = size
        frames.append(change(level(price, size, side), timestamp=str(20_000 + number)))
    arriving = data.draw(st.permutations(frames * 2))
    books = StreamedBooks([ONE])
    books.apply_frame(book(bid="0.1", ask="0.9", timestamp="20000"))
    asked = set()
    for frame in arriving:
        outcome = books.apply_frame(frame)
        asked.update(outcome.suspected, outcome.dropped)
    truth = {
        side: [{"price": price, "size": size} for price, size in venue[key].items()]
        for side, key in (("bids", "BUY"), ("asks", "SELL"))
    }
    held = books.book(ONE)
    are_same = {
        "bids": {one.price_e6: one.size_e6 for one in held.bids()},
        "asks": {one.price_e6: one.size_e6 for one in held.asks()},
    } == {side: e6_levels(levels_of(truth, side)) for side in truth}
    # Nothing that was lost to the order stays unnoticed: the book is right, or its snapshot has been asked for.
    assert are_same or asked == {ONE}
    books.apply_frame({**book(timestamp="30000"), **truth})
    held = books.book(ONE)
    assert {one.price_e6: one.size_e6 for one in held.bids()} == e6_levels(levels_of(truth, "bids"))
    assert {one.price_e6: one.size_e6 for one in held.asks()} == e6_levels(levels_of(truth, "asks"))
