"""The books one market websocket carries, from its frames.

Core. The stream has no sequence numbers, so a lost delta shows only as a contradiction: a crossed book, or a best price
that differs from the one the venue states. Then the book is dropped and a snapshot asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.prices.bodies import (
    Event,
    LastTrade,
    MarketResolved,
    Refused,
    TickSizeChange,
    events_of_frame,
)
from keeper.prices.book import Applied, Book, BookDelta, BookSnapshot
from keeper.prices.price import Reason, TokenId
from keeper.prices.quote import quote_of_book


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOutcome:
    """What one frame did."""

    changed: tuple[TokenId, ...]
    """Books to quote anew."""
    dropped: tuple[TokenId, ...]
    """Books that may no longer be believed and need a snapshot."""
    resolved: tuple[TokenId, ...]
    refusals: tuple[str, ...]
    """Short reasons, one per part skipped."""


class StreamedBooks:
    """The books of the tokens subscribed on one socket."""

    def __init__(self, tokens: Iterable[TokenId]) -> None:
        self._books: dict[str, Book] = {token_id: Book() for token_id in tokens}
        self._crossed: set[str] = set()

    def book(self, token_id: TokenId) -> Book:
        """Return the book of a subscribed token."""
        return self._books[token_id]

    def apply_frame(self, frame: object) -> FrameOutcome:
        """Apply a parsed frame, and say what changed, what must be dropped, and what was skipped."""
        refusals: list[str] = []
        touched: dict[str, BookDelta | None] = {}
        dropped: dict[str, None] = {}
        resolved: list[TokenId] = []
        for event in events_of_frame(frame, self._books):
            if isinstance(event, Refused):
                refusals.append("malformed_event")
            elif isinstance(event, MarketResolved):
                resolved += (TokenId(one) for one in event.token_ids if one in self._books)
            else:
                self._apply(event, touched, dropped, refusals)
        changed = []
        for token_id, last_delta in touched.items():
            book = self._books[token_id]
            if book.needs_snapshot or token_id in dropped:
                dropped[token_id] = None
            elif last_delta is not None and book.contradicts(last_delta):
                refusals.append("best_contradicted")
                dropped[token_id] = None
            elif self._is_crossed_again(token_id):
                refusals.append("crossed_twice")
                dropped[token_id] = None
            else:
                changed.append(TokenId(token_id))
        for token_id in dropped:
            self._books[token_id].drop()
        return FrameOutcome(
            changed=tuple(changed),
            dropped=tuple(TokenId(token_id) for token_id in dropped),
            resolved=tuple(resolved),
            refusals=tuple(refusals),
        )

    def _apply(
        self,
        event: Event,
        touched: dict[str, BookDelta | None],
        dropped: dict[str, None],
        refusals: list[str],
    ) -> None:
        assert not isinstance(event, Refused | MarketResolved), "they concern no single book"
        book = self._books.get(event.token_id)
        if book is None:
            # A market's frame carries both of its tokens; the complement was not asked for.
            return
        if isinstance(event, TickSizeChange):
            book.drop()
            dropped[event.token_id] = None
        elif isinstance(event, LastTrade):
            if event.price_e6 is not None:
                book.last_trade_e6 = event.price_e6
        elif isinstance(event, BookSnapshot):
            refusals += ["malformed_level"] * event.refused_levels
            if book.apply_snapshot(event) is Applied.OLDER:
                refusals.append(Applied.OLDER)
            else:
                touched[event.token_id] = None
                dropped.pop(event.token_id, None)
        else:
            applied = book.apply_delta(event)
            if applied is Applied.APPLIED:
                touched[event.token_id] = event
            else:
                refusals.append(applied)

    def _is_crossed_again(self, token_id: str) -> bool:
        """Grant a crossed book one more frame: the venue's own books cross for a message or two."""
        if quote_of_book(self._books[token_id]).reason is not Reason.CROSSED:
            self._crossed.discard(token_id)
            return False
        if token_id in self._crossed:
            self._crossed.discard(token_id)
            return True
        self._crossed.add(token_id)
        return False
