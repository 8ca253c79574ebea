"""Who may ask, how many at once, and for how long: what stands between the port and the server behind it.

Shell. A connection carries one request. Its head has to arrive whole within seconds, and is judged before the server sees a
byte of it; whoever has not sent one yet holds one of a few places, and the newest takes the oldest's. So an honest question is
answered however many sockets stand open without one. A write that the peer does not take ends the connection. A few places are
kept for whoever asks /live and /ready, so that a crowd of readers is no reason to restart the monitor.
"""

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

import structlog
import trio

from keeper.monitor import heads
from keeper.monitor.heads import CROWDED, HEAD_BYTES_MAX, LONG, SLOW, Refusal
from state import metrics as m
from state.sample import Figures

SEND_S: Final = 10.0
"""For the peer to take what one write has."""
_LINGER_S: Final = 1.0
"""For the peer to read why it is refused, while it may still be sending."""
_LINGER_BYTES: Final = 256 * 1024
_TELL_S: Final = 60.0
"""Between two log lines about the same reason."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many, and for how long."""

    head_s: float = 5.0
    """For a whole head, from the connection's first moment on."""
    send_s: float = SEND_S
    waiting_max: int = 1_024
    """Connections without a head; one more ends the oldest. So many that in a burst nobody loses the place before the request,
    which follows the connection, has come."""
    refusing_max: int = 128
    """Connections that are told why they are refused; more are closed without a word."""
    open_max: int = 1_280
    """Connections that are being answered: a thousand open pages, and room for everybody else."""
    peer_max: int = 64
    """Connections of one other machine."""
    probes_max: int = 32
    """Connections above `open_max`, and above `peer_max`, that ask /live or /ready."""


class HeadFirst(trio.abc.HalfCloseableStream):
    """A connection whose one request has been read: the server reads it from here, and then only the end."""

    def __init__(self, stream: trio.SocketStream, head: bytes, send_s: float = SEND_S) -> None:
        self._stream = stream
        self._head = head
        self._send_s = send_s

    @property
    def socket(self) -> trio.socket.SocketType:
        """The socket, for the addresses of both ends."""
        return self._stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it.

        Raises:
            trio.BrokenResourceError: the peer is gone, or does not read.
        """
        with trio.move_on_after(self._send_s) as patience:
            await self._stream.send_all(data)
        if patience.cancelled_caught:
            # The server shields its writes: this is what ends one.
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError("the peer does not read")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until a write may proceed."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return the head, and then the end: a second request is not read."""
        if self._head:
            head, self._head = self._head, b""
            await trio.lowlevel.checkpoint()
            return head
        await self._stream.receive_some(max_bytes)
        return b""

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()


Serve = Callable[[HeadFirst], Awaitable[object]]


@dataclass(slots=True, eq=False)
class Door:
    """Lets connections in, one by one."""

    serve: Serve
    """Answers whoever was let in; returns when that connection is over."""
    token: str | None = None
    bounds: Bounds = field(default_factory=Bounds)
    refused: Counter[str] = field(default_factory=Counter)
    """Connections that were not answered, by reason."""
    _waiting: dict[trio.CancelScope, None] = field(default_factory=dict)
    """Of those without a head, the oldest first."""
    _open: int = 0
    _refusing: int = 0
    _peers: Counter[str] = field(default_factory=Counter)
    _told_s: dict[str, float] = field(default_factory=dict)

    @property
    def is_used(self) -> bool:
        """Whether a connection is being answered."""
        return self._open > 0

    async def welcome(self, stream: trio.SocketStream) -> None:
        """Take one connection from its first byte to its last."""
        async with stream:
            try:
                with self._counted(_peer(stream)) as of_peer:
                    await self._hear(stream, of_peer)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                self._note("hung_up", stream)

    def put(self, figures: Figures) -> None:
        """Say how many came and how many were refused."""
        figures.put(m.PORT_CONNECTIONS, len(self._waiting), "waiting")
        figures.put(m.PORT_CONNECTIONS, self._open, "open")
        for reason, count in self.refused.items():
            figures.put(m.PORT_REFUSED, count, reason)

    async def _hear(self, stream: trio.SocketStream, of_peer: int) -> None:
        found = await self._head(stream) if self._has_room(of_peer, is_probe=True) else CROWDED
        if isinstance(found, bytes):
            found = self._judged(found, of_peer)
        if isinstance(found, Refusal):
            self._note(found.reason, stream)
            await self._refuse(stream, found)
            return
        self._open += 1
        try:
            await self.serve(HeadFirst(stream, found, self.bounds.send_s))
        finally:
            self._open -= 1

    def _judged(self, head: bytes, of_peer: int) -> bytes | Refusal:
        if (refusal := heads.judge(head, self.token)) is not None:
            return refusal
        return head if self._has_room(of_peer, is_probe=heads.is_probe(head)) else CROWDED

    def _has_room(self, of_peer: int, *, is_probe: bool) -> bool:
        bounds, kept = self.bounds, self.bounds.probes_max if is_probe else 0
        return self._open < bounds.open_max + kept and of_peer <= bounds.peer_max + kept

    async def _refuse(self, stream: trio.SocketStream, refusal: Refusal) -> None:
        """Say why, unless so many are being told already that their sockets would be all there are."""
        if self._refusing < self.bounds.refusing_max:
            self._refusing += 1
            try:
                await _tell(stream, refusal)
            finally:
                self._refusing -= 1

    async def _head(self, stream: trio.SocketStream) -> bytes | Refusal:
        """Read up to the empty line; give the place up to whoever comes later."""
        held = bytearray()
        with trio.move_on_after(self.bounds.head_s) as scope:
            if len(self._waiting) >= self.bounds.waiting_max:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest]
                oldest.cancel(reason="somebody else wants the place")
            self._waiting[scope] = None
            try:
                return await _read_head(stream, held)
            finally:
                self._waiting.pop(scope, None)
        # In a crowd a whole request may lie there that nobody had time to read.
        return _whole_head(stream, held) or (
            SLOW if trio.current_time() >= scope.deadline else CROWDED
        )

    @contextmanager
    def _counted(self, peer: str | None) -> Generator[int]:
        """Count another machine's connections; yield how many it has with this one, 0 of this machine."""
        if peer is None:
            yield 0
            return
        self._peers[peer] += 1
        try:
            yield self._peers[peer]
        finally:
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]

    def _note(self, reason: str, stream: trio.SocketStream) -> None:
        self.refused[reason] += 1
        now_s = trio.current_time()
        if now_s - self._told_s.get(reason, -_TELL_S) >= _TELL_S:
            self._told_s[reason] = now_s
            log.info(
                "request.refused",
                reason=reason,
                peer=_peer(stream) or "this machine",
                refused_so_far=self.refused[reason],
            )


async def _read_head(stream: trio.SocketStream, held: bytearray) -> bytes | Refusal:
    while not (end := heads.end_of(held)):
        if len(held) > HEAD_BYTES_MAX:
            return LONG
        chunk = await stream.receive_some(HEAD_BYTES_MAX)
        if not chunk:
            raise trio.BrokenResourceError("the peer went without asking")
        held += chunk
    return bytes(held[:end]) if end <= HEAD_BYTES_MAX else LONG


def _whole_head(stream: trio.SocketStream, held: bytearray) -> bytes | None:
    """Return a head that has arrived by now; None of a part of one."""
    try:
        held += os.read(stream.socket.fileno(), HEAD_BYTES_MAX)
    except OSError:
        return None
    end = heads.end_of(held)
    return bytes(held[:end]) if 0 < end <= HEAD_BYTES_MAX else None


async def _tell(stream: trio.SocketStream, refusal: Refusal) -> None:
    """Say why, and hear the peer out: a socket closed with bytes unread takes the reply back."""
    with trio.move_on_after(_LINGER_S):
        await stream.send_all(heads.answer(refusal))
        await stream.send_eof()
        left = _LINGER_BYTES
        while left > 0 and (chunk := await stream.receive_some(left)):
            left -= len(chunk)


def _peer(stream: trio.SocketStream) -> str | None:
    """Return another machine's address; None of this one."""
    try:
        host: str = stream.socket.getpeername()[0]
        return None if ip_address(host.partition("%")[0]).is_loopback else host
    except (OSError, ValueError):
        return None
