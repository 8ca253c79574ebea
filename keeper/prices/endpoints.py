"""The venue's endpoints that are read, and the published limits each of them counts towards.

Core.
"""

from enum import StrEnum

from keeper.prices.buckets import CallLimits
from keeper.prices.feed_config import FeedConfig


class Endpoint(StrEnum):
    """One endpoint: what has a breaker of its own."""

    BOOKS = "clob.books"
    """POST /books: order books in batches."""
    TIME = "clob.time"
    """GET /time: the venue's clock."""
    MARKETS = "gamma.markets"
    """GET /markets/keyset: listings by pages."""


def url_of(endpoint: Endpoint, config: FeedConfig) -> str:
    """Return where an endpoint is."""
    return {
        Endpoint.BOOKS: f"{config.clob_url}/books",
        Endpoint.TIME: f"{config.clob_url}/time",
        Endpoint.MARKETS: f"{config.gamma_url}/markets/keyset",
    }[endpoint]


def allowances_of(endpoint: Endpoint, limits: CallLimits) -> tuple[tuple[str, int], ...]:
    """Return each bucket a call takes a turn from, by name, with its calls per ten seconds."""
    clob = ("clob", limits.clob_per_10_s)
    gamma = ("gamma", limits.gamma_per_10_s)
    return {
        Endpoint.BOOKS: (clob, ("clob.books", limits.books_per_10_s)),
        Endpoint.TIME: (clob,),
        Endpoint.MARKETS: (gamma, ("gamma.markets", limits.markets_per_10_s)),
    }[endpoint]
