"""Gamma's listings as a source of prices: a cached quote, degraded at best, and the venue's word on what is over.

Shell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from keeper.newest import Newest
from keeper.prices.gamma import read_listings
from keeper.prices.observation import Observation
from keeper.prices.polling import poll_for_ever
from keeper.prices.price import Source, TokenId
from keeper.prices.source import Hearing
from keeper.prices.traits import SourceTraits
from keeper.prices.venue_http import VenueHttp


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaSource:
    """Polled listings."""

    venue: VenueHttp

    @property
    def traits(self) -> SourceTraits:
        """How the judge treats it."""
        return self.venue.config.gamma_traits

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Poll the listings."""

        async def poll(tokens: Sequence[TokenId]) -> None:
            await self._poll(hearing, tokens)

        config = self.venue.config
        await poll_for_ever(
            hearing,
            followed,
            Source.GAMMA,
            config.markets_per_request,
            config.gamma_poll_interval_ms / 1_000,
            poll,
        )

    async def _poll(self, hearing: Hearing, tokens: Sequence[TokenId]) -> None:
        page = await read_listings(self.venue, tokens)
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
