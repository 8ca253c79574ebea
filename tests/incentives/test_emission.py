"""incentives/emission.py."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentives.emission import emitted_between, emitted_by
from programs.genesis import SEASON_SLOTS, TREASURY_MMT

START = 1_000
END = START + SEASON_SLOTS


def test_the_season_emits_its_whole_budget_and_nothing_outside():
    assert 0 == emitted_by(0, START)
    assert 0 == emitted_by(START, START)
    assert TREASURY_MMT == emitted_by(END, START)
    assert TREASURY_MMT == emitted_by(END + 10**9, START)


def test_the_nominal_rate_is_the_specifications():
    assert 257_201_646 == emitted_between(START, START + 1, START)


@given(st.lists(st.integers(0, END + 1_000), max_size=30))
def test_any_partition_of_the_season_sums_to_the_budget(cuts):
    slots = sorted([0, *cuts, END + 1_000])
    parts = [emitted_between(a, b, START) for a, b in pairwise(slots)]
    assert TREASURY_MMT == sum(parts)
    assert all(part >= 0 for part in parts)


@given(st.integers(START, END))
def test_emission_is_the_exact_fraction_rounded_down(slot):
    exact = Fraction(TREASURY_MMT) * (slot - START) / SEASON_SLOTS
    assert exact.__floor__() == emitted_by(slot, START)


def test_an_interval_that_runs_backwards_is_refused():
    with pytest.raises(ValueError, match="ends at slot 5, before its start at 6"):
        emitted_between(6, 5, START)
