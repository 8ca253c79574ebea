"""The scripted venue as an ASGI application: canned replies in front of the sandbox venue's own routes.

Shell, but for its server: it takes the clock and opens no socket, so that it is served on real sockets and over streams in
memory alike.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from keeper.drills.faults import Canned, Family, Telling
from keeper.drills.venue.script import ScriptedVenue
from keeper.sandbox.venue.clob_routes import clob_routes
from keeper.sandbox.venue.content import Frame
from keeper.sandbox.venue.draws import draw_below
from keeper.sandbox.venue.gamma_routes import gamma_routes
from keeper.sandbox.venue.stream_route import stream_route
from keeper.sandbox.venue.venue import Venue, VenueConfig

STREAM_PATH: Final = "/ws/market"
_BLOCKED: Final = Canned(status=403, body=b"error code: 1010", content_type="text/html")
"""To whom does not say who it is, as Cloudflare answers."""
_GAMMA_PATHS: Final = ("/markets", "/events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that reached the venue; of the stream, a handshake."""

    at_ms: int
    family: Family
    path: str
    status: int | None
    """Of the canned reply; None when it was answered honestly."""


@dataclass(slots=True)
class ScriptedHouse:
    """The venue, its subscribers, and what stands in front of it."""

    script: ScriptedVenue
    clock_ms: Callable[[], int]
    asked: list[Asked] = field(default_factory=list)
    _canned: dict[Family, dict[str, Canned]] = field(default_factory=dict)
    _venue: Venue = field(init=False)
    app: ASGIApp = field(init=False)
    """What a server serves."""

    def __post_init__(self) -> None:
        """Put the routes together."""
        self._venue = Venue(VenueConfig(markets=1), content=self.script)
        clob = [route for route in clob_routes(self._venue) if route.path != "/time"]
        routes = [Route("/time", self._time), *clob, *gamma_routes(self._venue)]
        honest = Starlette(routes=[*routes, stream_route(self._venue)])
        self.app = _Counter(self, honest)

    async def tick(self, interval_s: float) -> None:
        """Let the markets move for ever."""
        while True:
            await trio.sleep(interval_s)
            self.publish(self.script.tick())

    def publish(self, frames: Iterable[Frame]) -> None:
        """Send frames to who follows their tokens."""
        self._venue.subscribers.publish(frames)

    def set_truth(self, market: int, price_e6: int | None) -> None:
        """Move a market, and tell the subscribers."""
        self.publish(self.script.set_truth(market, price_e6))

    def tell(self, family: Family, telling: Telling, market: int | None) -> None:
        """Let a family say something else, and tell the subscribers."""
        self.publish(self.script.tell(family, telling, market))

    def answer(self, family: Family, canned: Canned | None, path: str) -> None:
        """Put a canned reply in front of a family's paths that contain `path`, or take all of them away."""
        if canned is None:
            self._canned.pop(family, None)
        else:
            self._canned.setdefault(family, {})[path] = canned

    def push(self, text: str) -> None:
        """Send a text to every socket of the stream."""
        self._venue.subscribers.broadcast(text)

    def hang_up(self) -> None:
        """Close every socket of the stream."""
        self._venue.subscribers.close_all()

    def count_asked(self, family: Family, path: str) -> int:
        """Return how many requests of a family's paths that contain `path` have come so far."""
        return sum(one.family is family and path in one.path for one in self.asked)

    def canned_for(self, family: Family, path: str) -> Canned | None:
        """Return what a request is answered instead of the truth; longer paths first."""
        found = self._canned.get(family, {})
        for part in sorted(found, key=len, reverse=True):
            if part in path:
                return found[part]
        return None

    async def _time(self, _request: Request) -> Response:
        return JSONResponse(self.script.time_ms // 1_000)


def family_of(path: str) -> Family:
    """Tell the family of endpoints by the path."""
    if path.startswith(STREAM_PATH):
        return Family.STREAM
    return Family.GAMMA if path.startswith(_GAMMA_PATHS) else Family.CLOB


class _Counter:
    """Notes every request, and gives the canned replies."""

    def __init__(self, house: ScriptedHouse, honest: ASGIApp) -> None:
        self._house = house
        self._honest = honest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._honest(scope, receive, send)
            return
        house, path = self._house, str(scope["path"])
        family = family_of(path)
        canned = house.canned_for(family, path)
        draw = draw_below(100, len(house.asked), "canned")
        if _is_anonymous(scope):
            canned, draw = _BLOCKED, 0
        is_canned = canned is not None and draw < canned.share_percent
        status = canned.status if canned is not None and is_canned else None
        house.asked.append(Asked(at_ms=house.clock_ms(), family=family, path=path, status=status))
        if canned is not None and canned.delay_s:
            await trio.sleep(canned.delay_s)
        if canned is None or not is_canned:
            await self._honest(scope, receive, send)
        elif scope["type"] == "http":
            await _reply(canned)(scope, receive, send)
        else:
            await _deny(canned, receive, send)


def _is_anonymous(scope: Scope) -> bool:
    """Tell whether a client does not say who it is, as Cloudflare asks."""
    agents = [value for name, value in scope["headers"] if name == b"user-agent"]
    return not agents or agents[0].startswith(b"python")


def _reply(canned: Canned) -> Response:
    headers = dict(canned.headers)
    return Response(canned.body, canned.status, headers, media_type=canned.content_type)


async def _deny(canned: Canned, receive: Receive, send: Send) -> None:
    """Answer a handshake with an ordinary reply instead of an upgrade."""
    await receive()  # websocket.connect
    named = (("content-type", canned.content_type), *canned.headers)
    headers = [(name.lower().encode(), value.encode()) for name, value in named]
    start = "websocket.http.response.start"
    await send({"type": start, "status": canned.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": canned.body})
