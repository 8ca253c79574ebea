"""The one JSON object a run ends with."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

from keeper.cluster import ClusterFacts
from keeper.payer import PayerFacts
from keeper.prices.board import PriceStatistics
from keeper.tally import Tally, percentile
from programs.endpoint_counts import EndpointStatistics
from programs.errors import in_words

_WITHHELD_LISTED: Final = 20
HEADROOM_PERCENTS: Final = (50, 99)
LATENCY_PERCENTS: Final = (50, 99, 99.9)
_STUCK_LISTED: Final = 20


class Counts(Protocol):
    """Counts of attempts."""

    @property
    def landed(self) -> int:
        """Transactions that did their work."""
        ...

    @property
    def failed(self) -> int:
        """Transactions in a block with an error."""
        ...

    @property
    def expired(self) -> int:
        """Transactions proved never to land."""
        ...

    @property
    def open(self) -> int:
        """Transactions whose end is unknown; the next start settles them."""
        ...

    @property
    def jobs_landed(self) -> int:
        """Jobs of landed transactions."""
        ...

    @property
    def cu_requested(self) -> int:
        """Compute units asked for, where the use is known."""
        ...

    @property
    def cu_used(self) -> int:
        """Compute units used."""
        ...

    @property
    def fees_lamports(self) -> int:
        """Fees paid, failures included."""
        ...


class Summary(Counts, Protocol):
    """Counts of the attempts this run recorded."""

    @property
    def duplicates(self) -> int:
        """Landings beyond the first of the same job and effect."""
        ...

    @property
    def by_lane(self) -> Mapping[str, Counts]:
        """The same of each lane."""
        ...

    @property
    def errors(self) -> Mapping[str, int]:
        """How many failed with each error, as JSON text."""
        ...


def report(
    *,
    facts: ClusterFacts,
    payer: PayerFacts,
    tally: Tally,
    summary: Summary,
    prices: PriceStatistics,
    resends: int,
    run_s: float,
    endpoints: Sequence[EndpointStatistics] = (),
    slot_ms: int = 400,
    headroom_bps: Mapping[int, int | None] | None = None,
    spend: Mapping[str, Any] | None = None,
    would_send: Mapping[str, Any] | None = None,
    stopped_because: str | None = None,
) -> dict[str, Any]:
    """Compose the final object; amounts are base units or lamports, times milliseconds.

    What became of transactions is the database's word; the tally knows what no transaction records. Latencies in slots are
    counted in slots of nominal length, `slot_ms`.
    """
    liquidations = summary.by_lane.get("liquidations")
    liquidation_latencies = tally.latencies_ms(["liquidations"])
    return {
        "run_s": round(run_s, 3),
        "stopped_because": stopped_because,
        "cluster": {"genesis_hash": facts.genesis_hash},
        "program": {
            "id": str(facts.program),
            "sha256": facts.program_sha256,
            "upgrade_authority": None
            if facts.upgrade_authority is None
            else str(facts.upgrade_authority),
            "is_halted": tally.is_halted,
        },
        "payer": {
            "address": str(payer.address),
            "balance_lamports_at_start": payer.balance_lamports,
            "is_oracle_authority": payer.is_oracle_authority,
            "signed_elsewhere": tally.foreign_signatures,
        },
        "prices": {
            "posted": tally.prices_posted,
            "withheld": _withheld(tally),
            **feed_json(prices),
            "posted_by_token": {
                token: asdict(posted) | {"price": _decimal(posted.price_e6)}
                for token, posted in tally.posted_tokens.items()
            },
        },
        "positions": {
            "scanned": tally.positions_scanned,
            "now": tally.positions_now,
            "scans": tally.scans,
            "skipped": dict(tally.accounts_skipped),
        },
        "liquidations": {
            "landed": tally.liquidations_landed,
            "bounty_base_units": tally.bounty_base_units,
            "bad_debt_base_units": tally.bad_debt_base_units,
            "jobs_per_tx": None
            if liquidations is None
            else _ratio(liquidations.jobs_landed, liquidations.landed),
            "due_to_landed_ms_p50": _rank(liquidation_latencies, 50),
            "due_to_landed_ms_p99": _rank(liquidation_latencies, 99),
        },
        "payouts": {
            "paid": tally.rewards_paid,
            "mmt_base_units": tally.reward_base_units,
            "claimed": tally.rewards_claimed,
            "roots_posted": tally.roots_posted,
            "token_accounts_missing": tally.token_accounts_missing,
            "token_accounts_rent_lamports": tally.token_accounts_rent_lamports,
        },
        "chains": _chains(tally),
        "transactions": {
            **_ends(summary),
            "failed_because": _in_words(summary.errors),
            "resends": resends,
            "duplicates": summary.duplicates,
            "jobs_per_tx": _ratio(summary.jobs_landed, summary.landed),
            "cu_requested": summary.cu_requested,
            "cu_used": summary.cu_used,
            **{
                f"cu_headroom_bps_p{percent}": (headroom_bps or {}).get(percent)
                for percent in HEADROOM_PERCENTS
            },
            "lamports_per_landed_job": _ratio(summary.fees_lamports, summary.jobs_landed),
            "by_lane": {lane: _ends(counts) for lane, counts in sorted(summary.by_lane.items())},
        },
        "rpc": {"endpoints": [endpoint_json(each) for each in endpoints]},
        "latency_ms": _latencies(tally, unit_ms=1.0),
        "latency_slots": _latencies(tally, unit_ms=float(slot_ms)),
        "spend": dict(spend or {}),
        "settled_attempts": tally.settled_attempts,
        "would_send": would_send,
        "refusals": dict(sorted(tally.refusals.items())),
    }


def _in_words(errors: Mapping[str, int]) -> dict[str, int]:
    """Say why transactions failed, the most frequent first: errors that read alike are one reason."""
    found = Counter[str]()
    for text, count in errors.items():
        found[in_words(json.loads(text))] += count
    return dict(found.most_common())


def _latencies(tally: Tally, *, unit_ms: float) -> dict[str, Any]:
    """Say how long jobs took from due to landed, in units of so many milliseconds: over all, and of each lane."""

    def percentiles(latencies_ms: list[float]) -> dict[str, float | None]:
        return {
            f"due_to_landed_p{percent}".replace(".", "_"): _rank(latencies_ms, percent, unit_ms)
            for percent in LATENCY_PERCENTS
        }

    by_lane = {
        lane: percentiles(tally.latencies_ms([lane])) for lane in sorted(tally.due_to_landed_ms)
    }
    return {**percentiles(tally.latencies_ms()), "by_lane": by_lane}


def _rank(latencies_ms: list[float], percent: float, unit_ms: float = 1.0) -> float | None:
    ms = percentile(latencies_ms, percent)
    return None if ms is None else round(ms / unit_ms, 3)


def _chains(tally: Tally) -> dict[str, Any]:
    """Say how far chains came, and which of them stand still at the end, those for the longest first."""
    latencies = tally.latencies_ms(["chains"])
    stuck = sorted(tally.stuck_chains.items(), key=lambda item: (item[1].since_slot, item[0]))
    return {
        "due": tally.chains_due,
        "landed_steps": tally.chain_steps_landed,
        "landed_chains": tally.chains_completed,
        "cancelled": tally.chains_cancelled,
        "bounty_base_units": tally.chain_bounty_base_units,
        "stuck_now": len(stuck),
        "stuck": [
            {
                "chain": address,
                "step": each.step,
                "kind": each.kind,
                "refusal": each.refusal,
                "reason": each.reason,
                "since_slot": each.since_slot,
            }
            for address, each in stuck[:_STUCK_LISTED]
        ],
        "due_to_landed_ms_p50": _rank(latencies, 50),
        "due_to_landed_ms_p99": _rank(latencies, 99),
    }


def feed_json(prices: PriceStatistics) -> dict[str, Any]:
    """Return what the feed counted as JSON types."""
    return {
        "published": prices.published,
        "by_class": {str(key): count for key, count in prices.tokens_by_class.items()},
        "by_source": {str(key): count for key, count in prices.tokens_by_source.items()},
        "refusals": dict(prices.refusals),
        "reasons": {str(key): count for key, count in prices.reasons.items()},
        "errors": dict(prices.errors),
        "breakers": {endpoint: str(state) for endpoint, state in prices.breakers.items()},
        "delays_ms": dict(prices.delays_ms),
    }


def endpoint_json(endpoint: EndpointStatistics) -> dict[str, Any]:
    """Return what was asked of an RPC endpoint as JSON types."""
    return asdict(endpoint) | {"breaker": str(endpoint.breaker)}


def _withheld(tally: Tally) -> dict[str, Any]:
    """Say which prices were not being posted at the end, those for the longest first."""
    open_ = sorted(
        (each.since_slot, number, each)
        for number, each in tally.withheld.items()
        if not each.is_over
    )
    return {
        "markets": len(open_),
        "longest": [
            {
                "market": number,
                "outcome": each.outcome,
                "reason": each.reason,
                "since_slot": since_slot,
            }
            for since_slot, number, each in open_[:_WITHHELD_LISTED]
        ],
    }


def _ends(counts: Counts) -> dict[str, int]:
    return {
        "landed": counts.landed,
        "failed": counts.failed,
        "expired": counts.expired,
        "open": counts.open,
        "jobs_landed": counts.jobs_landed,
        "fees_lamports": counts.fees_lamports,
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 2) if whole else None


def _decimal(price_e6: int) -> str:
    whole, fraction = divmod(price_e6, 1_000_000)
    return f"{whole}.{fraction:06d}".rstrip("0").rstrip(".")
