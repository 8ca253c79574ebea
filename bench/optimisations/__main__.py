"""What each optimisation is worth: before and after, by turns, in one run.

    python -m bench.optimisations                  # all of them
    python -m bench.optimisations scan curve       # these
    python -m bench.optimisations --json

A figure's baseline is the way it was done before. Every module says in its first lines what paid and what did not, so that
the next engineer need not try again.
"""

import argparse
from collections.abc import Callable
from typing import Final

from bench.optimisations import batching, buffers, curve, parallel, scan, signing, tables
from bench.report.figure import Figure, tell

SUBJECTS: Final[dict[str, Callable[[int], list[Figure]]]] = {
    "batching": batching.measured,
    "tables": tables.measured,
    "curve": curve.measured,
    "scan": scan.measured,
    "buffers": buffers.measured,
    "parallel": parallel.measured,
    "signing": signing.measured,
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.optimisations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SUBJECTS)}")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - SUBJECTS.keys())
    if unknown:
        parser.error(
            f"no optimisation named {', '.join(unknown)}: expected some of {', '.join(SUBJECTS)}"
        )
    figures = [figure for name in asked.names or SUBJECTS for figure in SUBJECTS[name](asked.runs)]
    tell("optimisations", figures, as_json=asked.json)


if __name__ == "__main__":
    main()
