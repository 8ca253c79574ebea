"""The server behind the port: routes, headers of every reply, and hypercorn's protocol code on connections let in by a door.

Shell. Nothing here changes anything.
"""

import json
import logging
from collections.abc import Sequence
from typing import Final, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keeper.monitor.checks import why_dead
from keeper.monitor.exposition import expose
from keeper.monitor.guards import HeadFirst, Serve
from keeper.monitor.moment import Moment
from keeper.newest import Newest

_SECURITY: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
"""Of every reply that does not say otherwise itself."""
_TEXT: Final = "text/plain; charset=utf-8"
_BEGINS: Final = "the monitor has only just begun\n"


class _Hardened:
    """Adds headers to every reply of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_hardened)


class _Answers:
    """What probes and scrapers ask for."""

    def __init__(self, board: Newest[Moment]) -> None:
        self._board = board
        self._exposed: dict[str, tuple[int, Response]] = {}
        """By what was asked for, with the moment's number: however many scrape, each second is written down once."""

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self._metrics),
            Route("/live", self._live),
            Route("/ready", self._ready),
            Route("/health", self._health),
        ]

    async def _metrics(self, request: Request) -> Response:
        moment = self._board.get()
        if moment is None:
            return PlainTextResponse(_BEGINS, 503)
        form = "openmetrics" if "openmetrics" in request.headers.get("accept", "") else "text"
        made = self._exposed.get(form)
        if made is None or made[0] != self._board.sequence:
            accept = "application/openmetrics-text" if form == "openmetrics" else ""
            text, content_type = expose(moment.view, accept)
            response = Response(text, headers={"content-type": content_type})
            made = self._exposed[form] = (self._board.sequence, response)
        return made[1]

    async def _live(self, _request: Request) -> Response:
        moment = self._board.get()
        if moment is None:
            return PlainTextResponse(_BEGINS, 503)
        reason = why_dead(moment.view)
        return PlainTextResponse(*(("live\n", 200) if reason is None else (f"{reason}\n", 503)))

    async def _ready(self, _request: Request) -> Response:
        moment = self._board.get()
        if moment is None:
            return PlainTextResponse(_BEGINS, 503)
        failed = [each for each in moment.checks if not each.passed]
        if not failed:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("".join(f"{each.name}: {each.words}\n" for each in failed), 503)

    async def _health(self, _request: Request) -> Response:
        moment = self._board.get()
        if moment is None:
            return PlainTextResponse(_BEGINS, 503)
        text = json.dumps(moment.health(), indent=2) + "\n"
        return Response(text, headers={"content-type": "application/json"})


def application(board: Newest[Moment], page: Sequence[BaseRoute]) -> ASGIApp:
    """Return everything that can be asked for.

    Args:
        board: the newest moment.
        page: routes of the status page.
    """
    return _Hardened(Starlette(routes=[*_Answers(board).routes(), *page]))


def server(app: ASGIApp) -> Serve:
    """Return what answers one connection's request from an application, and then closes it."""
    hypercorn = HypercornConfig()
    hypercorn.accesslog = None
    hypercorn.errorlog = logging.getLogger("keeper.monitor.hypercorn")
    hypercorn.keep_alive_max_requests = 1
    hypercorn.include_server_header = False
    hypercorn.alpn_protocols = ["http/1.1"]
    context = WorkerContext(None)
    wrapped = ASGIWrapper(cast("ASGIFramework", app))

    async def serve(stream: HeadFirst) -> None:
        # TCPServer uses no more of a stream than HeadFirst has, whatever its annotation says.
        tcp_stream = cast("trio.SSLStream[trio.SocketStream]", stream)
        await TCPServer(wrapped, hypercorn, context, ConnectionState({}), tcp_stream)

    return serve
