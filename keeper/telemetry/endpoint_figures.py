"""The endpoints' figures.

Core.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from keeper.prices.price import SourceName
from keeper.telemetry.work_figures import put_counted
from programs.breaker import BreakerState
from programs.endpoint_counts import EndpointStatistics
from state.metrics import (
    RPC_BREAKER_OPEN,
    RPC_CALLS,
    RPC_ERRORS,
    RPC_LAG,
    RPC_LATENCY,
    RPC_SET_ASIDE,
    SOURCE_ERRORS,
    SOURCE_FAILURES_IN_A_ROW,
    VENUE_CLOCK_SKEW,
)
from state.sample import Figures

_MILLISECONDS: Final = 1_000


def put_endpoints(figures: Figures, endpoints: Sequence[EndpointStatistics]) -> None:
    """Put in what was asked of each RPC endpoint, and how it answered."""
    errors: dict[tuple[str, ...], float] = {}
    for each in endpoints:
        figures.put(RPC_CALLS, each.calls, each.name)
        figures.put(RPC_LAG, each.lag_slots, each.name)
        figures.put(RPC_BREAKER_OPEN, each.breaker is not BreakerState.CLOSED, each.name)
        figures.put(RPC_SET_ASIDE, each.set_aside is not None, each.name)
        for quantile, ms in (("0.5", each.latency_ms_p50), ("0.99", each.latency_ms_p99)):
            seconds = None if ms is None else ms / _MILLISECONDS
            figures.put(RPC_LATENCY, seconds, each.name, quantile)
        errors.update({(each.name, kind): count for kind, count in each.failures.items()})
    put_counted(figures, RPC_ERRORS, errors)


def put_sources(
    figures: Figures,
    misses: Mapping[SourceName, int],
    errors: Mapping[str, int],
    clock_skew_ms: int | None,
) -> None:
    """Put in how the price sources answered.

    Args:
        figures: taken further.
        misses: rounds in a row without an answer, by source.
        errors: failed calls, as `source.kind`.
        clock_skew_ms: the venue's clock less ours.
    """
    for source, count in misses.items():
        figures.put(SOURCE_FAILURES_IN_A_ROW, count, str(source))
    found: dict[tuple[str, ...], float] = {}
    for what, count in errors.items():
        source_name, _, kind = what.partition(".")
        found[source_name, kind] = count
    put_counted(figures, SOURCE_ERRORS, found)
    skew_s = None if clock_skew_ms is None else clock_skew_ms / _MILLISECONDS
    figures.put(VENUE_CLOCK_SKEW, skew_s)
