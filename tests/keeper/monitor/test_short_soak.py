"""The soak in small: some minutes of platform life on the virtual clock, and a leak that it has to find."""

import logging

import pytest
import structlog

from bench.soak import QUARTERS, Limits, figures_of, soak
from state.in_loop import InLoopStore

MARKETS = 12
FOR_S = 240.0
LIMITS = Limits(rss=24 << 20, journal_per_landed=2_048, said_per_landed=256)
"""Few jobs land, so the bytes of whatever else happens weigh more on each."""
LEAK_BYTES = 1 << 18
"""A commit."""


@pytest.fixture(autouse=True)
def _quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def missed(found):
    return [each.name for each in figures_of(found, LIMITS) if each.is_met is False]


def test_minutes_of_platform_life_grow_nothing_but_what_is_kept_for_good():
    found = soak(MARKETS, FOR_S, seed=1, is_traced=False)
    assert missed(found) == []
    assert len(found.stocks) == QUARTERS
    assert all(found.jobs[lane] > 0 for lane in ("prices", "liquidations", "chains"))
    first, last = found.stocks[0], found.stocks[-1]
    assert last.journal > first.journal, "databases are in files, and are weighed"
    assert first.wal > 0
    assert last.said > first.said


def test_a_leak_is_found(monkeypatch):
    hoard, transaction = [], InLoopStore.transaction

    async def leaking(self, work):
        hoard.append(bytearray(LEAK_BYTES))
        return await transaction(self, work)

    monkeypatch.setattr(InLoopStore, "transaction", leaking)
    assert missed(soak(MARKETS, FOR_S, seed=1, is_traced=False)) == [
        "memory of the process, growth"
    ]
