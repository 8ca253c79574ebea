"""Gamma: market listings by keyset pages, for discovery and as the degraded fallback."""

from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from keeper.prices.endpoints import Endpoint
from keeper.prices.errors import MalformedError, MalformedReplyError
from keeper.prices.listing import MarketListing, listing_of
from keeper.prices.price import TokenId
from keeper.prices.venue_http import VenueHttp

_PAGE_LIMIT = 100
"""The endpoint's own most."""
PAGES_MAX = 1_000
"""100_000 markets: a venue that never ends its pages must not hold us."""
LOOKUP_PAGES_MAX = 4
"""Of markets asked for by their ids, which fit one page: a venue that goes on for ever must not use up all turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingsPage:
    """One page of listings."""

    listings: tuple[MarketListing, ...]
    recorded_bodies: tuple[str | None, ...]
    """The file each listing was recorded in, where the venue replays."""
    refusals: tuple[str, ...]
    """Why a market could not be read, one text each."""


async def iterate_pages(
    venue: VenueHttp, params: Sequence[tuple[str, str]], *, pages_max: int = PAGES_MAX
) -> AsyncGenerator[ListingsPage, None]:
    """Yield /markets/keyset page by page until the venue names no further cursor.

    The parameter is `after_cursor`: the venue ignores `cursor` and would send the first page for ever, so a cursor
    that repeats is an error here too.

    Raises:
        VenueError: a page could not be had.

    """
    seen: set[str] = set()
    cursor: list[tuple[str, str]] = []
    for _ in range(pages_max):
        page, following = await _read_page(
            venue, [*params, ("limit", str(_PAGE_LIMIT)), *cursor], seen
        )
        yield page
        if following is None:
            return
        seen.add(following)
        cursor = [("after_cursor", following)]
    raise MalformedReplyError(f"{Endpoint.MARKETS} went on for more than {pages_max} pages")


async def _read_page(
    venue: VenueHttp, params: Sequence[tuple[str, str]], seen: Container[str]
) -> tuple[ListingsPage, str | None]:
    async with venue.reading(Endpoint.MARKETS, params=params) as reply:
        body = reply.json()
        if not isinstance(body, dict) or not isinstance(body.get("markets"), list):
            raise MalformedReplyError(f"{reply.url} sent no object with a list of markets")
        if len(body["markets"]) > _PAGE_LIMIT:
            # Read without a pause, and each that is refused is logged: 32 MB hold millions of them.
            raise MalformedReplyError(
                f"{reply.url} sent a page of {len(body['markets'])} markets, wanted at most {_PAGE_LIMIT}"
            )
        following = body.get("next_cursor")
        if not isinstance(following, str) or not following:
            following = None
        elif following in seen:
            raise MalformedReplyError(f"{reply.url} repeated the cursor {following!r:.60}")
        return _page_of(body["markets"], reply.recorded_bodies), following


async def read_listings(venue: VenueHttp, tokens: Sequence[TokenId]) -> ListingsPage:
    """Read the listings of at most `markets_per_request` tokens, open or closed.

    `closed` defaults to false at the venue, so tokens that are missing are asked for again as closed.

    Raises:
        VenueError: no usable reply.

    """
    listings: list[MarketListing] = []
    recorded: list[str | None] = []
    refusals: list[str] = []
    known: set[TokenId] = set()
    for closed in ("false", "true"):
        missing = [token_id for token_id in tokens if token_id not in known]
        if not missing:
            break
        params = [*(("clob_token_ids", token_id) for token_id in missing), ("closed", closed)]
        async with aclosing(iterate_pages(venue, params, pages_max=LOOKUP_PAGES_MAX)) as pages:
            async for page in pages:
                refusals += page.refusals
                for listing, name in zip(page.listings, page.recorded_bodies, strict=True):
                    if not known.isdisjoint(listing.token_ids):
                        refusals.append(f"a token of market {listing.condition_id} came twice")
                    elif set(missing).isdisjoint(listing.token_ids):
                        refusals.append(f"market {listing.condition_id} was not asked for")
                    else:
                        known.update(listing.token_ids)
                        listings.append(listing)
                        recorded.append(name)
    return ListingsPage(
        listings=tuple(listings), recorded_bodies=tuple(recorded), refusals=tuple(refusals)
    )


def _page_of(markets: list[object], recorded: Sequence[str]) -> ListingsPage:
    names = recorded if len(recorded) == len(markets) else (None,) * len(markets)
    listings, kept_names, refusals = [], [], []
    for market, name in zip(markets, names, strict=True):
        try:
            listings.append(listing_of(market))
        except MalformedError as error:
            refusals.append(str(error))
        else:
            kept_names.append(name)
    return ListingsPage(
        listings=tuple(listings), recorded_bodies=tuple(kept_names), refusals=tuple(refusals)
    )
