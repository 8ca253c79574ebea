"""Whole drills on real sockets, as an operator runs them: two that pass, and a keeper that a drill catches."""

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import trio
from processes import PATIENCE_S, ROOT

from keeper.drills.expectations import Refrains
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.play import play_drill
from keeper.drills.scenarios.silences import DISORDERED

COMMAND = (sys.executable, "-m", "keeper.cli.main", "drill", "run")


def test_a_drill_is_run_and_told_as_one_object():
    ended = subprocess.run(
        [*COMMAND, "redirected", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert 0 == ended.returncode, ended.stderr
    assert "running redirected" in ended.stderr
    (found,) = json.loads(ended.stdout)["drills"]
    assert found["passed"]
    assert 0 == found["bad_price_actions"]
    assert found["actions_landed"] > 0
    assert 0 <= found["recovered_ms"] < 6_000


def test_what_a_drill_forbids_and_the_keeper_does_fails_it():
    forbidding = (Refrains(phase=PhaseName.DURING, kinds=(ActionKind.POST,)),)
    result = trio.run(play_drill, replace(DISORDERED, expects=forbidding))

    assert not result.passed
    assert [False] == [each.passed for each in result.verdicts[:1]]
    assert all(each.passed for each in result.verdicts[1:]), "nothing else was wrong"
    assert 0 == result.bad_price_actions


def test_an_interrupted_drill_leaves_nothing_behind():
    process = subprocess.Popen(
        [*COMMAND, "redirected"], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child = wait_for_child(process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_S)

    assert 128 + signal.SIGINT == process.returncode
    assert b"interrupted" in stderr
    assert b"Traceback" not in stderr
    assert not Path(f"/proc/{child}").exists(), "the keeper under drill is gone too"


def wait_for_child(process):
    """The process id of the keeper that the drill started."""
    threads = Path(f"/proc/{process.pid}/task")
    while process.poll() is None:
        with suppress(
            OSError
        ):  # a thread or child may be gone already: not every child is a keeper
            for children in threads.glob("*/children"):  # a child is listed under who made it
                for found in children.read_text().split():
                    if b"--no-sandbox" in Path(f"/proc/{found}/cmdline").read_bytes():
                        return int(found)
        time.sleep(0.01)
    raise AssertionError("it ended before its keeper started")
