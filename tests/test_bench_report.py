"""bench/report: figures, what is kept of them, the document made of them, and ratios that must not grow."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.__main__ import DATA, DOCUMENT, benchmarks
from bench.report.claims import CLAIMS
from bench.report.figure import Beside, Figure, Goal, line_of
from bench.report.kept import Kept, figure_of, kept_of, read_kept, write_kept
from bench.report.performance import answered, claim_lines, document_of, number, page_of
from bench.report.ratios import BOUNDS, Bound, bounds, ratio_of

FIGURE = Figure(
    name="a scan of 10 things",
    unit="ms",
    runs=(3.0, 1.0, 2.0),
    goal=Goal(value=2.0, source="somebody"),
    baseline=Beside(name="one by one", value=400.0),
    limit=Beside(name="copying", value=0.5),
    claim="positions",
)
KEPT = Kept(
    benchmark="scan",
    measured="2026-01-01T00:00Z",
    commit="abc",
    took_s=1.0,
    machine="a machine",
    load=1.5,
    figures=(FIGURE, Figure(name="another", unit="", runs=(0.0,))),
)


def test_a_figure_is_the_median_of_its_runs_and_says_how_far_they_lie_apart():
    assert (FIGURE.value, FIGURE.spread, FIGURE.is_met) == (2.0, 1.0, True)
    worse = replace(FIGURE, runs=(2.1,))
    assert not worse.is_met
    assert replace(worse, goal=Goal(value=2.0, is_most=False)).is_met
    assert replace(FIGURE, goal=None).is_met is None
    assert "goal at most 2: met" in line_of(FIGURE)
    assert "MISSED" in line_of(worse)
    with pytest.raises(AssertionError):
        replace(FIGURE, runs=())


def test_what_is_kept_is_read_back_as_it_was(tmp_path):
    write_kept(KEPT, tmp_path / "new")
    assert read_kept(tmp_path / "new") == {"scan": KEPT}
    assert figure_of(asdict(FIGURE) | {"value": 9, "is_met": None}) == FIGURE


def test_a_claim_is_answered_or_said_to_be_open():
    lines = list(claim_lines({"scan": KEPT}))
    assert "    a scan of 10 things: 2 ms, met" in lines
    assert "    limit: 0.5 ms (copying)" in lines
    assert sum("not measured" in line for line in lines) == len(CLAIMS) - 1


def test_the_latest_figure_answers_a_claim_whichever_was_read_first():
    later = replace(KEPT, benchmark="scan:--runs,9", measured="2026-01-02T00:00Z")
    newer = replace(later, figures=(replace(FIGURE, runs=(9.0,)),))
    for kept in ({"scan": KEPT, "part": newer}, {"part": newer, "scan": KEPT}):
        assert answered(kept)["positions"].value == 9.0


def test_the_document_and_the_page_have_every_figure():
    text = document_of({"scan": KEPT})
    assert (
        "| a scan of 10 things | 2 ms | 100% of 3 | ≤ 2 ms, met | 400 ms (one by one) | 0.5 ms (copying) |"
        in text
    )
    assert "| another | 0 | one run | |  |  |" in text.replace("|  |  |  |", "| |  |  |")
    page = page_of({"scan": KEPT}, "")
    assert "a scan of 10 things" in page
    assert "one by one" in page


def test_every_claim_names_a_benchmark_that_there_is_and_answers_it_by_its_key():
    known = benchmarks()
    folder = Path(__file__).parents[1] / "bench"
    for claim in CLAIMS:
        if not known.get(claim.benchmark):
            continue
        sources = [*folder.glob(f"{claim.benchmark}.py"), *folder.glob(f"{claim.benchmark}/*.py")]
        assert any(f'"{claim.key}"' in path.read_text() for path in sources), claim.key


@pytest.mark.skipif(not DATA.exists(), reason="docs/performance.json has not been written yet")
def test_the_committed_document_is_what_its_data_makes_of_it():
    kept = {each["benchmark"]: kept_of(each) for each in json.loads(DATA.read_text())}
    assert DOCUMENT.read_text() == document_of(kept)


def test_a_worse_figure_breaks_its_bound():
    bound = Bound(benchmark="scan", figure="a scan", of="baseline", at_most=0.01, why="")
    assert bound.holds(ratio_of(bound, [FIGURE]))
    assert not bound.holds(ratio_of(bound, [replace(FIGURE, runs=(5.0,))]))
    least = Bound(benchmark="scan", figure="a scan", of="limit", at_least=4.0, why="")
    assert least.holds(ratio_of(least, [FIGURE]))
    assert not least.holds(ratio_of(least, [replace(FIGURE, runs=(1.0,))]))
    with pytest.raises(LookupError):
        ratio_of(replace(bound, figure="no such"), [FIGURE])
    with pytest.raises(LookupError):
        ratio_of(bound, [replace(FIGURE, baseline=None)])


def test_the_committed_bounds_can_be_read_and_name_benchmarks_that_tell_figures():
    found = bounds(BOUNDS.read_text())
    assert len(found) >= 5
    assert all(benchmarks()[each.benchmark] and each.why for each in found)


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (1234.5, "1,234"), (0.01234, "0.0123")])
def test_numbers_are_written_for_people(value, text):
    assert number(value) == text
