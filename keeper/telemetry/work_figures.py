"""The lanes' figures: what is due, on its way, landed, refused, and what it cost.

Core: everything was counted where it happened; here it gets its name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from keeper.funds import Funds
from keeper.spend import Spend
from keeper.tally import Tally
from keeper.telemetry.platform_figures import OTHER
from state.metrics import (
    CHAINS_DUE,
    CHAINS_STUCK,
    CU_PRICE,
    CU_REQUESTED,
    CU_USED,
    DUE_TO_LANDED,
    DUPLICATES,
    FOREIGN_SIGNATURES,
    JOBS_DUE,
    JOBS_IN_FLIGHT,
    JOBS_LANDED,
    JOBS_QUEUED,
    LABEL_VALUES_MAX,
    LAST_LANDED_AGE,
    LIQUIDATIONS_DUE,
    OLDEST_DUE,
    PAYER_LAMPORTS,
    PAYER_RUNWAY,
    PRICES_POSTED,
    REFUSALS,
    SPEND_HOUR_LAMPORTS,
    SPEND_HOUR_MAX_LAMPORTS,
    SPENT_LAMPORTS,
    TRANSACTIONS,
    TRANSACTIONS_FAILED,
    Metric,
)
from state.sample import Figures

_HOUR_S: Final = 3_600.0


class Paying(Protocol):
    """What a lane pays with."""

    @property
    def spend(self) -> Spend:
        """Its hour and its day."""
        ...


class PaidLane(Protocol):
    """A lane, as far as money goes."""

    @property
    def name(self) -> str:
        """Which one."""
        ...

    @property
    def funds(self) -> Funds:
        """What its payer has."""
        ...

    @property
    def purse(self) -> Paying:
        """What it may spend."""
        ...


def put_lanes(
    figures: Figures, tally: Tally, lanes: Iterable[str], began_s: float, now_s: float
) -> None:
    """Put in what each lane did since `began_s`; a lane that did nothing yet says so."""
    for lane in lanes:
        counts, in_flight = tally.lane(lane), tally.jobs_in_flight[lane]
        due = max(counts.due, in_flight)
        figures.put(JOBS_DUE, due, lane)
        figures.put(JOBS_IN_FLIGHT, in_flight, lane)
        figures.put(JOBS_QUEUED, due - in_flight, lane)
        figures.put(JOBS_LANDED, tally.jobs_landed[lane], lane)
        since_s = counts.due_since_s
        figures.put(OLDEST_DUE, 0.0 if since_s is None else max(0.0, now_s - since_s), lane)
        last_s = began_s if counts.landed_at_s is None else counts.landed_at_s
        figures.put(LAST_LANDED_AGE, max(0.0, now_s - last_s), lane)
        for end, found in (
            ("landed", tally.landed),
            ("failed", tally.failed),
            ("expired", tally.expired),
        ):
            figures.put(TRANSACTIONS, found[lane], lane, end)
        figures.put(SPENT_LAMPORTS, counts.spent_lamports, lane)
        figures.put(CU_PRICE, counts.cu_price_micro_lamports, lane)
        figures.put_histogram(DUE_TO_LANDED, counts.due_to_landed_s.frozen(), lane)
    put_counted(figures, REFUSALS, {_split(why): count for why, count in tally.refusals.items()})
    failed = sum((each.failed_because for each in tally.lanes.values()), Counter[str]())
    put_counted(figures, TRANSACTIONS_FAILED, {(why,): count for why, count in failed.items()})
    figures.put(CU_REQUESTED, sum(each.cu_requested for each in tally.lanes.values()))
    figures.put(CU_USED, sum(each.cu_used for each in tally.lanes.values()))
    figures.put(PRICES_POSTED, tally.prices_posted)
    figures.put(DUPLICATES, tally.duplicates)
    figures.put(FOREIGN_SIGNATURES, tally.foreign_signatures)
    figures.put(LIQUIDATIONS_DUE, tally.liquidations_due)
    figures.put(CHAINS_DUE, tally.chains_due)
    for refusal, count in Counter(each.refusal for each in tally.stuck_chains.values()).items():
        figures.put(CHAINS_STUCK, count, refusal)


def _split(why: str) -> tuple[str, str]:
    lane, _, reason = why.partition(".")
    return lane, reason


def put_counted(figures: Figures, metric: Metric, found: Mapping[tuple[str, ...], float]) -> None:
    """Put in values by labels, bounded: beyond `LABEL_VALUES_MAX` of them the smallest are summed under `other`."""
    if len(found) > LABEL_VALUES_MAX:
        # By name at equal counts, so that a counter does not hop in and out of sight.
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        kept = dict(ranked[: LABEL_VALUES_MAX - 1])
        rest = (OTHER,) * len(metric.labels)
        kept[rest] = kept.get(rest, 0) + sum(value for _, value in ranked[LABEL_VALUES_MAX - 1 :])
        found = kept
    for labels, value in found.items():
        figures.put(metric, value, *labels)


def put_money(figures: Figures, lanes: Iterable[PaidLane], now_s: float) -> None:
    """Put in what lanes spent within the hour, of how much, and how long each payer's balance lasts at that."""
    hourly: Counter[str] = Counter()
    payers: dict[str, Funds] = {}
    for lane in lanes:
        spent = lane.purse.spend.spent_lamports("hour", now_s)
        figures.put(SPEND_HOUR_LAMPORTS, spent, lane.name)
        figures.put(SPEND_HOUR_MAX_LAMPORTS, dict(lane.purse.spend)["hour"].max_lamports, lane.name)
        payer = str(lane.funds.address)
        payers[payer] = lane.funds
        hourly[payer] += spent
    for payer, funds in payers.items():
        figures.put(PAYER_LAMPORTS, funds.balance_lamports, payer)
        if hourly[payer] and funds.balance_lamports is not None:
            figures.put(PAYER_RUNWAY, funds.balance_lamports * _HOUR_S / hourly[payer], payer)
