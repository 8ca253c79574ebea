"""The issue's figures for the incentives: all of them, or those named.

python -m bench.incentives [epoch] [commit] [statement]
"""

import argparse
import sys

import trio

from bench.incentives import commit, epoch, statement
from bench.report.figure import tell

BENCHES = ("epoch", "commit", "statement")


def main() -> int:
    """Run the named benchmarks, or all; non-zero where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", metavar="|".join(BENCHES), help="all if none is named")
    parser.add_argument("--trades", type=int, default=1_000_000, help="of the epoch")
    parser.add_argument("--wallets", type=int, default=100_000)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument(
        "--transfers", type=int, default=10_000_000, help="in the ledger of the statement"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if unknown := set(asked.which) - set(BENCHES):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}")
    wanted = asked.which or BENCHES
    figures = []
    if "epoch" in wanted:
        figures += trio.run(epoch.run, asked.trades, asked.wallets)
    if "commit" in wanted:
        figures += trio.run(commit.run, asked.commits)
    if "statement" in wanted:
        figures += trio.run(statement.run, asked.transfers, asked.wallets)
    tell("incentives", figures, as_json=asked.json)
    return int(any(figure.is_met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
