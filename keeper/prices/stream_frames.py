"""What a frame does: it changes books, and what changed is told.

Shell without I/O of its own. A reader of frames belongs to one socket. While another socket still speaks for its tokens
it applies frames and keeps silent; taking over is telling everything it knows.
"""

from collections.abc import Iterable
from typing import Final

import trio

from keeper.prices.errors import MalformedError
from keeper.prices.numerals import load_json
from keeper.prices.observation import Observation
from keeper.prices.price import SourceName, TokenId
from keeper.prices.quote import quote_of_book
from keeper.prices.snapshot_requests import PATIENCE_S, SnapshotRequests
from keeper.prices.source import Hearing
from keeper.prices.streamed_books import FrameOutcome, StreamedBooks

_EVENTS_AT_ONCE: Final = 8
"""Events of one array applied between two checkpoints: two hundred books in one frame are a tenth of a second."""


class FrameReader:
    """Applies one socket's frames to its books and tells the hearing."""

    def __init__(
        self, source: SourceName, hearing: Hearing, tokens: Iterable[TokenId], *, is_heard: bool
    ) -> None:
        self._source = source
        self._hearing = hearing
        self.books = StreamedBooks(tokens)
        self.requests = SnapshotRequests()
        self.is_heard = is_heard
        """Whether what it reads is told; a successor keeps silent until it takes over."""
        self.recorded_body: str | None = None
        """The capture that a replaying venue says it streams."""
        self.rubbish_in_a_row = 0
        """Frames of which nothing could be read."""

    async def take(self, text: str) -> None:
        """Apply one frame. Whatever cannot be read of it is refused alone."""
        try:
            frame = load_json(text)
        except MalformedError as error:
            self._hearing.refuse(self._source, "frame_not_json", error=str(error))
            self.rubbish_in_a_row += 1
            return
        if isinstance(frame, list) and len(frame) > _EVENTS_AT_ONCE:
            is_rubbish = True
            for at in range(0, len(frame), _EVENTS_AT_ONCE):
                is_rubbish &= self._apply(frame[at : at + _EVENTS_AT_ONCE])
                await trio.lowlevel.checkpoint()
        else:
            is_rubbish = self._apply(frame)
        if is_rubbish:
            self.rubbish_in_a_row += 1
        else:
            self.rubbish_in_a_row = 0
            self._hearing.succeed(self._source)

    def look_again(self) -> None:
        """Hold the books to what the venue stated beside them. Called about once a second."""
        self._tell(self.books.look_again())

    async def take_over(self, known_before: Iterable[TokenId]) -> None:
        """Speak from now on, and tell every book; of tokens known before and not here, tell that they are lost."""
        self.is_heard = True
        known = self.books.known()
        self._hearing.lose(self._source, set(known_before).difference(known))
        for number, token_id in enumerate(known, 1):
            if self.books.has_book(token_id):
                self._observe(token_id)
            if number % _EVENTS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()

    def _apply(self, frame: object) -> bool:
        """Apply a frame or a part of one; return whether it was all rubbish."""
        outcome = self.books.apply_frame(frame)
        self._tell(outcome)
        return outcome.is_rubbish

    def _tell(self, outcome: FrameOutcome) -> None:
        for reason in outcome.refusals:
            self._hearing.refuse(self._source, reason)
        for token_id in outcome.resolved:
            self._hearing.close(token_id, is_closed=True)
        if outcome.snapshots or outcome.dropped or outcome.suspected:
            self._request(outcome)
        if not self.is_heard:
            return
        for token_id in outcome.changed:
            self._observe(token_id, is_as_it_happens=token_id in outcome.moved)
        if outcome.dropped:
            self._hearing.lose(self._source, outcome.dropped)

    def _request(self, outcome: FrameOutcome) -> None:
        now_s = trio.current_time()
        self.requests.arrive(outcome.snapshots, now_s)
        self.requests.want(outcome.suspected, now_s)
        for token_id in outcome.dropped:
            after_s = PATIENCE_S if token_id in outcome.awaiting else 0.0
            self.requests.want((token_id,), now_s, after_s=after_s)

    def _observe(self, token_id: TokenId, *, is_as_it_happens: bool = False) -> None:
        book = self.books.book(token_id)
        observation = Observation(
            source=self._source,
            quote=quote_of_book(book),
            received_at_s=trio.current_time(),
            content_time_ms=book.time_ms,
            # A capture is streamed with the stamps it was recorded with.
            is_as_it_happens=is_as_it_happens and self.recorded_body is None,
            recorded_body=self.recorded_body,
        )
        self._hearing.observe(token_id, observation)
