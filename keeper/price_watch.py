"""Prices without a keeper: the same feed, for the markets on chain or for what the venue lists; nothing is sent.

Shell.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

import trio

from keeper.config import Config
from keeper.errors import ClusterError, VenueUnreachableError
from keeper.following import follow_markets
from keeper.mirrors import Following
from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.discovery import discover_at, discover_markets
from keeper.prices.errors import VenueError
from keeper.prices.feed import feed
from keeper.prices.price import TokenId
from keeper.prices.venue_http import open_venue
from keeper.scan import PlatformMissingError, scan
from keeper.snapshot import Snapshot
from keeper.tally import Tally
from keeper.watch import watch_chain
from programs.rpc import RpcFailure
from programs.rpc_http import open_rpc

Names = Mapping[TokenId, str]
_POLL_S: Final = 0.05


async def watch_chain_prices(
    config: Config,
    board: PriceBoard,
    names: Newest[Names],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Follow the markets of the program on the cluster until cancelled.

    Args:
        config: cluster and venue.
        board: where prices appear.
        names: where the followed tokens are published, with the names of their markets.
        task_status: started once the chain has been read.

    Raises:
        ClusterError: no node answers, or the platform is not there.

    """
    chain = Newest[Snapshot]()
    following, followed = Newest[Following](), Newest[tuple[TokenId, ...]]()
    tally = Tally()
    async with (
        open_rpc(config.cluster.rpc_urls, config.cluster.rpc_settings) as rpc,
        open_venue(config.polymarket, board) as venue,
    ):
        try:
            chain.publish(await scan(rpc, config.cluster.program_id))
        except (RpcFailure, PlatformMissingError) as failure:
            raise ClusterError(
                f"the markets on chain cannot be read ({failure}): check cluster.rpc_urls and cluster.program_id in "
                "keeper.toml, or look at the venue alone with --venue"
            ) from failure
        pace = config.cluster.scan_pace
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_chain, rpc, config.cluster.program_id, tally, pace, chain)
            ask = partial(discover_at, venue)
            nursery.start_soon(follow_markets, tally, chain, ask, following, followed)
            nursery.start_soon(partial(feed, config.polymarket, followed, board, venue=venue))
            sequence, known = await following.wait_newer(0)
            names.publish(known.names)
            task_status.started()
            while True:
                sequence, known = await following.wait_newer(sequence)
                names.publish(known.names)


async def watch_venue_prices(
    config: Config,
    markets_max: int,
    board: PriceBoard,
    names: Newest[Names],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Follow the first so many markets that the venue lists until cancelled; no cluster is needed.

    Raises:
        VenueUnreachableError: Gamma does not list its markets.

    """
    try:
        listings = await discover_markets(config.polymarket, markets_max=markets_max)
    except VenueError as error:
        raise VenueUnreachableError(
            f"the venue does not list its markets ({error}): check polymarket.gamma_url in keeper.toml and that this "
            "machine reaches it"
        ) from error
    questions = {listing.yes_token_id: listing.question for listing in listings}
    followed = Newest[tuple[TokenId, ...]]()
    followed.publish(tuple(questions))
    names.publish(questions)
    task_status.started()
    await feed(config.polymarket, followed, board)


async def wait_priced(board: PriceBoard, names: Newest[Names], deadline_s: float) -> None:
    """Wait until every followed token has a price, at most so long."""
    with trio.move_on_after(deadline_s):
        while any(board.get(token_id) is None for token_id in names.get() or ()):
            sequence = board.sequence
            await board.wait_newer(sequence)
            await trio.sleep(_POLL_S)  # a burst of thousands is one look
