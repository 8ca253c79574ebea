"""A byte-level proxy before one family of endpoints, on a loopback port that stays its own even while nobody listens.

Shell, over trio's sockets: the kernel's, or those in memory.
"""

import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from keeper.drills.faults import Wire
from keeper.drills.wires import WireState, conduct

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 512
_LINGER_NOTHING: Final = struct.pack("ii", 1, 0)
"""Makes close() send RST."""


@dataclass(slots=True, kw_only=True)
class Proxy:
    """A door that can be broken; `serve` opens it."""

    target_port: int = 0
    """Where connections go, unless `carry` decides."""
    host: str = HOST
    """Where it listens."""
    port: int = 0
    """Where the family is reached; 0 takes a free one when it is served."""
    carry: Callable[[trio.SocketStream, WireState], Awaitable[bool]] | None = None
    """Instead of the target: what becomes of a connection. True resets it."""
    tls: ssl.SSLContext | None = None
    """Speaks TLS to the client with this certificate; plain to the target."""
    state: WireState = field(default_factory=WireState)
    _listening: trio.Event = field(default_factory=trio.Event)
    _accepting: trio.CancelScope = field(default_factory=trio.CancelScope)

    def set(self, *wires: Wire, share_percent: int = 100) -> None:
        """Change what connections suffer from now on, open ones included; no wires: nothing."""
        self.state.set(wires, share_percent)
        if self.state.is_refusing:
            self._accepting.cancel(reason="nobody listens")
        else:
            self._listening.set()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Pass connections on until cancelled."""
        # Bound but not listening, it refuses connections, and the port cannot be taken by others.
        with await _bound_socket(self.host, self.port) as placeholder:
            self.port = placeholder.getsockname()[1]
            is_started = False
            async with trio.open_nursery() as connections:
                while True:
                    listener = await self._listen()
                    if not is_started:
                        task_status.started()
                        is_started = True
                    with trio.CancelScope() as self._accepting:
                        if self.state.is_refusing:  # told so while the listener was made
                            self._accepting.cancel(reason="nobody listens")
                        await trio.serve_listeners(
                            self._pass, [listener], handler_nursery=connections
                        )
                    while self.state.is_refusing:
                        self._listening = trio.Event()
                        await self._listening.wait()

    async def _listen(self) -> trio.SocketListener:
        listening = await _bound_socket(self.host, self.port)
        listening.listen(_BACKLOG)
        return trio.SocketListener(listening)

    async def _pass(self, client: trio.SocketStream) -> None:
        is_reset = False
        try:
            if self.carry is not None:
                is_reset = await self.carry(client, self.state)
            else:
                is_reset = await self._to_target(client)
        except (OSError, ssl.SSLError, trio.BrokenResourceError):
            pass  # what a client makes of it is the drill's business
        finally:
            if is_reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
            await trio.aclose_forcefully(client)

    async def _to_target(self, client: trio.SocketStream) -> bool:
        async with await trio.open_tcp_stream(HOST, self.target_port) as server:
            if self.tls is None:
                return await conduct(client, server, self.state)
            secured = trio.SSLStream(client, self.tls, server_side=True)
            return await conduct(secured, server, self.state)


async def _bound_socket(host: str, port: int) -> trio.socket.SocketType:
    """Bind so that a second socket of ours may share the port; only a listening one takes connections."""
    bound = trio.socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    await bound.bind((host, port))
    return bound
