"""The report of a run of drills, as whoever opens it finds it."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from made_drills import hours_of_flapping, spike_believed, total_outage

from keeper.drills.lanes import flags
from keeper.drills.page import write_report
from keeper.drills.scales import clock, dollars, span, time_ticks
from keeper.drills.story import stories
from keeper.drills.thinning import evenly, thin_steps, worst_stretches
from keeper.errors import ReportError

OUTLASTED, BELIEVED_SPIKE, FLAPPING = total_outage(), spike_believed(), hours_of_flapping()
_VOID = {"br", "meta", "link"}


class Outline(HTMLParser):
    """Elements opened and closed, and what a browser would fetch or run."""

    def __init__(self):
        super().__init__()
        self.open, self.found, self.text, self.loads = [], [], [], []

    def handle_starttag(self, name, attributes):
        self.found.append((name, dict(attributes)))
        self.loads += [f"{name} {key}" for key, _ in attributes if key in {"src", "onclick"}]
        if name not in _VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.found.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    page = Outline()
    page.feed(path.read_text())
    assert page.open == [], "every element is closed"
    assert page.loads == []
    assert not any(name == "script" for name, _ in page.found)
    return page


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return write_report([OUTLASTED, BELIEVED_SPIKE, FLAPPING], folder).parent


def test_what_failed_comes_first_and_every_drill_has_its_page(made):
    rows = [
        attributes["href"]
        for name, attributes in read(made / "index.html").found
        if name == "a" and attributes["href"] != "results.json"
    ]
    assert rows[0] == f"{BELIEVED_SPIKE.name}.html"
    assert sorted(rows) == sorted(p.name for p in made.glob("*.html") if p.name != "index.html")


def test_a_page_says_every_expectation_beside_what_was_seen(made):
    text = "".join(read(made / f"{OUTLASTED.name}.html").text)
    for verdict in OUTLASTED.verdicts:
        assert verdict.expected in text
        assert verdict.seen in text


def test_every_picture_has_a_title_a_description_and_a_table_behind_it(made):
    page = read(made / f"{BELIEVED_SPIKE.name}.html")
    pictures = [attributes for name, attributes in page.found if attributes.get("role") == "img"]
    ids = {attributes.get("id") for _, attributes in page.found}
    assert pictures
    for picture in pictures:
        assert set(picture["aria-labelledby"].split()) <= ids
    tables = [name for name, _ in page.found if name == "table"]
    assert len(tables) >= len(pictures)


def test_each_bad_action_has_a_flag_and_its_reason_in_words(made):
    (story,) = [each for each in stories(BELIEVED_SPIKE) if each.bad]
    assert sum(map(len, flags(story))) == len(story.bad)
    text = "".join(read(made / f"{BELIEVED_SPIKE.name}.html").text)
    for action in story.bad:
        assert action.bad in text


def test_hostile_text_stays_text(tmp_path):
    hostile = "</svg><script>alert(1)</script>\x00\u202e"
    notice = replace(OUTLASTED.notices[0], event=hostile, text=hostile)
    verdict = replace(OUTLASTED.verdicts[0], seen=hostile)
    drill = replace(OUTLASTED, title=hostile, notices=(notice,), verdicts=(verdict,))
    page = write_report([drill], tmp_path)
    for path in (page, tmp_path / f"{drill.name}.html"):
        read(path)
        assert "\x00" not in path.read_text()
        assert "\u202e" not in path.read_text()


def test_hours_of_flapping_stay_below_half_a_megabyte(made):
    assert (made / f"{FLAPPING.name}.html").stat().st_size < 500_000


def test_the_same_results_make_the_same_bytes(made, tmp_path):
    again = write_report([OUTLASTED, BELIEVED_SPIKE, FLAPPING], tmp_path / "again").parent
    for path in made.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_the_figures_are_there_as_json(made):
    found = json.loads((made / "results.json").read_text())["drills"]
    assert [each["name"] for each in found] == [OUTLASTED.name, BELIEVED_SPIKE.name, FLAPPING.name]
    assert [each["passed"] for each in found] == [True, False, FLAPPING.passed]


def test_a_drill_that_ran_twice_has_two_pages(tmp_path):
    write_report([OUTLASTED, OUTLASTED], tmp_path)
    assert len(list(tmp_path.glob(f"{OUTLASTED.name}*.html"))) == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ReportError, match="name another folder with --report"):
        write_report([OUTLASTED], tmp_path / "taken")


def test_thinning_keeps_extremes_gaps_and_the_worst():
    steps = [(at / 100, at % 7 if at != 50 else None) for at in range(1_000)]
    thinned = thin_steps(steps, 1.0)
    assert len(thinned) <= 5 * 10
    assert {value for _, value in thinned} >= {0, 6, None}
    (stretch,) = worst_stretches([(0.0, 10.0, 0), (4.2, 4.3, 3)], 5)[-1:]
    assert (stretch.starts, stretch.ends, stretch.rank) == (4, 5, 3)
    assert evenly(1_000, 3) == [0, 499, 999]


def test_times_and_prices_are_written_as_people_read_them():
    assert [clock(12.34), clock(125), clock(3_725)] == ["12.34 s", "2:05 min", "1:02:05 h"]
    assert [span(320), span(12_400)] == ["320 ms", "12.4 s"]
    assert [dollars(650_000), dollars(651_234), dollars(1_000_000)] == ["0.65", "0.651234", "1.00"]
    assert time_ticks(0, 10, 6) == [0, 2, 4, 6, 8, 10]
