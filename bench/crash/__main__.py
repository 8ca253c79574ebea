"""Kill the keeper with -9 again and again, then audit: `python -m bench.crash [--kills 200] [--seed N] [--json]`.

Prints the counts and exits 0 only when nothing was done twice, nothing was lost, every recorded end is the chain's, no
keeper ended by itself, and the audit refuses every spoiled copy of the same evidence.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import trio

from bench.crash.audit import Audit
from bench.crash.campaign import Campaign, run_campaign
from bench.crash.world import Scale
from programs.localnet.profiles import load_profile, with_settings

_VIOLATIONS_SHOWN: Final = 20
_SPAM: Final = "congestion.spam_per_slot=8"
"""The profile's 30 are for slots of 400 ms."""


def main() -> int:
    """Run one campaign and say what came of it."""
    asked = _arguments().parse_args()
    tell = partial(print, file=sys.stderr, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="crash-"))
    faults = with_settings(load_profile(asked.faults), (_SPAM,))
    with (folder / "world.log").open("w") as log:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        scale = Scale(markets=asked.markets, slot_ms=asked.slot_ms)
        found = trio.run(
            run_campaign, asked.seed, asked.kills, asked.for_s, scale, faults, folder, tell
        )
    print(json.dumps(found.as_json()) if asked.json else _page(found))
    if found.passed and not asked.keep:
        shutil.rmtree(folder)
    else:
        tell(f"state and logs: {folder}")
    return 0 if found.passed else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument(
        "--for", dest="for_s", type=float, default=3_600.0, help="seconds at most of killing"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides deaths, jumps and faults")
    parser.add_argument("--faults", default="heavy", help="profile of what goes wrong")
    parser.add_argument("--markets", type=int, default=8)
    parser.add_argument("--slot-ms", type=int, default=50)
    parser.add_argument("--keep", action="store_true", help="keep state and logs")
    parser.add_argument("--json", action="store_true")
    return parser


def _page(found: Campaign) -> str:
    audit = found.audit
    assert audit is not None, "a campaign that ended was audited"
    start_s = sorted(found.start_s)
    start = f", ready after {start_s[len(start_s) // 2]:.1f} s (median)" if start_s else ""
    lines = [
        f"seed              {found.seed}, {found.took_s:.0f} s",
        f"kills             {found.kills}: {_listed(found.deaths)}",
        f"killed while      {_listed(found.phases)}{start}",
        f"ended by itself   {_listed(found.ended_alone) or 'never'}",
        f"went wrong        {_listed(found.faults)}",
        f"attempts          {audit.attempts}: {_ends(audit)}",
        f"jobs done         {audit.jobs_done} (liquidations, posts, steps, by the chain's events)",
        f"duplicates        {audit.duplicates}",
        f"jobs lost         {audit.jobs_lost}",
        f"nothing due after {found.cleared_after_s} s of the last life",
        f"self-check        {found.spoiled - len(found.blind_spots)} of {found.spoiled} spoiled copies refused",
        *(f"BLIND             {each}" for each in found.blind_spots),
        *(
            f"VIOLATION         {each.kind}: {each.text}"
            for each in audit.violations[:_VIOLATIONS_SHOWN]
        ),
    ]
    if len(audit.violations) > _VIOLATIONS_SHOWN:
        lines.append(f"                  and {len(audit.violations) - _VIOLATIONS_SHOWN} more")
    return "\n".join([*lines, "passed" if found.passed else "FAILED"])


def _ends(audit: Audit) -> str:
    return (
        f"{audit.landed} landed, {audit.failed} failed, {audit.expired} expired, {audit.open} open"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


if __name__ == "__main__":
    sys.exit(main())
