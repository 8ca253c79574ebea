"""What a process says of itself once a second: every figure it has, as of one moment.

    {"service": "keeper", "sequence": 12, "is_last": false, "figures": [["jobs_due", ["prices"], 3.0], …],
     "histograms": [["due_to_landed_seconds", ["prices"], [0, 1, …], 12.5], …], "details": {…}}

One JSON object a line, so that it can be read with `socat`. A figure has its labels' values in the order of
`state/metrics.py`. What is not known is left out: no figure stands for a guess.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from state.metrics import BY_NAME, Kind, Metric

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A longer line is no sample."""

Labels = tuple[str, ...]


class SampleError(ValueError):
    """Not a sample: one sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts by bucket since the process began."""

    counts: tuple[int, ...]
    """Of each bucket by itself, the last one above every bound."""
    sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Every figure of one process at one moment."""

    service: str
    """`keeper` or `incentives`."""
    sequence: int
    """Grows by one with each sample of a process."""
    is_last: bool = False
    """Whether the process says that it stops."""
    figures: Mapping[tuple[str, Labels], float] = field(default_factory=dict)
    """Gauges and counters by name and values of labels."""
    histograms: Mapping[tuple[str, Labels], Histogram] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    """What health checks and the page show beside figures; JSON types."""

    def of(self, metric: Metric) -> Iterator[tuple[Labels, float]]:
        """Yield a gauge's or counter's values by labels."""
        return (
            (labels, value) for (name, labels), value in self.figures.items() if name == metric.name
        )

    def get(self, metric: Metric, *labels: str) -> float | None:
        """Return one value; None where it is not known."""
        return self.figures.get((metric.name, labels))


@dataclass(slots=True)
class Figures:
    """A sample being gathered: refuses names, labels and values that are none."""

    values: dict[tuple[str, Labels], float] = field(default_factory=dict)
    histograms: dict[tuple[str, Labels], Histogram] = field(default_factory=dict)

    def put(self, metric: Metric, value: float | None, *labels: str) -> None:
        """Note a value; None is left out."""
        assert len(labels) == len(metric.labels), f"{metric.name} has labels {metric.labels}"
        assert metric.kind is not Kind.HISTOGRAM
        if value is not None:
            self.values[metric.name, labels] = float(value)

    def put_histogram(self, metric: Metric, found: Histogram, *labels: str) -> None:
        """Note a histogram."""
        assert len(labels) == len(metric.labels), f"{metric.name} has labels {metric.labels}"
        assert len(found.counts) == len(metric.buckets) + 1
        self.histograms[metric.name, labels] = found


def to_line(sample: Sample) -> bytes:
    """Write a sample as one line."""
    return (
        json.dumps(
            {
                "service": sample.service,
                "sequence": sample.sequence,
                "is_last": sample.is_last,
                "figures": [
                    [name, labels, value] for (name, labels), value in sample.figures.items()
                ],
                "histograms": [
                    [name, labels, each.counts, each.sum]
                    for (name, labels), each in sample.histograms.items()
                ],
                "details": sample.details,
            },
            allow_nan=False,
            separators=(",", ":"),
        ).encode()
        + b"\n"
    )


def from_line(line: bytes) -> Sample:
    """Read a line back.

    Raises:
        SampleError: what is wrong with it, in one sentence; unknown names are left out, so that services of
            different releases understand each other.
    """
    try:
        found = json.loads(line)
        return Sample(
            service=_text(found["service"]),
            sequence=int(found["sequence"]),
            is_last=found["is_last"] is True,
            figures={
                (name, tuple(labels)): _finite(value)
                for name, labels, value in found["figures"]
                if _is_known(name, labels)
            },
            histograms={
                (name, tuple(labels)): Histogram(
                    counts=tuple(int(count) for count in counts), sum=_finite(total)
                )
                for name, labels, counts, total in found["histograms"]
                if _is_known(name, labels) and len(counts) == len(BY_NAME[name].buckets) + 1
            },
            details=dict(found["details"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SampleError(f"not a sample of figures: {error!r}") from error


def _is_known(name: object, labels: object) -> bool:
    metric = BY_NAME.get(name) if isinstance(name, str) else None
    return (
        metric is not None
        and isinstance(labels, list)
        and len(labels) == len(metric.labels)
        and all(isinstance(label, str) for label in labels)
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, {value!r} found")
    return value


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"a finite number expected, {value!r} found")
    return float(value)
