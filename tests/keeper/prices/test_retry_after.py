import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.prices.retry_after import retry_after_ms

NOW_MS = 784_111_777_000  # Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's own examples
MOST_MS = 300_000


def wished(header=None, body=None):
    return retry_after_ms(header, body, wall_ms=NOW_MS, at_most_ms=MOST_MS)


@pytest.mark.parametrize(
    ("header", "body", "wish_ms"),
    [
        (None, None, None),
        ("", None, None),
        ("7", None, 7_000),
        (" 7 ", None, 7_000),
        ("0", None, 0),
        ("1.5", None, 1_500),
        ("86400", None, MOST_MS),
        ("-5", None, None),
        ("soon", None, None),
        ("Sun, 06 Nov 1994 08:49:47 GMT", None, 10_000),
        ("Sunday, 06-Nov-94 08:49:47 GMT", None, 10_000),
        ("Sun Nov  6 08:49:47 1994", None, 10_000),
        ("Sun, 06 Nov 1994 08:00:00 GMT", None, 0),
        ("Sun, 06 Nov 2094 08:49:47 GMT", None, MOST_MS),
        ("Sun, 99 Nov 1994 08:49:47 GMT", None, None),
        (None, {"retry_after_seconds": 1}, 1_000),
        (None, {"retry_after_seconds": "0.25"}, 250),
        (None, {"retry_after_seconds": None}, None),
        (None, {"retry_after_seconds": 10**30}, None),
        (None, {"code": "DISABLED"}, None),
        (None, ["retry_after_seconds"], None),
        ("2", {"retry_after_seconds": 9}, 9_000),
        ("9", {"retry_after_seconds": 2}, 9_000),
    ],
)
def test_a_wish_is_read_from_header_or_body_and_bounded(header, body, wish_ms):
    assert wished(header, body) == wish_ms


def test_a_fraction_of_a_millisecond_is_waited_for_whole():
    assert wished("0.0001") == 1


@given(
    st.text(max_size=60),
    st.dictionaries(
        st.just("retry_after_seconds"), st.text() | st.integers() | st.none() | st.booleans()
    ),
)
def test_nothing_a_venue_sends_here_is_ever_an_error(header, body):
    wish_ms = wished(header, body)
    assert wish_ms is None or 0 <= wish_ms <= MOST_MS
