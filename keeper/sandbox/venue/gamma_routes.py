"""The venue's Gamma endpoints."""

import json
from collections.abc import Sequence
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keeper.sandbox.venue.bodies import Body, event_body
from keeper.sandbox.venue.clob_routes import Read, answered_list, guarded
from keeper.sandbox.venue.content import Answer, VenueContent
from keeper.sandbox.venue.paging import page_of
from keeper.sandbox.venue.venue import Endpoint, Venue

_LIMIT_MAX = 100
_LIMIT_DEFAULT = 20


def gamma_routes(venue: Venue) -> list[Route]:
    """Return the routes of Gamma's market and event listings."""
    reads: list[tuple[str, Read]] = [
        ("/markets", _markets),
        ("/markets/keyset", _markets_keyset),
        ("/events/keyset", _events_keyset),
    ]
    return [
        Route(path, guarded(venue, Endpoint.GAMMA, read), methods=["GET"]) for path, read in reads
    ]


async def _markets(content: VenueContent, request: Request) -> Response:
    found = _selected(content, request)
    start, limit = _whole(request, "offset", 0), _whole(request, "limit", _LIMIT_DEFAULT)
    page = found[start : start + min(limit, _LIMIT_MAX)]
    return answered_list([answer.body for answer in page], page)


async def _markets_keyset(content: VenueContent, request: Request) -> Response:
    return _keyset(request, "markets", _selected(content, request))


async def _events_keyset(content: VenueContent, request: Request) -> Response:
    events = [
        Answer(event_body(cast("Body", answer.body)), answer.recorded_body)
        for answer in _selected(content, request)
    ]
    return _keyset(request, "events", events)


def _keyset(request: Request, name: str, found: Sequence[Answer]) -> Response:
    if "offset" in request.query_params:
        return JSONResponse({"error": "offset is not supported: use after_cursor"}, 422)
    limit = min(_whole(request, "limit", _LIMIT_DEFAULT), _LIMIT_MAX)
    page = page_of(found, request.query_params.get("after_cursor"), max(limit, 1))
    body: Body = {name: [answer.body for answer in page.items]}
    if page.next_cursor is not None:
        body["next_cursor"] = page.next_cursor
    return answered_list(body, page.items)


def _selected(content: VenueContent, request: Request) -> list[Answer]:
    """Filter by condition, question and token ids and the closed flag, which defaults to open markets only."""
    conditions = set(request.query_params.getlist("condition_ids"))
    questions = set(request.query_params.getlist("question_ids"))
    tokens = set(request.query_params.getlist("clob_token_ids"))
    is_closed = request.query_params.get("closed", "false") == "true"
    selected = []
    for answer in content.listings(tokens):
        body = cast("Body", answer.body)
        if bool(body.get("closed", False)) is not is_closed:
            continue
        if conditions and body["conditionId"] not in conditions:
            continue
        if questions and body.get("questionID") not in questions:
            continue
        if tokens and not tokens.intersection(json.loads(str(body["clobTokenIds"]))):
            continue
        selected.append(answer)
    return selected


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default
