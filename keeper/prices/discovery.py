"""Which markets the venue lists: what maps the condition ids on chain to tokens that can be priced."""

from collections.abc import Sequence
from contextlib import aclosing

import structlog

from keeper.prices.feed_config import FeedConfig
from keeper.prices.gamma import LOOKUP_PAGES_MAX, PAGES_MAX, iterate_pages
from keeper.prices.listing import MarketListing
from keeper.prices.price import ConditionId
from keeper.prices.venue_http import VenueHttp, open_venue

log = structlog.get_logger()


async def discover_markets(
    config: FeedConfig,
    *,
    condition_ids: Sequence[ConditionId] | None = None,
    question_ids: Sequence[str] | None = None,
    markets_max: int | None = None,
    is_closed: bool = False,
) -> tuple[MarketListing, ...]:
    """Read the venue's listings: all of them, or those of the ids given.

    Args:
        config: where Gamma is and how long a call may take.
        condition_ids: only these; they are asked for in batches. None reads every listing.
        question_ids: likewise, by what was asked: how the outcomes of a neg-risk group are found.
        markets_max: stop after so many; None reads to the end.
        is_closed: read closed markets instead of open ones.

    Returns:
        The listings in the venue's order. Placeholders that are never traded (`active` false, neg-risk "other") are
        left out, and what cannot be read is logged.

    Raises:
        VenueError: a page could not be had.

    """
    async with open_venue(config) as venue:
        return await discover_at(
            venue,
            condition_ids=condition_ids,
            question_ids=question_ids,
            markets_max=markets_max,
            is_closed=is_closed,
        )


async def discover_at(
    venue: VenueHttp,
    *,
    condition_ids: Sequence[ConditionId] | None = None,
    question_ids: Sequence[str] | None = None,
    markets_max: int | None = None,
    is_closed: bool = False,
) -> tuple[MarketListing, ...]:
    """Read the listings of a venue that is open already: beside a feed, so that one budget holds for both.

    Raises:
        VenueError: a page could not be had.

    """
    closed = ("closed", "true" if is_closed else "false")
    queries: list[list[tuple[str, str]]] = [[closed]]
    pages_max = PAGES_MAX
    for name, ids in (("condition_ids", condition_ids), ("question_ids", question_ids)):
        if ids is not None:
            pages_max = LOOKUP_PAGES_MAX
            size = venue.config.markets_per_request
            queries = [
                [*((name, one) for one in ids[at : at + size]), closed]
                for at in range(0, len(ids), size)
            ]
    found: list[MarketListing] = []
    for params in queries:
        async with aclosing(iterate_pages(venue, params, pages_max=pages_max)) as pages:
            async for page in pages:
                for refusal in page.refusals:
                    log.warning("market.refused", reason=refusal)
                found += (
                    one for one in page.listings if one.is_active and not one.is_neg_risk_other
                )
                if markets_max is not None and len(found) >= markets_max:
                    return tuple(found[:markets_max])
    return tuple(found)
