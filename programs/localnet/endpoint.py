"""One endpoint of the network: JSON-RPC over HTTP and websockets from one node, spoiled where its door says so."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import trio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from programs.localnet import jsonrpc
from programs.localnet.connections import MESSAGE_BYTES_MAX, STREAM
from programs.localnet.methods import METHODS
from programs.localnet.node import Node
from programs.localnet.params import Params
from programs.localnet.rpc_errors import RpcError
from programs.localnet.spoiled import SpoiledReply, spoil
from programs.localnet.trouble import Door, Trouble
from programs.localnet.websocket import Audience

REQUEST_BYTES_MAX: Final = MESSAGE_BYTES_MAX
DRIP_INTERVAL_S: Final = 0.1
"""Between two bytes of a dripping reply; each is in time for a limit on single reads."""


class Endpoint:
    """One node behind one address."""

    def __init__(self, node: Node, door: Door, trouble: Trouble) -> None:
        self.node = node
        self.audience = Audience(node, door, trouble)
        self._door = door
        self._trouble = trouble

    def app(self) -> Starlette:
        """What answers its connections."""
        return Starlette(
            routes=[
                Route("/", self._answer_http, methods=["POST"]),
                Route("/health", _answer_health, methods=["GET"]),
                Route("/faults", self._answer_faults, methods=["GET"]),
                WebSocketRoute("/", self.audience.attend),
            ]
        )

    async def _answer_faults(self, _request: Request) -> Response:
        return JSONResponse(self._trouble.report())

    async def _answer_http(self, request: Request) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return PlainTextResponse(
                "Supplied content type is not allowed. Content-Type: application/json is required\n",
                status_code=415,
            )
        body = await _bounded_body(request)
        if body is None:
            return PlainTextResponse(
                f"The request is longer than {REQUEST_BYTES_MAX} bytes.\n", status_code=413
            )
        try:
            parsed = jsonrpc.parse_body(body)
            requests = jsonrpc.requests(parsed)
        except RpcError as error:
            return _json(jsonrpc.encode(jsonrpc.failure(error)))
        fate = self._trouble.reply_fate(self._door, jsonrpc.method_of(requests[0]))
        await trio.sleep(fate.late_ms / 1_000)
        if fate.spoilage is None:
            if isinstance(parsed, list):
                return StreamingResponse(self._batch(requests), media_type="application/json")
            return _json(self._answered(parsed))
        answer = b""
        if fate.is_done:
            # A spoiled batch is answered in one piece: what is left of it hardly matters.
            answer = b",".join(filter(None, map(self._answered, requests)))
            answer = b"[" + answer + b"]" if isinstance(parsed, list) else answer
        identity = parsed.get("id") if isinstance(parsed, dict) else None
        return _Spoiled(spoil(fate.spoilage, answer, identity, self._door.requests))

    def _answered(self, request: object) -> bytes:
        reply = jsonrpc.reply(request, partial(_answer, self.node))
        return b"" if reply is None else jsonrpc.encode(reply)

    async def _batch(self, requests: Sequence[object]) -> AsyncIterator[bytes]:
        """Answer a batch in pieces, letting slots and other clients through between them."""
        separator = b"["
        for request in requests:
            answered = self._answered(request)
            if answered:
                yield separator + answered
                separator = b","
            await trio.lowlevel.checkpoint()
        if separator == b",":
            yield b"]"


class _Spoiled(Response):
    """A reply of which not everything arrives."""

    def __init__(self, reply: SpoiledReply) -> None:
        super().__init__(
            reply.body, reply.status, dict(reply.headers), media_type=reply.media_type.decode()
        )
        self._manner = reply.manner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._manner == "whole":
            await super().__call__(scope, receive, send)
            return
        if self._manner == "hanging":
            await _client_left(receive)
            return
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start"} | head)
        if self._manner == "cut":
            half = self.body[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await trio.aclose_forcefully(scope["state"][STREAM])
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drip, send, nursery.cancel_scope)
            await _client_left(receive)
            nursery.cancel_scope.cancel(reason="the client left, or has it all")

    async def _drip(self, send: Send, client: trio.CancelScope) -> None:
        for at in range(len(self.body)):
            piece = bytes(self.body[at : at + 1])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await trio.sleep(DRIP_INTERVAL_S)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        client.cancel(reason="that was all")


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer_health(_request: Request) -> Response:
    return PlainTextResponse("ok")


def _answer(node: Node, method: str, params: Params) -> object:
    answer = METHODS.get(method)
    if answer is None:
        raise jsonrpc.method_not_found()
    return answer(node, params)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


async def _bounded_body(request: Request) -> bytes | None:
    """The whole body, or None as soon as it is too long."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with aclosing(request.stream()) as stream:
            async for piece in stream:
                size += len(piece)
                if size > REQUEST_BYTES_MAX:
                    return None
                pieces.append(piece)
    except ClientDisconnect:
        return b""
    return b"".join(pieces)
