"""A little of `python -m bench.fuzz_prices`: mutated bodies never end a source and never make a price outside their book."""

import json
import random

import pytest

from bench.fuzz_prices import Judge, LyingVenue, fuzz
from keeper.prices.observation import Observation
from keeper.prices.price import Source
from keeper.prices.quote import quote


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_bodies_are_read_or_refused_and_no_price_lies_outside_its_book(seed):
    replies, counts = fuzz(seed, for_s=30, replies_max=120)
    assert replies >= 120
    assert counts["clob observed"] > 0
    assert counts["gamma observed"] > 0


def test_the_fuzzer_stops_at_a_price_outside_its_book():
    venue = LyingVenue(random.Random(1))
    book = {"asset_id": "1", "bids": [{"price": "0.4", "size": "1"}], "asks": [{"price": "0.5", "size": "1"}]}  # fmt: skip
    venue.sent.append((1, json.dumps([book]).encode()))

    def observed(bid_e6, ask_e6):
        Judge(venue).observe(
            "1",
            Observation(
                source=Source.CLOB,
                quote=quote(bid_e6, ask_e6),
                received_at_s=0.0,
                content_time_ms=None,
                recorded_body="1",
            ),
        )

    observed(400_000, 500_000)
    with pytest.raises(AssertionError, match="price_e6=510000"):
        observed(500_000, 520_000)
