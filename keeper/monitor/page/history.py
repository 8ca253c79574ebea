"""The last hour and the last day of the few figures that are worth a curve.

Core. A column is a stretch of time and holds the worst that was seen in it: a minute of bad coverage stays visible in a
picture of the day. What nobody told leaves a gap, never a line.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from keeper.monitor.page.quantiles import quantile
from state import metrics as m
from state.metrics import Metric
from state.sample import Sample

LANES: Final = ("prices", "liquidations", "chains", "payouts", "tables")
COLUMNS: Final = 360
Span: TypeAlias = Literal["hour", "day"]
COLUMN_S: Final[Mapping[Span, float]] = {"hour": 10.0, "day": 240.0}
"""How much time one column holds."""
COLUMNS_MIN: Final = 30
_RATE_S: Final = 60.0
"""Rates and quantiles are of this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One figure over time."""

    name: str
    worst: Literal["low", "high"]
    """Which of several values in one column is kept."""


def _curves() -> tuple[Curve, ...]:
    low = ("coverage", "equity", "cash", "usable", "landed_per_s", "events_per_s")
    high = (
        *("open_interest", "loop_lag", "rpc_lag", "price_age", "spend_hour"),
        *(f"oldest_due.{lane}" for lane in LANES),
        *(f"p99.{lane}" for lane in LANES),
    )
    return (
        *(Curve(name=name, worst="low") for name in low),
        *(Curve(name=name, worst="high") for name in high),
    )


CURVES: Final = _curves()
_INDEX: Final = {curve.name: index for index, curve in enumerate(CURVES)}
_IS_LOW: Final = np.array([curve.worst == "low" for curve in CURVES])


@dataclass(slots=True, eq=False)
class _Ring:
    """The newest columns of one span."""

    column_s: float
    values: NDArray[np.float64] = field(
        default_factory=lambda: np.full((COLUMNS, len(CURVES)), np.nan)
    )
    column: int | None = None
    """Number of the newest column: unix time by its length."""
    first: int | None = None
    """Number of the first one that anything was told in."""

    def note(self, wall_s: float, row: NDArray[np.float64]) -> None:
        column = int(wall_s // self.column_s)
        if self.column is None or column - self.column >= COLUMNS:
            self.values[:] = np.nan
        elif column > self.column:
            for passed in range(self.column + 1, column + 1):
                self.values[passed % COLUMNS] = np.nan
        elif column < self.column:
            return  # the wall clock was set back: what is shown stays
        self.column = column
        kept = self.values[column % COLUMNS]
        kept[:] = np.where(_IS_LOW, np.fmin(kept, row), np.fmax(kept, row))
        if self.first is None and not np.isnan(row).all():
            self.first = column

    def read(self, index: int) -> NDArray[np.float64]:
        start = 0 if self.column is None else (self.column + 1) % COLUMNS
        return np.roll(self.values[:, index], -start)


@dataclass(slots=True, eq=False)
class History:
    """Curves of the hour and of the day, kept by the monitor while it runs."""

    _rings: dict[Span, _Ring] = field(
        default_factory=lambda: {span: _Ring(column_s) for span, column_s in COLUMN_S.items()}
    )
    _recent: deque[tuple[float, Sample]] = field(default_factory=deque)
    """The keeper's samples of the last minute: rates are differences."""

    def take(self, wall_s: float, samples: Mapping[str, Sample]) -> None:
        """Note a moment.

        Args:
            wall_s: unix time.
            samples: the newest of each service that is not silent.
        """
        row = np.full(len(CURVES), np.nan)
        keeper = samples.get("keeper")
        if keeper is not None:
            for name, value in self._read(wall_s, keeper).items():
                if value is not None:
                    row[_INDEX[name]] = value
        for ring in self._rings.values():
            ring.note(wall_s, row)

    def curve(self, name: str, span: Span) -> NDArray[np.float64]:
        """Return a curve, oldest column first, NaN where nothing is known."""
        return self._rings[span].read(_INDEX[name])

    def columns(self, span: Span) -> int:
        """Return how many columns are worth showing: those since the first figures, some minutes at the least."""
        ring = self._rings[span]
        if ring.column is None or ring.first is None:
            return COLUMNS_MIN
        return min(COLUMNS, max(COLUMNS_MIN, ring.column - ring.first + 1))

    def end_wall_s(self, span: Span) -> float | None:
        """Return when the newest column ends; None before the first."""
        ring = self._rings[span]
        return None if ring.column is None else (ring.column + 1) * ring.column_s

    def _read(self, wall_s: float, sample: Sample) -> dict[str, float | None]:
        recent = self._recent
        if recent and (sample.sequence < recent[-1][1].sequence or wall_s < recent[-1][0]):
            recent.clear()  # another process, or another time: no difference means anything
        recent.append((wall_s, sample))
        while recent[0][0] < wall_s - _RATE_S:
            recent.popleft()
        since_s, before = recent[0]
        passed_s = wall_s - since_s

        def rate(metric: Metric) -> float | None:
            was, now = _total(before, metric), _total(sample, metric)
            if was is None or now is None or passed_s <= 0 or now < was:
                return None
            return (now - was) / passed_s

        classes: dict[str, float] = {}
        for (_source, name), count in sample.of(m.PRICES):
            classes[name] = classes.get(name, 0.0) + count
        followed = sum(classes.values())
        return {
            "coverage": sample.get(m.COVERAGE),
            "equity": sample.get(m.VAULT_EQUITY_QUOTE),
            "cash": sample.get(m.VAULT_QUOTE),
            "open_interest": sample.get(m.OPEN_INTEREST_QUOTE),
            "usable": (classes.get("valid", 0.0) + classes.get("degraded", 0.0)) / followed
            if followed
            else None,
            "landed_per_s": rate(m.JOBS_LANDED),
            "events_per_s": rate(m.EVENTS),
            "loop_lag": sample.get(m.LOOP_LAG, "keeper"),
            "rpc_lag": max((value for _labels, value in sample.of(m.RPC_LAG)), default=None),
            "price_age": sample.get(m.PRICE_AGE, "0.99"),
            "spend_hour": _total(sample, m.SPEND_HOUR_LAMPORTS),
        } | {
            name: value
            for lane in LANES
            for name, value in (
                (f"oldest_due.{lane}", sample.get(m.OLDEST_DUE, lane)),
                (f"p99.{lane}", recent_quantile(0.99, before, sample, lane)),
            )
        }

    def due_to_landed(self, share: float, lane: str) -> float | None:
        """Return a quantile of a lane's landings within the last minute, seconds."""
        if not self._recent:
            return None
        return recent_quantile(share, self._recent[0][1], self._recent[-1][1], lane)

    def landed_per_s(self, lane: str) -> float | None:
        """Return a lane's landed jobs per second within the last minute."""
        if not self._recent:
            return None
        (since_s, before), (now_s, newest) = self._recent[0], self._recent[-1]
        was, now = before.get(m.JOBS_LANDED, lane), newest.get(m.JOBS_LANDED, lane)
        if was is None or now is None or now_s <= since_s or now < was:
            return None
        return (now - was) / (now_s - since_s)


def recent_quantile(share: float, before: Sample, now: Sample, lane: str) -> float | None:
    """Return a quantile of what a lane landed between two samples, seconds; None of nothing."""
    key = (m.DUE_TO_LANDED.name, (lane,))
    found, earlier = now.histograms.get(key), before.histograms.get(key)
    if found is None:
        return None
    counts: tuple[int, ...] = found.counts
    if earlier is not None and before is not now:
        counts = tuple(max(0, new - old) for new, old in zip(counts, earlier.counts, strict=True))
    return quantile(share, counts, m.DUE_TO_LANDED.buckets)


def _total(sample: Sample, metric: Metric) -> float | None:
    values = [value for _labels, value in sample.of(metric)]
    return sum(values) if values else None
