"""The price feed: runs every source and the passing of time, and publishes newest-wins.

Shell. Sources fail, return and disagree inside; a price leaves only through the board, with its class and reason.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx
import structlog
import trio

from keeper.prices.appraiser import Appraiser
from keeper.prices.board import PriceBoard
from keeper.prices.clob import read_books, read_time_s
from keeper.prices.errors import VenueError
from keeper.prices.fallback import Observation
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gamma import read_listings
from keeper.prices.price import Source, TokenId
from keeper.prices.quote import quote_of_snapshot
from keeper.prices.stream import follow_stream
from keeper.prices.venue_http import open_client

_CALLS_AT_ONCE: Final = 4
"""Per source: well under the published limits, which delay before they reject."""
_CLOCK_INTERVAL_S: Final = 60.0
_AGEING_SLOTS: Final = 5
_AGEING_MAX_S: Final = 1.0
_AGEING_CHUNK: Final = 500
"""Tokens aged between two checkpoints: about a millisecond."""

log = structlog.get_logger()


async def feed(
    config: FeedConfig,
    tokens: Sequence[TokenId],
    board: PriceBoard,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Publish the price of every token on the board, until cancelled.

    Args:
        config: hosts and intervals.
        tokens: outcome 0 tokens (YES). A book's `last_trade_price` is in their terms, so the price of a complement
            is one less theirs, never read from its own book.
        board: where prices appear.
        task_status: started once the sources run; the first prices follow when the venue answers.

    """
    async with open_client() as client, trio.open_nursery() as nursery:
        appraiser = Appraiser(board, tokens, config.trust_rules)
        nursery.start_soon(follow_stream, client, config, appraiser)
        nursery.start_soon(_poll_books, client, config, appraiser)
        nursery.start_soon(_poll_listings, client, config, appraiser)
        nursery.start_soon(_watch_clock, client, config, appraiser)
        nursery.start_soon(_age_prices, config, appraiser)
        log.info("feed.started", tokens=len(tokens), clob_url=config.clob_url)
        task_status.started()


async def _poll_books(client: httpx.AsyncClient, config: FeedConfig, appraiser: Appraiser) -> None:
    async def poll(tokens: Sequence[TokenId]) -> None:
        reply = await read_books(client, config, tokens)
        for refusal in reply.refusals:
            appraiser.refuse(Source.CLOB, "malformed_book", error=refusal)
        for book in reply.books:
            if book.snapshot.refused_levels:
                appraiser.refuse(
                    Source.CLOB, "malformed_level", levels=book.snapshot.refused_levels
                )
            observation = Observation(
                source=Source.CLOB,
                quote=quote_of_snapshot(book.snapshot),
                received_at_s=trio.current_time(),
                content_time_ms=book.snapshot.time_ms,
                recorded_body=book.recorded_body,
            )
            appraiser.observe(book.snapshot.token_id, observation)

    interval_s = config.rest_poll_interval_ms / 1_000
    await _poll_for_ever(appraiser, Source.CLOB, config.books_per_request, interval_s, poll)


async def _poll_listings(
    client: httpx.AsyncClient, config: FeedConfig, appraiser: Appraiser
) -> None:
    async def poll(tokens: Sequence[TokenId]) -> None:
        page = await read_listings(client, config, tokens)
        for refusal in page.refusals:
            appraiser.refuse(Source.GAMMA, "malformed_market", error=refusal)
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
                appraiser.observe(listing.yes_token_id, observation)
            for token_id in asked.intersection(listing.token_ids):
                appraiser.close(token_id, is_closed=listing.is_closed)

    interval_s = config.gamma_poll_interval_ms / 1_000
    await _poll_for_ever(appraiser, Source.GAMMA, config.markets_per_request, interval_s, poll)


async def _poll_for_ever(
    appraiser: Appraiser,
    source: Source,
    tokens_per_call: int,
    interval_s: float,
    poll: Callable[[Sequence[TokenId]], Awaitable[None]],
) -> None:
    """Poll every chunk of tokens once per interval; a round that overruns starts the next at once."""
    limiter = trio.CapacityLimiter(_CALLS_AT_ONCE)
    tokens = appraiser.tokens

    async def poll_chunk(chunk: Sequence[TokenId]) -> None:
        async with limiter:
            try:
                await poll(chunk)
            except VenueError as error:
                appraiser.fail(source, error)
            else:
                appraiser.succeed(source)
                answered.append(len(chunk))

    due_s = trio.current_time()
    while True:
        answered: list[int] = []
        async with trio.open_nursery() as nursery:
            for at in range(0, len(tokens), tokens_per_call):
                nursery.start_soon(poll_chunk, tokens[at : at + tokens_per_call])
        if tokens and not answered:
            appraiser.miss(source)
        due_s = max(due_s + interval_s, trio.current_time())
        await trio.sleep_until(due_s)


async def _watch_clock(client: httpx.AsyncClient, config: FeedConfig, appraiser: Appraiser) -> None:
    """Compare the venue's clock with ours once a minute: a skew explains content times that look wrong."""
    while True:
        try:
            venue_s = await read_time_s(client, config)
        except VenueError as error:
            appraiser.refuse(Source.CLOB, "clock_unread", error=str(error))
        else:
            # The venue cuts its seconds off: half of one is added back, and the skew is good to half a second.
            appraiser.note_clock_skew(venue_s * 1_000 + 500 - time.time_ns() // 1_000_000)
        await trio.sleep(_CLOCK_INTERVAL_S)


async def _age_prices(config: FeedConfig, appraiser: Appraiser) -> None:
    """Let prices age although no source speaks."""
    interval_s = min(config.slot_ms * _AGEING_SLOTS / 1_000, _AGEING_MAX_S)
    while True:
        for number, token_id in enumerate(appraiser.tokens):
            appraiser.reappraise(token_id)
            if number % _AGEING_CHUNK == _AGEING_CHUNK - 1:
                await trio.lowlevel.checkpoint()
        await trio.sleep(interval_s)
