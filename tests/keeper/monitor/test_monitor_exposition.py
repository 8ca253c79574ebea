"""keeper/monitor/exposition.py: what a scraper reads is what services told, no more and no less."""

from itertools import accumulate

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from keeper.monitor.exposition import expose
from keeper.monitor.view import Seen, View
from state.metrics import COVERAGE, METRICS, Kind
from state.sample import Figures, Histogram, Sample

HOSTILE = 'a "quoted"\\ name\nof ünïcode'


def full_sample():
    """A value for every name there is."""
    figures = Figures()
    for number, metric in enumerate(METRICS):
        labels = [f"{label} {HOSTILE}" for label in metric.labels]
        if metric.kind is Kind.HISTOGRAM:
            counts = tuple(range(len(metric.buckets) + 1))
            figures.put_histogram(metric, Histogram(counts=counts, sum=number + 0.5), *labels)
        else:
            figures.put(metric, number + 0.25, *labels)
    return Sample(
        service="keeper", sequence=1, figures=figures.values, histograms=figures.histograms
    )


def view_of(sample, age_s=0.1):
    return View(wall_s=0, now_s=0, samples={"keeper": Seen(sample=sample, age_s=age_s)})


@pytest.mark.parametrize(
    ("accept", "parse"),
    [("", parse_text), ("application/openmetrics-text; version=1.0.0", parse_openmetrics)],
)
def test_every_metric_is_read_back_as_it_was_told_in_both_forms(accept, parse):
    sample = full_sample()
    text, content_type = expose(view_of(sample), accept)
    families = {family.name: family for family in parse(text.decode())}
    assert ("openmetrics" in content_type) == bool(accept)
    for metric in METRICS:
        found = families[metric.name.removesuffix("_total")]
        assert (str(metric.kind), metric.help) == (found.type, found.documentation)
        labels = {label: f"{label} {HOSTILE}" for label in metric.labels}
        if metric.kind is Kind.HISTOGRAM:
            told = sample.histograms[metric.name, tuple(labels.values())]
            buckets = [each for each in found.samples if each.name.endswith("_bucket")]
            bounds = [*metric.buckets, float("inf")]
            assert bounds == [float(each.labels["le"]) for each in buckets]
            assert list(accumulate(told.counts)) == [each.value for each in buckets]
            assert told.sum in [each.value for each in found.samples if each.name.endswith("_sum")]
        else:
            value = sample.figures[metric.name, tuple(labels.values())]
            assert [(metric.name, labels, value)] == [
                (each.name, each.labels, each.value) for each in found.samples
            ]


def test_what_a_silent_service_said_last_is_left_out():
    figures = Figures()
    figures.put(COVERAGE, 0.4)
    sample = Sample(service="keeper", sequence=1, figures=figures.values)
    assert b"vault_coverage_ratio 0.4" in expose(view_of(sample), "")[0]
    assert b"" == expose(view_of(sample, age_s=6.0), "")[0]
