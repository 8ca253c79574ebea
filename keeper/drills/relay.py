"""A door to a real host: any request passes over verified TLS, and is broken on the way as an operator orders.

Shell. The bytes suffer what `wires.conduct` does to those of every drill; this adds the host on the other side, replies
given in its place, and a websocket that can be muted.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trio

from keeper.drills.faults import Canned, Latency
from keeper.drills.orders import Order
from keeper.drills.passing_http import Frames, Passed, PassingError, Requests
from keeper.drills.wires import WireState, conduct
from keeper.prices.errors import PricesError
from keeper.sandbox.venue.draws import draw_below

_CONNECT_S = 10.0
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The host on the other side."""

    host: str
    port: int
    is_tls: bool

    @property
    def host_header(self) -> str:
        """Return what a request says in Host."""
        named = f"[{self.host}]" if ":" in self.host else self.host
        usual = _PORTS["https" if self.is_tls else "http"]
        return named if self.port == usual else f"{named}:{self.port}"


def upstream_of(url: str) -> Upstream:
    """Read an upstream URL; its path is left to the requests.

    Raises:
        ValueError: no http, https, ws or wss URL with a host.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"{url!r}: expected a URL with https, http, wss or ws, and a host")
    return Upstream(
        host=parts.hostname.encode("idna").decode("ascii"),
        port=parts.port or _PORTS[parts.scheme],
        is_tls=parts.scheme in {"https", "wss"},
    )


@dataclass(slots=True, kw_only=True)
class Relay:
    """What becomes of each connection."""

    upstream: Upstream
    say: Callable[[str], None]
    """Told what happens, a line each."""
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    order: Order = field(default_factory=Order)
    """What is broken now."""
    requests: int = 0
    """Taken since the start."""

    async def carry(self, client: trio.abc.Stream, state: WireState) -> bool:
        """Pass one connection on until it ends; True when the client should see a reset."""
        try:
            with trio.fail_after(_CONNECT_S):
                server = await self._reach()
        except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.TooSlowError) as error:
            cause = error if error.__cause__ is None else error.__cause__
            why = str(cause) or "no answer in time"
            self.say(f"the upstream host cannot be reached: {why}")
            return False
        asked = _Asking(client, self)
        async with server:
            return await conduct(asked, _Answering(server, self, asked), state)

    async def _reach(self) -> trio.abc.Stream:
        stream = await trio.open_tcp_stream(self.upstream.host, self.upstream.port)
        if not self.upstream.is_tls:
            return stream
        secured = trio.SSLStream(
            stream, self.tls, server_hostname=self.upstream.host, https_compatible=True
        )
        try:
            await secured.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured

    def reply_instead(self) -> Canned | None:
        """Count a request, and return what is answered in the host's place, if anything."""
        self.requests += 1
        is_spared = draw_below(100, self.requests, "status") >= self.order.share_percent
        return None if is_spared else self.order.status


class _Around(trio.abc.Stream):
    """A stream of which only what is received is another."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Asking(_Around):
    """The client, whose requests name the upstream host, and are answered here while a status is ordered."""

    def __init__(self, inner: trio.abc.Stream, relay: Relay) -> None:
        super().__init__(inner)
        self._relay = relay
        self._requests = Requests(host=relay.upstream.host_header)
        self._instead: Canned | None = None

    @property
    def is_upgraded(self) -> bool:
        return self._requests.is_upgraded

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        while True:
            chunk = await self._inner.receive_some(max_bytes)
            if not chunk:
                return b""
            try:
                parts = self._requests.feed(bytes(chunk))
            except PassingError as error:
                self._relay.say(f"not passed on: {error}")
                return b""
            found = b"".join([data for part in parts if (data := await self._passed(part))])
            if found:
                return found

    async def _passed(self, part: Passed) -> bytes:
        """Return what goes on to the host; a request answered here goes nowhere, nor does its body."""
        if part.line is not None:
            self._instead = self._relay.reply_instead()
            if self._instead is not None:
                self._relay.say(f"{self._instead.status} instead of {part.line}")
                await trio.sleep(
                    sum(w.delay_s for w in self._relay.order.wires if isinstance(w, Latency))
                )
                await self._inner.send_all(_reply(self._instead))
        return b"" if self._instead is not None else part.data


class _Answering(_Around):
    """The host, whose websocket can be muted."""

    def __init__(self, inner: trio.abc.Stream, relay: Relay, asked: _Asking) -> None:
        super().__init__(inner)
        self._relay, self._asked = relay, asked
        self._frames = Frames()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        while True:
            chunk = bytes(await self._inner.receive_some(max_bytes))
            if not chunk or not self._asked.is_upgraded:
                return chunk
            try:
                passed = self._frames.feed(chunk, is_muted=self._relay.order.is_muted)
            except PricesError as error:
                self._relay.say(f"the host's websocket cannot be followed: {error}")
                return b""
            if passed:
                return passed


def _reply(canned: Canned) -> bytes:
    fields = [
        f"HTTP/1.1 {canned.status} Drill",
        f"Content-Type: {canned.content_type}",
        f"Content-Length: {len(canned.body)}",
        *(f"{name}: {value}" for name, value in canned.headers),
    ]
    return "\r\n".join(fields).encode("ascii") + b"\r\n\r\n" + canned.body
