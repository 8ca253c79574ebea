"""Build the program from source, beside starting the compiler alone.

    python -m bench.build

Target: under 2 s.
"""

import hashlib
import statistics
import subprocess
import sys
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


def start_compiler() -> None:
    """Ask the compiler for its version."""
    subprocess.run([sys.executable, "-m", "ziglang", "version"], check=True, capture_output=True)


def main() -> None:
    """Print both, and that the bytes are the committed ones."""
    program = build()
    seconds = timed(build)
    baseline = timed(start_compiler)
    print(
        f"build: median {statistics.median(seconds):.3f} s of {ROUNDS} (worst {max(seconds):.3f}), "
        f"target 2 s; the compiler's start alone {statistics.median(baseline):.3f} s"
    )
    committed = program == PROGRAM_SO.read_bytes()
    digest = hashlib.sha256(program).hexdigest()
    print(f"{len(program)} bytes, sha256 {digest}, {'as' if committed else 'NOT as'} committed")


if __name__ == "__main__":
    main()
