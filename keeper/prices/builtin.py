"""The three sources built in, on one connection pool: the market websocket, the CLOB's books, Gamma's listings.

Shell.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import trio

from keeper.newest import Newest
from keeper.prices.clob import read_books, read_time_s
from keeper.prices.errors import VenueError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gamma import read_listings
from keeper.prices.observation import Observation
from keeper.prices.price import Source, SourceName, TokenId
from keeper.prices.quote import quote_of_snapshot
from keeper.prices.source import Hearing, PriceSource
from keeper.prices.stream import follow_stream
from keeper.prices.traits import SourceTraits

_CALLS_AT_ONCE: Final = 4
"""Per source: well under the published limits, which delay before they reject."""
_CLOCK_INTERVAL_S: Final = 60.0


def builtin_sources(
    client: httpx.AsyncClient, config: FeedConfig, wall_ms: Callable[[], int]
) -> tuple[PriceSource, ...]:
    """Return the stream, the CLOB and Gamma, best first."""
    return (
        StreamSource(client=client, config=config),
        ClobSource(client=client, config=config, wall_ms=wall_ms),
        GammaSource(client=client, config=config),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSource:
    """The market websocket."""

    client: httpx.AsyncClient
    config: FeedConfig

    @property
    def traits(self) -> SourceTraits:
        """How the judge treats it."""
        return self.config.stream_traits

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Follow on as few sockets as the venue allows; other tokens open them anew."""
        sequence, tokens = await followed.wait_newer(0)
        while True:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow_stream, self.client, self.config, tokens, hearing)
                sequence, tokens = await followed.wait_newer(sequence)
                nursery.cancel_scope.cancel(reason="the tokens changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClobSource:
    """The CLOB's REST books, and the venue's clock."""

    client: httpx.AsyncClient
    config: FeedConfig
    wall_ms: Callable[[], int]

    @property
    def traits(self) -> SourceTraits:
        """How the judge treats it."""
        return self.config.clob_traits

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Poll the books and watch the clock."""

        async def poll(tokens: Sequence[TokenId]) -> None:
            await self._poll(hearing, tokens)

        interval_s = self.config.rest_poll_interval_ms / 1_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_clock, hearing)
            await poll_for_ever(
                hearing, followed, Source.CLOB, self.config.books_per_request, interval_s, poll
            )

    async def _poll(self, hearing: Hearing, tokens: Sequence[TokenId]) -> None:
        reply = await read_books(self.client, self.config, tokens)
        for refusal in reply.refusals:
            hearing.refuse(Source.CLOB, "malformed_book", error=refusal)
        for book in reply.books:
            if book.snapshot.refused_levels:
                hearing.refuse(Source.CLOB, "malformed_level", levels=book.snapshot.refused_levels)
            observation = Observation(
                source=Source.CLOB,
                quote=quote_of_snapshot(book.snapshot),
                received_at_s=trio.current_time(),
                content_time_ms=book.snapshot.time_ms,
                recorded_body=book.recorded_body,
            )
            hearing.observe(book.snapshot.token_id, observation)

    async def _watch_clock(self, hearing: Hearing) -> None:
        """Compare the venue's clock with ours once a minute: a skew explains content times that look wrong."""
        while True:
            try:
                venue_s = await read_time_s(self.client, self.config)
            except VenueError as error:
                hearing.refuse(Source.CLOB, "clock_unread", error=str(error))
            else:
                # The venue cuts its seconds off: half of one is added back, and the skew is good to half a second.
                hearing.note_clock_skew(venue_s * 1_000 + 500 - self.wall_ms())
            await trio.sleep(_CLOCK_INTERVAL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaSource:
    """Gamma's listings: a cached quote, and the venue's word on what is over."""

    client: httpx.AsyncClient
    config: FeedConfig

    @property
    def traits(self) -> SourceTraits:
        """How the judge treats it."""
        return self.config.gamma_traits

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Poll the listings."""

        async def poll(tokens: Sequence[TokenId]) -> None:
            await self._poll(hearing, tokens)

        interval_s = self.config.gamma_poll_interval_ms / 1_000
        await poll_for_ever(
            hearing, followed, Source.GAMMA, self.config.markets_per_request, interval_s, poll
        )

    async def _poll(self, hearing: Hearing, tokens: Sequence[TokenId]) -> None:
        page = await read_listings(self.client, self.config, tokens)
        for refusal in page.refusals:
            hearing.refuse(Source.GAMMA, "malformed_market", error=refusal)
        asked = set(tokens)
        for listing, recorded_body in zip(page.listings, page.recorded_bodies, strict=True):
            # Gamma's quote is of outcome 0 alone: a complement that was asked for has none here.
            if listing.yes_token_id in asked:
                observation = Observation(
                    source=Source.GAMMA,
                    quote=listing.quote,
                    received_at_s=trio.current_time(),
                    content_time_ms=None,
                    recorded_body=recorded_body,
                )
                hearing.observe(listing.yes_token_id, observation)
            for token_id in asked.intersection(listing.token_ids):
                hearing.close(token_id, is_closed=listing.is_closed)


async def poll_for_ever(
    hearing: Hearing,
    followed: Newest[tuple[TokenId, ...]],
    source: SourceName,
    tokens_per_call: int,
    interval_s: float,
    poll: Callable[[Sequence[TokenId]], Awaitable[None]],
) -> None:
    """Poll every chunk of tokens once per interval; a round that overruns starts the next at once."""
    limiter = trio.CapacityLimiter(_CALLS_AT_ONCE)

    async def poll_chunk(chunk: Sequence[TokenId]) -> None:
        async with limiter:
            try:
                await poll(chunk)
            except VenueError as error:
                hearing.fail(source, error)
            else:
                hearing.succeed(source)
                answered.append(len(chunk))

    await followed.wait_newer(0)
    due_s = trio.current_time()
    while True:
        tokens = followed.get() or ()
        answered: list[int] = []
        async with trio.open_nursery() as nursery:
            for at in range(0, len(tokens), tokens_per_call):
                nursery.start_soon(poll_chunk, tokens[at : at + tokens_per_call])
        if tokens and not answered:
            hearing.miss(source)
        due_s = max(due_s + interval_s, trio.current_time())
        await trio.sleep_until(due_s)
