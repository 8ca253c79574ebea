"""The page as HTML: what it says first, that nothing in it can break it, that everybody can read it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import moments
import pytest

from keeper.monitor.page.blocks import SIGNS
from keeper.monitor.page.overview import overview
from keeper.monitor.page.render import page, panels, runbook
from keeper.monitor.page.runbooks import runbook_html
from keeper.monitor.page.shown import Shown
from state import metrics as m

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\u202e"
VOID = {"meta", "link", "br", "path", "circle"}


class Reader(HTMLParser):
    """Reads tags, and that each is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        assert [] == self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())


def verdict(shown):
    found = overview(shown).verdict
    return found.state, found.sentence


def sample_with(metric, value, *labels):
    sample = moments.keeper_sample(1, second=100.0)
    return replace(sample, figures={**sample.figures, (metric.name, labels): value})


def test_all_is_well_only_while_the_keeper_speaks_every_check_passes_and_no_alert_fires():
    assert verdict(moments.moment()) == (
        "good",
        "all is well: 6 of 6 checks pass, no alert fires",
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"samples": {}}, "no word from the keeper yet: nothing is known of it"),
        (
            {"samples": {"keeper": moments.Told(sample=moments.keeper_sample(), age_s=6.0)}},
            "the keeper is silent since 14:13:14 UTC: figures below are old",
        ),
        (
            {"alerts": [moments.Firing(level="Warning", summary="a"), moments.Firing(summary="b")]},
            "2 alerts fire, the worst is critical: b",
        ),
        (
            {"checks": [moments.Checked(name="oldest_due", passed=False), *moments.CHECKS]},
            "not ready: oldest due",
        ),
        (
            {"alerts": [moments.Firing(level="unheard-of", summary="c")]},
            "1 alert fires, the worst is emergency: c",
        ),
    ],
)
def test_whatever_is_wrong_comes_first(changed, expected):
    assert verdict(moments.moment(**changed)) == ("bad", expected)


def test_what_is_read_aloud_changes_when_the_alert_does_and_not_with_its_figures():
    told = {
        overview(moments.moment(alerts=[moments.Firing(summary=f"due for {age} s")])).verdict.spoken
        for age in range(5)
    }
    assert {"1 alert fires, the worst is critical: coverage low"} == told
    html = panels(moments.moment(alerts=[moments.Firing()]), "hour")["top"]
    assert 1 == html.count('role="status"')
    assert told.pop() in html


def test_a_keeper_that_stopped_in_order_is_no_alarm():
    stopped = moments.keeper_sample(is_last=True)
    state, sentence = verdict(moments.moment(sample=stopped, age_s=600.0))
    assert ("note", "the keeper has stopped in order; figures are those of its end") == (
        state,
        sentence,
    )


def test_an_alert_says_what_is_wrong_since_when_what_was_done_and_what_to_do():
    text = Reader(page(moments.moment(alerts=[moments.Firing()]), "hour")).text
    for words in (
        "coverage is 0.41, below 0.5: leveraged opens are refused",
        "since 14:10:15 UTC, for 3:05 min",
        "liquidates and closes as before; the program refuses new loans",
        "runbook of coverage_low",
        "keeper alerts ack 9f2c41aa",
    ):
        assert words in text, words


def test_figures_of_a_silent_service_are_marked_as_old():
    html = page(moments.moment(age_s=6.0), "hour")
    assert 'id="vault" class="old"' in html
    assert 'id="rewards" class="old"' not in html


def test_what_is_not_known_is_a_dash_and_no_zero():
    silent = replace(moments.keeper_sample(), figures={}, histograms={}, details={})
    html = panels(moments.moment(sample=silent), "hour")["vault"]
    assert "<dd>\u2013</dd>" in html


def test_nothing_that_is_told_can_break_the_page():
    sample = replace(
        sample_with(m.REFUSALS, 3.0, HOSTILE, HOSTILE),
        details={
            "prices": [{"market": HOSTILE, "price_e6": HOSTILE}, HOSTILE, None],
            "landed": [{"signature": HOSTILE, "slot": {}}, {"signature": '"><b>'}],
            "stuck_chains": {"chain": 1},
            "cluster": [HOSTILE],
        },
    )
    alert = moments.Firing(
        rule=HOSTILE, summary=HOSTILE, already_did=HOSTILE, labels={HOSTILE: HOSTILE}
    )
    check = moments.Checked(name=HOSTILE, passed=False, words=HOSTILE)
    shown = moments.moment(sample=sample, alerts=[alert], checks=[check])
    read = Reader(page(shown, "hour"))
    assert [("script", "page.js")] == [
        (tag, re.sub(r".*/(\w+)\.\w+\.", r"\1.", attrs["src"]))
        for tag, attrs in read.tags
        if tag in {"script", "b", "iframe"}
    ]
    assert "\u202e" not in page(shown, "hour")


@pytest.mark.parametrize("shown", [moments.moment(history=moments.an_hour()), Shown(wall_s=0.0)])
def test_the_page_obeys_its_own_policy_and_can_be_read_aloud(shown):
    read = Reader(page(shown, "hour"))
    ids = [attrs["id"] for _tag, attrs in read.tags if attrs.get("id")]
    assert sorted(set(ids)) == sorted(ids)
    for tag, attrs in read.tags:
        assert "style" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        if tag == "svg":
            assert attrs.get("aria-label") or attrs.get("aria-hidden") or attrs["class"] == "key"
        if tag == "section":
            assert attrs["aria-labelledby"] in ids
        if tag == "a" and attrs["href"].startswith("#"):
            assert attrs["href"][1:] in ids
    assert read.tags.count(("h1", {})) == 1


def test_a_state_is_told_by_a_sign_and_never_by_colour_alone():
    html = "".join(panels(moments.moment(alerts=[moments.Firing()]), "hour").values())
    for state, rest in re.findall(
        r'<(?:div|td|li|p)[^>]* class="[^"]*state-(\w+)"[^>]*>([^§]{0,200})', html
    ):
        assert SIGNS[state] in rest, rest


def test_a_landing_is_linked_only_where_an_explorer_is_set():
    assert f"https://explorer.solana.com/tx/{moments.SIGNATURE}" in page(moments.moment(), "hour")
    assert "explorer" not in page(moments.moment(explorer_url=None), "hour")


def test_a_runbook_is_its_markdown_and_html_in_it_is_text(tmp_path):
    text = "# Stuck\n\n- run `keeper status`\n\n| a |\n|---|\n| b |\n\n<script>alert(1)</script>\n"
    (tmp_path / "stuck.md").write_text(text)
    html = runbook("stuck", runbook_html("stuck", tmp_path))
    assert "stuck · runbook Status Stuck run keeper status a b" in Reader(html).text
    assert "<code>keeper status</code>" in html
    assert "<td>b</td>" in html
    assert "<script" not in html
    assert runbook_html("../stuck", tmp_path / "x") is None
