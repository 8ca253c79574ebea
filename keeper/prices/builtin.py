"""The three sources built in, on one connection pool: the market websocket, the CLOB's books, Gamma's listings.

Shell.
"""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import trio

from keeper.newest import Newest
from keeper.prices.clob_source import ClobSource
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gamma_source import GammaSource
from keeper.prices.price import TokenId
from keeper.prices.source import Hearing, PriceSource
from keeper.prices.stream import follow_stream
from keeper.prices.traits import SourceTraits
from keeper.prices.venue_http import VenueHttp


def builtin_sources(venue: VenueHttp, wall_ms: Callable[[], int]) -> tuple[PriceSource, ...]:
    """Return the stream, the CLOB and Gamma, best first."""
    return (
        StreamSource(client=venue.client, config=venue.config),
        ClobSource(venue=venue, wall_ms=wall_ms),
        GammaSource(venue=venue),
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
