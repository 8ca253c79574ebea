"""Rows of prices: order, what they say without a price, and what scripts get."""

import json
from io import StringIO

from rich.console import Console

from keeper.price_rows import count_by_class, price_row, rows_json, worst_first
from keeper.price_table import age, price_table
from keeper.prices.heard import SourceView
from keeper.prices.numerals import dollars
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId

NOW_S = 1_000.0


def price(token_id, price_class=PriceClass.VALID, reason=Reason.OK, age_s=1.5):
    return Price(
        token_id=TokenId(token_id),
        price_e6=655_000,
        band_e6=5_000,
        price_class=price_class,
        source=Source.STREAM,
        received_at_s=NOW_S - age_s,
        content_time_ms=None,
        reason=reason,
    )


def row(market, price_class=PriceClass.VALID, reason=Reason.OK, heard=()):
    token_id = TokenId(f"token of {market}")
    known = None if price_class is None else price(token_id, price_class, reason)
    return price_row(token_id, market, known, Reason.NO_SOURCE, heard, NOW_S)


def test_the_worst_come_first_and_numbers_count_as_numbers():
    rows = [
        row("market 10"),
        row("market 9"),
        row("market 3", PriceClass.UNCERTAIN, Reason.CROSSED),
        row("market 11", PriceClass.HALTED, Reason.TOO_OLD),
        row("market 12", None),
    ]
    assert [each.market for each in worst_first(rows)] == [
        "market 12",
        "market 11",
        "market 3",
        "market 9",
        "market 10",
    ]
    assert count_by_class(rows) == {"valid": 2, "uncertain": 1, "halted": 1, "none": 1}


def test_a_market_without_a_price_says_why_and_states_no_number():
    (found,) = rows_json([row("market 1", None)], {})["markets"]
    assert found["reason"] == "no_source"
    assert found["price_e6"] is found["band_e6"] is found["age_ms"] is found["price_class"] is None


def test_every_source_has_its_own_age_and_trust():
    heard = [
        SourceView(
            source=Source.CLOB,
            price_e6=None,
            half_spread_e6=0,
            received_at_s=NOW_S - 0.25,
            content_time_ms=1,
            is_trusted=False,
            reason=Reason.EMPTY_BOOK,
        )
    ]
    found = json.loads(json.dumps(rows_json([row("market 1", heard=heard)], {"published": 1})))
    (word,) = found["markets"][0]["sources"]
    assert word == {
        "source": "clob",
        "price_e6": None,
        "half_spread_e6": 0,
        "age_ms": 250,
        "is_trusted": False,
        "reason": "empty_book",
    }
    assert found["markets"][0]["age_ms"] == 1_500


def test_what_does_not_fit_is_counted_by_class():
    rows = worst_first([row(f"market {number}") for number in range(30)])
    console = Console(width=160, record=True, file=StringIO())
    console.print(price_table(rows, rows_max=10))
    text = console.export_text()
    assert "and 20 more: 20 valid" in text
    assert "market 9 " in text
    assert "market 10 " not in text


def test_prices_and_ages_are_written_without_a_float():
    assert [dollars(655_000), dollars(65_500), dollars(1_000_000)] == ["0.655", "0.0655", "1.00"]
    assert [age(320), age(4_120), age(125_000)] == ["320 ms", "4.1 s", "2:05 min"]
