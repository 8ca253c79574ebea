"""Whether a call may go, and when: each endpoint's breaker, and the buckets of its host and family.

Shell: it waits, it tells the log, and the board through whoever listens; what is decided is decided in the core.
"""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog
import trio

from keeper.prices.buckets import bucket_of
from keeper.prices.endpoints import Endpoint, allowances_of
from keeper.prices.errors import (
    BadStatusError,
    ForbiddenError,
    HeldBackError,
    ThrottledError,
    VenueError,
)
from keeper.prices.feed_config import FeedConfig
from programs.breaker import Breaker, BreakerState, Setback
from programs.outage import is_told

_MILLISECONDS: Final = 1_000

log = structlog.get_logger()


class GateWitness(Protocol):
    """Who wants to know why a call did not go, or went late."""

    def note_breaker(self, endpoint: str, state: BreakerState) -> None:
        """Keep what an endpoint's breaker lets through now."""

    def note_delay(self, endpoint: str, delay_ms: int) -> None:
        """Add up what a call waited for its turn."""


class Gate:
    """Every call of one feed passes here, so that limits are kept for all of them together."""

    def __init__(
        self,
        config: FeedConfig,
        witness: GateWitness | None = None,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Begin with full buckets and closed breakers.

        Args:
            config: limits, and the breakers' rules.
            witness: told of breakers and delays.
            draw: from 0 up to 1, for the jitter of probes.

        """
        now_s = trio.current_time()
        self._rules = config.breaker_rules
        self._witness = witness
        self._draw = draw
        self._breakers = {endpoint: Breaker() for endpoint in Endpoint}
        self._allowances = {
            endpoint: tuple(name for name, _ in allowances_of(endpoint, config.limits))
            for endpoint in Endpoint
        }
        self._buckets = {
            name: bucket_of(per_10_s, now_s)
            for endpoint in Endpoint
            for name, per_10_s in allowances_of(endpoint, config.limits)
        }
        self._delayed = 0

    @asynccontextmanager
    async def admitted(self, endpoint: Endpoint) -> AsyncGenerator[None, None]:
        """Hold one call to an endpoint: let it in or not, and learn from how it ends.

        Raises:
            HeldBackError: the breaker is open; nothing was asked.

        """
        self._refuse_if_open(endpoint)
        await self._wait_turn(endpoint)
        self._refuse_if_open(endpoint)
        self._become(endpoint, self._breakers[endpoint].admit(self._rules, trio.current_time()))
        try:
            yield
        except VenueError as error:
            after = self._breakers[endpoint].fail(
                self._rules, _setback_of(error), trio.current_time(), self._draw()
            )
            self._become(endpoint, after)
            raise
        self._become(endpoint, self._breakers[endpoint].succeed())

    def take_turn_nowait(self, endpoint: Endpoint) -> bool:
        """Take a turn for one more try, if one is there."""
        now_s = trio.current_time()
        if self._delay_s(endpoint, now_s) > 0:
            return False
        for name in self._allowances[endpoint]:
            self._buckets[name] = self._buckets[name].take(now_s)
        return True

    async def _wait_turn(self, endpoint: Endpoint) -> None:
        """Wait until every bucket of the endpoint has a turn, and take them together: none is held while waiting."""
        begun_s = trio.current_time()
        while not self.take_turn_nowait(endpoint):  # noqa: ASYNC110 - turns come with time, not by an event
            await trio.sleep(self._delay_s(endpoint, trio.current_time()))
        delay_ms = round((trio.current_time() - begun_s) * _MILLISECONDS)
        if delay_ms == 0:
            return
        if self._witness is not None:
            self._witness.note_delay(endpoint, delay_ms)
        self._delayed += 1
        if is_told(self._delayed):
            log.info("call.delayed", endpoint=endpoint, delay_ms=delay_ms, count=self._delayed)

    def _delay_s(self, endpoint: Endpoint, now_s: float) -> float:
        return max(self._buckets[name].wait_s(now_s) for name in self._allowances[endpoint])

    def _refuse_if_open(self, endpoint: Endpoint) -> None:
        breaker = self._breakers[endpoint]
        wait_s = breaker.wait_s(trio.current_time())
        if wait_s > 0:
            raise HeldBackError(
                f"{endpoint} is not asked for {wait_s:.1f} s more: {breaker.reason} opened its breaker"
            )

    def _become(self, endpoint: Endpoint, breaker: Breaker) -> None:
        before = self._breakers[endpoint]
        self._breakers[endpoint] = breaker
        if breaker.state is before.state:
            return
        if self._witness is not None:
            self._witness.note_breaker(endpoint, breaker.state)
        # While closed nothing is known of an outage: at its end it is the breaker before that knows.
        knowing = before if breaker.state is BreakerState.CLOSED else breaker
        if breaker.state is BreakerState.CLOSED or is_told(knowing.openings):
            _log_change(endpoint, breaker.state, knowing)


def _log_change(endpoint: Endpoint, state: BreakerState, knowing: Breaker) -> None:
    now_s = trio.current_time()
    since_s = now_s if knowing.since_s is None else knowing.since_s
    event = {
        BreakerState.OPEN: "breaker.opened",
        BreakerState.PROBING: "breaker.probing",
        BreakerState.CLOSED: "breaker.closed",
    }[state]
    tell = log.warning if state is BreakerState.OPEN else log.info
    tell(
        event,
        endpoint=endpoint,
        reason=knowing.reason,
        since_ms=round((now_s - since_s) * _MILLISECONDS),
        openings=knowing.openings,
        probe_in_ms=round(knowing.wait_s(now_s) * _MILLISECONDS)
        if state is BreakerState.OPEN
        else None,
    )


def _setback_of(error: VenueError) -> Setback:
    wish_ms = error.retry_after_ms if isinstance(error, BadStatusError) else None
    return Setback(
        reason=error.kind,
        is_refusal=isinstance(error, (ForbiddenError, ThrottledError)),
        is_lasting=isinstance(error, ForbiddenError),
        retry_after_s=None if wish_ms is None else wish_ms / _MILLISECONDS,
    )
