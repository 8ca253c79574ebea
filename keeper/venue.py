"""Can the price venue be read at all? Asked once at the start, after what was left open is settled.

A venue that is lost later is an outage, and outlasted: prices age through their classes. A venue that cannot be reached
from the first call on is a wrong URL or a closed network until an operator says otherwise, and there is no last good
price to age.
"""

from keeper.errors import VenueUnreachableError
from keeper.prices.clob import read_time_s
from keeper.prices.errors import PricesError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.venue_http import open_venue


async def check_venue(config: FeedConfig) -> None:
    """Read the venue's clock.

    Raises:
        VenueUnreachableError: it does not answer, or not as Polymarket does.
    """
    try:
        async with open_venue(config) as venue:
            await read_time_s(venue)
    except PricesError as error:
        raise VenueUnreachableError(
            f"the price venue cannot be read ({error}): check polymarket.clob_url in keeper.toml and that this machine "
            "reaches it; nothing was posted or liquidated"
        ) from error
