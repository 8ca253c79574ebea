"""Whether an endpoint is asked at all: closed while it answers, open after failures, half open for one probe at a time.

Core, on a given clock and a given draw. An endpoint that is down costs every round its whole deadline, and hammering it
delays its return; one that asks to be left alone, or forbids us, is not asked before its time.

    closed --failures in a row, or a wish to be left alone--> open --its time came--> probing --answer--> closed
                                                               ^------------failure-----------'
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

_GROWTH: Final = 2
_JITTER_LEAST: Final = 0.75
_JITTER_WIDTH: Final = 0.5
"""Each wait is drawn from 75 % to 125 % of the interval, so that keepers do not knock together."""


class BreakerState(StrEnum):
    """What an endpoint's breaker lets through."""

    CLOSED = "closed"
    """Every call."""
    OPEN = "open"
    """None."""
    PROBING = "probing"
    """One, which decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens and how it probes."""

    failures: int
    """Failures in a row that open it."""
    probe_s: float
    """The first wait before a probe; each failed probe doubles it."""
    probe_max_s: float
    """The longest wait before a probe; a longer wish of the server's own is granted all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """What a failed call means for the calls after it."""

    reason: str
    """The failure's kind."""
    is_refusal: bool = False
    """The server said no, to us and on purpose: it is not asked again before a wait, however few calls failed."""
    is_lasting: bool = False
    """It will say so for long: the wait is the longest there is."""
    retry_after_s: float | None = None
    """How long the server asked to be left alone, bounded already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One endpoint's breaker."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    """In a row, while closed."""
    interval_s: float = 0
    """The present wait between probes, before jitter."""
    probe_at_s: float = 0
    """When the next call may go, unless closed."""
    reason: str | None = None
    """Why it opened; the kind of the failure."""
    since_s: float | None = None
    """When it opened first, through all probes since; None while closed."""
    openings: int = 0
    """Since then: one, and one more for each probe that failed."""

    def wait_s(self, now_s: float) -> float:
        """Return how long no call may go; 0 when one may now."""
        return 0 if self.state is BreakerState.CLOSED else max(self.probe_at_s - now_s, 0)

    def admit(self, rules: BreakerRules, now_s: float) -> "Breaker":
        """Let one call through, which must be due: see `wait_s`.

        A probe that is never heard of again, because its caller was cancelled, holds nobody up for longer than one
        interval.
        """
        if self.state is BreakerState.CLOSED:
            return self
        return replace(
            self,
            state=BreakerState.PROBING,
            probe_at_s=now_s + max(self.interval_s, rules.probe_s),
        )

    def succeed(self) -> "Breaker":
        """Close after an answer; one to a call from before the opening changes nothing."""
        return self if self.state is BreakerState.OPEN else Breaker()

    def fail(self, rules: BreakerRules, setback: Setback, now_s: float, draw: float) -> "Breaker":
        """Take in a failed call.

        Args:
            rules: when to open and how to probe.
            setback: what the failure means.
            now_s: the clock.
            draw: from 0 up to 1, for the jitter.

        """
        if self.state is BreakerState.OPEN:
            # A call from before the opening: it may bring a longer wish, and says nothing else that is new.
            wish_s = 0 if setback.retry_after_s is None else setback.retry_after_s
            return replace(self, probe_at_s=max(self.probe_at_s, now_s + wish_s))
        failures = self.failures + 1
        is_asked_away = setback.is_refusal or setback.retry_after_s is not None
        if self.state is BreakerState.CLOSED and failures < rules.failures and not is_asked_away:
            return replace(self, failures=failures)
        grown_s = self.interval_s * _GROWTH if self.interval_s else rules.probe_s
        interval_s = min(rules.probe_max_s if setback.is_lasting else grown_s, rules.probe_max_s)
        wait_s = min(interval_s * (_JITTER_LEAST + _JITTER_WIDTH * draw), rules.probe_max_s)
        if setback.retry_after_s is not None:
            wait_s = max(wait_s, setback.retry_after_s)
        return Breaker(
            state=BreakerState.OPEN,
            failures=failures,
            interval_s=interval_s,
            probe_at_s=now_s + wait_s,
            reason=setback.reason,
            since_s=now_s if self.since_s is None else self.since_s,
            openings=self.openings + 1,
        )
