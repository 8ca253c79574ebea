"""An ASGI application on listeners: hypercorn's protocol code, over streams of ours.

hypercorn would open the sockets itself, from the standard library. Over trio's the same servers also run where a loop has
sockets of its own, on a virtual clock.
"""

import logging
from collections.abc import Sequence
from typing import Final, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from starlette.types import ASGIApp

from programs.localnet.listen import BoundedListener, BoundedStream

MESSAGE_BYTES_MAX: Final = 1_000_000
"""Of one websocket message from a client."""
KEEP_ALIVE_S: Final = 75
"""Longer than clients keep idle connections, so that the server is never the one to close under a request."""
STREAM: Final = "stream"
"""Under this name every request's `state` has its BoundedStream."""
_NEVER: Final = 1 << 62


async def serve_connections(
    app: ASGIApp,
    listeners: Sequence[BoundedListener],
    *,
    task_status: trio.TaskStatus[list[BoundedListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer every connection until cancelled; replies already being written are finished."""
    hypercorn = HypercornConfig()
    # Standard output and error belong to whoever runs the server; failures go to the root logger's handlers.
    hypercorn.accesslog = None
    hypercorn.errorlog = logging.getLogger("programs.localnet.hypercorn")
    hypercorn.keep_alive_timeout = KEEP_ALIVE_S
    hypercorn.keep_alive_max_requests = _NEVER
    hypercorn.websocket_max_message_size = MESSAGE_BYTES_MAX
    hypercorn.alpn_protocols = ["http/1.1"]
    context = WorkerContext(None)
    wrapped = ASGIWrapper(cast("ASGIFramework", app))

    async def answer(stream: BoundedStream) -> None:
        # TCPServer uses no more of a stream than BoundedStream has, whatever its annotation says.
        tcp_stream = cast("trio.SSLStream[trio.SocketStream]", stream)
        # An application that wants to hang up in the middle of a reply finds its stream here.
        state = ConnectionState({STREAM: stream})
        await TCPServer(wrapped, hypercorn, context, state, tcp_stream)

    await trio.serve_listeners(answer, list(listeners), task_status=task_status)
