"""Cause every alert for real: `python -m bench.alerts [RULE ...] [--json]`, those rules only, or all.

Each cause is a process of its own: the keeper is calm, something goes wrong, the rule fires; it is mended, and the rule is over.
Prints a table, and exits 0 only when every rule did so and no other rule fired besides those that the cause states.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Final

from pydantic import ValidationError

from bench.alerts.catalog import CAUSES
from bench.alerts.cause import Cause, Finding, finding_of_failure
from bench.alerts.play import FINDING

_TIMEOUT_S: Final = 900.0
"""Against hanging only."""
_HEADINGS: Final = ("rule", "cause", "clock", "fired after", "over after", "also fired", "")


def main(arguments: Sequence[str]) -> int:
    """Play the causes of these rules, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.alerts", description=__doc__)
    parser.add_argument("rules", nargs="*", metavar="RULE", help="all, where none is named")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--at-once", type=int, default=2, help="causes played side by side")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.rules) - {cause.rule for cause in CAUSES})
    if unknown:
        parser.error(f"no cause is known for {', '.join(unknown)}")
    chosen = [cause for cause in CAUSES if not options.rules or cause.rule in options.rules]
    with ThreadPoolExecutor(options.at_once) as pool:
        found = list(pool.map(_told, chosen))
    if options.json:
        told = [{**asdict(one), "is_right": one.is_right} for one in found]
        print(json.dumps({"alerts": told}))
    else:
        print("\n".join(table(found)))
    return 0 if all(one.is_right for one in found) else 1


def played(cause: Cause) -> Finding:
    """Play a cause in a process of its own."""
    command = [sys.executable, "-m", "bench.alerts.play", cause.rule]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return finding_of_failure(cause, f"no end within {_TIMEOUT_S:.0f} s")
    lines = ended.stdout.splitlines() or [""]
    try:
        return FINDING.validate_json(lines[-1])
    except ValidationError:
        told = ended.stderr.strip().splitlines() or ["it said nothing"]
        return finding_of_failure(cause, f"broke off with {ended.returncode}: {told[-1]}")


def _told(cause: Cause) -> Finding:
    found = played(cause)
    print(f"{'ok' if found.is_right else 'WRONG':<6} {cause.rule}", file=sys.stderr, flush=True)
    return found


def table(found: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of a Markdown table, and how many rules did what they are for."""
    yield f"| {' | '.join(_HEADINGS)} |"
    yield "|---" * len(_HEADINGS) + "|"
    for one in found:
        cells = (
            f"`{one.rule}`",
            one.how,
            one.clock or "",
            _seconds(one.fired_after_s),
            _seconds(one.resolved_after_s),
            ", ".join(one.also_fired) or "nothing",
            "; ".join(one.faults) or "right",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield f"{sum(one.is_right for one in found)} of {len(found)} rules are right"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
