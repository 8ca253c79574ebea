"""The issue's figures for the incentives.

python -m bench.incentives [epoch]
"""

import argparse
import sys

import trio

from bench.incentives import epoch


def main() -> int:
    """Run the named benchmarks, or all; non-zero where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", choices=["epoch", []], default=[])
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--wallets", type=int, default=100_000)
    asked = parser.parse_args()
    return 0 if trio.run(epoch.run, asked.trades, asked.wallets) else 1


if __name__ == "__main__":
    sys.exit(main())
