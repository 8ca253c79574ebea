"""The final report for a person: a dozen lines of what `--json` says in full.

Core.
"""

from collections.abc import Mapping
from typing import Any

_LAMPORTS_PER_SOL = 1_000_000_000
_WITHHELD_TOLD = 3
_STUCK_TOLD = 2


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
        *_chains(report["chains"]),
        *_incentives(report.get("incentives")),
        (
            f"transactions   {transactions['landed']} landed, {transactions['failed']} failed, "
            f"{transactions['expired']} expired, {transactions['open']} open, {transactions['duplicates']} duplicates"
        ),
        *(
            f"failed         {count} for {why}"
            for why, count in transactions["failed_because"].items()
        ),
        _spent(transactions),
        f"due to landed  p50 {_ms(latency['due_to_landed_p50'])}, p99 {_ms(latency['due_to_landed_p99'])}",
        f"not done       {_counts(report['refusals'])}",
        *_trouble(prices),
        *_would_send(report["would_send"]),
    ]
    if report["stopped_because"]:
        lines.insert(0, f"STOPPED        {report['stopped_because']}")
    if report["payer"]["signed_elsewhere"]:
        lines.append(
            f"shared key     {report['payer']['signed_elsewhere']} transactions were signed by another process"
        )
    if report["settled_attempts"]:
        lines.append(f"settled        {report['settled_attempts']} transactions of an earlier run")
    if transactions["open"]:
        lines.append("The open transactions are settled at the next start, before any new work.")
    return lines


def _incentives(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    if "error" in found:
        return [f"incentives     {found['error']}"]
    return [
        (
            f"incentives     {found['epochs_closed']} epochs closed, {found['epochs_with_rewards']} with rewards, "
            f"{found['epochs_posted']} posted, {found['epochs_paid']} paid; {int(found['paid']) / 1e9:.2f} MMT to "
            f"{found['wallets_paid']} wallets"
        )
    ]


def _spent(transactions: Mapping[str, Any]) -> str:
    line = f"spent          {transactions['fees_lamports'] / _LAMPORTS_PER_SOL:.6f} SOL in fees"
    if transactions["lamports_per_landed_job"] is not None:
        line += f", {transactions['lamports_per_landed_job']:.0f} lamports a landed job"
    if transactions["cu_headroom_bps_p99"] is not None:
        line += (
            f"; compute units over what was used: p50 {transactions['cu_headroom_bps_p50'] / 100:.1f} %, "
            f"p99 {transactions['cu_headroom_bps_p99'] / 100:.1f} %"
        )
    return line


def _would_send(lanes: Mapping[str, Any] | None) -> list[str]:
    """Say what a rehearsal would have sent, by lane."""
    if lanes is None:
        return []
    told = [
        f"{counts['transactions']} {lane} with {counts['jobs']} jobs "
        f"({counts['simulated_badly']} simulated badly)"
        for lane, counts in lanes.items()
    ]
    return [f"would send     {', '.join(told) or 'nothing'}; nothing was sent"]


def _chains(chains: Mapping[str, Any]) -> list[str]:
    """Say how far chains came, if there were any, and which stand still."""
    if not (chains["due"] or chains["landed_steps"] or chains["cancelled"]):
        return []
    counts = (
        f"{chains['landed_steps']} steps landed, {chains['landed_chains']} chains completed, "
        f"{chains['cancelled']} cancelled, bounty ${chains['bounty_base_units'] / 1e6:.2f}"
    )
    lines = [f"chains         {counts}"]
    if chains["stuck_now"]:
        longest = "; ".join(
            f"{each['chain']} at step {each['step']} ({each['kind']}): {each['reason']}"
            for each in chains["stuck"][:_STUCK_TOLD]
        )
        lines.append(f"stuck          {chains['stuck_now']} chains at the end, longest: {longest}")
    return lines


def _trouble(prices: Mapping[str, Any]) -> list[str]:
    """Say what was wrong with the prices: calls that failed, endpoints left alone and markets withheld at the end."""
    lines = []
    if prices["errors"]:
        lines.append(f"calls failed   {_counts(prices['errors'])}")
    shut = [f"{name} {state}" for name, state in prices["breakers"].items() if state != "closed"]
    if shut:
        lines.append(f"breakers       {', '.join(shut)} at the end: asked again only now and then")
    if prices["withheld"]["markets"]:
        longest = ", ".join(
            f"{each['market']} for {each['reason']} since slot {each['since_slot']}"
            for each in prices["withheld"]["longest"][:_WITHHELD_TOLD]
        )
        lines.append(
            f"not posted     {prices['withheld']['markets']} markets at the end, longest: {longest}"
        )
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
