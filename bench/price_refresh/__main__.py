"""Refresh 21_000 markets over REST from a local venue, beside the machine's limit and a plain client.

    python -m bench.price_refresh [--markets 21000] [--levels 168]

Target: 42_000 tokens in at most 10 s within the published limits, under 400 MB. Without `--levels` two depths are
measured: the sandbox venue's own, and 168 levels a book, as many as the recorded one holds.
"""

import argparse
import json
import subprocess
import sys
from urllib.request import urlopen

from bench.report.figure import Beside, Figure, Goal, tell

TARGET_S = 10.0
TARGET_MB = 400.0


def _measured(what: str, url: str) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, "-m", "bench.price_refresh.measures", what, url],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def _counts(url: str) -> dict[str, int]:
    with urlopen(f"{url}/counts") as reply:
        return json.load(reply)


def measure(markets: int, levels: int) -> list[Figure]:
    """Serve and measure one depth."""
    command = [sys.executable, "-m", "bench.price_refresh.house"]
    house = subprocess.Popen(
        [*command, "--markets", str(markets), "--levels", str(levels)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert house.stdout is not None
        url = house.stdout.readline().strip()
        before = _counts(url)
        found = {"refresh": _measured("refresh", url)}
        after = _counts(url)
        found |= {what: _measured(what, url) for what in ("json", "levels")}
    finally:
        house.terminate()
        house.wait()
        if house.stdout is not None:
            house.stdout.close()
    megabytes = (after["bytes"] - before["bytes"]) / 1e6
    depth = f"{levels} levels a book" if levels else "the sandbox venue's depth"
    what = f"{2 * markets:,} tokens over REST, {depth}, {megabytes:.0f} MB"
    refresh, limit, plain = found["refresh"], found["json"], found["levels"]
    return [
        Figure(
            name=f"every price of {what}",
            unit="s",
            runs=(refresh["took_s"],),
            goal=Goal(value=TARGET_S, source="issue 4"),
            baseline=Beside(name="level by level into the model", value=plain["took_s"]),
            limit=Beside(name="json.loads, thrown away", value=limit["took_s"]),
        ),
        Figure(
            name=f"processor of {what}",
            unit="s",
            runs=(refresh["cpu_s"],),
            baseline=Beside(name="level by level into the model", value=plain["cpu_s"]),
            limit=Beside(name="json.loads, thrown away", value=limit["cpu_s"]),
        ),
        Figure(name=f"again, {what}", unit="s", runs=(refresh["again_s"],)),
        Figure(
            name=f"memory at most, {what}",
            unit="MB",
            runs=(refresh["peak_mb"],),
            goal=Goal(value=TARGET_MB, source="issue 4"),
            baseline=Beside(name="level by level into the model", value=plain["peak_mb"]),
            limit=Beside(name="json.loads, thrown away", value=limit["peak_mb"]),
        ),
        Figure(
            name=f"calls refused for their rate, {what}",
            unit="",
            runs=(float(after["refused"]),),
            goal=Goal(value=0.0, source="issue 4"),
        ),
        Figure(
            name=f"most calls in ten seconds, {what}",
            unit="",
            runs=(float(after["most_in_10_s"]),),
            limit=Beside(name="published", value=500.0),
        ),
    ]


def main() -> int:
    """Measure the chosen depths; non-zero if a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--markets", type=int, default=21_000)
    arguments.add_argument("--levels", type=int)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    depths = (0, 168) if chosen.levels is None else (chosen.levels,)
    figures = [figure for levels in depths for figure in measure(chosen.markets, levels)]
    tell("price_refresh", figures, as_json=chosen.json)
    return int(any(figure.is_met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
