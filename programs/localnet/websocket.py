"""Websocket connections: subscriptions in, notifications out, slow clients cut off."""

import json
from typing import Final

import trio
from starlette.websockets import WebSocket, WebSocketDisconnect

from programs.localnet import jsonrpc
from programs.localnet.node import Node
from programs.localnet.rpc_errors import RpcError
from programs.localnet.subscriptions import Subscriptions

BACKLOG_MAX: Final = 20_000
"""Messages a client may be behind before it is disconnected; some 20 MB at worst."""
TRY_AGAIN_LATER: Final = 1013
"""Close code. Source: IANA websocket close code registry."""


class Connection:
    """One client: its subscriptions, and what it has not received yet."""

    def __init__(self, node: Node, outbox: trio.MemorySendChannel[str]) -> None:
        self.subscriptions = Subscriptions(node)
        self.is_behind = trio.Event()
        """Set when the client reads too slowly; whoever runs the connection then ends it."""
        self._outbox = outbox

    def post(self, message: object) -> None:
        """Queue a message, or give the client up when too many wait already."""
        try:
            self._outbox.send_nowait(json.dumps(message, separators=(",", ":")))
        except trio.WouldBlock:
            self.is_behind.set()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client is gone and its task is ending


class Audience:
    """Every client connected to one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._connections: set[Connection] = set()

    def tell(self) -> None:
        """Post what the closing slot has to tell; call it before the bank opens the next one."""
        for connection in tuple(self._connections):
            if not connection.is_behind.is_set():
                for message in connection.subscriptions.due():
                    connection.post(message)
        self._node.mark_told()

    async def attend(self, websocket: WebSocket) -> None:
        """Run one client's connection until it leaves or falls behind."""
        outbox, pending = trio.open_memory_channel[str](BACKLOG_MAX)
        connection = Connection(self._node, outbox)
        self._connections.add(connection)
        await websocket.accept()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_receive, websocket, connection, nursery.cancel_scope)
                nursery.start_soon(_send, websocket, pending)
                await connection.is_behind.wait()
                nursery.cancel_scope.cancel(reason="the client reads too slowly")
        finally:
            self._connections.discard(connection)
            outbox.close()
        if connection.is_behind.is_set():
            await websocket.close(TRY_AGAIN_LATER, "reading too slowly")


async def _receive(websocket: WebSocket, connection: Connection, client: trio.CancelScope) -> None:
    try:
        while True:
            message = await websocket.receive_text()
            _answer(message, connection)
            await trio.lowlevel.checkpoint()
    except (WebSocketDisconnect, KeyError):
        # KeyError: starlette's way to say that the frame was binary; JSON-RPC is text.
        client.cancel(reason="the client left")


def _answer(message: str, connection: Connection) -> None:
    try:
        parsed = jsonrpc.parse_body(message)
        requests = jsonrpc.requests(parsed)
    except RpcError as error:
        connection.post(jsonrpc.failure(error))
        return
    answers = [jsonrpc.reply(request, connection.subscriptions.answer) for request in requests]
    replies = [answer for answer in answers if answer is not None]
    if isinstance(parsed, list) and replies:
        connection.post(replies)
    elif replies:
        connection.post(replies[0])


async def _send(websocket: WebSocket, pending: trio.MemoryReceiveChannel[str]) -> None:
    async for message in pending:
        await websocket.send_text(message)
