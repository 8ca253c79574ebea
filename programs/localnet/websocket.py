"""Websocket connections: subscriptions in, notifications out, slow clients cut off."""

import json
from typing import Final

import trio
from starlette.websockets import WebSocket, WebSocketDisconnect

from programs.localnet import jsonrpc
from programs.localnet.connections import STREAM
from programs.localnet.node import Node
from programs.localnet.rpc_errors import RpcError
from programs.localnet.subscriptions import Subscriptions
from programs.localnet.trouble import Door, Trouble

BACKLOG_MAX: Final = 20_000
"""Messages a client may be behind before it is disconnected; some 20 MB at worst."""
TRY_AGAIN_LATER: Final = 1013
"""Close code. Source: IANA websocket close code registry."""


class Connection:
    """One client: its subscriptions, and what it has not received yet."""

    def __init__(
        self, node: Node, outbox: trio.MemorySendChannel[str], *, is_silent: bool = False
    ) -> None:
        self.subscriptions = Subscriptions(node)
        self.is_silent = is_silent
        """Whether it never says anything but replies."""
        self.is_behind = False
        """Whether the client reads too slowly."""
        self.is_over = trio.Event()
        """Set when whoever runs the connection has to end it."""
        self._outbox = outbox

    def post(self, message: object) -> None:
        """Queue a message, or give the client up when too many wait already."""
        try:
            self._outbox.send_nowait(json.dumps(message, separators=(",", ":")))
        except trio.WouldBlock:
            self.is_behind = True
            self.is_over.set()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client is gone and its task is ending


class Audience:
    """Every client connected to one node."""

    def __init__(self, node: Node, door: Door, trouble: Trouble) -> None:
        self._node = node
        self._door = door
        self._trouble = trouble
        self._connections: dict[int, Connection] = {}

    def tell(self) -> None:
        """Post what the closing slot has to tell; call it before the bank opens the next one."""
        for number, connection in self._connections.items():
            if connection.is_over.is_set():
                continue
            for order, message in enumerate(connection.subscriptions.due()):
                key = (number, self._node.slot, order)
                if not connection.is_silent and not self._trouble.is_lost(self._door, *key):
                    connection.post(message)
            if self._trouble.is_cut(self._door, number, self._node.slot):
                connection.is_over.set()
        self._node.mark_told()

    async def attend(self, websocket: WebSocket) -> None:
        """Run one client's connection until it leaves or falls behind."""
        outbox, pending = trio.open_memory_channel[str](BACKLOG_MAX)
        is_silent = self._trouble.is_silent(self._door)
        number = self._door.connections
        connection = Connection(self._node, outbox, is_silent=is_silent)
        self._connections[number] = connection
        await websocket.accept()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_receive, websocket, connection, nursery.cancel_scope)
                nursery.start_soon(_send, websocket, pending)
                await connection.is_over.wait()
                nursery.cancel_scope.cancel(reason="it reads too slowly, or a fault cut it off")
        finally:
            del self._connections[number]
            outbox.close()
        if connection.is_behind:
            await websocket.close(TRY_AGAIN_LATER, "reading too slowly")
        elif connection.is_over.is_set():
            await trio.aclose_forcefully(websocket.scope["state"][STREAM])


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
