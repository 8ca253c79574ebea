"""keeper/tally.py."""

import pytest

from keeper.tally import Tally, percentile


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
