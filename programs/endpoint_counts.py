"""What was asked of an endpoint, and how it answered, counted."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from programs.breaker import BreakerState
from programs.standing import Standing

_LATENCIES_KEPT: Final = 2_048
_MILLISECONDS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatistics:
    """One endpoint, as operators and metrics see it."""

    name: str
    """Without the path, the query and the user part, where providers put their keys."""
    calls: int
    """Asked, whatever became of them."""
    asked_beside: int
    """Of them, asked because another endpoint took long."""
    failures: Mapping[str, int]
    """By kind: `timeout`, `status_429`, `behind` and so on; `outrun`: one asked later answered first."""
    breaker: BreakerState
    lag_slots: int
    """How far its last answer was behind the newest slot heard from anybody."""
    set_aside: str | None
    """Why nothing it says is believed; None while it is."""
    latency_ms_p50: float | None
    """Of the newest calls that were answered; None without any."""
    latency_ms_p99: float | None


@dataclass(slots=True, kw_only=True)
class Counts:
    """The same while it is being counted."""

    calls: int = 0
    asked_beside: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))

    def statistics(self, name: str, standing: Standing) -> EndpointStatistics:
        """Freeze them."""
        latencies_s = sorted(self.latencies_s)
        return EndpointStatistics(
            name=name,
            calls=self.calls,
            asked_beside=self.asked_beside,
            failures=dict(sorted(self.failures.items())),
            breaker=standing.breaker.state,
            lag_slots=standing.behind_slots,
            set_aside=standing.aside,
            latency_ms_p50=_rank_ms(latencies_s, 50),
            latency_ms_p99=_rank_ms(latencies_s, 99),
        )


def _rank_ms(sorted_s: list[float], percent: int) -> float | None:
    if not sorted_s:
        return None
    place = math.ceil(len(sorted_s) * percent / 100) - 1
    return round(sorted_s[max(place, 0)] * _MILLISECONDS, 3)
