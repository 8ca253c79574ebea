"""`keeper stress` as somebody runs it: one small run end to end, and what it refuses."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from commands import KEEPER, run
from processes import ROOT


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


def test_ctrl_c_leaves_no_process_and_no_run_behind(tmp_path):
    command = [*KEEPER, "stress", "run", "chain-load", "--scale", "0.01"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as stress:
        said = ""
        while "chains are opened" not in said:
            line = stress.stderr.readline()
            assert line, f"it ended by itself: {said}"
            said += line
        assert len(mentioning(tmp_path)) == 1, "the keeper under stress, by its keeper.toml"
        stress.send_signal(signal.SIGINT)
        rest = stress.communicate(timeout=30)[1]
    assert stress.returncode == 128 + signal.SIGINT, rest
    assert "interrupted" in rest
    assert mentioning(tmp_path) == []
    # A payer's lock stays: taking away what others may wait for would let two of them in.
    assert list(tmp_path.glob("keeper-stress-*")) == []


def mentioning(folder):
    """Return processes whose command line names something in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # one that has just ended
            if str(folder).encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


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
