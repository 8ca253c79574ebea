"""keeper/monitor/health_page.py: health as a person reads it in a terminal."""

from io import StringIO

import pytest
from rich.console import Console

from keeper.monitor.health_page import health_page

CHECKS = [
    {"name": "disk", "passed": True, "words": "there is room on disk", "deadline_s": 0.0},
    {"name": "tasks", "passed": False, "words": "keeper's task scan has ended", "deadline_s": 0.0},
]
ALERT = {
    "rule": "task_stuck",
    "level": "critical",
    "labels": {"task": "scan"},
    "since_wall_s": 1_795_000_000.0 - 3_725,
    "value": 1.0,
    "summary": "the task scan has ended",
    "already_did": "keeps the other tasks going",
    "runbook": "docs/alerts/task_stuck.md",
    "acknowledged_by": "anna",
    "fingerprint": "b85b3dbb94",
}


def shown(**changes):
    found = {
        "is_live": True,
        "is_ready": False,
        "why_dead": None,
        "wall_s": 1_795_000_000.0,
        "told_by": "http://127.0.0.1:9184/health",
        "checks": CHECKS,
        "alerts": [],
    }
    console = Console(width=160, file=StringIO())
    console.print(health_page(found | changes))
    return console.file.getvalue()


def test_what_fails_comes_first_and_says_what_it_is():
    text = shown()
    assert text.startswith("NOT READY  1 of 2 checks fail")
    assert text.index("FAILS  tasks") < text.index("disk")
    assert "keeper's task scan has ended" in text


def test_an_alert_says_since_when_what_is_done_about_it_who_took_it_and_where_to_read_on():
    text = shown(alerts=[ALERT])
    for words in (
        *("critical", "task_stuck task scan", "1 h 2 min", "b85b3dbb94"),
        *("taken by anna", "keeps the other tasks going", "see docs/alerts/task_stuck.md"),
    ):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_ready": True}, "READY"),
        ({"is_live": False, "why_dead": "it was killed"}, "DEAD  it was killed"),
        ({"alerts": None}, "no monitor answers: nobody judges alerts"),
        ({"alerts": []}, "no alert fires"),
    ],
)
def test_the_verdict_is_said_in_a_word(changes, words):
    assert words in shown(**changes)
