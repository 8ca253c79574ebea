"""The final report for a person: a dozen lines of what `--json` says in full.

Core.
"""

from collections.abc import Mapping
from typing import Any

_LAMPORTS_PER_SOL = 1_000_000_000


def summary_lines(report: Mapping[str, Any]) -> list[str]:
    """Say what a run did, what it cost, and what it left undone."""
    transactions, liquidations = report["transactions"], report["liquidations"]
    positions, prices, latency = report["positions"], report["prices"], report["latency_ms"]
    lines = [
        f"ran for        {report['run_s']:.1f} s against genesis {report['cluster']['genesis_hash']}",
        f"prices         {prices['posted']} posted; now {_counts(prices['by_class'])}",
        (
            f"positions      {positions['now']} at the last of {positions['scans']} scans; "
            f"accounts skipped: {_counts(positions['skipped'])}"
        ),
        (
            f"liquidations   {liquidations['landed']} landed, bounty ${liquidations['bounty_base_units'] / 1e6:.2f}, "
            f"bad debt ${liquidations['bad_debt_base_units'] / 1e6:.2f}"
        ),
        (
            f"transactions   {transactions['landed']} landed, {transactions['failed']} failed, "
            f"{transactions['expired']} expired, {transactions['open']} open, {transactions['duplicates']} duplicates"
        ),
        f"spent          {transactions['fees_lamports'] / _LAMPORTS_PER_SOL:.6f} SOL in fees",
        f"due to landed  p50 {_ms(latency['due_to_landed_p50'])}, p99 {_ms(latency['due_to_landed_p99'])}",
        f"not done       {_counts(report['refusals'])}",
    ]
    if report["settled_attempts"]:
        lines.append(f"settled        {report['settled_attempts']} transactions of an earlier run")
    if transactions["open"]:
        lines.append("The open transactions are settled at the next start, before any new work.")
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
