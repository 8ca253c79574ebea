"""One life of the engine: what `keeper.run` wires, without venue sockets, signals and screens.

Shell.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import trio

from bench.schedules.disk import Disk
from bench.schedules.node import Nodes
from bench.schedules.schedule import SLOT_S
from keeper.execute import watch_blockhashes
from keeper.liquidate import liquidate_positions
from keeper.mirrors import Following, following_of, mirrors_of
from keeper.newest import Newest
from keeper.post import post_prices
from keeper.posting import PostingRules
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason, Source
from keeper.snapshot import Snapshot
from keeper.watch import ScanPace, watch_chain
from programs.in_flight import Pace
from programs.settling import settle_open_attempts
from programs.submit import land
from tests.keeper.scripted import GENESIS, PROGRAM, kit_over, lane_of, token_of

_BAND_E6 = 1_000
_LAMPORTS_PER_QUOTE_UNIT = 5_000_000
_SCAN_PACE = ScanPace(interval_s=2 * SLOT_S, calm_interval_s=2 * SLOT_S)
_RULES = PostingRules()


@dataclass(slots=True)
class _Boards:
    board: PriceBoard
    chain: Newest[Snapshot]
    following: Newest[Following]


async def keep(nodes: Nodes, disk: Disk, truth_e6: Mapping[int, int | None]) -> None:
    """Settle what is open, then keep until cancelled."""
    kit = kit_over(nodes, disk)
    pace = Pace(poll_interval_s=SLOT_S, resend_interval_s=4 * SLOT_S)
    boards = _Boards(PriceBoard(), Newest(), Newest())
    stop = trio.Event()
    async with trio.open_nursery() as landing:
        await landing.start(land, nodes, kit.attempts, kit.in_flight, lambda: pace)
        await landing.start(watch_blockhashes, nodes, kit.blockhashes, 2 * SLOT_S, GENESIS)
        await settle_open_attempts(kit.attempts, kit.in_flight, pace)
        async with trio.open_nursery() as lanes:
            lanes.start_soon(_tell_prices, boards.board, truth_e6)
            lanes.start_soon(_follow, boards)
            lanes.start_soon(watch_chain, nodes, PROGRAM, kit.tally, _SCAN_PACE, boards.chain)
            lanes.start_soon(
                post_prices,
                lane_of(kit, "prices"),
                lambda: _RULES,
                boards.board,
                boards.chain,
                boards.following,
                stop,
            )
            lanes.start_soon(
                liquidate_positions,
                lane_of(kit, "liquidations"),
                _LAMPORTS_PER_QUOTE_UNIT,
                lambda: _RULES.change_e6,
                boards.board,
                boards.chain,
                boards.following,
                stop,
            )


async def _tell_prices(board: PriceBoard, truth_e6: Mapping[int, int | None]) -> None:
    """Be the venue: a reading of every market that it speaks of, in every slot."""
    while True:
        for market, price_e6 in truth_e6.items():
            if price_e6 is not None:
                board.publish(_price_of(market, price_e6))
        await trio.sleep(SLOT_S)


def _price_of(market: int, price_e6: int) -> Price:
    return Price(
        token_id=token_of(market),
        price_e6=price_e6,
        band_e6=_BAND_E6,
        price_class=PriceClass.VALID,
        source=Source.CLOB,
        received_at_s=trio.current_time(),
        content_time_ms=None,
        reason=Reason.OK,
    )


async def _follow(boards: _Boards) -> None:
    """Say which token each market on chain is priced by, as Gamma would have proved it."""
    sequence = 0
    while True:
        sequence, snapshot = await boards.chain.wait_newer(sequence)
        boards.following.publish(following_of(mirrors_of(snapshot.markets), {}, {}))
