"""One websocket, bounded in what a peer can make it hold.

Shell. httpx opens the connection, wsproto writes what is sent, and messages are read under a limit that is checked
before they are held. One reader takes them as fast as it applies them and nothing is queued: what is not yet read waits
in the kernel's buffer, where it slows the sender down.
"""

import base64
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

import httpcore
import httpx
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError, generate_accept_token

from keeper.prices.errors import MalformedError, StreamClosedError, TooLargeError, VenueError
from keeper.prices.http_faults import fault_of
from keeper.prices.websocket_frames import FrameDecoder, Opcode

_READ_BYTES: Final = 64 * 1024
_QUIET_S: Final = 0.5
"""A read that waits so long has nothing left to take."""
_GOODBYE_S: Final = 0.5
"""How long a closing socket may take to say so: a peer that reads nothing must not hold up a rotation."""


class _ByteStream(Protocol):
    """What is used of httpcore's network stream."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...  # noqa: ASYNC109 - httpcore's signature

    async def write(self, buffer: bytes, timeout: float | None = None) -> None: ...  # noqa: ASYNC109 - httpcore's signature


class Websocket:
    """An open websocket: texts in, texts out."""

    def __init__(
        self, url: str, stream: _ByteStream, headers: httpx.Headers, bytes_max: int
    ) -> None:
        self.url = url
        self.headers = headers
        """Of the response that accepted the connection."""
        self._drained_at_s = trio.current_time()
        """When everything that had come was last taken off the wire."""
        self._waits_since_s: float | None = None
        """Since when a read has been waiting for anything to come."""
        self._stream = stream
        self._decoder = FrameDecoder(bytes_max)
        self._protocol = Connection(ConnectionType.CLIENT)
        self._writing = trio.Lock()

    async def receive_text(self) -> str:
        """Return the next whole message; pings are answered on the way.

        A binary message and bytes that are no UTF-8 come back as text too, for the reader of the text to refuse.
        Checkpoints at every call, even when the message was already here, so that a flood starves nobody.

        Raises:
            TooLargeError: a message is longer than allowed; it was not read, and the socket is of no further use.
            StreamClosedError: the peer closed, broke off, or broke the protocol.

        """
        has_waited = False
        while True:
            try:
                received = self._decoder.take()
            except MalformedError as error:
                raise StreamClosedError(f"{self.url} broke the protocol: {error}") from error
            except TooLargeError as error:
                raise TooLargeError(f"{self.url}: {error}") from error
            if received is None:
                self._decoder.feed(await self._read())
                has_waited = True
            elif received.opcode <= Opcode.BINARY:
                if not has_waited:
                    await trio.lowlevel.checkpoint()
                return received.payload.decode("utf-8", "replace")
            elif received.opcode is Opcode.PING:
                await self._send(Pong(payload=received.payload))
                has_waited = True
            elif received.opcode is Opcode.CLOSE:
                raise StreamClosedError(f"{self.url} closed: {_close_reason(received.payload)}")

    async def send_text(self, text: str) -> None:
        """Send one text message.

        Raises:
            StreamClosedError: the connection is gone.

        """
        await self._send(TextMessage(data=text))

    async def say_goodbye(self) -> None:
        """Close politely, if the peer still reads."""
        with trio.move_on_after(_GOODBYE_S, shield=True), suppress(StreamClosedError):
            await self._send(CloseConnection(code=CloseReason.NORMAL_CLOSURE))

    def has_drained_since(self, time_s: float, now_s: float) -> bool:
        """Tell whether everything that had come was read at some moment after `time_s`, so that nothing older waits."""
        is_waiting = self._waits_since_s is not None and now_s - self._waits_since_s >= _QUIET_S
        return is_waiting or self._drained_at_s >= time_s

    async def _read(self) -> bytes:
        self._waits_since_s = trio.current_time()
        try:
            chunk = await self._stream.read(_READ_BYTES)
        except httpcore.NetworkError as error:
            raise StreamClosedError(f"{self.url} broke off: {_named(error)}") from error
        finally:
            self._waits_since_s = None
        if not chunk:
            raise StreamClosedError(f"{self.url} ended without a goodbye")
        if len(chunk) < _READ_BYTES:
            self._drained_at_s = trio.current_time()
        return chunk

    async def _send(self, event: Event) -> None:
        async with self._writing:
            try:
                await self._stream.write(self._protocol.send(event))
            except (httpcore.NetworkError, ProtocolError) as error:
                raise StreamClosedError(f"{self.url} broke off: {_named(error)}") from error


@asynccontextmanager
async def open_websocket(
    client: httpx.AsyncClient,
    url: str,
    *,
    bytes_max: int,
    refused: Callable[[httpx.Response], VenueError],
) -> AsyncGenerator[Websocket]:
    """Open a websocket on the client's connections; it is closed when the block ends.

    Args:
        client: opens the connection, and bounds how many there are.
        url: ws:// or wss://.
        bytes_max: the longest message taken, in bytes.
        refused: the error of an answer other than 101; its body is not read.

    Raises:
        VenueError: no connection, or none that is a websocket, by kind.

    """
    key = base64.b64encode(secrets.token_bytes(16))
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
    }
    try:
        request = client.build_request("GET", url, headers=headers)
        response = await client.send(request, stream=True)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise fault_of(url, error) from error
    try:
        if response.status_code != httpx.codes.SWITCHING_PROTOCOLS:
            raise refused(response)
        if response.headers.get("Sec-WebSocket-Accept") != generate_accept_token(key).decode():
            raise StreamClosedError(f"{url} accepted another handshake than ours")
        stream: _ByteStream = response.extensions["network_stream"]
        websocket = Websocket(url, stream, response.headers, bytes_max)
        try:
            yield websocket
        finally:
            await websocket.say_goodbye()
    finally:
        await response.aclose()


def _named(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


def _close_reason(payload: bytes) -> str:
    """Word a close frame: its code, and what the peer adds."""
    if len(payload) < 2:  # noqa: PLR2004 - a code has two bytes
        return "no reason given"
    text = payload[2:].decode("utf-8", "replace")
    return f"{int.from_bytes(payload[:2], 'big')} {text}".rstrip()
