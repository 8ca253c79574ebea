"""Every figure that operators are shown and woken by: its name, its kind, its labels, what it means.

The one list of names. Processes measure under these names (`state/sample.py`), and exposition, alert rules, dashboards and
the status page are made from them. Base units of Prometheus: seconds, ratios, bytes; a counter ends in `_total`. Amounts are
whole quote units, MMT or lamports as their names say: floats, for looking at; money itself stays in integers elsewhere.

Labels are bounded: a market is a label only in `MARKETS_SHOWN` of them, the largest; everything else about markets is a
count by class or reason.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MARKETS_SHOWN: Final = 20
"""Markets that figures name, the largest open interest first; the others are summed under `other`."""
LABEL_VALUES_MAX: Final = 64
"""Different values a label takes in one sample; more are summed under `other`."""
DUE_TO_LANDED_BUCKETS_S: Final = (
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    4.0,
    8.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
)
COMMIT_BUCKETS_S: Final = (0.0005, 0.001, 0.0015, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)


class Kind(StrEnum):
    """What a figure does over time."""

    GAUGE = "gauge"
    COUNTER = "counter"
    """Never falls but when its process starts anew."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One name."""

    name: str
    kind: Kind
    help: str
    """One sentence."""
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, ascending, of a histogram; +Inf is added."""


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, help=help_, labels=labels)


def _counter(name: str, help_: str, *labels: str) -> Metric:
    assert name.endswith("_total")
    return Metric(name=name, kind=Kind.COUNTER, help=help_, labels=labels)


def _histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, help=help_, labels=labels, buckets=buckets)


# -- the platform, as the newest scan or notification shows it
SLOT: Final = _gauge("platform_slot", "Slot of the newest sight of the platform.")
SLOT_AGE: Final = _gauge(
    "platform_slot_age_seconds", "Since that sight of the platform became newer for the last time."
)
SLOT_SECONDS: Final = _gauge("platform_slot_seconds", "Nominal length of a slot.")
IS_HALTED: Final = _gauge("platform_is_halted", "1 after the halt.")
HAS_CHANGED: Final = _gauge(
    "platform_has_changed", "1 when program or configuration on chain are not those of the start."
)
VAULT_QUOTE: Final = _gauge("vault_balance_quote", "Quote units in the vault that are not lent.")
VAULT_EQUITY_QUOTE: Final = _gauge("vault_equity_quote", "Quote units: balance and what is lent.")
VAULT_LENT_QUOTE: Final = _gauge("vault_lent_quote", "Quote units that positions and chains owe.")
COVERAGE: Final = _gauge("vault_coverage_ratio", "Coverage, as the program computes it.")
OPEN_INTEREST_QUOTE: Final = _gauge(
    "open_interest_quote", "Leveraged shares at the oracle price, all markets."
)
MARKET_OPEN_INTEREST_QUOTE: Final = _gauge(
    "market_open_interest_quote", "The same of the largest markets; the rest is `other`.", "market"
)
MARKETS: Final = _gauge("markets", "Markets on chain, by state.", "state")
POSITIONS: Final = _gauge("positions", "Positions, by what risk says of them.", "verdict")
EVENTS: Final = _counter(
    "platform_events_total", "Events that the program has numbered, all markets and the vault."
)
TRADES: Final = _gauge("platform_trades", "Trade numbers used up; counts to 100.")
BAD_DEBT_QUOTE: Final = _gauge("vault_bad_debt_quote", "Quote units lost to bad debt so far.")

# -- prices
PRICES: Final = _gauge("prices", "Followed tokens by source and class.", "source", "price_class")
PRICE_AGE: Final = _gauge(
    "price_age_seconds", "Age of followed prices: `quantile` 0.5, 0.99 and 1.", "quantile"
)
PRICES_WITHHELD: Final = _gauge(
    "prices_withheld", "Markets whose price is not posted now, by reason.", "reason"
)
PRICES_PUBLISHED: Final = _counter("prices_published_total", "Prices taken in and judged.")
PRICES_POSTED: Final = _counter("prices_posted_total", "Readings that landed.")
SOURCE_FAILURES_IN_A_ROW: Final = _gauge(
    "price_source_failures_in_a_row", "Rounds without an answer since the last one.", "source"
)
SOURCE_ERRORS: Final = _counter("price_source_errors_total", "Failed calls.", "source", "kind")
VENUE_CLOCK_SKEW: Final = _gauge("venue_clock_skew_seconds", "The venue's clock less ours.")

# -- work
JOBS_DUE: Final = _gauge("jobs_due", "Jobs that are due, shipped or not.", "lane")
JOBS_QUEUED: Final = _gauge("jobs_queued", "Of them, those that wait.", "lane")
JOBS_IN_FLIGHT: Final = _gauge("jobs_in_flight", "Of them, those in transactions.", "lane")
JOBS_LANDED: Final = _counter("jobs_landed_total", "Jobs of landed transactions.", "lane")
OLDEST_DUE: Final = _gauge(
    "oldest_due_seconds", "Since when the oldest job of a lane has been due; 0 without one.", "lane"
)
LAST_LANDED_AGE: Final = _gauge(
    "last_landed_age_seconds", "Since a lane's newest landing, or since the start.", "lane"
)
REFUSALS: Final = _counter("refusals_total", "What was not done, by reason.", "lane", "reason")
TRANSACTIONS: Final = _counter(
    "transactions_total", "Transactions by how they ended: landed, failed, expired.", "lane", "end"
)
TRANSACTIONS_FAILED: Final = _counter(
    "transactions_failed_total", "Failed transactions by the program's reason.", "reason"
)
TRANSACTIONS_OPEN: Final = _gauge("transactions_open", "Signed, and not yet proved to have ended.")
DUPLICATES: Final = _counter("duplicate_landings_total", "Landings beyond the first of one effect.")
FOREIGN_SIGNATURES: Final = _counter(
    "foreign_signatures_total", "Transactions signed with our keys by somebody else."
)
DUE_TO_LANDED: Final = _histogram(
    "due_to_landed_seconds", "From due to landed.", DUE_TO_LANDED_BUCKETS_S, "lane"
)
CU_REQUESTED: Final = _counter("compute_units_requested_total", "Asked for, where use is known.")
CU_USED: Final = _counter("compute_units_used_total", "Used.")
CU_PRICE: Final = _gauge(
    "cu_price_micro_lamports", "Priority fee of the newest bid, per compute unit.", "lane"
)
SPENT_LAMPORTS: Final = _counter(
    "spent_lamports_total", "Fees and rent, failures included.", "lane"
)
SPEND_HOUR_LAMPORTS: Final = _gauge("spend_hour_lamports", "Spent within the hour.", "lane")
SPEND_HOUR_MAX_LAMPORTS: Final = _gauge("spend_hour_max_lamports", "Cap of the hour.", "lane")
PAYER_LAMPORTS: Final = _gauge("payer_balance_lamports", "What a payer has.", "payer")
PAYER_RUNWAY: Final = _gauge(
    "payer_runway_seconds", "How long that lasts at the spending of the last hour.", "payer"
)
CHAINS_DUE: Final = _gauge("chains_due", "Chains whose next step is due.")
CHAINS_STUCK: Final = _gauge(
    "chains_stuck", "Of them, those whose step is refused, by refusal.", "refusal"
)
LIQUIDATIONS_DUE: Final = _gauge("liquidations_due", "Unhealthy positions.")

# -- endpoints
RPC_CALLS: Final = _counter("rpc_calls_total", "Calls.", "endpoint")
RPC_ERRORS: Final = _counter(
    "rpc_errors_total", "Calls without a usable answer.", "endpoint", "kind"
)
RPC_LAG: Final = _gauge("rpc_lag_slots", "Behind the newest slot heard from anybody.", "endpoint")
RPC_BREAKER_OPEN: Final = _gauge("rpc_breaker_is_open", "1 while it is not asked.", "endpoint")
RPC_SET_ASIDE: Final = _gauge("rpc_is_set_aside", "1 while it is not believed.", "endpoint")
RPC_LATENCY: Final = _gauge(
    "rpc_latency_seconds", "`quantile` 0.5 and 0.99.", "endpoint", "quantile"
)

# -- the process
UPTIME: Final = _gauge("process_uptime_seconds", "Since the run began.", "service")
IS_DRAINING: Final = _gauge("process_is_draining", "1 once it has been told to stop.", "service")
LOOP_LAG: Final = _gauge(
    "event_loop_lag_seconds", "Worst delay of a wake-up since the last sample.", "service"
)
CPU_SECONDS: Final = _counter("process_cpu_seconds_total", "Used, all threads.", "service")
TELLING_CPU_SECONDS: Final = _counter(
    "telling_cpu_seconds_total", "Of it, what gathering and writing these figures took.", "service"
)
RESIDENT_BYTES: Final = _gauge("process_resident_memory_bytes", "Resident.", "service")
TASK_RUNNING: Final = _gauge("task_is_running", "0 once a task has ended.", "service", "task")
TASK_AGE: Final = _gauge(
    "task_progress_age_seconds", "Since a task's last sign of progress.", "service", "task"
)
TASK_AGE_MAX: Final = _gauge(
    "task_progress_age_max_seconds",
    "How old that may get before it counts as stuck.",
    "service",
    "task",
)
COMMIT: Final = _histogram("sqlite_commit_seconds", "Commits.", COMMIT_BUCKETS_S, "service")
LAST_COMMIT_AGE: Final = _gauge("last_commit_age_seconds", "Since the last commit.", "service")
LAST_SCAN_AGE: Final = _gauge("last_scan_age_seconds", "Since the last full scan of the program.")
DISK_FREE_BYTES: Final = _gauge("disk_free_bytes", "Where the database lies.", "service")

# -- rewards, told by `incentives follow`
LEDGER_LINES: Final = _gauge("ledger_lines", "The head of the ledger: lines so far.")
LEDGER_SLOT: Final = _gauge("ledger_slot", "Read through this finalized slot.")
LEDGER_LAG: Final = _gauge("ledger_lag_slots", "Finalized slots that are not read yet.")
EMITTED_MMT: Final = _gauge("mmt_emitted", "MMT emitted up to the last close.")
OWED_MMT: Final = _gauge("mmt_owed", "MMT allocated to wallets.")
PAID_MMT: Final = _gauge("mmt_paid", "Of it, paid.")
EPOCHS_CLOSED: Final = _gauge("epochs_closed", "Closed epochs.")
PAYOUTS: Final = _gauge("payouts", "Leaves by state: pending, posted, voided.", "state")
PAYOUT_OLDEST: Final = _gauge(
    "payout_oldest_pending_slots", "Slots since the oldest unpaid root was closed; 0 without one."
)
ANOMALIES: Final = _counter(
    "ledger_anomalies_total", "What was recorded and moved nothing.", "reason"
)

# -- the monitor itself
SERVICE_UP: Final = _gauge("service_is_up", "1 while a service tells its figures.", "service")
SERVICE_SILENT: Final = _gauge(
    "service_silent_seconds", "Since a service last told its figures.", "service"
)
SERVICE_FAILED: Final = _gauge(
    "service_has_failed", "1 after a service ended without saying that it stops.", "service"
)
SINK_FAILURES: Final = _counter(
    "alert_sink_failures_total", "Notices that a sink did not take.", "sink"
)
SINK_QUEUED: Final = _gauge("alert_sink_queued", "Notices that wait for a sink.", "sink")
PORT_CONNECTIONS: Final = _gauge(
    "monitor_connections", "Connections to the port: waiting for their request, or open.", "state"
)
PORT_REFUSED: Final = _counter(
    "monitor_requests_refused_total", "Connections that were not answered, by reason.", "reason"
)
PORT_STREAMS: Final = _gauge("monitor_streams", "Status pages that are open.")
ALERTS_FIRING: Final = _gauge("alerts_firing", "Alerts that fire, by level.", "level")

METRICS: Final[tuple[Metric, ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)
BY_NAME: Final = {metric.name: metric for metric in METRICS}
