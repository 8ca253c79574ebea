"""A keeper at work, as the page is told of it: every kind of figure, and whatever a test adds."""

import math
from dataclasses import dataclass, field, replace

from keeper.monitor.page.history import History
from keeper.monitor.page.shown import Shown
from state import metrics as m
from state.sample import Figures, Histogram, Sample

NOW_S = 1_790_000_000.0
SIGNATURE = (
    "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    sample: Sample
    age_s: float = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    rule: str = "coverage_low"
    level: str = "critical"
    labels: dict[str, str] = field(default_factory=dict)
    since_wall_s: float = NOW_S - 185
    value: float = 0.41
    summary: str = "coverage is 0.41, below 0.5: leveraged opens are refused"
    already_did: str = "liquidates and closes as before; the program refuses new loans"
    acknowledged_by: str | None = None
    fingerprint: str = "9f2c41aa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    name: str
    passed: bool = True
    words: str = "as it should be"


CHECKS = tuple(
    Checked(name=name)
    for name in ("oldest_due", "last_price", "last_landed", "last_scan", "last_commit", "tasks")
)


def keeper_sample(sequence=1, *, second=0.0, is_last=False, **details):
    """One sample of a busy keeper, `second` seconds into its run."""
    found = Figures()
    wave = math.sin(second / 200)
    for metric, value, *labels in (
        (m.SLOT, 301_000_000 + second * 2.5),
        (m.SLOT_AGE, 0.3),
        (m.SLOT_SECONDS, 0.4),
        (m.VAULT_QUOTE, 101_500 + 9_000 * wave),
        (m.VAULT_EQUITY_QUOTE, 181_500 + 4_000 * wave),
        (m.VAULT_LENT_QUOTE, 80_000 - 5_000 * wave),
        (m.COVERAGE, 1.25 + 0.5 * wave),
        (m.OPEN_INTEREST_QUOTE, 412_345.67),
        (m.TRADES, 37),
        (m.EVENTS, 40 * second),
        (m.BAD_DEBT_QUOTE, 0),
        (m.UPTIME, second, "keeper"),
        (m.LOOP_LAG, 0.004, "keeper"),
        (m.CPU_SECONDS, second * 0.31, "keeper"),
        (m.RESIDENT_BYTES, 311e6, "keeper"),
        (m.LAST_COMMIT_AGE, 0.2, "keeper"),
        (m.DISK_FREE_BYTES, 80e9, "keeper"),
        (m.RPC_CALLS, 120 * second, "rpc.example:8899"),
        (m.RPC_LAG, 1, "rpc.example:8899"),
        (m.RPC_LATENCY, 0.031, "rpc.example:8899", "0.5"),
        (m.RPC_LATENCY, 0.22, "rpc.example:8899", "0.99"),
        (m.RPC_CALLS, 20, "backup.example"),
        (m.RPC_LAG, 62, "backup.example"),
        (m.RPC_ERRORS, 7, "backup.example", "timeout"),
        (m.RPC_BREAKER_OPEN, 1, "backup.example"),
        (m.PRICES, 18_400, "stream", "valid"),
        (m.PRICES, 2_480, "clob", "valid"),
        (m.PRICES, 117, "gamma", "degraded"),
        (m.PRICES, 3, "last_good", "stale"),
        (m.PRICE_AGE, 0.8, "0.5"),
        (m.PRICE_AGE, 4.2, "0.99"),
        (m.PRICE_AGE, 71, "1"),
        (m.PRICES_WITHHELD, 12, "wide_spread"),
        (m.SOURCE_FAILURES_IN_A_ROW, 0, "stream"),
        (m.SOURCE_FAILURES_IN_A_ROW, 2, "gamma"),
        (m.LIQUIDATIONS_DUE, 3),
        (m.CHAINS_DUE, 2),
        (m.CHAINS_STUCK, 1, "coverage_too_low"),
        (m.POSITIONS, 9_120, "healthy"),
        (m.PAYER_LAMPORTS, 12.5e9, "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"),
        (m.PAYER_RUNWAY, 41_000, "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"),
        (m.CU_REQUESTED, 1e9),
        (m.CU_USED, 0.91e9),
        (m.MARKET_OPEN_INTEREST_QUOTE, 300_000, "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"),
        (m.MARKET_OPEN_INTEREST_QUOTE, 112_345.67, "other"),
    ):
        found.put(metric, value, *labels)
    for number, lane in enumerate(("prices", "liquidations", "chains", "payouts", "tables")):
        found.put(m.JOBS_DUE, 12 >> number, lane)
        found.put(m.JOBS_QUEUED, 4 >> number, lane)
        found.put(m.JOBS_IN_FLIGHT, 8 >> number, lane)
        found.put(m.JOBS_LANDED, second * 30 / (number + 1), lane)
        found.put(m.OLDEST_DUE, 1.2 + number + wave, lane)
        found.put(m.LAST_LANDED_AGE, 0.5 * number, lane)
        found.put(m.TRANSACTIONS, 3, lane, "failed")
        found.put(m.SPEND_HOUR_LAMPORTS, 2e7 * (number + 1) * (1 + wave / 2), lane)
        found.put(m.SPEND_HOUR_MAX_LAMPORTS, 1e8, lane)
        found.put(m.SPENT_LAMPORTS, 5e7, lane)
        found.put(m.CU_PRICE, 1_500, lane)
        counts = [0] * (len(m.DUE_TO_LANDED.buckets) + 1)
        counts[2], counts[4], counts[6] = int(second * 5), int(second * 9), int(second / 30)
        found.put_histogram(m.DUE_TO_LANDED, Histogram(counts=tuple(counts), sum=second), lane)
    for task in ("watch_chain", "post_prices", "liquidate_positions", "land"):
        found.put(m.TASK_RUNNING, 1, "keeper", task)
        found.put(m.TASK_AGE, 0.4, "keeper", task)
        found.put(m.TASK_AGE_MAX, 10, "keeper", task)
    return Sample(
        service="keeper",
        sequence=sequence,
        is_last=is_last,
        figures=found.values,
        histograms=found.histograms,
        details={
            "cluster": {
                "version": "0.1.0",
                "program": "5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw",
            },
            "prices": [
                {
                    "market": "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin",
                    "outcome": "0",
                    "price_e6": 431_000,
                    "price_class": "stale",
                    "source": "last_good",
                    "age_s": 71.0,
                    "reason": "silent",
                }
            ],
            "landed": [
                {
                    "signature": SIGNATURE,
                    "lane": "prices",
                    "slot": 301_000_000,
                    "wall_s": NOW_S - 2,
                    "jobs": 14,
                }
            ],
            "stuck_chains": [{"chain": "Chain111", "refusal": "coverage_too_low", "since_s": 95.0}],
        }
        | details,
    )


def incentives_sample(sequence=1):
    found = Figures()
    for metric, value, *labels in (
        (m.LEDGER_LINES, 12_345),
        (m.LEDGER_LAG, 3),
        (m.EMITTED_MMT, 2_314_814.79),
        (m.OWED_MMT, 51_234.5),
        (m.PAID_MMT, 50_000),
        (m.EPOCHS_CLOSED, 17),
        (m.PAYOUTS, 4, "pending"),
        (m.PAYOUTS, 120, "posted"),
        (m.UPTIME, 3_000, "incentives"),
    ):
        found.put(metric, value, *labels)
    return Sample(service="incentives", sequence=sequence, figures=found.values)


def an_hour():
    """The history of an hour of such a keeper."""
    history = History()
    for second in range(0, 3_600, 5):
        if not 1_500 < second < 1_700:  # nobody told
            history.take(
                NOW_S - 3_600 + second, {"keeper": keeper_sample(second, second=float(second))}
            )
    return history


def moment(*, history=None, sample=None, age_s=0.4, **more):
    """A moment in which all is well, but for what is given."""
    keeper = sample or keeper_sample(9_000, second=3_600.0)
    shown = Shown(
        wall_s=NOW_S,
        samples={
            "keeper": Told(sample=keeper, age_s=age_s),
            "incentives": Told(sample=incentives_sample()),
        },
        checks=CHECKS,
        history=history or History(),
        explorer_url="https://explorer.solana.com/tx/{signature}",
    )
    return replace(shown, **more)
