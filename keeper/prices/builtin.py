"""The three sources built in, on one connection pool: the market websocket, the CLOB's books, Gamma's listings.

Shell.
"""

from collections.abc import Callable

from keeper.prices.clob_source import ClobSource
from keeper.prices.gamma_source import GammaSource
from keeper.prices.source import PriceSource
from keeper.prices.stream import StreamSource
from keeper.prices.venue_http import VenueHttp


def builtin_sources(venue: VenueHttp, wall_ms: Callable[[], int]) -> tuple[PriceSource, ...]:
    """Return the stream, the CLOB and Gamma, best first."""
    return (
        StreamSource(client=venue.client, config=venue.config, wall_ms=wall_ms),
        ClobSource(venue=venue, wall_ms=wall_ms),
        GammaSource(venue=venue),
    )
