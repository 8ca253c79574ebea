"""The page's routes: the page itself, its stream of events, static files, runbooks.

Shell. Nothing here changes anything, and everything is made once for all who ask: the page once for each moment, a frame
once for each second.
"""

from dataclasses import dataclass, field
from typing import Final

import trio
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from keeper.monitor.page.frames import Frames, encode
from keeper.monitor.page.history import COLUMN_S, Span
from keeper.monitor.page.render import STATIC, page, runbook
from keeper.monitor.page.runbooks import runbook_html
from keeper.monitor.page.shown import Shown
from keeper.newest import Newest

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A browser loads what this port serves, runs no script that stands in a page, and shows the page in no frame."""
STREAMS_MAX: Final = 1_024
"""More are refused; a page that was tries again."""
_SEND_TIMEOUT_S: Final = 15.0
"""A reader that takes nothing for so long has gone, whatever its socket says."""
_HEADERS: Final = {"content-security-policy": POLICY, "cache-control": "no-store"}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_LATER: Final = {"retry-after": "5"}


@dataclass(slots=True, eq=False)
class Page:
    """The status page over the newest moment."""

    board: Newest[Shown]
    _spans: dict[Span, Frames] = field(
        default_factory=lambda: {span: Frames(span=span) for span in COLUMN_S}
    )
    _rendered: dict[Span, tuple[int, str]] = field(default_factory=dict)
    """The page by span, with the moment's number."""

    @property
    def streams(self) -> int:
        """How many pages are open."""
        return sum(frames.readers for frames in self._spans.values())

    async def encode(self) -> None:
        """Keep open pages up to date, until cancelled."""
        await encode(self.board, self._spans)

    def routes(self) -> list[Route]:
        """Return the routes of the page, all of them GET."""
        return [
            Route("/", self._page),
            Route("/events", _Events(self._spans)),
            Route("/static/{name}", _static),
            Route("/runbooks/{name}", _runbook),
        ]

    async def _page(self, request: Request) -> Response:
        shown = self.board.get()
        if shown is None:
            headers = _HEADERS | {"refresh": "1"}
            return PlainTextResponse("the monitor has only just begun\n", 503, headers)
        span = _span(request.query_params.get("span"))
        sequence = self.board.sequence
        rendered = self._rendered.get(span)
        if rendered is None or rendered[0] != sequence:
            rendered = self._rendered[span] = (sequence, page(shown, span))
        return HTMLResponse(rendered[1], headers=_HEADERS)


def _span(asked: str | None) -> Span:
    return "day" if asked == "day" else "hour"


async def _static(request: Request) -> Response:
    found = STATIC.get(request.path_params["name"])
    if found is None:
        return PlainTextResponse("no such file\n", 404)
    return Response(found[1], media_type=found[0], headers={"cache-control": _FOR_EVER})


async def _runbook(request: Request) -> Response:
    name = request.path_params["name"]
    html = runbook_html(name)
    if html is None:
        return PlainTextResponse("no runbook has this name\n", 404)
    return HTMLResponse(runbook(name, html), headers=_HEADERS)


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    """GET /events: frames until the reader goes."""

    spans: dict[Span, Frames]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if sum(frames.readers for frames in self.spans.values()) >= STREAMS_MAX:
            await PlainTextResponse("too many pages are open\n", 503, _LATER)(scope, receive, send)
            return
        frames = self.spans[_span(request.query_params.get("span"))]
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-store"),
                    (b"x-accel-buffering", b"no"),
                ],
            }
        )
        if request.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        frames.readers += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_follow, frames, send, nursery.cancel_scope)
                while (await receive())["type"] != "http.disconnect":
                    pass
                nursery.cancel_scope.cancel(reason="the reader has gone")
        finally:
            frames.readers -= 1


async def _follow(frames: Frames, send: Send, scope: trio.CancelScope) -> None:
    # The newest frame may be of long ago: nothing is rendered while nobody looks.
    before, knows_before = frames.newest.sequence, False
    while True:
        sequence, frame = await frames.newest.wait_newer(before)
        body = frame.change if knows_before and sequence == before + 1 else frame.whole
        before, knows_before = sequence, True
        with trio.move_on_after(_SEND_TIMEOUT_S) as patience:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        if patience.cancelled_caught:
            scope.cancel(reason="the reader takes nothing")
            return
