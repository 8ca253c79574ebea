"""How many calls the venue lets us make, and when the next one may go: a token bucket per host and endpoint family.

Core, on a given clock. The venue publishes its limits per ten seconds and address, and delays what exceeds them before
it rejects anything: throttling looks like latency, and a keeper that is late is worth little. So the keeper stays below.
"""

from dataclasses import dataclass, replace
from typing import Final

WINDOW_S: Final = 10
"""The venue counts calls in windows of so many seconds. Source: Polymarket's published rate limits."""
_BURST_PART: Final = 4
"""A quarter of a window's calls may go at once; the rest is spread over it."""
_WHOLE: Final = 1 - 1e-6
"""A turn, less what adding floats may have lost of it."""
_WAIT_LEAST_S: Final = 0.001
"""Below this a clock of floats might not move at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """Calls per ten seconds that the keeper allows itself: never above what the venue publishes per address.

    The defaults leave a fifth to whatever else runs at the same address.
    """

    clob_per_10_s: int = 7_200
    """All calls to the CLOB together. Published: 9_000."""
    books_per_10_s: int = 400
    """POST /books. Published: 500."""
    gamma_per_10_s: int = 3_200
    """All calls to Gamma together. Published: 4_000."""
    markets_per_10_s: int = 240
    """/markets and what lies under it. Published: 300."""

    def __post_init__(self) -> None:
        """Refuse what the venue would throttle."""
        for name, value, published in (
            ("clob_per_10_s", self.clob_per_10_s, 9_000),
            ("books_per_10_s", self.books_per_10_s, 500),
            ("gamma_per_10_s", self.gamma_per_10_s, 4_000),
            ("markets_per_10_s", self.markets_per_10_s, 300),
        ):
            if not 1 <= value <= published:
                raise ValueError(
                    f"{name} is {value}, wanted 1 to {published}: the venue's published limit"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Turns that may be taken now, and how fast they come back.

    What can be taken at once and what comes back in ten seconds add up to the limit, so no ten seconds, wherever they
    begin, hold more calls than that.
    """

    burst: float
    per_s: float
    level: float
    """Turns in the bucket at `at_s`."""
    at_s: float

    def wait_s(self, now_s: float) -> float:
        """Return how long the next call has to wait; 0 when it may go now."""
        level = self._level(now_s)
        return 0 if level >= _WHOLE else max((1 - level) / self.per_s, _WAIT_LEAST_S)

    def take(self, now_s: float) -> "Bucket":
        """Return the bucket with one turn taken, which must be there: see `wait_s`."""
        return replace(self, level=max(self._level(now_s) - 1, 0), at_s=max(now_s, self.at_s))

    def _level(self, now_s: float) -> float:
        return min(self.burst, self.level + max(now_s - self.at_s, 0) * self.per_s)


def bucket_of(per_10_s: int, now_s: float) -> Bucket:
    """Return a full bucket that never lets more than `per_10_s` calls through in any ten seconds."""
    burst = max(per_10_s // _BURST_PART, 1)
    # The smallest limits would have nothing left to come back: one call a window is then a call every eleven seconds.
    per_s = (per_10_s - burst) / WINDOW_S if per_10_s > burst else 1 / (WINDOW_S + 1)
    return Bucket(burst=burst, per_s=per_s, level=burst, at_s=now_s)
