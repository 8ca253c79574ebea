"""The newest figures in the form that a Prometheus server scrapes.

Core. What a silent service said last is left out: a scraper must not take it for the present.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from keeper.monitor.view import View
from state.metrics import METRICS, Kind, Metric
from state.sample import Histogram, Labels

_FAMILIES: Final = {Kind.GAUGE: GaugeMetricFamily, Kind.COUNTER: CounterMetricFamily}


class ViewCollector(Collector):
    """The figures of one view, by the names of `state/metrics.py`."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Family]:
        """Yield every metric that has a value, in the order of the list of names."""
        values: dict[str, dict[Labels, float]] = {}
        histograms: dict[str, dict[Labels, Histogram]] = {}
        for seen in self._view.samples.values():
            if seen.is_fresh:
                for (name, labels), value in seen.sample.figures.items():
                    values.setdefault(name, {})[labels] = value
                for (name, labels), found in seen.sample.histograms.items():
                    histograms.setdefault(name, {})[labels] = found
        for metric in METRICS:
            if metric.kind is Kind.HISTOGRAM:
                if metric.name in histograms:
                    yield _histogram(metric, histograms[metric.name])
            elif metric.name in values:
                family = _FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
                for labels, value in values[metric.name].items():
                    family.add_metric(labels, value)
                yield family


def _histogram(metric: Metric, found: dict[Labels, Histogram]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    bounds = [*(repr(bound) for bound in metric.buckets), "+Inf"]
    for labels, each in found.items():
        family.add_metric(
            labels, list(zip(bounds, accumulate(each.counts), strict=True)), sum_value=each.sum
        )
    return family


def expose(view: View, accept: str) -> tuple[bytes, str]:
    """Write a view down.

    Args:
        view: what is known.
        accept: the scraper's Accept header: text of Prometheus, or OpenMetrics when it asks for that.

    Returns:
        The text, and its content type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ViewCollector(view))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
