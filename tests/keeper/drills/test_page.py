"""keeper/drills/page.py: the report of a run of drills, as a browser and a script read it."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations

import pytest
from made_drills import (
    MARKET,
    action,
    belief,
    heard,
    hours_of_flapping,
    phases,
    result,
    spike_believed,
    total_outage,
)

from keeper.drills.model import ActionKind, Notice, PhaseName, Truth, Verdict
from keeper.drills.page import write_report
from keeper.drills.scales import text_width
from keeper.errors import ReportError

VOID = {"meta", "br", "link"}
HOSTILE = """<script>alert(1)</script>"'&<blink onload=y>\x00\u202egnp.exe"""


class Outline(HTMLParser):
    """Elements of a page; whatever is opened must be closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""

    def handle_starttag(self, name, attributes):
        self.seen.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.seen.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.text += data


def outline(text):
    found = Outline()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


def pages(folder, *results):
    write_report(results, folder)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}


def pictures(text):
    return [
        ET.fromstring(found) for found in re.findall(r'<svg[^>]*class="timeline".*?</svg>', text)
    ]


def test_a_report_lists_every_drill_the_failed_ones_first_and_links_its_page(tmp_path):
    index = write_report([total_outage(), spike_believed()], tmp_path)
    text = index.read_text()

    assert index == tmp_path / "index.html"
    assert text.index("price-spike") < text.index("total-outage")
    links = [given["href"] for name, given in outline(text).seen if name == "a"]
    assert links == ["price-spike.html", "total-outage.html", "results.json"]
    assert all((tmp_path / link).is_file() for link in links)
    assert text.count("FAILED") == 2, "the run, and the drill"


def test_pages_load_and_run_nothing(tmp_path):
    for text in pages(tmp_path, total_outage(), spike_believed()).values():
        found = outline(text)
        (policy,) = [given["content"] for _, given in found.seen if "http-equiv" in given]
        assert policy == "default-src 'none'; style-src 'unsafe-inline'"
        assert {"script", "img", "iframe", "object"}.isdisjoint(name for name, _ in found.seen)
        linked = [
            value
            for _, given in found.seen
            for key, value in given.items()
            if key in {"href", "src"}
        ]
        assert [] == [link for link in linked if ":" in link or link.startswith("/")]
        assert not re.search(r"url\((?!#)", text)


def test_every_picture_has_a_title_a_description_and_a_table_behind_it(tmp_path):
    text = pages(tmp_path, total_outage())["total-outage.html"]
    (picture,) = pictures(text)
    ids = picture.attrib["aria-labelledby"].split()
    said = {each.attrib["id"]: each.text for each in picture if "id" in each.attrib}

    assert MARKET in said[ids[0]]
    assert "halted from 16 s" in said[ids[1]]
    assert "3 liquidations landed, 0 of them wrong" in said[ids[1]]
    assert text.count("<details>") == 1
    assert text.count("liquidated, slot") == 3


def test_verdicts_and_notices_are_told_in_order(tmp_path):
    text = pages(tmp_path, spike_believed())["price-spike.html"]
    assert text.count("✗ missed") == 2
    assert text.count("✓ met") == 1
    assert text.index("uncertain within 2 s") < text.index("valid within 3 s")
    assert text.index("What was expected") < text.index("price.doubted")


def test_what_was_done_on_a_bad_price_crosses_the_picture_and_is_said_in_words(tmp_path):
    text = pages(tmp_path, spike_believed())["price-spike.html"]
    (picture,) = pictures(text)
    lines = [each for each in picture.iter("line") if each.attrib.get("class") == "bad-line"]
    said = re.search(r'<ul class="wrong">.*?</ul>', text)

    assert len(lines) == 4
    assert said is not None
    assert said[0].count("<li>") == 4
    assert "250_000 from the truth" in said[0]
    assert "liquidate on a bad price" in said[0]


@pytest.mark.parametrize(
    "where", ["name", "title", "fault", "source", "reason", "notice", "verdict", "bad", "market"]
)
def test_nothing_that_a_venue_says_becomes_markup(tmp_path, where):
    said = {where: HOSTILE}
    market = said.get("market", MARKET)
    hostile = result(
        said.get("name", "name"),
        title=said.get("title", "title"),
        phases=phases(1.0, 2.0, 3.0, said.get("fault", "fault")),
        truths=(Truth(at_s=0.0, market=market, price_e6=500_000),),
        heard=(heard(0.1, said.get("source", "stream"), 500_000, market=market),),
        beliefs=(
            belief(0.2, 500_000, source=said.get("source", "stream"), reason=said.get("reason", "ok"), market=market),
        ),
        actions=(action(0.3, 500_000, bad=said.get("bad"), market=market),),
        notices=(Notice(at_s=0.0, level="info", event=said.get("notice", "e"), text=said.get("notice", "t")),),
        verdicts=(
            Verdict(phase=PhaseName.BEFORE, expected=said.get("verdict", "e"), seen=said.get("verdict", "s"), passed=True),
        ),
    )  # fmt: skip
    written = pages(tmp_path, hostile)

    assert len(written) == 2
    for text in written.values():
        found = outline(text)
        assert {"script", "blink"}.isdisjoint(name for name, _ in found.seen)
        assert "onload" not in {key for _, given in found.seen for key in given}
        assert "\x00" not in text
        assert "\u202e" not in text
        for picture in pictures(text):
            assert picture.tag == "svg"


@pytest.mark.parametrize("make", [total_outage, spike_believed, hours_of_flapping])
def test_no_two_labels_of_a_picture_overlap(tmp_path, make):
    (name,) = set(pages(tmp_path, make())) - {"index.html"}
    (picture,) = pictures((tmp_path / name).read_text())
    boxes = []
    for each in picture.iter("text"):
        if each.text:
            width = text_width(each.text, 12 if each.attrib.get("class") == "phase" else 11) / 1.1
            x, y = float(each.attrib["x"]), float(each.attrib["y"])
            left = x - {"middle": width / 2, "end": width}.get(each.attrib.get("text-anchor"), 0)
            boxes.append((each.text, left, left + width, y - 9, y + 2))

    assert len(boxes) > 10
    for one, other in combinations(boxes, 2):
        is_beside = one[2] <= other[1] or other[2] <= one[1]
        assert is_beside or one[4] <= other[3] or other[4] <= one[3], (one, other)
    assert all(left >= 0 and right <= 966 for _, left, right, _, _ in boxes)


def test_hours_of_readings_stay_small_and_keep_their_extremes_and_their_worst_class(tmp_path):
    long = hours_of_flapping()
    outlier = belief(7_000.0, 990_000, "halted", market=long.beliefs[0].market)
    beliefs = tuple(sorted((*long.beliefs, outlier), key=lambda each: each.at_s))
    write_report([replace(long, beliefs=beliefs)], tmp_path)
    page = tmp_path / "flapping-for-hours.html"
    (picture,) = pictures(page.read_text())

    assert page.stat().st_size < 500_000
    assert 'class="class-halted"' in page.read_text()
    drawn = [
        each.attrib["d"]
        for each in picture.iter("path")
        if each.attrib.get("class") == "belief withheld"
    ]
    least_y = min(float(y) for y in re.findall(r"[V ](\d+(?:\.\d)?)", drawn[0]))
    truth = next(
        each.attrib["d"] for each in picture.iter("path") if each.attrib.get("class") == "truth"
    )
    assert least_y < min(float(y) for y in re.findall(r"[V ](\d+(?:\.\d)?)", truth)) - 50


def test_eight_busy_markets_share_what_a_page_may_weigh(tmp_path):
    one = hours_of_flapping(3)

    def of_all(recorded):
        each = (replace(said, market=f"{n}{said.market}") for n in range(8) for said in recorded)
        return tuple(sorted(each, key=lambda said: said.at_s))

    busy = replace(
        one,
        truths=of_all(one.truths),
        heard=of_all(one.heard),
        beliefs=of_all(one.beliefs),
        actions=of_all(one.actions),
    )
    text = pages(tmp_path, busy)["flapping-for-hours.html"]
    assert len(pictures(text)) == 8
    assert len(text.encode()) < 500_000


def test_left_out_rows_are_counted_and_bad_ones_never_left_out(tmp_path):
    long = hours_of_flapping()
    bad = tuple(
        action(5_000.0 + n, 1_000, bad="far off", market=long.beliefs[0].market) for n in range(300)
    )
    text = pages(tmp_path, replace(long, actions=(*long.actions, *bad)))["flapping-for-hours.html"]
    assert text.count("BAD: far off") == 300
    assert "evenly left out here, are in results.json" in text
    assert "250 more: see results.json" in text


def test_the_same_drills_make_the_same_bytes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write_report([total_outage(), spike_believed()], one)
    write_report([total_outage(), spike_believed()], other)
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {
        p.name: p.read_bytes() for p in other.iterdir()
    }


def test_results_json_has_everything(tmp_path):
    write_report([spike_believed()], tmp_path)
    (drill,) = json.loads((tmp_path / "results.json").read_text())["drills"]
    assert drill["passed"] is False
    assert drill["bad_price_actions"] == 4
    assert len(drill["beliefs"]) == len(spike_believed().beliefs)
    assert drill["actions"][0]["kind"] == ActionKind.POST


def test_a_drill_that_left_nothing_says_so(tmp_path):
    text = pages(tmp_path, result(detected_ms=None, recovered_ms=None))["total-outage.html"]
    assert "Nothing was recorded" in text
    assert "never shows" in text
    assert "the log said nothing" in text


def test_drills_of_one_name_get_a_page_each(tmp_path):
    assert set(pages(tmp_path, result("index"), result("INDEX"))) == {
        "index.html",
        "index-2.html",
        "index-3.html",
    }


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="name another folder with --report"):
        write_report([result()], tmp_path / "file")
