"""A Grafana dashboard of every figure there is, made from the list of names.

Core. Queries are written with metrics, never with text: a name that does not exist cannot be asked for. Whatever no panel
was made for gets one of its own in the last row, so that a new metric is seen without anybody drawing it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from state import metrics as m
from state.metrics import METRICS, Kind, Metric

UID: Final = "betting-keeper"
_SCHEMA: Final = 39
"""Of Grafana 11; newer ones read it."""
_COLUMNS: Final = 24
_PANEL_WIDTH: Final = 8
_PANEL_HEIGHT: Final = 7
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_UNITS: Final = (
    ("_seconds", "s"),
    ("_bytes", "bytes"),
    ("_ratio", "none"),
    ("_lamports", "short"),
    ("_seconds_total", "s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One curve, or one for each value of a label."""

    metric: Metric
    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    lines: Sequence[tuple[float, str]] = ()
    """Thresholds: from this value on, this colour."""


def value(metric: Metric, *by: str) -> Query:
    """Ask for a gauge."""
    return Query(metric=metric, expr=metric.name, legend=_legend(metric, by))


def per_second(metric: Metric, *by: str) -> Query:
    """Ask how fast a counter grows, summed over the labels that are not named."""
    shown = by or metric.labels
    grown = f"rate({metric.name}[$__rate_interval])"
    expr = f"sum by ({', '.join(shown)}) ({grown})" if shown else f"sum({grown})"
    return Query(metric=metric, expr=expr, legend=_legend(metric, shown))


def quantile(share: float, metric: Metric) -> Query:
    """Ask for a quantile of a histogram."""
    by = ", ".join(("le", *metric.labels))
    expr = (
        f"histogram_quantile({share}, sum by ({by}) (rate({metric.name}_bucket[$__rate_interval])))"
    )
    return Query(metric=metric, expr=expr, legend=f"{_legend(metric, ())} {share:g}".strip())


def rows() -> tuple[tuple[str, tuple[Panel, ...]], ...]:
    """Return the panels under their headings, the most urgent first."""
    drawn = _drawn()
    used = {query.metric for _title, panels in drawn for panel in panels for query in panel.queries}
    others = tuple(_own_panel(metric) for metric in METRICS if metric not in used)
    return (*drawn, ("Everything else", others)) if others else drawn


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "uid": UID,
        "title": "Betting keeper",
        "tags": ["keeper"],
        "editable": True,
        "schemaVersion": _SCHEMA,
        "version": 1,
        "refresh": "10s",
        "timezone": "utc",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "annotations": {"list": [_alerts()]},
        "panels": list(_placed()),
    }


def _drawn() -> tuple[tuple[str, tuple[Panel, ...]], ...]:
    return (
        (
            "Is all well",
            (
                Panel(
                    title="Alerts that fire",
                    queries=[value(m.ALERTS_FIRING)],
                    lines=[(0, "green"), (1, "red")],
                ),
                Panel(
                    title="Services that speak",
                    queries=[value(m.SERVICE_UP)],
                    lines=[(0, "red"), (1, "green")],
                ),
                Panel(
                    title="Oldest due work",
                    queries=[value(m.OLDEST_DUE)],
                    unit="s",
                    lines=[(0, "green"), (10, "red")],
                ),
            ),
        ),
        (
            "Vault",
            (
                Panel(
                    title="Coverage",
                    queries=[value(m.COVERAGE)],
                    unit="none",
                    lines=[(0, "red"), (0.5, "orange"), (1, "green")],
                ),
                Panel(
                    title="Vault, quote units",
                    queries=[value(each) for each in (m.VAULT_EQUITY_QUOTE, m.VAULT_QUOTE)]
                    + [value(each) for each in (m.VAULT_LENT_QUOTE, m.BAD_DEBT_QUOTE)],
                ),
                Panel(
                    title="Open interest, quote units",
                    queries=[value(m.OPEN_INTEREST_QUOTE), value(m.MARKET_OPEN_INTEREST_QUOTE)],
                ),
            ),
        ),
        (
            "Work",
            (
                Panel(
                    title="Jobs by lane",
                    queries=[value(each) for each in (m.JOBS_DUE, m.JOBS_QUEUED, m.JOBS_IN_FLIGHT)],
                ),
                Panel(
                    title="Landed per second",
                    queries=[per_second(m.JOBS_LANDED), per_second(m.EVENTS)],
                    unit="ops",
                ),
                Panel(
                    title="From due to landed",
                    queries=[quantile(0.5, m.DUE_TO_LANDED), quantile(0.99, m.DUE_TO_LANDED)],
                    unit="s",
                ),
                Panel(
                    title="Transactions by end",
                    queries=[per_second(m.TRANSACTIONS, "lane", "end")],
                    unit="ops",
                ),
                Panel(
                    title="Failed, by the program's reason",
                    queries=[per_second(m.TRANSACTIONS_FAILED)],
                    unit="ops",
                ),
                Panel(title="Not done, by reason", queries=[per_second(m.REFUSALS)], unit="ops"),
            ),
        ),
        (
            "Prices",
            (
                Panel(title="By source and class", queries=[value(m.PRICES)]),
                Panel(title="Age", queries=[value(m.PRICE_AGE)], unit="s"),
                Panel(
                    title="Sources",
                    queries=[
                        value(m.SOURCE_FAILURES_IN_A_ROW),
                        per_second(m.SOURCE_ERRORS, "source", "kind"),
                    ],
                ),
            ),
        ),
        (
            "Endpoints",
            (
                Panel(
                    title="Slots behind",
                    queries=[value(m.RPC_LAG)],
                    lines=[(0, "green"), (50, "red")],
                ),
                Panel(title="Latency", queries=[value(m.RPC_LATENCY)], unit="s"),
                Panel(
                    title="Calls and errors",
                    queries=[per_second(m.RPC_CALLS), per_second(m.RPC_ERRORS, "endpoint", "kind")],
                    unit="ops",
                ),
            ),
        ),
        (
            "Spend",
            (
                Panel(
                    title="Spent within the hour, lamports",
                    queries=[value(m.SPEND_HOUR_LAMPORTS), value(m.SPEND_HOUR_MAX_LAMPORTS)],
                ),
                Panel(title="Payers, lamports", queries=[value(m.PAYER_LAMPORTS)]),
                Panel(title="Payers last", queries=[value(m.PAYER_RUNWAY)], unit="s"),
            ),
        ),
        (
            "Processes",
            (
                Panel(title="Event loop lag", queries=[value(m.LOOP_LAG)], unit="s"),
                Panel(
                    title="Tasks that run",
                    queries=[value(m.TASK_RUNNING)],
                    lines=[(0, "red"), (1, "green")],
                ),
                Panel(
                    title="Commits",
                    queries=[quantile(0.5, m.COMMIT), quantile(0.99, m.COMMIT)],
                    unit="s",
                ),
            ),
        ),
    )


def _own_panel(metric: Metric) -> Panel:
    query = {
        Kind.GAUGE: value,
        Kind.COUNTER: per_second,
        Kind.HISTOGRAM: lambda found: quantile(0.99, found),
    }[metric.kind](metric)
    unit = next((unit for ending, unit in _UNITS if metric.name.endswith(ending)), "short")
    return Panel(
        title=metric.help, queries=[query], unit="ops" if metric.kind is Kind.COUNTER else unit
    )


def _legend(metric: Metric, by: Sequence[str]) -> str:
    labels = " ".join(f"{{{{{label}}}}}" for label in (by or metric.labels))
    short = metric.name.removesuffix("_total").replace("_", " ")
    return f"{short} {labels}".strip()


def _placed() -> Iterator[dict[str, Any]]:
    """Lay the panels out, three beside each other."""
    number, y = 0, 0
    for title, panels in rows():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
            "panels": [],
        }
        y += 1
        beside = _COLUMNS // _PANEL_WIDTH
        for index, panel in enumerate(panels):
            number += 1
            x = index % beside * _PANEL_WIDTH
            place = {"x": x, "y": y + index // beside * _PANEL_HEIGHT}
            yield _panel(panel, number) | {
                "gridPos": place | {"w": _PANEL_WIDTH, "h": _PANEL_HEIGHT}
            }
        y += -(-len(panels) // beside) * _PANEL_HEIGHT


def _panel(panel: Panel, number: int) -> dict[str, Any]:
    steps = [
        {"value": None if index == 0 else bound, "color": colour}
        for index, (bound, colour) in enumerate(panel.lines)
    ]
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": {"spanNulls": False}}
    if steps:
        defaults |= {
            "thresholds": {"mode": "absolute", "steps": steps},
            "custom": {"spanNulls": False, "thresholdsStyle": {"mode": "line"}},
        }
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": " ".join(
            f"{query.metric.name}: {query.metric.help}" for query in panel.queries
        ),
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "expr": query.expr,
                "legendFormat": query.legend,
                "datasource": _SOURCE,
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _alerts() -> dict[str, Any]:
    """Mark where an alert of the keeper's own rules began to fire."""
    return {
        "name": "Alerts",
        "enable": True,
        "datasource": _SOURCE,
        "expr": 'ALERTS{alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "iconColor": "red",
    }
