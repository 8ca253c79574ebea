"""keeper/drills/scales.py thinning.py markup.py: axes, columns and elements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.drills.markup import Markup, number, tag
from keeper.drills.scales import (
    Scale,
    axis_times,
    clock,
    cut,
    price_ticks,
    span,
    text_width,
    time_ticks,
)
from keeper.drills.thinning import Stretch, evenly, thin_steps, worst_stretches
from keeper.prices.numerals import dollars


def test_a_value_outside_the_range_lands_on_the_edge():
    scale = Scale(0, 10, 100, 200)
    assert [scale(-5), scale(5), scale(15)] == [100, 150, 200]


@given(st.floats(0, 1e5), st.floats(0.01, 1e6), st.integers(3, 12))
def test_ticks_lie_within_the_range_and_are_few(low_s, length_s, most):
    ticks = time_ticks(low_s, low_s + length_s, most)
    assert len(ticks) <= most + 1
    assert all(low_s - 1e-3 <= tick <= low_s + length_s + 1e-3 for tick in ticks)


def test_ticks_are_round():
    assert price_ticks(591_000, 667_000, 6) == [600_000, 620_000, 640_000, 660_000]
    assert axis_times(0, 24, 11) == ([(0, "0"), (5, "5"), (10, "10"), (15, "15"), (20, "20")], "s")
    assert axis_times(0, 240, 5) == (
        [(0, "0:00"), (60, "1:00"), (120, "2:00"), (180, "3:00"), (240, "4:00")],
        "min:s",
    )
    assert axis_times(0, 7_200, 4)[0][-1] == (7_200, "2:00")


@pytest.mark.parametrize(
    ("price_e6", "text"),
    [
        (0, "0.00"),
        (650_000, "0.65"),
        (651_234, "0.651234"),
        (1_000_000, "1.00"),
        (-20_000, "-0.02"),
    ],
)
def test_prices_are_written_exactly(price_e6, text):
    assert dollars(price_e6) == text


def test_times_are_written_as_people_say_them():
    assert [clock(0), clock(12.34), clock(125), clock(3_725), clock(-1.5)] == [
        "0 s",
        "12.34 s",
        "2:05 min",
        "1:02:05 h",
        "-1.5 s",
    ]
    assert [span(320), span(12_400), span(125_000)] == ["320 ms", "12.4 s", "2:05 min"]


@given(st.text(max_size=60), st.floats(0, 400))
def test_a_cut_text_fits(text, width_px):
    assert text_width(cut(text, width_px, 11), 11) <= max(width_px, 0)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.none() | st.integers(0, 10**6))), st.floats(0.5, 20)
)
def test_thinning_keeps_extremes_gaps_and_the_last_word(steps, column_s):
    steps.sort(key=lambda step: step[0])
    thinned = thin_steps(steps, column_s)
    values = [value for _, value in steps if value is not None]
    kept = [value for _, value in thinned if value is not None]

    assert set(thinned) <= set(steps)
    assert len(thinned) <= 5 * (100 / column_s + 1)
    assert (min(values, default=None), max(values, default=None)) == (
        min(kept, default=None),
        max(kept, default=None),
    )
    assert (None in [value for _, value in thinned]) == (None in [value for _, value in steps])
    if steps:
        assert thinned[-1][1] == steps[-1][1]


def test_each_column_shows_the_worst_that_touched_it():
    assert worst_stretches([(0.0, 6.0, 0), (2.2, 2.3, 4), (3.0, 5.0, 1)], 6) == [
        Stretch(0, 2, 0),
        Stretch(2, 3, 4),
        Stretch(3, 5, 1),
        Stretch(5, 6, 0),
    ]
    assert worst_stretches([(2.0, 3.0, 0)], 4) == [Stretch(2, 3, 0)]


@given(st.integers(0, 5_000), st.integers(2, 300))
def test_an_even_choice_has_both_ends(count, most):
    chosen = evenly(count, most)
    assert len(chosen) == min(count, most)
    if count > 1:
        assert {0, count - 1} <= set(chosen)


def test_markup_passes_and_text_is_escaped():
    inner = tag("b", "<&>")
    assert tag("p", inner, 'a"', class_="x y", data_n=1.25, left_out=None) == (
        '<p class="x y" data-n="1.2"><b>&lt;&amp;&gt;</b>a&quot;</p>'
    )
    assert isinstance(inner, Markup)
    assert tag("rect", x=0.0) == '<rect x="0"/>'
    assert number(-0.01) == "0"
