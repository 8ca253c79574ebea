"""The figures of now, by name, and of a while ago, for as long as a rule looks back.

Core. A service that is silent has no figures now, as a Prometheus that scrapes the monitor would have none.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from keeper.monitor.view import View
from state.metrics import BY_NAME, Metric

LabelSet = tuple[tuple[str, str], ...]
"""Names and values, by name."""
Vector = dict[LabelSet, float]
"""One value for each set of labels, as PromQL's instant vector."""
Points = deque[tuple[float, float]]
"""Monotonic seconds and values, the oldest first."""

SUM: Final = "_sum"
COUNT: Final = "_count"
"""What a histogram is besides its buckets; a rule divides one by the other."""
_SLACK_S: Final = 2.0
"""Points are kept a little longer than asked for: an expression's edge is its own business."""


def label_set(labels: Mapping[str, str]) -> LabelSet:
    """Return labels in their one order."""
    return tuple(sorted(labels.items()))


@dataclass(slots=True)
class Window:
    """What rules are evaluated over."""

    ranges_s: Mapping[str, float] = field(default_factory=dict)
    """By the name of a series, how long rules look back; of all others only the newest value is kept."""
    now_s: float = 0.0
    """Monotonic."""
    _now: dict[str, Vector] = field(default_factory=dict)
    _past: dict[str, dict[LabelSet, Points]] = field(default_factory=dict)
    _tellers: dict[str, str] = field(default_factory=dict)

    def take(self, view: View) -> None:
        """Let a view's figures be those of now."""
        self.now_s = view.now_s
        self._now = {}
        for service, seen in view.samples.items():
            if not seen.is_fresh:
                continue
            for (name, labels), value in seen.sample.figures.items():
                self._put(service, name, BY_NAME[name], labels, value)
            for (name, labels), found in seen.sample.histograms.items():
                metric = BY_NAME[name]
                self._put(service, name + SUM, metric, labels, found.sum)
                self._put(service, name + COUNT, metric, labels, float(sum(found.counts)))
        self._forget()

    def now(self, name: str) -> Vector:
        """Return a series' values of now."""
        return self._now.get(name, {})

    def past(
        self, name: str, range_s: float
    ) -> Iterator[tuple[LabelSet, list[tuple[float, float]]]]:
        """Yield the points of the last `range_s` seconds, both ends included, by labels; only of what `ranges_s` names."""
        start_s = self.now_s - range_s
        for labels, points in self._past.get(name, {}).items():
            if found := [point for point in points if point[0] >= start_s]:
                yield labels, found

    def teller(self, name: str) -> str | None:
        """Return the service that told a series last; None when nobody ever did."""
        return self._tellers.get(name)

    def _put(
        self, service: str, name: str, metric: Metric, values: tuple[str, ...], value: float
    ) -> None:
        labels = tuple(sorted(zip(metric.labels, values, strict=True)))
        self._now.setdefault(name, {})[labels] = value
        self._tellers[name] = service
        if name in self.ranges_s:
            points = self._past.setdefault(name, {}).setdefault(labels, deque())
            points.append((self.now_s, value))

    def _forget(self) -> None:
        for name, series in self._past.items():
            oldest_s = self.now_s - self.ranges_s[name] - _SLACK_S
            for labels in list(series):
                points = series[labels]
                while points and points[0][0] < oldest_s:
                    points.popleft()
                if not points:
                    del series[labels]
