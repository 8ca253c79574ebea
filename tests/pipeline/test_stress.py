"""`keeper stress` as somebody runs it: one small run end to end, and what it refuses."""

import json

import pytest
from commands import run


def test_a_small_cascade_is_played_judged_and_reported(tmp_path):
    report = tmp_path / "report"
    ended = run(
        *("stress", "run", "liquidation-cascade", "--scale", "0.1", "--json"),
        *("--report", str(report)),
        patience_s=180,
    )
    assert ended.returncode == 0, ended.stderr
    (found,) = json.loads(ended.stdout)["scenarios"]
    assert (found["name"], found["passed"]) == ("liquidation-cascade", True)
    assert all(verdict["passed"] for verdict in found["verdicts"])
    figures = {each["name"]: each["value"] for each in found["measures"]}
    assert figures["highest leverage opened"] > 10
    assert figures["debt at the start"] > 0
    assert figures["bad debt"] >= figures["least bad debt of any keeper"] > 0
    assert "prices fall" in ended.stderr
    assert "liquidation-cascade" in (report / "index.html").read_text()


def test_every_run_is_listed_with_its_load():
    listed = json.loads(run("stress", "list", "--json").stdout)["scenarios"]
    assert {
        "concurrent-users",
        "market-volatility",
        "chain-load",
        "liquidation-cascade",
        "api-degradation",
        "network-congestion",
    } <= {each["name"] for each in listed}
    assert all(each["load"] for each in listed)
    assert "at scale 1: 1,000 users" in run("stress", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cascade",), "did you mean great-cascade?"),
        (("all", "--scale", "0"), "--scale is 0"),
        (("all", "--scale", "nan"), "--scale is nan"),
        (("all", "--report", "/dev/null/x"), "/dev/null/x"),
    ],
)
def test_bad_input_gets_one_sentence(arguments, words):
    ended = run("stress", "run", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    (sentence,) = ended.stderr.splitlines()
    assert words in sentence
