"""Can the price venue be read at all? Asked once at the start, after what was left open is settled.

It may be a wrong URL or an outage, and no answer tells which. A keeper that is restarted at three in the morning must not wait
for the venue, so it starts all the same and says so: without prices nothing is posted or liquidated, and both begin as
soon as prices come.
"""

import structlog

from keeper.prices.clob import read_time_s
from keeper.prices.errors import PricesError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.venue_http import open_venue
from keeper.tally import Tally

log = structlog.get_logger()


async def check_venue(config: FeedConfig, tally: Tally) -> None:
    """Read the venue's clock; warn when it does not answer, or not as Polymarket does."""
    try:
        async with open_venue(config) as venue:
            await read_time_s(venue)
    except PricesError as error:
        tally.refusals["prices.venue_unreachable_at_start"] += 1
        log.warning(
            "venue.unreachable",
            reason=f"the price venue cannot be read ({error}): check polymarket.clob_url in keeper.toml and that this "
            "machine reaches it, unless the venue is down; nothing is posted or liquidated until prices come",
        )
