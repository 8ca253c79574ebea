"""Build the program from source with an empty compiler cache, beside a warm one and the compiler's start alone.

    python -m bench.build

Target: under 2 s, cold.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from programs.betting_platform.build import PROGRAM_SO, build

ROUNDS = 5


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
    program = build()
    warm, baseline = timed(build), timed(start_compiler)
    cold = timed(build_cold)
    print(
        f"build: median {statistics.median(cold):.3f} s of {ROUNDS} (worst {max(cold):.3f}), target 2 s; "
        f"from the compiler's cache {statistics.median(warm):.3f} s, its start alone {statistics.median(baseline):.3f} s"
    )
    committed = program == PROGRAM_SO.read_bytes()
    digest = hashlib.sha256(program).hexdigest()
    print(f"{len(program)} bytes, sha256 {digest}, {'as' if committed else 'NOT as'} committed")


if __name__ == "__main__":
    main()
