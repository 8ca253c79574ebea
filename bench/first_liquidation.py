"""From the start of `keeper run` to its first landed liquidation, sandbox start included.

    python -m bench.first_liquidation [--runs 3]

Target: under 15 s. Beside it, in the same run: how long the interpreter and the imports alone take.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report.figure import Beside, Figure, Goal, tell
from tests.pipeline.processes import free_ports, write_config

GOAL_S = 15.0
KEEPER = [sys.executable, "-m", "keeper.cli.main"]


def first_liquidation_s(folder: Path) -> float:
    """Run a keeper until a liquidation of its own has landed."""
    config = write_config(folder, *free_ports(2))
    start = time.perf_counter()
    command = [*KEEPER, "run", "--config", str(config), "--json"]
    sent: set[str] = set()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            event = json.loads(line)
            if event["event"] == "batch.signed" and event["lane"] == "liquidations":
                sent.add(event["signature"])
            if event["event"] == "attempt.landed" and event["signature"] in sent:
                took_s = time.perf_counter() - start
                process.terminate()
                process.stderr.read()
                return took_s
    raise SystemExit("the keeper ended without a liquidation")


def imports_s() -> float:
    """Ask the keeper for its version."""
    start = time.perf_counter()
    subprocess.run([*KEEPER, "--version"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print the median and the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seconds = []
    for _ in range(asked.runs):
        with tempfile.TemporaryDirectory() as folder:
            seconds.append(first_liquidation_s(Path(folder)))
    figure = Figure(
        name="start of `keeper run` to its first landed liquidation, sandbox included",
        unit="s",
        runs=tuple(seconds),
        goal=Goal(value=GOAL_S, source="issue 2"),
        limit=Beside(
            name="`keeper --version` alone",
            value=statistics.median(imports_s() for _ in range(asked.runs)),
        ),
    )
    tell("first_liquidation", [figure], as_json=asked.json)


if __name__ == "__main__":
    main()
