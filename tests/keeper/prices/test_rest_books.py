import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keeper.prices.bodies import book_of
from keeper.prices.errors import MalformedError
from keeper.prices.price import Reason
from keeper.prices.quote import quote_of_snapshot
from keeper.prices.rest_books import RefusedBook, RestBook, book_of_value, books_of
from keeper.prices.strict_json import load_strict

COMPACT = (",", ":")


def book(token_id="1", bids=("0.4",), asks=("0.5",), **changes):
    return {
        "market": "0xab",
        "asset_id": token_id,
        "timestamp": "1782670540073",
        "hash": "a1",
        "bids": [{"price": price, "size": "1.5"} for price in bids],
        "asks": [{"price": price, "size": "20"} for price in asks],
        "tick_size": "0.001",
        "neg_risk": False,
        "last_trade_price": "0.062",
        **changes,
    }


def read(*bodies, asked=("1", "2"), separators=COMPACT):
    return list(books_of(json.dumps(list(bodies), separators=separators), asked))


def test_the_best_is_found_wherever_it_stands():
    (found,) = read(book(bids=("0.4", "0.45", "0.1"), asks=("0.5", "0.9", "0.46")))
    assert (found.quote.price_e6, found.quote.half_spread_e6) == (455_000, 5_000)
    assert (found.token_id, found.time_ms, found.refused_levels) == ("1", 1_782_670_540_073, 0)


@pytest.mark.parametrize("separators", [COMPACT, (", ", ": ")], ids=["swift", "plain"])
def test_a_malformed_level_is_counted_and_the_rest_stands(separators):
    levels = [
        {"price": "0.4", "size": "1"}, {"price": "nan", "size": "1"}, {"price": "0.45", "size": "-1"},
        {"price": "0.44", "size": "0"}, {"price": "1.0", "size": "1"}, {"price": "0.0", "size": "1"}, "level", None,
    ]  # fmt: skip
    (found,) = read(book(bids=levels) | {"bids": levels}, separators=separators)
    assert (found.quote.price_e6, found.refused_levels) == (450_000, 6)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (book("3"), "token_not_asked_for"),
        (book("1"), "token_twice"),
        (book("2", bids="none") | {"bids": "none"}, "malformed_book"),
        (book("2") | {"asset_id": None}, "malformed_book"),
        (book("2") | {"asks": [{}] * 10_001}, "malformed_book"),
        ("no book", "malformed_book"),
        (None, "malformed_book"),
    ],
)
def test_an_entry_that_is_no_book_asked_for_is_refused_alone(body, kind):
    first, second = read(book("1"), body)
    assert isinstance(first, RestBook)
    assert isinstance(second, RefusedBook)
    assert second.kind == kind


def test_too_many_levels_are_refused_on_the_swift_way_as_well():
    prices = [f"0.{number:05d}" for number in range(1, 10_002)]
    (found,) = read(book(bids=prices))
    assert "10001 levels" in found.reason


def test_omitted_and_unordered_entries_are_no_error():
    assert [one.token_id for one in read(book("2"))] == ["2"]
    assert [one.token_id for one in read(book("2"), book("1"))] == ["2", "1"]
    assert list(books_of(" [ ] ", ("1",))) == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{}", "dict, wanted a list"),
        ("", "no JSON"),
        ("[", "no JSON"),
        ("[" + json.dumps(book(), separators=COMPACT), "found '' after a book"),
        ("[" + json.dumps(book(), separators=COMPACT) + " x", "found 'x' after a book"),
        ("[" + json.dumps(book(), separators=COMPACT) + ",]", "no JSON"),
        ("[] []", "after the end"),
        ("[NaN]", "NaN"),
        (json.dumps([book()], separators=COMPACT).replace('"hash":"a1"', '"hash":"a1","hash":"b2"'), "twice"),
        (json.dumps([book()], separators=COMPACT).replace('"hash":"a1"', '"bids":true'), "twice"),
        ("[" * 100_000, "deeply"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_books_is_refused_whole(text, match):
    with pytest.raises(MalformedError, match=match):
        list(books_of(text, ("1", "2")))


def test_a_side_spelt_inside_a_text_is_no_side():
    trick = '[{"asset_id":"1\\"bids\\":[{\\"price\\":\\"0.9\\",\\"size\\":\\"1\\"}]","bids":[],"asks":[]}]'
    (found,) = books_of(trick, ("1",))
    assert isinstance(found, RefusedBook)


def test_recorded_books_are_read_as_the_order_book_model_reads_them(recorded):
    for name in ("clob_book_binary.json", "clob_book_negrisk_outcome.json"):
        text = (recorded / name).read_text()
        body = json.loads(text)
        (found,) = books_of(f"[{json.dumps(body, separators=COMPACT)}]", (body["asset_id"],))
        assert found == book_of_value(load_strict(text))
        snapshot = book_of(load_strict(text))
        assert (found.quote, found.time_ms) == (quote_of_snapshot(snapshot), snapshot.time_ms)


def test_an_expression_that_almost_matches_costs_no_more_than_the_text_is_long():
    prices = [f"0.{number:05d}" for number in range(1, 9_999)]
    text = json.dumps([book(bids=prices, asks=prices)], separators=COMPACT)
    begun_s = time.perf_counter()
    for at in range(len(text) - 400, len(text), 40):
        with pytest.raises(MalformedError):
            list(books_of(text[:at], ("1",)))
    assert time.perf_counter() - begun_s < 20  # against hanging only


# Mutations of real-shaped bodies.

prices = st.sampled_from(
    ["0.4", "0.45", ".5", "0.50", "0.0", "0.000001", "0.0000001", "0.9999995", "1", "0.999999", "00.3", "1e-3",
     "-0.1", "nan", "", 0, 0.3, 1e400, None, True, [], "0.4 ", "\u0660.\u0664", "0.12345678"]
)  # fmt: skip
sizes = st.sampled_from(
    ["1", "14.33", "0", "0.0", "0.00", "0.000001", "0.0000001", "1e3", "-1", "", "999999999999", "1000000000000",
     "007", "1.", 5, 0.5, None, {}, "1.1234567"]
)  # fmt: skip
levels = st.fixed_dictionaries({"price": prices, "size": sizes}) | st.sampled_from(
    [{}, None, "x", []]
)
plain_levels = st.builds(
    lambda number, cents: {"price": f"0.{number:03d}", "size": f"{cents / 100:.2f}"},
    st.integers(0, 999),
    st.integers(0, 10_000),
)
sides = st.lists(plain_levels, max_size=12) | st.lists(levels, max_size=6)
bodies = st.fixed_dictionaries(
    {
        "asset_id": st.sampled_from(["1", "2", "3", "", 5, None]),
        "timestamp": st.sampled_from(["1782670540073", "", "x", 1_782_670_540_073, None, "-1"]),
        "bids": sides,
        "asks": sides,
        "last_trade_price": st.sampled_from(["0.062", "0.5", 0.5, "", None, "2", "0.44"]),
        "neg_risk": st.booleans(),
    }
) | st.fixed_dictionaries({"asset_id": st.just("1"), "bids": sides | st.none(), "asks": sides})


def outcome_of(entry):
    try:
        return book_of_value(entry)
    except MalformedError:
        return None


@given(st.lists(bodies, max_size=4), st.data())
@example([book(bids=("0.50", "0.5"))], None)
def test_both_ways_through_a_book_find_the_same_and_never_a_price_outside_it(sent, data):
    text = json.dumps(sent, separators=COMPACT)
    if data is not None and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text)))
        text = (
            text[:at] + data.draw(st.text(max_size=2)) + text[at + data.draw(st.integers(0, 3)) :]
        )
    try:
        expected = [outcome_of(entry) for entry in load_strict(text)]
    except (MalformedError, TypeError):
        with pytest.raises(MalformedError):
            list(books_of(text, ("1", "2")))
        return
    try:
        found = list(books_of(text, ("1", "2")))
    except MalformedError:
        assert not text.lstrip().startswith("[")  # an object's keys can be walked through as well
        return
    seen = set()
    for one, plain in zip(found, expected, strict=True):
        is_wanted = (
            plain is not None and plain.token_id in ("1", "2") and plain.token_id not in seen
        )
        if not is_wanted:
            assert isinstance(one, RefusedBook)
            continue
        seen.add(plain.token_id)
        assert one == plain
        if one.quote.reason is Reason.OK:
            assert 0 < one.quote.price_e6 < 1_000_000
