"""One websocket, bounded in what a peer can make it hold.

Shell. httpx opens the connection, wsproto reads the frames, and this file joins fragments under a limit that is checked
while they arrive. One reader takes frames as fast as it applies them and nothing is queued: what is not yet read waits
in the kernel's buffer, where it slows the sender down.
"""

import base64
import secrets
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from io import StringIO
from typing import Final, Protocol

import httpcore
import httpx
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError, generate_accept_token

from keeper.prices.errors import ConnectFailedError, StreamClosedError, TooLargeError

_READ_BYTES: Final = 64 * 1024
_GOODBYE_S: Final = 0.5
"""How long a closing socket may take to say so: a peer that reads nothing must not hold up a rotation."""
_FRAGMENT_CHARACTERS_LEAST: Final = 16
"""What a fragment counts at least, so that a message of empty fragments ends too."""


class _ByteStream(Protocol):
    """What is used of httpcore's network stream."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...  # noqa: ASYNC109 - httpcore's signature

    async def write(self, buffer: bytes, timeout: float | None = None) -> None: ...  # noqa: ASYNC109 - httpcore's signature


class Websocket:
    """An open websocket: texts in, texts out."""

    def __init__(
        self, url: str, stream: _ByteStream, headers: httpx.Headers, characters_max: int
    ) -> None:
        self.url = url
        self.headers = headers
        """Of the response that accepted the connection."""
        self._stream = stream
        self._characters_max = characters_max
        self._protocol = Connection(ConnectionType.CLIENT)
        self._events = self._protocol.events()
        self._fragments = StringIO()
        self._held = 0
        self._writing = trio.Lock()

    async def receive_text(self) -> str:
        """Return the next whole message; pings are answered on the way.

        A binary message comes back as text too, for its reader to refuse. Checkpoints once per call even when the
        message was already here, so that a flood starves nobody.

        Raises:
            TooLargeError: the message grew past the limit; the rest was not read, and the socket is of no further use.
            StreamClosedError: the peer closed, broke off, or broke the protocol.

        """
        await trio.lowlevel.checkpoint()
        while True:
            for event in self._events:
                if isinstance(event, TextMessage | BytesMessage):
                    text = self._joined(event)
                    if text is not None:
                        return text
                elif isinstance(event, Ping):
                    await self._send(event.response())
                elif isinstance(event, CloseConnection):
                    raise StreamClosedError(
                        f"{self.url} closed: {event.code} {event.reason or ''}".rstrip()
                    )
            await self._read_more()

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

    def _joined(self, event: TextMessage | BytesMessage) -> str | None:
        """Add a part of a message, and return the whole once it is one."""
        data = event.data
        text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
        is_whole = event.message_finished and not self._held
        self._held += max(len(text), _FRAGMENT_CHARACTERS_LEAST)
        if self._held > self._characters_max:
            raise TooLargeError(
                f"{self.url} sent a message of more than {self._characters_max} characters; "
                "not read further"
            )
        if not is_whole:
            self._fragments.write(text)
            if not event.message_finished:
                return None
            text = self._fragments.getvalue()
            self._fragments = StringIO()
        self._held = 0
        return text

    async def _read_more(self) -> None:
        with _translated(self.url):
            chunk = await self._stream.read(_READ_BYTES)
            # No bytes are the end: wsproto takes None for a connection lost without a goodbye.
            self._protocol.receive_data(chunk or None)
        self._events = self._protocol.events()

    async def _send(self, event: Event) -> None:
        async with self._writing:
            with _translated(self.url):
                await self._stream.write(self._protocol.send(event))


@asynccontextmanager
async def open_websocket(
    client: httpx.AsyncClient, url: str, *, characters_max: int
) -> AsyncGenerator[Websocket]:
    """Open a websocket on the client's connections; it is closed when the block ends.

    Args:
        client: opens the connection, and bounds how many there are.
        url: ws:// or wss://.
        characters_max: the longest message taken.

    Raises:
        ConnectFailedError: no connection.
        StreamClosedError: the peer did not accept a websocket.

    """
    key = base64.b64encode(secrets.token_bytes(16))
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
    }
    with _translated(url):
        request = client.build_request("GET", url, headers=headers)
        response = await client.send(request, stream=True)
    try:
        if response.status_code != httpx.codes.SWITCHING_PROTOCOLS:
            raise StreamClosedError(f"{url} answered {response.status_code}, wanted 101")
        if response.headers.get("Sec-WebSocket-Accept") != generate_accept_token(key).decode():
            raise StreamClosedError(f"{url} accepted another handshake than ours")
        stream: _ByteStream = response.extensions["network_stream"]
        websocket = Websocket(url, stream, response.headers, characters_max)
        try:
            yield websocket
        finally:
            await websocket.say_goodbye()
    finally:
        await response.aclose()


@contextmanager
def _translated(url: str) -> Generator[None]:
    """Turn what httpx, httpcore and wsproto raise into this package's errors."""
    try:
        yield
    except (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ConnectFailedError(f"{url} cannot be reached: {_named(error)}") from error
    except (httpx.HTTPError, httpcore.NetworkError, httpcore.ProtocolError, ProtocolError) as error:
        raise StreamClosedError(f"{url} broke off: {_named(error)}") from error


def _named(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
