"""keeper/tally.py."""

import pytest

from keeper.tally import PostedPrice, Tally, percentile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([7.0], 99, 7.0), ([1.0, 2.0], 50, 1.0), ([1.0, 2.0, 3.0], 50, 2.0)],
)
def test_a_percentile_is_a_value_that_was_measured(values, percent, expected):
    assert expected == percentile(values, percent)


def test_the_99th_of_a_hundred_values_is_the_second_largest():
    assert 99.0 == percentile([float(n) for n in range(1, 101)], 99)


def test_latencies_of_all_lanes_come_sorted():
    tally = Tally()
    tally.note_latency("prices", 5.0)
    tally.note_latency("liquidations", 3.0)
    tally.note_latency("prices", 1.0)

    assert [1.0, 3.0, 5.0] == tally.latencies_ms()
    assert [1.0, 5.0] == tally.latencies_ms(["prices"])
    assert [] == tally.latencies_ms(["chains"])


def test_of_tokens_that_came_and_went_only_those_posted_last_are_remembered():
    tally = Tally()
    for number in range(10_000):
        posted = PostedPrice(
            price_e6=number, price_class="valid", source="clob", recorded_body=None, slot=number
        )
        for token in ("posted again and again", str(number)):
            tally.note_posted(token, posted)
    assert 4_096 == len(tally.posted_tokens)
    assert {"posted again and again", "9999", "9998"} < tally.posted_tokens.keys()
    assert 9_999 == tally.posted_tokens["posted again and again"].price_e6
