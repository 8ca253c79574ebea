"""Nobody is woken while everything works: the short form of `python -m bench.quiet_hour`."""

import subprocess
import sys


def test_six_quiet_minutes_of_every_lane_wake_nobody():
    # A process of its own: chance and time are decided for all of it.
    command = [sys.executable, "-m", "bench.quiet_hour", "--hours", "0.1"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert (0, "") == (ended.returncode, "" if ended.returncode == 0 else ended.stderr[-2_000:])
