from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.errors import MalformedError
from keeper.prices.numerals import e6_from, load_json, price_e6_from, time_ms_from


@pytest.mark.parametrize(
    ("sent", "e6"),
    [
        ("0.0655", 65_500),
        ("0.063", 63_000),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("1", 1_000_000),
        (1, 1_000_000),
        (0, 0),
        ("0", 0),
        ("358771.5", 358_771_500_000),
        ("1e-3", 1_000),
        ("1.5E2", 150_000_000),
        ("0.0000005", 1),
        ("0.0000004", 0),
        ("999999999999.999999", 10**18 - 1),
    ],
    ids=repr,
)
def test_decimal_text_and_integers_become_millionths(sent, e6):
    assert e6_from(sent) == e6


@pytest.mark.parametrize(
    "sent",
    [
        "", ".", "-1", "+1", "nan", "NaN", "inf", "-Infinity", "0x1", "1_000", "1 ", " 1", "1,5", "\u0661", "1e", "e5",
        "1e21", "1e999", "1e9999", "9" * 49, "1000000000000", None, True, False, 1.5, -1, 10**12, 10**5_000, [], {}, b"1",
    ],
    ids=lambda sent: "5_001 digits" if isinstance(sent, int) and sent > 10**40 else repr(sent),
)  # fmt: skip
def test_what_is_no_plain_decimal_is_refused_with_one_short_sentence(sent):
    with pytest.raises(MalformedError) as refused:
        e6_from(sent)
    assert len(str(refused.value)) < 160


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=9))
def test_the_conversion_agrees_with_decimal(value):
    text = format(value, "f")
    expected = (Decimal(text) * 1_000_000).to_integral_value(rounding=ROUND_HALF_UP)
    assert e6_from(text) == int(expected)


@given(st.text(max_size=60))
def test_any_text_is_a_number_in_range_or_refused(text):
    try:
        e6 = e6_from(text)
    except MalformedError:
        return
    assert 0 <= e6 < 10**18


def test_json_floats_arrive_as_their_own_text():
    body = load_json(b'{"a": 0.1, "b": [1e-3, 2], "c": "0.1"}')
    assert body == {"a": "0.1", "b": ["1e-3", 2], "c": "0.1"}
    assert e6_from(body["a"]) == 100_000


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a":', b"NaN", b"[Infinity]", b"[" * 100_000, b"9" * 5_000, b"\xff"],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_is_refused(body):
    with pytest.raises(MalformedError):
        load_json(body)


@pytest.mark.parametrize("sent", ["0", "1", "1.0", "1.5", 0, 1, "0.0000001"], ids=repr)
def test_a_price_lies_strictly_between_zero_and_one(sent):
    with pytest.raises(MalformedError):
        price_e6_from(sent)


@pytest.mark.parametrize(
    ("sent", "time_ms"),
    [
        ("1782670540073", 1_782_670_540_073), (1_782_670_540_073, 1_782_670_540_073),
        (None, None), ("", None), ("-1", None), (0, None), (True, None), ("9" * 15, None), (10**14, None), ("2026-01-01", None),
    ],
    ids=repr,
)  # fmt: skip
def test_a_timestamp_is_milliseconds_or_nothing(sent, time_ms):
    assert time_ms_from(sent) == time_ms
