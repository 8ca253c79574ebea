"""The venue of the refresh, in a process of its own: the sandbox venue's bodies, written beforehand.

The sandbox venue builds and hashes a book whenever it is asked, which takes several times as long as reading it. So its
bodies are written once, at the start, and every reply is joined from them. The published limit of 500 calls in ten
seconds is kept as a strict venue would keep it: the call above it is answered 429.
"""

import argparse
import json
import time
from collections import deque
from functools import partial

import hypercorn.config
import hypercorn.trio
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keeper.sandbox.venue.bodies import book_body
from keeper.sandbox.venue.depth import Depth, depth_around
from keeper.sandbox.venue.markets import sandbox_market

_ONE_E6 = 1_000_000
_WINDOW_S = 10
_PUBLISHED = 500
_NOW_MS = 1_782_670_540_000


def _deep(levels: int, price_e6: int, tick_e6: int, number: int) -> Depth:
    """Return a book of so many levels, as many as its ticks allow; a quarter of them bids, as recorded."""
    bid_tick = (price_e6 - 1) // tick_e6
    bids = range(bid_tick, max(bid_tick - levels // 4, 0), -1)
    asks = range(
        bid_tick + 2, min(bid_tick + 2 + levels - levels // 4, (_ONE_E6 - 1) // tick_e6 + 1)
    )
    sizes = {at: (at * 7_919 + number * 104_729) % 4_000_000 * 10_000 + 10_000 for at in (*bids, *asks)}  # fmt: skip
    return Depth(
        bids={at * tick_e6: sizes[at] for at in bids}, asks={at * tick_e6: sizes[at] for at in asks}
    )


def bodies_of(markets: int, levels: int) -> dict[str, bytes]:
    """Write the book of both tokens of every market; `levels` 0 is the sandbox venue's own depth."""
    written = {}
    for number in range(markets):
        market = sandbox_market(1, number)
        tick_e6 = 1_000 if levels else market.tick_e6
        price_e6 = 50_000 + number * 6_151 % 800_000 // tick_e6 * tick_e6
        depth = (
            _deep(levels, price_e6, tick_e6, number)
            if levels
            else depth_around(price_e6, tick_e6, 1, number, 0)
        )
        for is_yes in (True, False):
            body = book_body(
                market, depth, is_yes=is_yes, time_ms=_NOW_MS + number, last_trade_e6=price_e6
            )
            written[str(body["asset_id"])] = json.dumps(body, separators=(",", ":")).encode()
    return written


class House:
    """Books on request, and a strict count of the calls."""

    def __init__(self, markets: int, levels: int) -> None:
        self._bodies = bodies_of(markets, levels)
        self._calls: deque[float] = deque()
        self._most = 0
        self._refused = 0
        self._bytes = 0

    async def books(self, request: Request) -> Response:
        """Answer POST /books."""
        now_s = time.monotonic()
        while self._calls and now_s - self._calls[0] >= _WINDOW_S:
            self._calls.popleft()
        if len(self._calls) >= _PUBLISHED:
            self._refused += 1
            return JSONResponse({"error": "too many requests"}, 429)
        self._calls.append(now_s)
        self._most = max(self._most, len(self._calls))
        asked = [entry["token_id"] for entry in json.loads(await request.body())]
        assert len(asked) <= 500
        body = b"[" + b",".join(self._bodies[token_id] for token_id in asked) + b"]"
        self._bytes += len(body)
        return Response(body, media_type="application/json")

    async def time(self, _request: Request) -> Response:
        """Answer GET /time."""
        return JSONResponse(int(time.time()))

    async def tokens(self, _request: Request) -> Response:
        """Answer with every token there is; for the bench alone."""
        return JSONResponse(list(self._bodies))

    async def counts(self, _request: Request) -> Response:
        """Answer with what was served so far; for the bench alone."""
        return JSONResponse(
            {"most_in_10_s": self._most, "refused": self._refused, "bytes": self._bytes}
        )


async def _serve(house: House) -> None:
    app = Starlette(
        routes=[
            Route("/books", house.books, methods=["POST"]),
            Route("/time", house.time),
            Route("/tokens", house.tokens),
            Route("/counts", house.counts),
        ]
    )
    settings = hypercorn.config.Config()
    settings.bind = ["127.0.0.1:0"]
    settings.errorlog = None
    settings.keep_alive_max_requests = 1_000_000
    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(partial(hypercorn.trio.serve, app, settings))
        print(url, flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--markets", type=int, required=True)
    arguments.add_argument("--levels", type=int, required=True)
    chosen = arguments.parse_args()
    trio.run(_serve, House(chosen.markets, chosen.levels))
