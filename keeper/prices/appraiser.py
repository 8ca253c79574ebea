"""Between the sources and the board: keeps one state per token and asks the core what it means.

Shell without I/O: the sources call it, synchronously, and it logs what the core returned as a reason.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable

import structlog
import trio

from keeper.prices.board import PriceBoard
from keeper.prices.errors import VenueError
from keeper.prices.fallback import (
    Observation,
    TokenState,
    TrustRules,
    close,
    judge,
    lose,
    observe,
    unheard,
)
from keeper.prices.heard import SourceView, views_of
from keeper.prices.price import Price, SourceName, TokenId
from keeper.prices.recorder import Recorder
from keeper.prices.unix_time import unix_ms
from programs.outage import is_told

_FAILURES_HALT = 5
"""Consecutive failures on every source that halt at once. Source: SPEC.md section 6."""

log = structlog.get_logger()


class Appraiser:
    """Takes in observations, losses and failures of all sources; publishes what they amount to."""

    def __init__(
        self,
        board: PriceBoard,
        tokens: Collection[TokenId],
        rules: TrustRules,
        *,
        wall_ms: Callable[[], int] = unix_ms,
        recorder: Recorder | None = None,
    ) -> None:
        self._board = board
        self._rules = rules
        self._wall_ms = wall_ms
        self._recorder = recorder
        self._failed_calls: Counter[SourceName] = Counter()
        self._states: dict[TokenId, TokenState] = {}
        self._doubted: dict[SourceName, set[TokenId]] = {}
        board.tell_heard_by(self.heard)
        self.follow(tokens)

    @property
    def tokens(self) -> tuple[TokenId, ...]:
        """The tokens asked for."""
        return tuple(self._states)

    def follow(self, tokens: Collection[TokenId]) -> None:
        """Take up new tokens and forget those that are followed no longer."""
        for token_id in self._states.keys() - set(tokens):
            del self._states[token_id]
            self._board.forget(token_id)
        for token_id in tokens:
            if token_id not in self._states:
                self._states[token_id] = unheard(token_id, self._rules)
                self._judge(token_id)

    def heard(self, token_id: TokenId) -> tuple[SourceView, ...]:
        """Return the last word of every source that has spoken of a token."""
        state = self._states.get(token_id)
        return () if state is None else views_of(state, self._rules)

    def observe(self, token_id: str, observation: Observation) -> None:
        """Take in a quote, and publish: even an unchanged price is news of its freshness."""
        known = TokenId(token_id)
        state = self._states.get(known)
        if state is None:
            self.refuse(observation.source, "token_not_asked_for")
            return
        if self._rules.place_of(observation.source) is None:
            self.refuse(observation.source, "not_a_source")
            return
        self._board.count_observation(observation.source)
        if self._recorder is not None:
            self._recorder.heard(known, observation, self._wall_ms())
        self._states[known] = observe(state, observation, self._rules)
        self._judge(known)

    def lose(self, source: SourceName, tokens: Iterable[TokenId]) -> None:
        """Withdraw trust from a source for the tokens it carried."""
        place = self._rules.place_of(source)
        assert place is not None, f"{source} is one of the sources"
        for token_id in tokens:
            if token_id in self._states:
                self._states[token_id] = lose(self._states[token_id], place)
                self._judge(token_id)

    def close(self, token_id: str, *, is_closed: bool) -> None:
        """Note the venue's word on whether a market is over."""
        known = TokenId(token_id)
        state = self._states.get(known)
        if state is None or state.is_closed is is_closed:
            return
        log.info("market.closed" if is_closed else "market.reopened", token_id=token_id)
        self._states[known] = close(state, is_closed=is_closed)
        self._judge(known)

    def fail(self, source: SourceName, error: VenueError) -> None:
        """Count a failed call of a source."""
        self._board.count_failure(source, error.kind)
        self._failed_calls[source] += 1
        if is_told(self._failed_calls[source]):
            log.warning(
                "source.failed",
                source=source,
                kind=error.kind,
                error=str(error),
                since_success=self._failed_calls[source],
            )

    def miss(self, source: SourceName) -> None:
        """Note a round in which a source answered nothing at all: one round, however many calls it had."""
        in_a_row = self._board.count_miss(source)
        if is_told(in_a_row):
            log.warning("source.missed", source=source, in_a_row=in_a_row)

    def succeed(self, source: SourceName) -> None:
        """Note that a source answered."""
        if self._board.failures_in_a_row(source):
            log.info("source.recovered", source=source)
        self._board.count_success(source)
        self._failed_calls[source] = 0

    def refuse(self, source: SourceName, reason: str, **details: object) -> None:
        """Count and log a part of a body that was skipped."""
        count = self._board.count_refusal(f"{source}.{reason}")
        if is_told(count):
            log.warning("body.refused", source=source, reason=reason, count=count, **details)

    def note_clock_skew(self, skew_ms: int) -> None:
        """Keep the venue's clock less ours."""
        self._board.clock_skew_ms = skew_ms

    def note_restart(self, source: SourceName, why: str) -> None:
        """Tell that the venue's engine restarts."""
        count = self._board.count_refusal(f"{source}.engine_restart")
        if is_told(count):
            log.warning("venue.restarting", source=source, why=why, count=count)

    def take_doubted(self, source: SourceName, tokens: Collection[TokenId]) -> tuple[TokenId, ...]:
        """Return the tokens on which a source was found frozen since this was last asked."""
        doubted = self._doubted.get(source)
        if not doubted:
            return ()
        found = tuple(token_id for token_id in tokens if token_id in doubted)
        doubted.difference_update(found)
        return found

    def reappraise(self, token_id: TokenId) -> None:
        """Let time pass for one token: prices age although nobody speaks."""
        self._judge(token_id, is_news=False)

    def _judge(self, token_id: TokenId, *, is_news: bool = True) -> None:
        are_failing = all(
            self._board.failures_in_a_row(traits.name) >= _FAILURES_HALT
            for traits in self._rules.sources
        )
        verdict = judge(
            self._states[token_id],
            self._rules,
            trio.current_time(),
            are_sources_failing=are_failing,
        )
        self._states[token_id] = verdict.state
        before = self._board.get(token_id)
        if verdict.price is None:
            if before is None:
                self._board.note_unpriced(token_id, verdict.reason)
            return
        _log_class_change(before, verdict.price)
        if is_news or before != verdict.price:
            self._board.publish(verdict.price)
            if self._recorder is not None:
                self._recorder.judged(verdict.price, self._wall_ms())


def _log_class_change(before: Price | None, price: Price) -> None:
    if before is not None and before.price_class is price.price_class:
        return
    log.info(
        "price.classed",
        token_id=price.token_id,
        price_e6=price.price_e6,
        price_class=price.price_class,
        before=None if before is None else before.price_class,
        source=price.source,
        reason=price.reason,
    )
