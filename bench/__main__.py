"""Run benchmarks, one process each, one after the other, and keep what they say.

    make bench                                every benchmark that tells figures; at the end the claims, each with its answer
    make bench ARGS="scan packing"            these
    make bench ARGS=incentives:commit         one with arguments of its own, commas between them; kept by itself
    make bench ARGS=--missing                 those of which nothing is kept yet: goes on where an earlier run was ended
    make bench ARGS=--list                    all there are, with what is kept of them
    make bench ARGS="--write-docs"            docs/performance.md out of what is kept
    make bench ARGS="--page bench.html"       the same as a page with plots

Results are kept in var/bench, one JSON file a benchmark; docs/performance.json has those that docs/performance.md shows.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.report.figure import line_of
from bench.report.kept import kept_of, now_kept, read_kept, write_kept
from bench.report.performance import claim_lines, document_of, page_of

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "var" / "bench"
DOCUMENT: Final = ROOT / "docs" / "performance.md"
DATA: Final = ROOT / "docs" / "performance.json"
_STYLE: Final = ROOT / "keeper" / "drills" / "report.css"
_TELLS: Final = "bench.report.figure"
"""Whoever imports it ends with figures when asked for --json."""


def benchmarks() -> dict[str, bool]:
    """Return the names of all benchmarks, and whether each tells figures."""
    folder = Path(__file__).parent
    found = {
        path.stem: _TELLS in path.read_text()
        for path in folder.glob("*.py")
        if not path.stem.startswith("_")
    }
    for path in folder.glob("*/__main__.py"):
        found[path.parent.name] = any(
            _TELLS in each.read_text() for each in path.parent.glob("*.py")
        )
    return dict(sorted(found.items()))


def main() -> int:
    """Do as told; non-zero if a benchmark failed or a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="all that tell figures, if none is named")
    parser.add_argument(
        "--missing", action="store_true", help="only those of which nothing is kept"
    )
    parser.add_argument("--list", action="store_true", help="name all benchmarks")
    parser.add_argument(
        "--json", action="store_true", help="end with one JSON object of everything kept"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="write docs/performance.md; measure nothing"
    )
    parser.add_argument("--page", type=Path, help="write a page with plots; measure nothing")
    asked = parser.parse_args()
    known = benchmarks()
    unknown = sorted({name.partition(":")[0] for name in asked.names} - set(known))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}: expected some of {', '.join(known)}")
        return 2
    if asked.list:
        return _list(known)
    if asked.write_docs or asked.page:
        return _write(asked.page if not asked.write_docs else None)
    wanted = asked.names or [name for name, tells in known.items() if tells]
    if asked.missing:
        wanted = [name for name in wanted if name not in read_kept(FOLDER)]
    failed = [
        name
        for place, name in enumerate(wanted)
        if not _run(name, f"{place + 1} of {len(wanted)}", tells=known[name.partition(":")[0]])
    ]
    kept = read_kept(FOLDER)
    if asked.json:
        print(
            json.dumps(
                {
                    "benchmarks": [
                        json.loads((FOLDER / f"{name}.json").read_text()) for name in sorted(kept)
                    ]
                }
            )
        )
    else:
        print("\n" + "\n".join(claim_lines(kept)))
    if failed:
        print(f"\nfailed or missed a goal: {', '.join(failed)}", file=sys.stderr)
    return len(failed) and 1


def _run(name: str, place: str, *, tells: bool) -> bool:
    """Run one; what it says goes to stderr, its figures are kept."""
    before = read_kept(FOLDER).get(name)
    guess = f", about {before.took_s:.0f} s" if before else ""
    print(f"\n== {name} ({place}{guess})", file=sys.stderr, flush=True)
    started_s = time.monotonic()
    module, _, arguments = name.partition(":")
    command = [sys.executable, "-m", f"bench.{module}", *filter(None, arguments.split(","))]
    command += ["--json"] if tells else []
    ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    took_s = time.monotonic() - started_s
    lines = ended.stdout.strip().splitlines()
    if not tells:
        print(ended.stdout, file=sys.stderr)
        return ended.returncode == 0
    try:
        told = json.loads(lines[-1])
    except (IndexError, ValueError):
        print(f"{name} ended with {ended.returncode} and no figures", file=sys.stderr)
        return False
    kept = now_kept(name, told["figures"], took_s)
    write_kept(kept, FOLDER)
    for figure in kept.figures:
        print(f"   {line_of(figure)}", file=sys.stderr)
    return ended.returncode == 0 and all(figure.is_met is not False for figure in kept.figures)


def _list(known: dict[str, bool]) -> int:
    kept = read_kept(FOLDER)
    for name, tells in known.items():
        state = (
            f"kept: {kept[name].measured}, {kept[name].took_s:.0f} s"
            if name in kept
            else ("tells figures" if tells else "prints text")
        )
        print(f"{name:<20} {state}")
    return 0


def _write(page: Path | None) -> int:
    """Write the document, or a page; what is kept here replaces what the document had, benchmark by benchmark."""
    old = (
        {each["benchmark"]: kept_of(each) for each in json.loads(DATA.read_text())}
        if DATA.exists()
        else {}
    )
    kept = old | read_kept(FOLDER)
    if page is not None:
        page.write_text(page_of(kept, _STYLE.read_text()))
        print(page)
        return 0
    DATA.write_text(json.dumps([asdict(kept[name]) for name in sorted(kept)], indent=1) + "\n")
    DOCUMENT.write_text(document_of(kept))
    print(DOCUMENT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
