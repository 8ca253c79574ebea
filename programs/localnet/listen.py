"""Sockets with bounds: how many connections, and how long one write may take.

hypercorn shields its writes from cancellation, so a client that stops reading could hold a connection, and the
shutdown, for ever. A deadline inside the stream is what ends such a write.
"""

import errno
from typing import Final

import trio

SEND_TIMEOUT_S: Final = 5.0
"""A write that makes no end in this time closes the connection."""
CONNECTIONS_MAX: Final = 256
"""Open connections; further ones wait in the listener's backlog."""
_PAIR_ATTEMPTS: Final = 50


class ListenError(Exception):
    """The server cannot listen where it was asked to."""


class BoundedStream(trio.abc.HalfCloseableStream):
    """A connection that gives its place back when closed, and closes when a write takes too long."""

    def __init__(self, stream: trio.SocketStream, places: trio.Semaphore) -> None:
        self._stream = stream
        self._places: trio.Semaphore | None = places

    @property
    def socket(self) -> trio.socket.SocketType:
        """The socket, for the addresses of both ends."""
        return self._stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it.

        Raises:
            trio.BrokenResourceError: The peer is gone, or does not read.
        """
        with trio.move_on_after(SEND_TIMEOUT_S) as deadline:
            await self._stream.send_all(data)
        if deadline.cancelled_caught:
            await trio.aclose_forcefully(self)
            raise trio.BrokenResourceError("the peer does not read")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until a write may proceed."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive what has arrived."""
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close, and give the place back."""
        places, self._places = self._places, None
        if places is not None:
            places.release()
        await self._stream.aclose()


class BoundedListener(trio.abc.Listener[BoundedStream]):
    """Accepts a connection when there is a place for it."""

    def __init__(self, listener: trio.SocketListener, places: trio.Semaphore) -> None:
        self._listener = listener
        self._places = places

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._listener.socket.getsockname()[1]
        return port

    async def accept(self) -> BoundedStream:
        """Wait for a place, then for a connection."""
        await self._places.acquire()
        try:
            return BoundedStream(await self._listener.accept(), self._places)
        except BaseException:
            self._places.release()
            raise

    async def aclose(self) -> None:
        """Stop listening."""
        await self._listener.aclose()


async def open_pair(host: str, port: int, ws_port: int | None) -> list[BoundedListener]:
    """Listen for HTTP on `port` and for websockets on `ws_port`, by default the port after it.

    Port 0 takes free ports, side by side unless `ws_port` is given.

    Returns:
        The two listeners, HTTP first. They share `CONNECTIONS_MAX` places.

    Raises:
        ListenError: A port is taken, or the address is none of this machine's.
    """
    places = trio.Semaphore(CONNECTIONS_MAX)
    for attempt in range(_PAIR_ATTEMPTS):
        first = await _listen(host, port)
        taken: int = first.socket.getsockname()[1]
        try:
            second = await _listen(host, taken + 1 if ws_port is None else ws_port)
        except ListenError:
            await first.aclose()
            if port != 0 or ws_port is not None or attempt == _PAIR_ATTEMPTS - 1:
                raise
        else:
            return [BoundedListener(first, places), BoundedListener(second, places)]
    raise AssertionError("the last attempt returns or raises")


async def _listen(host: str, port: int) -> trio.SocketListener:
    try:
        return (await trio.open_tcp_listeners(port, host=host))[0]
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"port {port} on {host} is in use by another program;"
                " stop that program or choose other ports with --port and --ws-port"
            ) from error
        raise ListenError(
            f"cannot listen on {host} port {port}: {error};"
            " choose an address of this machine and a port from 1024 to 65534"
        ) from error
