"""Counts by bucket, kept where latencies arise: a float comparison each, however long the process runs."""

from bisect import bisect_left
from dataclasses import dataclass, field

from state.metrics import Metric
from state.sample import Histogram


@dataclass(slots=True)
class Buckets:
    """How often a value fell between the bounds of a metric."""

    metric: Metric
    _counts: list[int] = field(default_factory=list)
    _sum: float = 0.0

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._counts = [0] * (len(self.metric.buckets) + 1)

    def note(self, value: float) -> None:
        """Count one; a value on a bound lies below it, as Prometheus has it."""
        self._counts[bisect_left(self.metric.buckets, value)] += 1
        self._sum += value

    def frozen(self) -> Histogram:
        """Return the counts as of now."""
        return Histogram(counts=tuple(self._counts), sum=self._sum)
