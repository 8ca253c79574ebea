"""The price feed: runs every source and the passing of time, and publishes newest-wins.

Shell. Sources fail, return and disagree inside; a price leaves only through the board, with its class and reason.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

import structlog
import trio

from keeper.newest import Newest
from keeper.prices.appraiser import Appraiser
from keeper.prices.board import PriceBoard
from keeper.prices.builtin import builtin_sources
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import TokenId
from keeper.prices.recorder import Recorder
from keeper.prices.source import PriceSource
from keeper.prices.unix_time import unix_ms
from keeper.prices.venue_http import VenueHttp, open_venue
from state.progress import beat

_AGEING_SLOTS: Final = 5
_AGEING_MAX_S: Final = 1.0
_AGEING_CHUNK: Final = 50
"""Tokens looked at between two checkpoints: a millisecond when each of them has to be judged."""

log = structlog.get_logger()


async def feed(
    config: FeedConfig,
    followed: Newest[tuple[TokenId, ...]],
    board: PriceBoard,
    *,
    wall_ms: Callable[[], int] = unix_ms,
    recorder: Recorder | None = None,
    sources: Sequence[PriceSource] | None = None,
    venue: VenueHttp | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Publish the price of every followed token on the board, until cancelled.

    Args:
        config: hosts and intervals.
        followed: outcome 0 tokens (YES); a value published later adds and removes tokens without a restart. A book's
            `last_trade_price` is in their terms, so the price of a complement is one less theirs, never read from
            its own book.
        board: where prices appear, and disappear when their token is followed no longer.
        wall_ms: the wall clock, Unix milliseconds: content times are held against it.
        recorder: told of all that is heard and judged.
        sources: where prices come from; None is the stream, the CLOB and Gamma of `config`.
        venue: over which they are read, when the caller reads from it too: one pool and one budget then hold for both.
        task_status: started once the sources run; the first prices follow when the venue answers.

    """
    async with AsyncExitStack() as stack:
        if sources is None:
            if venue is None:
                venue = await stack.enter_async_context(open_venue(config, board, wall_ms=wall_ms))
            sources = builtin_sources(venue, wall_ms)
        ranked = sorted((source.traits for source in sources), key=lambda traits: traits.rank)
        rules = replace(config.trust_rules, sources=tuple(ranked))
        appraiser = Appraiser(board, (), rules, wall_ms=wall_ms, recorder=recorder)
        known = Newest[tuple[TokenId, ...]]()
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(_follow, followed, appraiser, known)
        nursery.start_soon(_age_prices, config, appraiser)
        for source in sources:
            nursery.start_soon(source.run, appraiser, known)
        log.info("feed.started", sources=[str(traits.name) for traits in ranked])
        task_status.started()


async def _follow(
    followed: Newest[tuple[TokenId, ...]], appraiser: Appraiser, known: Newest[tuple[TokenId, ...]]
) -> None:
    """Pass the followed tokens on to the sources, once the appraiser knows them: none is refused as a stranger."""
    sequence = 0
    while True:
        sequence, tokens = await followed.wait_newer(sequence)
        if tokens == known.get():
            continue
        appraiser.follow(tokens)
        known.publish(tokens)
        log.info("feed.following", tokens=len(tokens))


async def _age_prices(config: FeedConfig, appraiser: Appraiser) -> None:
    """Let prices age although no source speaks."""
    interval_s = min(config.slot_ms * _AGEING_SLOTS / 1_000, _AGEING_MAX_S)
    while True:
        beat()
        for number, _ in enumerate(appraiser.pass_time()):
            if number % _AGEING_CHUNK == _AGEING_CHUNK - 1:
                await trio.lowlevel.checkpoint()
        with trio.move_on_after(interval_s):
            await appraiser.wait_hurry()
