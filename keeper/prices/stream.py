"""The market websocket as a source of prices: every followed token on as few sockets as the venue allows.

Shell. One task per socket of at most 200 assets; a market that opens or ends touches its own socket alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random, getrandbits
from typing import Final

import httpx
import trio

from keeper.newest import Newest
from keeper.prices.feed_config import FeedConfig
from keeper.prices.placement import Placement
from keeper.prices.price import TokenId
from keeper.prices.source import Hearing
from keeper.prices.stream_bundle import keep_bundle
from keeper.prices.stream_link import Wire
from keeper.prices.traits import SourceTraits
from keeper.prices.unix_time import unix_ms

_HANDSHAKES_AT_ONCE: Final = 4
"""42_000 tokens are 210 sockets, and after an outage all of them are wanted at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSource:
    """The market websocket."""

    client: httpx.AsyncClient
    config: FeedConfig
    wall_ms: Callable[[], int] = unix_ms

    @property
    def traits(self) -> SourceTraits:
        """How the judge treats it."""
        return self.config.stream_traits

    async def run(self, hearing: Hearing, followed: Newest[tuple[TokenId, ...]]) -> None:
        """Tell what the stream says of the followed tokens, until cancelled."""
        wire = Wire(
            client=self.client,
            config=self.config,
            hearing=hearing,
            handshakes=trio.CapacityLimiter(_HANDSHAKES_AT_ONCE),
            jitter=Random(getrandbits(64)),  # noqa: S311 - seeded with the process; spreads connections, guards nothing
            wall_ms=self.wall_ms,
        )
        placement = Placement(self.config.assets_per_socket)
        bundles: list[Newest[tuple[TokenId, ...]]] = []
        sequence = 0
        async with trio.open_nursery() as nursery:
            while True:
                sequence, tokens = await followed.wait_newer(sequence)
                for number, held in placement.follow(tokens).items():
                    if number == len(bundles):
                        bundles.append(Newest())
                        nursery.start_soon(keep_bundle, wire, bundles[number])
                    bundles[number].publish(held)
