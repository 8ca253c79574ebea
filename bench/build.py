"""Build the program from source with an empty compiler cache, beside a warm one and the compiler's start alone.

    python -m bench.build

Target: under 2 s, cold.
"""

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from bench.report.figure import Beside, Figure, Goal, tell
from programs.betting_platform.build import PROGRAM_SO, build

ROUNDS = 5
GOAL_S = 2.0


def timed(work: Callable[[], object]) -> list[float]:
    """Run the work several times and return seconds."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def build_cold() -> None:
    """Build as on a machine that never compiled anything."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ZIG_GLOBAL_CACHE_DIR"] = os.environ["ZIG_LOCAL_CACHE_DIR"] = cache
        build()


def start_compiler() -> None:
    """Ask the compiler for its version."""
    subprocess.run([sys.executable, "-m", "ziglang", "version"], check=True, capture_output=True)


def main() -> None:
    """Print both, and that the bytes are the committed ones."""
    parser = argparse.ArgumentParser(prog="python -m bench.build", description=__doc__)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    program = build()
    warm, baseline = timed(build), timed(start_compiler)
    cold = timed(build_cold)
    committed = program == PROGRAM_SO.read_bytes()
    digest = hashlib.sha256(program).hexdigest()
    said = f"{len(program)} bytes, sha256 {digest}, {'as' if committed else 'NOT as'} committed"
    print(said, file=sys.stderr)
    start = Beside(name="the compiler's start alone", value=statistics.median(baseline))
    figures = [
        Figure(
            name="the program built, the compiler's cache empty",
            unit="s",
            runs=tuple(cold),
            goal=Goal(value=GOAL_S, source="issue 2"),
            limit=start,
        ),
        Figure(name="the program built, from the cache", unit="s", runs=tuple(warm), limit=start),
        Figure(
            name="builds that differ from the committed program",
            unit="",
            runs=(float(not committed),),
            goal=Goal(value=0.0, source="issue 2"),
        ),
    ]
    tell("build", figures, as_json=asked.json)


if __name__ == "__main__":
    main()
