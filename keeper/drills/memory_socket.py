"""One end of an in-memory TCP connection, or a listener: what `MemoryNet` hands to trio instead of a socket.

Shell. It behaves as Linux's loopback does where a stream or a server can tell: bytes arrive in order and are bounded on
their way, an end is read after what came before it, and a peer that closes with bytes unread resets the connection. A
shared suite runs the same checks against real sockets. Nothing takes time: what is sent has arrived.
"""

import errno
import itertools
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self

import trio

if TYPE_CHECKING:
    from typing_extensions import Buffer

BUFFER_BYTES: Final = 256 << 10
"""On their way from one end to the other; a sender waits for room beyond them. Loopback grows to a few of these."""
_WHOLE_NUMBER: Final = struct.Struct("i")
_LINGER: Final = struct.Struct("ii")

Address = tuple[Any, ...]
"""(host, port), or (host, port, flow info, scope id)."""


class Wiring(Protocol):
    """What a socket needs of the network it is plugged into."""

    descriptors: Iterator[int]
    """Numbers no other socket of the network has."""

    def bind(self, one: "MemorySocket", address: Address) -> Address:
        """Give a socket an address of its own, a free port for port 0."""
        ...

    def free(self, one: "MemorySocket", address: Address) -> None:
        """Take back an address; a socket that was accepted never had one of its own."""
        ...

    def find_backlog(self, family: int, address: Address) -> "Backlog | None":
        """Return where connections to an address wait; None when nobody listens there."""
        ...


@dataclass(slots=True, eq=False)
class Backlog:
    """Connections that nobody has accepted yet."""

    most: int
    waiting: "deque[MemorySocket]" = field(default_factory=deque)
    news: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    """Where accepters wait."""
    room: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    """Where who connects waits when there are too many."""


@dataclass(slots=True, eq=False)
class _End:
    """What one end of a connection knows; the other end writes here."""

    received: bytearray = field(default_factory=bytearray)
    is_closed: bool = False
    is_ended: bool = False
    """The peer will send nothing more."""
    is_cut: bool = False
    """A reset came: nothing goes either way."""
    error: int | None = None
    """What the reset is told as, once, by the next call."""
    news: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    """Where our readers wait."""
    room: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    """Where the peer's senders wait until we took something in."""

    def take(self, data: memoryview) -> None:
        self.received += data
        self.news.unpark_all()

    def end(self) -> None:
        self.is_ended = True
        self.news.unpark_all()

    def cut(self) -> None:
        """Take note of a reset: what has arrived can still be read, then the error, then nothing."""
        self.error = errno.EPIPE if self.is_ended else errno.ECONNRESET
        self.is_cut = self.is_ended = True
        self.news.unpark_all()

    def raise_error(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            _refuse(error)


class MemorySocket(trio.socket.SocketType):
    """A TCP socket without an operating system."""

    def __init__(self, wiring: Wiring, family: int, proto: int) -> None:
        super().__init__()
        self._wiring = wiring
        self._family = socket.AddressFamily(family)
        self._proto = proto
        self._descriptor = next(wiring.descriptors)
        self._options: dict[tuple[int, int], bytes] = {}
        self._address: Address | None = None
        self._peer_address: Address | None = None
        self._own = _End()
        self._peer: _End | None = None
        self._is_finished = False
        """We shall send nothing more."""
        self.backlog: Backlog | None = None
        """Of a listener; None of any other socket."""

    @classmethod
    def connected(
        cls,
        wiring: Wiring,
        family: int,
        proto: int,
        ends: tuple[_End, _End],
        addresses: tuple[Address, Address],
    ) -> Self:
        """Make the end that a listener accepts.

        Args:
            ends: its own, then its peer's; `addresses` likewise.
        """
        made = cls(wiring, family, proto)
        made._own, made._peer = ends
        made._address, made._peer_address = addresses
        return made

    # What it is

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return self._family

    @property
    def type(self) -> socket.SocketKind:
        """SOCK_STREAM."""
        return socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        """As it was made with."""
        return self._proto

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802 - trio's name
        """Whether an end was sent."""
        return self._is_finished

    def fileno(self) -> int:
        """Return a number that no system call knows; -1 once closed."""
        return -1 if self._own.is_closed else self._descriptor

    def getsockname(self) -> Address:
        """Return our address."""
        self._check_open()
        return self._address or _nowhere(self._family)

    def getpeername(self) -> Address:
        """Return the other end's address."""
        self._check_open()
        if self._peer_address is None:
            _refuse(errno.ENOTCONN)
        return self._peer_address

    def is_readable(self) -> bool:
        """Tell whether a read, or an accept, would return at once."""
        if self.backlog is not None:
            return bool(self.backlog.waiting)
        return bool(self._own.received) or self._own.is_ended

    def __repr__(self) -> str:
        return f"<MemorySocket {self._address} to {self._peer_address}>"

    # Options

    # trio declares overloads; there is one body for all of them.
    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> Any:  # noqa: ANN401 - int or bytes, by what is asked
        """Return an option as it was set, 0 if it never was."""
        self._check_open()
        if (level, optname) == (socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            value = _WHOLE_NUMBER.pack(self.backlog is not None)
        else:
            value = self._options.get((level, optname), bytes(_WHOLE_NUMBER.size))
        return _WHOLE_NUMBER.unpack(value[:4])[0] if buflen is None else value[:buflen]

    def setsockopt(
        self, level: int, optname: int, value: "int | Buffer | None", optlen: int | None = None
    ) -> None:
        """Remember an option; of all of them only SO_LINGER changes anything."""
        self._check_open()
        if value is None:
            kept = bytes(optlen or 0)
        else:
            kept = _WHOLE_NUMBER.pack(value) if isinstance(value, int) else bytes(value)
        self._options[level, optname] = kept

    # Listening and connecting

    async def bind(self, address: Address) -> None:
        """Take an address."""
        self._check_open()
        await trio.lowlevel.checkpoint()
        self._address = self._wiring.bind(self, address)

    def listen(self, backlog: int = 128) -> None:
        """Let others connect; beyond `backlog` of them that nobody accepted they wait."""
        self._check_open()
        if self._address is None:
            self._address = self._wiring.bind(self, _nowhere(self._family))
        if self.backlog is None:
            self.backlog = Backlog(max(backlog, 1))

    async def accept(self) -> tuple[trio.socket.SocketType, Address]:
        """Wait for a connection and return our end of it."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        if self.backlog is None:
            _refuse(errno.EINVAL)
        while not self.backlog.waiting:
            await self.backlog.news.park()
            self._check_not_closed_meanwhile()
        accepted = self.backlog.waiting.popleft()
        self.backlog.room.unpark()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return accepted, accepted.getpeername()

    async def connect(self, address: Address) -> None:
        """Connect to whoever listens at an address.

        Raises:
            ConnectionRefusedError: nobody does.
        """
        await trio.lowlevel.checkpoint()
        self._check_open()
        if self._peer is not None:
            _refuse(errno.EISCONN)
        while True:
            backlog = self._wiring.find_backlog(self._family, address)
            if backlog is None:
                _refuse(errno.ECONNREFUSED)
            if len(backlog.waiting) < backlog.most:
                break
            await backlog.room.park()
            self._check_not_closed_meanwhile()
        if self._address is None:
            self._address = self._wiring.bind(self, (address[0], 0, *address[2:]))
        self._peer_address, self._peer = address, _End()
        other = MemorySocket.connected(
            self._wiring,
            self._family,
            self._proto,
            (self._peer, self._own),
            (address, self._address),
        )
        backlog.waiting.append(other)
        backlog.news.unpark()

    # Bytes

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Wait for bytes; b"" at the end of them.

        Raises:
            ConnectionResetError: the other end broke the connection.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_plain(flags)
        received = self._own.received
        if not received:
            await self._wait_news()
        taken = bytes(received[:buflen])
        del received[:buflen]
        self._own.room.unpark_all()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return taken

    async def recv_into(self, buffer: "Buffer", nbytes: int = 0, flags: int = 0) -> int:
        """Wait for bytes and put them into a buffer; returns how many, 0 at the end."""
        with memoryview(buffer).cast("B") as target:
            taken = await self.recv(nbytes or len(target), flags)
            target[: len(taken)] = taken
        return len(taken)

    async def send(self, data: "Buffer", flags: int = 0, /) -> int:
        """Send as much as there is room for, waiting for some; returns how much.

        Raises:
            BrokenPipeError, ConnectionResetError: the other end is gone.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_plain(flags)
        with memoryview(data).cast("B") as view:
            peer, room = await self._wait_room()
            sent = min(room, len(view))
            if not peer.is_closed:
                peer.take(view[:sent])
            elif sent:
                # As with a kernel: the bytes leave, and what comes back is a reset.
                self._own.cut()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return sent

    async def wait_writable(self) -> None:
        """Wait until a send would not wait."""
        await trio.lowlevel.checkpoint()
        self._check_open()
        if not self._own.is_cut and not self._is_finished:
            await self._wait_room()

    def shutdown(self, flag: int) -> None:
        """Send an end, or stop reading."""
        self._check_open()
        if self._peer is None or self._own.is_cut:
            _refuse(errno.ENOTCONN)
        if flag in {socket.SHUT_WR, socket.SHUT_RDWR} and not self._is_finished:
            self._is_finished = True
            self._peer.end()
        if flag in {socket.SHUT_RD, socket.SHUT_RDWR}:
            self._own.end()

    def close(self) -> None:
        """Close: an end for the peer, or a reset when it sent what was not read or SO_LINGER is 0."""
        own, peer = self._own, self._peer
        if own.is_closed:
            return
        is_reset = bool(own.received) or self._has_no_linger()
        own.is_closed = True
        if self._address is not None:
            self._wiring.free(self, self._address)
        if self.backlog is not None:
            for waiting in self.backlog.waiting:
                waiting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.pack(1, 0))
                waiting.close()
            self.backlog.news.unpark_all()
            self.backlog.room.unpark_all()
        if peer is not None:
            if not is_reset:
                peer.end()
            elif not peer.is_cut:
                peer.cut()
            peer.room.unpark_all()  # our own senders
        own.received.clear()
        own.news.unpark_all()
        own.room.unpark_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Parts

    async def _wait_news(self) -> None:
        own = self._own
        while not own.received:
            own.raise_error()
            if own.is_ended:
                return
            if self._peer is None:
                _refuse(errno.ENOTCONN)
            await own.news.park()
            self._check_not_closed_meanwhile()

    async def _wait_room(self) -> tuple[_End, int]:
        """Return the peer, and how many bytes may be sent to it now, at least 1."""
        while True:
            self._own.raise_error()
            if self._is_finished or self._own.is_cut:
                _refuse(errno.EPIPE)
            if self._peer is None:
                _refuse(errno.ENOTCONN)
            room = BUFFER_BYTES - len(self._peer.received)
            if room > 0:  # nobody reads at a closed peer, and nothing is kept there
                return self._peer, room
            await self._peer.room.park()
            self._check_not_closed_meanwhile()

    def _has_no_linger(self) -> bool:
        value = self._options.get((socket.SOL_SOCKET, socket.SO_LINGER), b"")
        return len(value) == _LINGER.size and _LINGER.unpack(value) == (1, 0)

    def _check_open(self) -> None:
        if self._own.is_closed:
            _refuse(errno.EBADF)

    def _check_not_closed_meanwhile(self) -> None:
        if self._own.is_closed:
            raise trio.ClosedResourceError("another task closed this socket")

    def _check_plain(self, flags: int) -> None:
        self._check_open()
        if flags:
            _refuse(errno.EOPNOTSUPP)


def _nowhere(family: int) -> Address:
    return ("0.0.0.0", 0) if family == socket.AF_INET else ("::", 0, 0, 0)  # noqa: S104 - the name of no address


def _refuse(number: int) -> NoReturn:
    """Raise what the system call would."""
    raise OSError(number, os.strerror(number))


def descriptor_numbers() -> Iterator[int]:
    """Count where no process has its descriptors, so that a mistaken system call fails."""
    return itertools.count(1 << 20)
