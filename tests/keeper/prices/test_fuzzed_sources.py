"""A little of `python -m bench.fuzz_prices`: mutated bodies never end a source and never make a price outside their book."""

import pytest

from bench.fuzz_prices import fuzz
from keeper.prices import rest_books
from keeper.prices.quote import quote


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_bodies_are_read_or_refused_and_no_price_lies_outside_its_book(seed):
    replies, counts = fuzz(seed, for_s=30, replies_max=120)
    assert replies >= 120
    assert counts["clob observed"] > 0
    assert counts["gamma observed"] > 0


def test_the_fuzzer_stops_at_a_price_outside_its_book(monkeypatch):
    # The one thing replaced is what the fuzzer must notice the lack of.
    monkeypatch.setattr(rest_books, "quote", lambda *_: quote(998_000, 999_500))
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        fuzz(1, for_s=30)
