import pytest

from keeper.prices.feed_config import FeedConfig


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"books_per_request": 501}, "books_per_request is 501, wanted 1 to 500"),
        ({"markets_per_request": 41}, "markets_per_request is 41, wanted 1 to 40"),
        ({"breaker_failures": 0}, "breaker_failures is 0, wanted 1 or more"),
        ({"breaker_probe_ms": 0}, "breaker_probe_ms is 0"),
        ({"retry_after_max_ms": 0}, "retry_after_max_ms is 0"),
        (
            {"breaker_probe_ms": 500, "breaker_probe_max_ms": 400},
            r"breaker_probe_max_ms is 400, wanted at least breaker_probe_ms \(500\)",
        ),
    ],
)
def test_settings_that_the_venue_would_refuse_or_that_mean_nothing_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        FeedConfig(**changes)


def test_the_breakers_rules_are_in_seconds():
    rules = FeedConfig(breaker_probe_ms=250, breaker_probe_max_ms=2_500).breaker_rules
    assert (rules.failures, rules.probe_s, rules.probe_max_s) == (5, 0.25, 2.5)
