"""Between the sources and the board: keeps one state per token and asks the core what it means.

Shell without I/O: the sources call it, synchronously, and it logs what the core returned as a reason.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from math import inf

import structlog
import trio

from keeper.prices.board import PriceBoard
from keeper.prices.clocks import is_late, without_future
from keeper.prices.errors import VenueError
from keeper.prices.fallback import close, lose, observe, withdraw
from keeper.prices.heard import SourceView, views_of
from keeper.prices.judgement import due_s, judge
from keeper.prices.observation import Observation
from keeper.prices.price import SourceName, TokenId
from keeper.prices.recorder import Recorder
from keeper.prices.token_state import TokenState, unheard
from keeper.prices.told import tell_change
from keeper.prices.trust_rules import TrustRules
from keeper.prices.unix_time import unix_ms
from keeper.prices.venue_watch import VenueWatch
from programs.outage import is_told

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
        self._due_s: dict[TokenId, float] = {}
        self._hurry = trio.Event()
        self._doubted: dict[SourceName, set[TokenId]] = {
            traits.name: set() for traits in rules.sources
        }
        self._venue = VenueWatch(board, rules)
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
            self._due_s.pop(token_id, None)
            for doubted in self._doubted.values():
                doubted.discard(token_id)
            self._venue.forget(token_id)
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
        known, source = TokenId(token_id), observation.source
        before = self._states.get(known)
        if before is None:
            self.refuse(source, "token_not_asked_for")
            return
        place = self._rules.place_of(source)
        if place is None:
            self.refuse(source, "not_a_source")
            return
        now_s, wall_ms = trio.current_time(), self._wall_ms()
        if observation.received_at_s > now_s:
            self.refuse(source, "received_in_the_future", token_id=token_id)
            return
        if is_late(observation, wall_ms, self._venue.about, self._rules):
            self.refuse(source, "late", token_id=token_id)
            self._venue.note_clock_doubt()  # or the venue's clock was set back
            if before.sources[place].observation is not None:
                self.lose(source, (known,))
            return
        said = observation
        observation = without_future(said, wall_ms, self._venue.about, self._rules)
        if observation is not said:
            self.refuse(source, "content_from_future", token_id=token_id)
            self._venue.note_clock_doubt()
        self._board.count_observation(source)
        if self._recorder is not None:
            self._recorder.heard(known, observation, wall_ms)
        after = observe(before, observation, self._rules, self._venue.about)
        self._states[known] = after
        has_changed = after.sources[place].changed_at_s > before.sources[place].changed_at_s
        if after.sources[place].regressed_at_s > before.sources[place].regressed_at_s:
            self._venue.note_clock_doubt()
        self._note_behind(known, before, after)
        if self._venue.note_heard(known, has_changed=has_changed, now_s=now_s):
            self._rejudge_all()
        self._judge(known)

    def lose(self, source: SourceName, tokens: Iterable[TokenId]) -> None:
        """Withdraw trust from a source for the tokens it carried."""
        place = self._rules.place_of(source)
        assert place is not None, f"{source} is one of the sources"
        for token_id in tokens:
            state = self._states.get(token_id)
            if state is not None:
                self._states[token_id] = lose(state, place)
                self._judge(token_id, is_news=False)

    def close(self, token_id: str, *, is_closed: bool) -> None:
        """Note the venue's word on whether a market is over."""
        known = TokenId(token_id)
        state = self._states.get(known)
        if state is None:
            return
        after = close(state, self._rules, trio.current_time(), is_closed=is_closed)
        self._states[known] = after
        if after.is_closed is state.is_closed:
            return
        log.info("market.closed" if is_closed else "market.reopened", token_id=token_id)
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
        if self._venue.note_answers():
            self._rejudge_all()

    def succeed(self, source: SourceName) -> None:
        """Note that a source answered."""
        self._failed_calls[source] = 0
        was_missed = self._board.failures_in_a_row(source)
        self._board.count_success(source)
        if was_missed:
            log.info("source.recovered", source=source)
            if self._venue.note_answers():
                self._rejudge_all()

    def refuse(self, source: SourceName, reason: str, **details: object) -> None:
        """Count and log a part of a body that was skipped."""
        count = self._board.count_refusal(f"{source}.{reason}")
        if is_told(count):
            log.warning("body.refused", source=source, reason=reason, count=count, **details)

    def note_clock_skew(self, skew_ms: int) -> None:
        """Keep the venue's clock less ours."""
        self._venue.note_clock_skew(skew_ms)

    async def wait_clock_doubted(self) -> None:
        """Wait until a stamp of the venue went back since its clock was last noted."""
        await self._venue.wait_clock_doubted()

    def note_restart(self, source: SourceName, why: str) -> None:
        """Stop believing the books: the venue's engine restarts."""
        if self._venue.note_restart(source, why):
            self._rejudge_all()

    def take_doubted(self, source: SourceName, tokens: Collection[TokenId]) -> tuple[TokenId, ...]:
        """Return the tokens on which a source was found behind since this was last asked, and withdraw its word on them.

        Their books are about to be asked for anew.
        """
        doubted = self._doubted.get(source)
        if not doubted:
            return ()
        found = tuple(token_id for token_id in tokens if token_id in doubted)
        doubted.difference_update(found)
        place, now_s = self._rules.place_of(source), trio.current_time()
        assert place is not None, "only sources are doubted"
        for token_id in found:
            self._states[token_id] = withdraw(self._states[token_id], place, now_s)
            self._judge(token_id, is_news=False)
        return found

    async def wait_hurry(self) -> None:
        """Wait until something happened that concerns every token."""
        await self._hurry.wait()

    def pass_time(self) -> Iterator[TokenId]:
        """Let time pass for the venue, then for each token whose price may have aged past a boundary.

        Yields:
            Each token looked at, so that the caller may let others run between them.

        """
        now_s = trio.current_time()
        if self._venue.note_time(now_s):
            self._rejudge_all()
        self._hurry = trio.Event()
        for token_id in self.tokens:
            # A boundary belongs to the better class: only past it is there anything to judge.
            if self._due_s.get(token_id, inf) < now_s:
                self._judge(token_id, is_news=False)
            yield token_id

    def _rejudge_all(self) -> None:
        """Have every token judged at once, whatever its age."""
        self._due_s = dict.fromkeys(self._states, -inf)
        self._hurry.set()

    def _note_behind(self, token_id: TokenId, before: TokenState, after: TokenState) -> None:
        """Tell of the sources that a third poll in a row has just found behind."""
        for traits, was, now in zip(
            self._rules.sources, before.sources, after.sources, strict=True
        ):
            if now.doubts > was.doubts:
                self._doubted[traits.name].add(token_id)
                self.refuse(
                    traits.name,
                    "behind",
                    token_id=token_id,
                    doubted=len(self._doubted[traits.name]),
                )

    def _judge(self, token_id: TokenId, *, is_news: bool = True) -> None:
        now_s = trio.current_time()
        verdict = judge(self._states[token_id], self._rules, now_s, self._venue.about)
        self._states[token_id] = verdict.state
        self._due_s[token_id] = due_s(verdict.state, self._rules, now_s)
        before = self._board.get(token_id)
        if verdict.price is None:
            if before is None:
                self._board.note_unpriced(token_id, verdict.reason)
            return
        if is_news or before != verdict.price:
            tell_change(self._board, before, verdict.price)
            self._board.publish(verdict.price)
            if self._recorder is not None:
                self._recorder.judged(verdict.price, self._wall_ms())
