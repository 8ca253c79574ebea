"""Curves of the page: what they keep, what they never invent, how they are drawn."""

import math
import re

import moments
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.monitor.page.charts import HEIGHT, charts, path
from keeper.monitor.page.history import COLUMN_S, COLUMNS, History
from keeper.monitor.page.quantiles import quantile
from state import metrics as m
from state.sample import Figures, Sample

START_S = 1_790_000_000.0


def told(sequence, **figures):
    found = Figures()
    for name, value in figures.items():
        found.put(getattr(m, name), value)
    return Sample(service="keeper", sequence=sequence, figures=found.values)


def test_a_column_keeps_the_worst_that_was_seen_in_it():
    history = History()
    for second, coverage in enumerate((1.2, 0.4, 1.1)):
        history.take(START_S + second, {"keeper": told(second, COVERAGE=coverage)})
    assert 0.4 == history.curve("coverage", "hour")[-1]
    assert 0.4 == history.curve("coverage", "day")[-1]


def test_what_nobody_told_leaves_a_gap():
    history = History()
    for column in (0, 1, 4):
        history.take(START_S + column * COLUMN_S["hour"], {"keeper": told(column, COVERAGE=1.0)})
    newest = history.curve("coverage", "hour")[-5:]
    assert [False, False, True, True, False] == np.isnan(newest).tolist()


def test_a_silent_minute_after_a_long_one_forgets_nothing_that_still_fits():
    history = History()
    history.take(START_S, {"keeper": told(0, COVERAGE=1.0)})
    history.take(START_S + COLUMN_S["hour"] * (COLUMNS - 1), {})
    assert 1.0 == history.curve("coverage", "hour")[0]
    history.take(START_S + COLUMN_S["hour"] * COLUMNS, {})
    assert np.isnan(history.curve("coverage", "hour")).all()


def test_a_wall_clock_that_is_set_back_changes_no_curve():
    history = History()
    history.take(START_S, {"keeper": told(0, COVERAGE=1.0)})
    history.take(START_S - 7_200, {"keeper": told(1, COVERAGE=0.1)})
    assert 1.0 == history.curve("coverage", "hour")[-1]


def test_a_rate_is_none_over_the_restart_of_a_process():
    history = History()
    history.take(START_S, {"keeper": moments.keeper_sample(10, second=100.0)})
    history.take(START_S + 10, {"keeper": moments.keeper_sample(11, second=110.0)})
    assert 30.0 == history.landed_per_s("prices")
    history.take(START_S + 11, {"keeper": moments.keeper_sample(1, second=0.0)})
    assert history.landed_per_s("prices") is None


def test_quantiles_are_those_of_the_last_minute_only():
    history = History()
    slow, quick = Figures(), Figures()
    counts = [0] * (len(m.DUE_TO_LANDED.buckets) + 1)
    counts[-2] = 1_000
    slow.put_histogram(m.DUE_TO_LANDED, moments.Histogram(counts=tuple(counts), sum=1.0), "prices")
    counts[0] = 100
    quick.put_histogram(m.DUE_TO_LANDED, moments.Histogram(counts=tuple(counts), sum=1.0), "prices")
    for second, figures in ((0, slow), (1, slow), (20, quick)):
        sample = Sample(service="keeper", sequence=second, histograms=figures.histograms)
        history.take(START_S + second, {"keeper": sample})
    assert history.due_to_landed(0.99, "prices") <= m.DUE_TO_LANDED.buckets[0]


@pytest.mark.parametrize(
    ("share", "counts", "expected"),
    [(0.5, (0, 0, 0), None), (0.5, (2, 2, 0), 1.0), (0.75, (2, 2, 0), 1.5), (1.0, (0, 0, 3), 2.0)],
)
def test_a_quantile_lies_evenly_within_its_bucket_and_never_beyond_the_last_bound(
    share, counts, expected
):
    assert expected == quantile(share, counts, (1.0, 2.0))


@settings(max_examples=20)
@given(st.lists(st.one_of(st.just(math.nan), st.floats(0, 12)), min_size=COLUMNS, max_size=COLUMNS))
def test_a_path_draws_every_known_column_where_it_is_and_nothing_else(values):
    drawn, x, y = {}, 0, 0
    for letter, first, second in re.findall(
        r"([Mlh])(-?\d+)(?: (-?\d+))?", path(np.array(values), 10.0)
    ):
        if letter == "h":
            drawn |= dict.fromkeys(range(x, x + int(first) + 1), y)
            x += int(first)
        else:
            x = int(first) + (x if letter == "l" else 0)
            y = int(second) + (y if letter == "l" else 0)
            drawn[x] = y
    assert drawn == {
        column: round(HEIGHT * (1 - min(value / 10, 1.0)))
        for column, value in enumerate(values)
        if not math.isnan(value)
    }


def test_a_chart_says_in_words_what_it_shows():
    (coverage,) = [each for each in charts(moments.an_hour(), "hour") if each.id == "coverage"]
    assert coverage.summary.startswith("Coverage over the last hour: coverage now 0.")
    assert ["critical below 0.5", "warning below 1"] == [each.words for each in coverage.thresholds]


def test_a_young_monitor_shows_its_minutes_and_no_empty_hour():
    history = History()
    for column in range(40):
        history.take(
            START_S + column * COLUMN_S["hour"],
            {"keeper": told(column, COVERAGE=1.0)} if column > 4 else {},
        )
    (coverage,) = charts(history, "hour")
    assert 35 == history.columns("hour") == coverage.width + 1
    assert "M0 " == coverage.lines[0].path[:3]
    assert COLUMNS == moments.an_hour().columns("hour")
