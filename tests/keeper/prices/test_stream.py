"""The stream against a scripted server on a real socket: silence, rubbish and contradictions."""

import json
from contextlib import asynccontextmanager

import hypercorn.config
import hypercorn.trio
import trio
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from keeper.newest import Newest
from keeper.prices.appraiser import Appraiser
from keeper.prices.board import PriceBoard
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import Reason, TokenId
from keeper.prices.stream import StreamSource
from keeper.prices.venue_http import open_client

ONE, TWO = TokenId("1"), TokenId("2")
BOOK = {
    "event_type": "book",
    "asset_id": ONE,
    "timestamp": "1000",
    "bids": [{"price": "0.4", "size": "1"}],
    "asks": [{"price": "0.5", "size": "1"}],
}


@asynccontextmanager
async def following(*frames, answers_ping=True, tokens=(ONE,), **settings):
    """Follow a server that sends these texts to each socket and notes what it hears."""
    heard: list[object] = []

    async def market(socket):
        await socket.accept()
        try:
            while True:
                text = await socket.receive_text()
                if text == "PING":
                    if answers_ping:
                        await socket.send_text("PONG")
                    continue
                heard.append(json.loads(text))
                if len(heard) == 1 or "type" in heard[-1]:
                    for frame in frames:
                        await socket.send_text(
                            frame if isinstance(frame, str) else json.dumps(frame)
                        )
        except WebSocketDisconnect:
            return

    server = hypercorn.config.Config()
    server.bind = ["127.0.0.1:0"]
    server.errorlog = None
    app = Starlette(routes=[WebSocketRoute("/ws/market", market)])
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery, open_client() as client:
            (bound,) = await nursery.start(hypercorn.trio.serve, app, server)
            config = FeedConfig(
                stream_url=bound.replace("http", "ws", 1) + "/ws/market",
                **{"reconnect_max_ms": 20, **settings},
            )
            board = PriceBoard()
            appraiser = Appraiser(board, tokens, config.trust_rules)
            followed = Newest()
            followed.publish(tokens)
            nursery.start_soon(StreamSource(client=client, config=config).run, appraiser, followed)
            yield board, heard
            nursery.cancel_scope.cancel()


async def until(is_so):
    """Poll: what is awaited happens on another machine's side of the socket."""
    while not is_so():  # noqa: ASYNC110 - a count rises at the far end of a socket, without an event
        await trio.sleep(0.002)


async def test_the_subscription_is_the_documented_message():
    async with following(BOOK, tokens=(ONE, TWO)) as (board, heard):
        await until(lambda: board.get(ONE))
    assert heard == [
        {
            "assets_ids": [ONE, TWO],
            "type": "market",
            "initial_dump": True,
            "custom_feature_enabled": True,
        }
    ]


async def test_a_socket_that_never_answers_ping_is_dead_whatever_else_it_sends():
    async with following(BOOK, answers_ping=False, ping_interval_ms=10, pong_timeout_ms=30) as (
        board,
        heard,
    ):
        await until(lambda: board.statistics().errors.get("stream.stream_silent"))
        await until(lambda: len(heard) > 1)


async def test_frames_that_are_rubbish_are_counted_and_the_book_stands():
    rubbish = ["{", "[[1]]", '{"event_type": "price_change"}', "NaN", '"PONG"']
    async with following(BOOK, *rubbish) as (board, _):
        await until(lambda: sum(board.statistics().refusals.values()) == len(rubbish))
        refusals = board.statistics().refusals
        assert refusals == {"stream.frame_not_json": 2, "stream.malformed_event": 3}
        assert (board.get(ONE).price_e6, board.get(ONE).reason) == (450_000, Reason.OK)
        assert board.statistics().errors == {}


async def test_a_contradicted_book_is_withdrawn_and_asked_for_again():
    change = {"asset_id": ONE, "price": "0.3", "size": "1", "side": "BUY", "best_bid": "0.41"}
    frame = {"event_type": "price_change", "timestamp": "1001", "price_changes": [change]}
    async with following(BOOK, frame, frame) as (board, heard):
        await until(lambda: len(heard) == 3)
        assert [one.get("operation") for one in heard] == [None, "unsubscribe", "subscribe"]
        assert heard[2]["assets_ids"] == [ONE]
        await until(lambda: board.statistics().refusals.get("stream.no_snapshot"))
        assert board.get(ONE).reason is Reason.FALLBACK
    # One request per token and ten seconds, however often the venue contradicts itself.
    assert len(heard) == 3


async def test_a_resolved_market_is_closed():
    resolved = {"event_type": "market_resolved", "assets_ids": [ONE]}
    async with following(BOOK, resolved) as (board, _):
        await until(lambda: board.get(ONE) and board.get(ONE).reason is Reason.MARKET_CLOSED)
