"""The CLOB's REST books as a source of prices; and what became of tokens that have none.

Shell.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

import trio

from keeper.newest import Newest
from keeper.prices.clob import BookReply, read_books
from keeper.prices.errors import BadStatusError, VenueError
from keeper.prices.gamma import read_listings
from keeper.prices.observation import Observation
from keeper.prices.omissions import Omissions
from keeper.prices.polling import poll_for_ever
from keeper.prices.price import Source, TokenId
from keeper.prices.source import Hearing
from keeper.prices.traits import SourceTraits
from keeper.prices.unix_time import unix_ms
from keeper.prices.venue_clock import watch_clock
from keeper.prices.venue_http import VenueHttp

_BOOKS_AT_ONCE: Final = 16
"""Books appraised between two checkpoints: a millisecond or two, so that a large reply delays no frame of the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClobSource:
    """Polled order books, and the venue's clock."""

    venue: VenueHttp
    wall_ms: Callable[[], int] = unix_ms

    @property
    def traits(self) -> SourceTraits:
        """How the judge treats it."""
        return self.venue.config.clob_traits

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Poll the books, watch the clock, and ask Gamma about tokens that stay without a book."""
        config = self.venue.config
        omissions = Omissions()
        doubtful: dict[TokenId, None] = {}
        bell, rung = trio.open_memory_channel[None](1)

        async def poll(tokens: Sequence[TokenId]) -> None:
            due = await self._poll(hearing, tokens, omissions)
            if due:
                omissions.forget_all_but(frozenset(followed.get() or ()))
                doubtful.update(dict.fromkeys(due))
                with suppress(trio.WouldBlock):  # It rings already.
                    bell.send_nowait(None)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_clock, self.venue, hearing, self.wall_ms)
            nursery.start_soon(self._explain, hearing, doubtful, rung)
            with bell:
                await poll_for_ever(
                    hearing,
                    followed,
                    Source.CLOB,
                    config.books_per_request,
                    config.rest_poll_interval_ms / 1_000,
                    poll,
                )

    async def _poll(
        self, hearing: Hearing, tokens: Sequence[TokenId], omissions: Omissions
    ) -> tuple[TokenId, ...]:
        """Tell one call's books, and return the tokens that were left out too often."""
        try:
            reply = await read_books(self.venue, tokens)
        except BadStatusError as error:
            if error.restart is not None:
                hearing.note_restart(Source.CLOB, error.restart)
            raise
        for refusal in reply.refusals:
            hearing.refuse(Source.CLOB, refusal.kind, error=refusal.reason)
        for number, found in enumerate(reply.books):
            if number % _BOOKS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if found.book.refused_levels:
                hearing.refuse(Source.CLOB, "malformed_level", levels=found.book.refused_levels)
            hearing.observe(found.book.token_id, _observation_of(found))
        return omissions.note((found.book.token_id for found in reply.books), reply.omitted)

    async def _explain(
        self,
        hearing: Hearing,
        doubtful: dict[TokenId, None],
        rung: trio.MemoryReceiveChannel[None],
    ) -> None:
        """Whenever it rings, ask Gamma about the tokens without a book, first come first, until none is left."""
        with rung:
            async for _ in rung:
                while doubtful:
                    tokens = tuple(islice(doubtful, self.venue.config.markets_per_request))
                    for token_id in tokens:
                        del doubtful[token_id]
                    await self._ask_gamma(hearing, tokens)

    async def _ask_gamma(self, hearing: Hearing, tokens: Sequence[TokenId]) -> None:
        """Tell what Gamma says, open and closed, of tokens without a book."""
        try:
            page = await read_listings(self.venue, tokens)
        except VenueError as error:
            hearing.fail(Source.GAMMA, error)
            return
        listed = {token_id: listing for listing in page.listings for token_id in listing.token_ids}
        for token_id in tokens:
            listing = listed.get(token_id)
            if listing is None:
                hearing.refuse(Source.CLOB, "token_unlisted", token_id=token_id)
                continue
            hearing.close(token_id, is_closed=listing.is_closed)
            reason = "book_gone" if listing.is_closed else "book_missing"
            hearing.refuse(Source.CLOB, reason, token_id=token_id, question=listing.question[:80])


def _observation_of(found: BookReply) -> Observation:
    return Observation(
        source=Source.CLOB,
        quote=found.book.quote,
        received_at_s=trio.current_time(),
        content_time_ms=found.book.time_ms,
        recorded_body=found.recorded_body,
    )
