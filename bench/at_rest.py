"""Memory of a keeper at rest: 1_000 markets listed, priced and posted, no trading.

    python -m bench.at_rest [--markets 1000] [--for 45]

Target: under 200 MB of resident memory at the most. Beside it: what the imports alone take.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.report.figure import Beside, Figure, Goal, tell
from tests.pipeline.processes import free_ports, started, write_config

GOAL_MB = 200.0
KEEPER = [sys.executable, "-m", "keeper.cli.main"]
PEAK = """
import resource, sys
from keeper.cli.commands import cli
cli(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def run(arguments: list[str]) -> tuple[str, float]:
    """Run the command line in a process of its own; return stdout and its peak resident memory, MB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout, int(done.stderr.splitlines()[-1]) / 1_024


def main() -> None:
    """Poll as one would poll the real hosts; print the peak, and that there was something to hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=int, default=1_000)
    parser.add_argument("--for", dest="for_s", type=int, default=45)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ports = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        config = write_config(
            Path(folder), *ports, rest_poll_interval_ms="2_000", gamma_poll_interval_ms="30_000"
        )
        keypair = Path(folder) / "var/keys/keeper.json"
        world = (
            "sandbox", "--json", "--rpc-port", str(ports[0]), "--venue-port", str(ports[1]), "--keypair", str(keypair),
            "--markets", str(options.markets), "--active-markets-max", "0", "--jump-every-ticks", "0", "--tick-ms", "1000",
        )  # fmt: skip
        with started(*world) as sandbox:
            sandbox.wait_for(lambda line: line["event"] == "sandbox.ready")
            text, peak_mb = run(
                [
                    "run",
                    "--config",
                    str(config),
                    "--no-sandbox",
                    "--json",
                    "--for",
                    f"{options.for_s}s",
                ]
            )
    _, imports_mb = run(["check", "--config", "keeper.toml"])
    found = json.loads(text)
    priced = sum(found["prices"]["by_class"].values())
    own_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1_024
    print(
        f"{found['prices']['posted']} prices posted in {found['run_s']:.0f} s; "
        f"largest process of this benchmark, sandbox included: {own_mb:.0f} MB",
        file=sys.stderr,
    )
    figures = [
        Figure(
            name=f"memory of a keeper at rest, {options.markets:,} markets, at most",
            unit="MB",
            runs=(peak_mb,),
            goal=Goal(value=GOAL_MB, source="issue 2"),
            limit=Beside(name="`keeper check` alone", value=imports_mb),
        ),
        Figure(
            name=f"markets without a price, of {options.markets:,}",
            unit="",
            runs=(float(options.markets - priced),),
            goal=Goal(value=0.0, source="there is something to hold"),
        ),
    ]
    tell("at_rest", figures, as_json=options.json)


if __name__ == "__main__":
    main()
