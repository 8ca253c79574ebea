"""The stress runs as figures: `keeper stress run all --json`, one run each, beside what each was held to.

python -m bench.stress [SCENARIO...] [--scale 1] [--json]
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bench.report.figure import Beside, Figure, Goal, tell

SHARE_MIN = 99.0
"""Per cent. Source: the scenarios' own verdicts."""


def main() -> int:
    """Run all, and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.stress", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help="all, if none is named")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    command = [sys.executable, "-m", "keeper.cli.main", "stress", "run"]
    ended = subprocess.run(
        [*command, *(asked.names or ["all"]), "--json", "--scale", str(asked.scale)],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = {each["name"]: each for each in json.loads(ended.stdout)["scenarios"]}
    tell("stress", list(_figures(found)), as_json=asked.json)
    return ended.returncode


def _figures(found: dict[str, dict[str, Any]]) -> Iterator[Figure]:
    for name, result in found.items():
        missed = sum(not each["passed"] for each in result["verdicts"]) + bool(result["reason"])
        yield Figure(
            name=f"{name}: verdicts missed, of {len(result['verdicts'])}",
            unit="",
            runs=(float(missed),),
            goal=Goal(value=0.0, source="the scenario"),
        )
        yield from _claimed(
            name, {each["name"]: each["value"] for each in result["measures"]}, result
        )


def _claimed(name: str, measures: dict[str, Any], result: dict[str, Any]) -> Iterator[Figure]:
    """Yield what answers a claim, in the scenario's own words."""
    match name:
        case "concurrent-users":
            yield _share("users' transactions that landed well", measures, result, "users")
            yield _plain("platform transactions landed", "1/s", measures, result)
        case "chain-load":
            yield _share("chains whose every step ran", measures, result, "chains")
            yield _plain("steps run a second", "1/s", measures, result)
        case "liquidation-cascade" | "great-cascade":
            debt = measures["debt at the start"]
            least = measures["least bad debt of any keeper"]
            yield Figure(
                name=f"{name}: bad debt, of the debt",
                unit="%",
                runs=(100 * measures["bad debt"] / debt,),
                baseline=_rivals("bad debt with a keeper without priorities", measures),
                limit=Beside(
                    name="everything sold at once at the first possible slot",
                    value=100 * least / debt,
                ),
                claim="cascade" if name == "liquidation-cascade" else "",
            )
            yield Figure(
                name=f"{name}: lost in all at the venue's last prices, of the debt",
                unit="%",
                runs=(100 * measures["lost in all"] / debt,),
                baseline=_rivals("lost in all in that play", measures),
            )
        case "api-degradation":
            yield _share(
                "markets posted while the venue is degraded", measures, result, "degradation"
            )
        case "network-congestion":
            yield _share("users' transactions that landed well", measures, result, "spam")
        case _:
            pass


def _rivals(words: str, measures: dict[str, Any]) -> Beside | None:
    """Return a figure of the other keeper's play, of its own debt."""
    if words not in measures:
        return None
    debt = measures["debt at the start of that play"]
    return Beside(name="a keeper without priorities", value=100 * measures[words] / debt)


def _share(words: str, measures: dict[str, Any], result: dict[str, Any], claim: str) -> Figure:
    return Figure(
        name=f"{result['name']}: {words}",
        unit="%",
        runs=(float(measures[words] or 0.0),),
        goal=Goal(
            value=90.0 if claim == "degradation" else SHARE_MIN,
            is_most=False,
            source="the scenario",
        ),
        limit=Beside(name="all of them", value=100.0),
        claim=claim,
    )


def _plain(words: str, unit: str, measures: dict[str, Any], result: dict[str, Any]) -> Figure:
    return Figure(
        name=f"{result['name']}: {words}", unit=unit, runs=(float(measures[words] or 0.0),)
    )


if __name__ == "__main__":
    sys.exit(main())
