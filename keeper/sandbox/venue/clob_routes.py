"""The venue's CLOB endpoints."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keeper.sandbox.venue.bodies import Body, simplified_body
from keeper.sandbox.venue.content import Answer, VenueContent, touch_of
from keeper.sandbox.venue.paging import page_of
from keeper.sandbox.venue.venue import Endpoint, Venue, now_ms

Read = Callable[[VenueContent, Request], Awaitable[Response]]
"""One endpoint: the venue's content and a request in, a reply out."""
RECORDED_BODY_HEADER = "X-Recorded-Body"
_BATCH_MAX = 500
_NO_BOOK = {"error": "No orderbook exists for the requested token id"}


def clob_routes(venue: Venue) -> list[Route]:
    """Return the routes of the CLOB's public reads."""
    reads: list[tuple[str, str, Read]] = [
        ("/book", "GET", _book),
        ("/books", "POST", _books),
        ("/midpoint", "GET", _midpoint),
        ("/midpoints", "POST", _midpoints),
        ("/price", "GET", _price),
        ("/last-trade-price", "GET", _last_trade_price),
        ("/spread", "GET", _spread),
        ("/spreads", "POST", _spreads),
        ("/time", "GET", _time),
        ("/simplified-markets", "GET", _simplified_markets),
    ]
    return [
        Route(path, guarded(venue, Endpoint.CLOB, read), methods=[method])
        for path, method, read in reads
    ]


def guarded(
    venue: Venue, endpoint: Endpoint, read: Read
) -> Callable[[Request], Awaitable[Response]]:
    """Answer 503 in the venue's own words while the endpoint is down."""

    async def answer(request: Request) -> Response:
        if not venue.is_up(endpoint):
            body = {"error": "service disabled", "code": "DISABLED", "retry_after_seconds": 1}
            return JSONResponse(body, 503)
        return await read(venue.content, request)

    return answer


def answered_list(body: object, answers: Sequence[Answer]) -> Response:
    """Answer with a body built of several, naming the recorded files in the same order."""
    names = [answer.recorded_body for answer in answers if answer.recorded_body is not None]
    headers = {RECORDED_BODY_HEADER: ", ".join(names)} if names else None
    return JSONResponse(body, headers=headers)


async def _book(content: VenueContent, request: Request) -> Response:
    return _answered(content.book(request.query_params.get("token_id", "")))


async def _books(content: VenueContent, request: Request) -> Response:
    token_ids = await _batch_of(request)
    if token_ids is None:
        return _bad_batch()
    answers = [content.book(token_id) for token_id in token_ids]
    found = [answer for answer in answers if answer is not None]
    return answered_list([answer.body for answer in found], found)


async def _midpoint(content: VenueContent, request: Request) -> Response:
    return _answered(content.midpoint(request.query_params.get("token_id", "")))


async def _midpoints(content: VenueContent, request: Request) -> Response:
    token_ids = await _batch_of(request)
    if token_ids is None:
        return _bad_batch()
    found = {token_id: content.midpoint(token_id) for token_id in token_ids}
    known = {token_id: one for token_id, one in found.items() if one is not None}
    body = {token_id: cast("Body", one.body)["mid"] for token_id, one in known.items()}
    return answered_list(body, list(known.values()))


async def _price(content: VenueContent, request: Request) -> Response:
    side = request.query_params.get("side", "")
    if side.upper() not in ("BUY", "SELL"):
        return JSONResponse({"error": "Invalid side"}, 400)
    return _answered(content.price(request.query_params.get("token_id", ""), side))


async def _last_trade_price(content: VenueContent, request: Request) -> Response:
    answer = content.book(request.query_params.get("token_id", ""))
    if answer is None:
        return JSONResponse({"price": "0.5", "side": ""})
    traded = cast("Body", answer.body).get("last_trade_price") or "0.5"
    return _answered(Answer({"price": traded, "side": "BUY"}, answer.recorded_body))


async def _spread(content: VenueContent, request: Request) -> Response:
    return _answered(_spread_of(content.book(request.query_params.get("token_id", ""))))


async def _spreads(content: VenueContent, request: Request) -> Response:
    token_ids = await _batch_of(request)
    if token_ids is None:
        return _bad_batch()
    found = {token_id: _spread_of(content.book(token_id)) for token_id in token_ids}
    known = {token_id: one for token_id, one in found.items() if one is not None}
    body = {token_id: cast("Body", one.body)["spread"] for token_id, one in known.items()}
    return answered_list(body, list(known.values()))


async def _time(_content: VenueContent, _request: Request) -> Response:
    return JSONResponse(now_ms() // 1_000)


async def _simplified_markets(content: VenueContent, request: Request) -> Response:
    page = page_of(content.listings(), request.query_params.get("next_cursor"), 100)
    bodies = [simplified_body(cast("Body", answer.body)) for answer in page.items]
    body = {
        "data": bodies,
        # The CLOB says that a list has ended with the cursor of -1.
        "next_cursor": page.next_cursor or b64encode(b"-1").decode(),
        "limit": 100,
        "count": len(bodies),
    }
    return answered_list(body, page.items)


def _answered(answer: Answer | None) -> Response:
    if answer is None:
        return JSONResponse(_NO_BOOK, 404)
    return answered_list(answer.body, [answer])


def _spread_of(book: Answer | None) -> Answer | None:
    spread = None if book is None else touch_of(cast("Body", book.body)).spread()
    if book is None or spread is None:
        return None
    return Answer({"spread": spread}, book.recorded_body)


async def _batch_of(request: Request) -> list[str] | None:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    if not isinstance(body, list) or len(body) > _BATCH_MAX:
        return None
    if not all(isinstance(entry, dict) and "token_id" in entry for entry in body):
        return None
    return [str(entry["token_id"]) for entry in body]


def _bad_batch() -> Response:
    return JSONResponse({"error": f"Invalid payload: wanted at most {_BATCH_MAX} token ids"}, 400)
