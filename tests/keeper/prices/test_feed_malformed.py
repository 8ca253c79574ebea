"""The feed against a venue that answers with rubbish: what can be read is, the rest is counted."""

from functools import partial

import hypercorn.config
import hypercorn.trio
import trio
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.feed import feed
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import PriceClass, Source, TokenId

ONE, TWO = TokenId("1"), TokenId("2")
BOOKS = [
    {"asset_id": "1", "bids": [{"price": "0.4", "size": "1"}, {"price": "nan", "size": "1"}], "asks": [{"price": "0.5", "size": "1"}]},
    {"asset_id": "2", "bids": "none", "asks": []},
    {"asset_id": "3", "bids": [], "asks": []},
    "no book",
]  # fmt: skip
MARKETS = [
    {"conditionId": "0x1"},
    {"conditionId": "0x" + "ab" * 32, "outcomes": '["Yes", "No"]', "clobTokenIds": '["2", "22"]', "closed": True},
]  # fmt: skip


async def test_malformed_bodies_are_skipped_and_counted_and_the_rest_is_priced():
    async def books(_):
        return JSONResponse(BOOKS)

    async def markets(_):
        return JSONResponse({"markets": MARKETS})

    async def clock(_):
        return JSONResponse("noon")

    app = Starlette(
        routes=[
            Route("/books", books, methods=["POST"]),
            Route("/markets/keyset", markets),
            Route("/time", clock),
        ]
    )
    server = hypercorn.config.Config()
    server.bind = ["127.0.0.1:0"]
    server.errorlog = None
    board = PriceBoard()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            (url,) = await nursery.start(partial(hypercorn.trio.serve, app, server))
            config = FeedConfig(
                clob_url=url,
                gamma_url=url,
                stream_url=url.replace("http", "ws", 1) + "/ws/market",
                rest_poll_interval_ms=20,
                gamma_poll_interval_ms=20,
                reconnect_max_ms=20,
            )
            followed = Newest()
            followed.publish((ONE, TWO))
            await nursery.start(feed, config, followed, board)
            expected = {
                "clob.malformed_book", "clob.malformed_level", "clob.token_not_asked_for",
                "clob.clock_unread", "gamma.malformed_market",
            }  # fmt: skip
            while not expected <= board.statistics().refusals.keys():
                await board.wait_newer(board.sequence)
            nursery.cancel_scope.cancel()
    price = board.get(ONE)
    assert (price.price_e6, price.price_class, price.source) == (
        450_000,
        PriceClass.VALID,
        Source.CLOB,
    )
    assert board.get(TWO) is None
    assert board.why_unpriced(TWO) in ("no_source", "market_closed")
    statistics = board.statistics()
    assert set(statistics.errors) <= {"stream.stream_closed", "stream.status_403"}
