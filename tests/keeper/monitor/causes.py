"""A calm platform second by second, and for each rule what makes it fire: the least that is told differently."""

from dataclasses import dataclass, field, replace

from keeper.monitor.view import MONITOR, Seen, View
from keeper.monitor.window import COUNT, SUM
from state import metrics as m
from state.metrics import BY_NAME, COMMIT_BUCKETS_S, Kind
from state.sample import Histogram, Sample

SLOT_S = 0.4
WALL_S = 1_790_000_000.0

CALM = {
    (m.SLOT_SECONDS.name, ()): SLOT_S,
    (m.SLOT_AGE.name, ()): 0.4,
    (m.COVERAGE.name, ()): 3.0,
    (m.VAULT_EQUITY_QUOTE.name, ()): 100_000.0,
    (m.BAD_DEBT_QUOTE.name, ()): 12.0,
    (m.HAS_CHANGED.name, ()): 0.0,
    (m.IS_HALTED.name, ()): 0.0,
    (m.LAST_SCAN_AGE.name, ()): 3.0,
    (m.PRICES.name, ("stream", "valid")): 40.0,
    (m.SOURCE_FAILURES_IN_A_ROW.name, ("stream",)): 0.0,
    (m.SOURCE_FAILURES_IN_A_ROW.name, ("gamma",)): 1.0,
    (m.VENUE_CLOCK_SKEW.name, ()): -0.25,
    (m.OLDEST_DUE.name, ("prices",)): 1.0,
    (m.OLDEST_DUE.name, ("chains",)): 0.0,
    (m.LAST_LANDED_AGE.name, ("prices",)): 1.0,
    (m.LAST_LANDED_AGE.name, ("chains",)): 4_000.0,
    (m.JOBS_QUEUED.name, ("prices",)): 3.0,
    (m.SPEND_HOUR_LAMPORTS.name, ("prices",)): 100.0,
    (m.SPEND_HOUR_MAX_LAMPORTS.name, ("prices",)): 1_000.0,
    (m.PAYER_LAMPORTS.name, ("9xQe",)): 1e10,
    (m.PAYER_RUNWAY.name, ("9xQe",)): 1e6,
    (m.RPC_LAG.name, ("rpc-a",)): 1.0,
    (m.RPC_LAG.name, ("rpc-b",)): 0.0,
    (m.RPC_BREAKER_OPEN.name, ("rpc-a",)): 0.0,
    (m.RPC_BREAKER_OPEN.name, ("rpc-b",)): 0.0,
    (m.RPC_SET_ASIDE.name, ("rpc-a",)): 0.0,
    (m.TASK_RUNNING.name, ("keeper", "prices")): 1.0,
    (m.TASK_AGE.name, ("keeper", "prices")): 0.5,
    (m.TASK_AGE_MAX.name, ("keeper", "prices")): 10.0,
    (m.IS_DRAINING.name, ("keeper",)): 0.0,
    (m.LOOP_LAG.name, ("keeper",)): 0.01,
    (m.DISK_FREE_BYTES.name, ("keeper",)): 1e11,
    (m.LEDGER_LAG.name, ()): 40.0,
    (m.PAYOUT_OLDEST.name, ()): 100.0,
    (m.SERVICE_FAILED.name, ("keeper",)): 0.0,
    (m.SINK_QUEUED.name, ("slack",)): 0.0,
}
"""Gauges."""
PER_S = {
    (m.TRANSACTIONS.name, ("prices", "landed")): 4.0,
    (m.TRANSACTIONS.name, ("prices", "failed")): 0.0,
    (m.TRANSACTIONS.name, ("prices", "expired")): 0.0,
    (m.DUPLICATES.name, ()): 0.0,
    (m.FOREIGN_SIGNATURES.name, ()): 0.0,
    (m.SINK_FAILURES.name, ("slack",)): 0.0,
    (m.ANOMALIES.name, ("unknown_root",)): 0.0,
    (m.COMMIT.name + SUM, ("keeper",)): 0.0078125,
    (m.COMMIT.name + COUNT, ("keeper",)): 4.0,
}
"""Counters, by how much they grow in a second; sums that floats have exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is told differently while a rule's condition holds."""

    gauges: dict = field(default_factory=dict)
    per_s: dict = field(default_factory=dict)
    calm: dict = field(default_factory=dict)
    """Gauges that are different all the time, so that nothing else fires."""
    also: frozenset = frozenset()
    """Rules that fire too: they ask for less of the same."""


def _gauges(*told, also=(), calm=()):
    return Cause(
        gauges={(metric.name, labels): value for metric, labels, value in told},
        calm={(metric.name, labels): value for metric, labels, value in calm},
        also=frozenset(also),
    )


def _per_s(*told, gauges=()):
    return Cause(
        per_s={(name, labels): value for name, labels, value in told},
        gauges={(metric.name, labels): value for metric, labels, value in gauges},
    )


_ENDS = m.TRANSACTIONS.name
CAUSES = {
    "coverage_below_half": _gauges((m.COVERAGE, (), 0.49), also=("coverage_low",)),
    "coverage_low": _gauges((m.COVERAGE, (), 0.99)),
    "vault_drop": _gauges((m.VAULT_EQUITY_QUOTE, (), 79_000.0)),
    "bad_debt_grew": _gauges((m.BAD_DEBT_QUOTE, (), 1_020.0)),
    "platform_changed": _gauges((m.HAS_CHANGED, (), 1.0)),
    "platform_halted": _gauges((m.IS_HALTED, (), 1.0)),
    "platform_unseen": _gauges((m.SLOT_AGE, (), 20.5)),
    "scan_late": _gauges((m.LAST_SCAN_AGE, (), 301.0)),
    "prices_halted": _gauges((m.PRICES, ("last_good", "halted"), 2.0)),
    "prices_stale": _gauges((m.PRICES, ("last_good", "stale"), 2.0)),
    "prices_degraded": _gauges((m.PRICES, ("gamma", "degraded"), 60.0)),
    "prices_uncertain": _gauges((m.PRICES, ("stream", "uncertain"), 60.0)),
    "price_source_failing": _gauges((m.SOURCE_FAILURES_IN_A_ROW, ("stream",), 5.0)),
    "price_sources_all_failing": _gauges(
        (m.SOURCE_FAILURES_IN_A_ROW, ("stream",), 9.0),
        (m.SOURCE_FAILURES_IN_A_ROW, ("gamma",), 5.0),
        also=("price_source_failing",),
    ),
    "venue_clock_apart": _gauges((m.VENUE_CLOCK_SKEW, (), -5.5)),
    "work_overdue": _gauges((m.OLDEST_DUE, ("prices",), 10.5)),
    "lane_stalled": _gauges((m.OLDEST_DUE, ("chains",), 60.5), also=("work_overdue",)),
    "throughput_low": _gauges((m.JOBS_QUEUED, ("prices",), 2_000.0)),
    "transactions_failing": _per_s((_ENDS, ("prices", "failed"), 8.0)),
    "transactions_expiring": _per_s((_ENDS, ("prices", "expired"), 4.0)),
    "landed_twice": _per_s((m.DUPLICATES.name, (), 1.0)),
    "foreign_signature": _per_s((m.FOREIGN_SIGNATURES.name, (), 1.0)),
    "spend_near_cap": _gauges((m.SPEND_HOUR_LAMPORTS, ("prices",), 850.0)),
    "spend_at_cap": _gauges((m.SPEND_HOUR_LAMPORTS, ("prices",), 999.0), also=("spend_near_cap",)),
    "payer_low": _gauges((m.PAYER_LAMPORTS, ("9xQe",), 49e6)),
    "payer_runway_short": _gauges((m.PAYER_RUNWAY, ("9xQe",), 20_000.0)),
    "payer_empty": _gauges((m.PAYER_LAMPORTS, ("9xQe",), 900_000.0), also=("payer_low",)),
    "chains_stuck": _gauges((m.CHAINS_STUCK, ("price_uncertain",), 3.0)),
    "rpc_behind": _gauges((m.RPC_LAG, ("rpc-a",), 51.0)),
    "rpc_down": _gauges((m.RPC_BREAKER_OPEN, ("rpc-a",), 1.0)),
    "rpc_all_down": _gauges(
        (m.RPC_BREAKER_OPEN, ("rpc-a",), 1.0),
        (m.RPC_BREAKER_OPEN, ("rpc-b",), 1.0),
        also=("rpc_down",),
    ),
    "rpc_disbelieved": _gauges((m.RPC_SET_ASIDE, ("rpc-a",), 1.0)),
    "service_failed": _gauges((m.SERVICE_FAILED, ("keeper",), 1.0)),
    "task_ended": _gauges((m.TASK_RUNNING, ("keeper", "prices"), 0.0)),
    "task_stuck": _gauges((m.TASK_AGE, ("keeper", "prices"), 10.5)),
    "event_loop_late": _gauges((m.LOOP_LAG, ("keeper",), 1.25)),
    "commits_slow": _per_s((m.COMMIT.name + SUM, ("keeper",), 0.5)),
    "disk_low": _gauges((m.DISK_FREE_BYTES, ("keeper",), 1e9)),
    "disk_full": _gauges((m.DISK_FREE_BYTES, ("keeper",), 2e8), also=("disk_low",)),
    "alerts_undelivered": _per_s(
        (m.SINK_FAILURES.name, ("slack",), 1.0), gauges=((m.SINK_QUEUED, ("slack",), 4.0),)
    ),
    "ledger_behind": _gauges((m.LEDGER_LAG, (), 800.0)),
    "payouts_overdue": _gauges((m.PAYOUT_OLDEST, (), 9_100.0)),
    "unknown_root": _per_s((m.ANOMALIES.name, ("unknown_root",), 1.0)),
}

_OWN = {m.SERVICE_FAILED.name, m.SINK_QUEUED.name, m.SINK_FAILURES.name}
_INCENTIVES = {m.LEDGER_LAG.name, m.PAYOUT_OLDEST.name, m.ANOMALIES.name}


def told(seconds, cause=None, holds=lambda _second: False):
    """Yield what is told in each second: {(name, labels): value}, the cause's while it holds."""
    counters = dict.fromkeys(PER_S, 0.0)
    for second in range(seconds):
        is_on = cause is not None and holds(second)
        steps = PER_S | (cause.per_s if is_on else {})
        counters = {key: value + steps[key] for key, value in counters.items()}
        yield CALM | (cause.calm if cause else {}) | (cause.gauges if is_on else {}) | counters


def teller(name):
    if name in _OWN:
        return MONITOR
    return "incentives" if name in _INCENTIVES else "keeper"


def view_of(figures, now_s, *, ages=None, last=()):
    """Return the view that tells these figures, each by the service that would."""
    samples = {}
    for service in ("keeper", "incentives", MONITOR):
        mine = {key: value for key, value in figures.items() if teller(key[0]) == service}
        gauges = {key: value for key, value in mine.items() if key[0] in BY_NAME}
        sums = {
            labels: value for (name, labels), value in mine.items() if name == m.COMMIT.name + SUM
        }
        histograms = {
            (m.COMMIT.name, labels): Histogram(
                counts=(int(mine[m.COMMIT.name + COUNT, labels]),) + (0,) * len(COMMIT_BUCKETS_S),
                sum=total,
            )
            for labels, total in sums.items()
        }
        assert all(BY_NAME[name].kind is not Kind.HISTOGRAM for name, _labels in gauges)
        sample = Sample(service=service, sequence=1, figures=gauges, histograms=histograms)
        sample = replace(sample, is_last=service in last)
        samples[service] = Seen(sample=sample, age_s=(ages or {}).get(service, 0.2))
    return View(
        wall_s=WALL_S + now_s,
        now_s=now_s,
        services=("keeper", "incentives"),
        samples=samples,
    )
