"""The books one market websocket carries, from its frames.

Core. The stream has no sequence numbers, so a lost delta shows only as a contradiction: a crossed book, a best price
that differs from the one the venue states, or a hash that does not fit. The first two drop the book until a snapshot;
the last only asks for one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from keeper.prices.bodies import (
    BestStated,
    Event,
    LastTrade,
    MarketResolved,
    Refused,
    TickSizeChange,
    Unknown,
    events_of_frame,
)
from keeper.prices.book import Applied, Book, BookDelta, BookSnapshot
from keeper.prices.price import TokenId

HASH_CHECKS: Final = 2
"""Changes held to their hash between two looks: 0.1 ms each, so that a flood is sampled and a quiet market is not."""


@dataclass(slots=True, kw_only=True)
class FrameOutcome:
    """What one frame did."""

    changed: list[TokenId] = field(default_factory=list)
    """Books to quote anew."""
    moved: list[TokenId] = field(default_factory=list)
    """Those of the changed of which the newest word is a change, told as it happened."""
    snapshots: list[TokenId] = field(default_factory=list)
    """Books that were replaced whole."""
    dropped: list[TokenId] = field(default_factory=list)
    """Books that may no longer be believed and need a snapshot."""
    awaiting: list[TokenId] = field(default_factory=list)
    """Those of the dropped whose snapshot the venue is about to send by itself."""
    suspected: list[TokenId] = field(default_factory=list)
    """Books that stand, but of which a snapshot is wanted."""
    resolved: list[TokenId] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """Short reasons, one per part skipped."""
    is_rubbish: bool = False
    """Nothing of the frame could be read."""


class StreamedBooks:
    """The books of the tokens subscribed on one socket."""

    def __init__(self, tokens: Iterable[TokenId]) -> None:
        self._books: dict[str, Book] = {token_id: Book() for token_id in tokens}
        self._crossed: set[str] = set()
        self._stated: dict[str, BestStated] = {}
        """Statements of best prices beside the books that differ from them, since the last look."""
        self._still_stated: dict[str, BestStated] = {}
        """Those that differed at the last look already."""
        self._hash_checks = HASH_CHECKS

    def follow(self, tokens: Iterable[TokenId]) -> None:
        """Take up new tokens; the books of the others stay."""
        for token_id in tokens:
            self._books.setdefault(token_id, Book())

    def forget(self, tokens: Iterable[TokenId]) -> None:
        """Let go of tokens."""
        for token_id in tokens:
            self._books.pop(token_id, None)
            self._crossed.discard(token_id)
            self._stated.pop(token_id, None)
            self._still_stated.pop(token_id, None)

    def book(self, token_id: TokenId) -> Book:
        """Return the book of a subscribed token."""
        return self._books[token_id]

    def has_book(self, token_id: TokenId) -> bool:
        """Whether a token is followed and a snapshot has given its book."""
        book = self._books.get(token_id)
        return book is not None and book.has_snapshot

    def known(self) -> tuple[TokenId, ...]:
        """List the tokens whose book a snapshot has given."""
        return tuple(TokenId(one) for one, book in self._books.items() if book.has_snapshot)

    def apply_frame(self, frame: object) -> FrameOutcome:
        """Apply a parsed frame, and say what changed, what must be dropped, and what was skipped."""
        outcome = FrameOutcome()
        touched: dict[str, BookDelta | None] = {}
        malformed = events = 0
        for event in events_of_frame(frame, self._books):
            events += 1
            if isinstance(event, Refused):
                malformed += 1
            elif isinstance(event, Unknown):
                outcome.refusals.append("unknown_event")
            elif isinstance(event, MarketResolved):
                outcome.resolved += (TokenId(one) for one in event.token_ids if one in self._books)
            else:
                self._apply(event, touched, outcome)
        outcome.refusals += ["malformed_event"] * malformed
        outcome.is_rubbish = 0 < malformed == events
        for token_id, last_delta in touched.items():
            self._conclude(TokenId(token_id), last_delta, outcome)
        for token_id in outcome.dropped:
            self._books[token_id].drop()
        return outcome

    def look_again(self) -> FrameOutcome:
        """Hold the books to what was stated beside them. Called about once a second.

        The venue states best prices in one message and changes the book in another, in either order: a difference
        counts when it is found at two looks in a row and the book has not moved on meanwhile.
        """
        outcome = FrameOutcome()
        self._hash_checks = HASH_CHECKS
        for token_id, stated in self._still_stated.items():
            if self._differs(stated):
                outcome.refusals.append("best_contradicted")
                outcome.dropped.append(TokenId(token_id))
                self._books[token_id].drop()
        self._still_stated = {
            token_id: stated for token_id, stated in self._stated.items() if self._differs(stated)
        }
        self._stated = {}
        return outcome

    def _apply(
        self, event: Event, touched: dict[str, BookDelta | None], outcome: FrameOutcome
    ) -> None:
        assert not isinstance(event, Refused | Unknown | MarketResolved), (
            "they concern no single book"
        )
        token_id = TokenId(event.token_id)
        book = self._books.get(token_id)
        if book is None:
            # A market's frame carries both of its tokens; the complement was not asked for.
            return
        if isinstance(event, BookDelta):
            self._apply_delta(event, book, touched, outcome)
        elif isinstance(event, BookSnapshot):
            self._apply_snapshot(event, book, touched, outcome)
        elif isinstance(event, TickSizeChange):
            book.drop()
            touched.pop(token_id, None)
            _add(outcome.dropped, token_id)
            _add(outcome.awaiting, token_id)
        elif isinstance(event, BestStated):
            self._stated[token_id] = event
        else:
            assert isinstance(event, LastTrade), "no event is left"
            if event.price_e6 is not None:
                book.last_trade_e6 = event.price_e6
            # The hash covers the last trade, and in which characters it will only a snapshot tells.
            book.hashed = None

    def _apply_delta(
        self,
        delta: BookDelta,
        book: Book,
        touched: dict[str, BookDelta | None],
        outcome: FrameOutcome,
    ) -> None:
        applied = book.apply_delta(delta)
        if applied is Applied.APPLIED:
            touched[delta.token_id] = delta
            return
        outcome.refusals.append(applied)
        token_id = TokenId(delta.token_id)
        if applied is Applied.OUT_OF_ORDER:
            _add(outcome.suspected, token_id)
        elif applied is Applied.CLOCK_STEPPED:
            _add(outcome.dropped, token_id)

    def _apply_snapshot(
        self,
        snapshot: BookSnapshot,
        book: Book,
        touched: dict[str, BookDelta | None],
        outcome: FrameOutcome,
    ) -> None:
        outcome.refusals += ["malformed_level"] * snapshot.refused_levels
        token_id = TokenId(snapshot.token_id)
        was_hashed = book.hashed is not None
        applied = book.apply_snapshot(snapshot)
        if applied is not Applied.APPLIED:
            outcome.refusals.append(applied)
            if applied is Applied.CLOCK_STEPPED:
                _add(outcome.dropped, token_id)
            return
        touched[token_id] = None
        _add(outcome.snapshots, token_id)
        for waiting in (outcome.dropped, outcome.awaiting, outcome.suspected):
            if token_id in waiting:
                waiting.remove(token_id)
        if snapshot.hash_stated is None:
            return
        book.hashed = book.fit_hash(token_id, snapshot.hash_stated)
        if was_hashed and book.hashed is None and book.is_whole:
            outcome.refusals.append("hash_misfit")
            _add(outcome.suspected, token_id)

    def _conclude(
        self, token_id: TokenId, last_delta: BookDelta | None, outcome: FrameOutcome
    ) -> None:
        """Decide what became of a book that the frame touched, once all of the frame is applied."""
        book = self._books[token_id]
        if token_id in outcome.dropped:
            return
        if book.needs_snapshot:
            outcome.dropped.append(token_id)
        elif last_delta is not None and book.contradicts(last_delta):
            outcome.refusals.append("best_contradicted")
            outcome.dropped.append(token_id)
        elif self._is_crossed_again(token_id):
            outcome.refusals.append("crossed_twice")
            outcome.dropped.append(token_id)
        else:
            outcome.changed.append(token_id)
            if last_delta is not None:
                outcome.moved.append(token_id)
            if last_delta is not None and self._is_misfit(token_id, book, last_delta):
                outcome.refusals.append("hash_misfit")
                _add(outcome.suspected, token_id)

    def _is_misfit(self, token_id: TokenId, book: Book, delta: BookDelta) -> bool:
        if book.hashed is None or delta.hash_stated is None or not self._hash_checks:
            return False
        self._hash_checks -= 1
        if not book.misfits(token_id, delta.hash_stated):
            return False
        # Said once: until the next snapshot every further hash would misfit too.
        book.hashed = None
        return True

    def _differs(self, stated: BestStated) -> bool:
        book = self._books.get(stated.token_id)
        if book is None or not book.has_snapshot:
            return False
        if (
            stated.time_ms is not None
            and book.time_ms is not None
            and book.time_ms > stated.time_ms
        ):
            return False
        return book.differs(stated.bid_e6, stated.ask_e6)

    def _is_crossed_again(self, token_id: str) -> bool:
        """Grant a crossed book one more frame: the venue's own books cross for a message or two."""
        if not self._books[token_id].is_crossed:
            self._crossed.discard(token_id)
            return False
        if token_id in self._crossed:
            self._crossed.discard(token_id)
            return True
        self._crossed.add(token_id)
        return False


def _add(tokens: list[TokenId], token_id: TokenId) -> None:
    if token_id not in tokens:
        tokens.append(token_id)
