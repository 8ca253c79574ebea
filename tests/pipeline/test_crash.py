"""The crash test in short: `python -m bench.crash` does it two hundred times."""

import json
import subprocess
import sys

from processes import ROOT

KILLS = 6
PATIENCE_S = 240.0


def test_six_keepers_killed_at_work_do_nothing_twice_and_lose_nothing():
    command = [sys.executable, "-m", "bench.crash", "--kills", str(KILLS), "--json"]
    ended = subprocess.run(
        [*command, "--faults", "light", "--markets", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.stdout, ended.stderr
    found = json.loads(ended.stdout)
    audit = found["audit"]
    assert [] == audit["violations"], ended.stderr
    assert {} == found["ended_alone"]
    assert KILLS == found["kills"] == sum(found["killed_while"].values())
    assert (0, 0, 0) == (audit["open"], audit["duplicates"], audit["jobs_lost"])
    assert audit["landed"] > 0
    assert audit["attempts"] == audit["landed"] + audit["failed"] + audit["expired"]
    assert [] == found["blind_spots"]
    assert 0 == ended.returncode
