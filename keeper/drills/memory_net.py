"""TCP inside one trio loop: trio's own extension points, so that no client and no server knows of it.

Shell. `MemoryNet` makes the sockets and resolves the names of a whole loop; httpx, h11, wsproto and hypercorn run over it
unchanged and exchange the same bytes. A virtual clock sees every wait, because nothing waits for the operating system.
"""

import errno
import os
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from socket import AddressFamily, SocketKind
from typing import Final

import trio

from keeper.drills.memory_socket import Address, Backlog, MemorySocket, descriptor_numbers

_FIRST_FREE_PORT: Final = 32_768
_LAST_FREE_PORT: Final = 60_999
"""What port 0 is given from. Source: Linux, ip_local_port_range."""
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


class MemoryNet(trio.abc.SocketFactory, trio.abc.HostnameResolver):
    """A machine's loopback, and the names it knows. Every numeric address is this machine."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {"localhost": "127.0.0.1"}
        """Host name -> numeric address; any other name does not exist."""
        self.descriptors: Iterator[int] = descriptor_numbers()
        self._bound: dict[int, list[MemorySocket]] = {}
        """Port -> who has it, at one address or another."""
        self._next_port = _FIRST_FREE_PORT

    @contextmanager
    def plugged_in(self) -> Generator[None]:
        """Make every new socket and look-up of the running loop this network's, until the block ends."""
        factory = trio.socket.set_custom_socket_factory(self)
        resolver = trio.socket.set_custom_hostname_resolver(self)
        try:
            yield
        finally:
            trio.socket.set_custom_socket_factory(factory)
            trio.socket.set_custom_hostname_resolver(resolver)

    @property
    def bound(self) -> int:
        """How many sockets hold an address: listeners, and clients that are not closed."""
        return sum(len(holders) for holders in self._bound.values())

    # What trio asks of a factory and a resolver

    def socket(
        self,
        family: AddressFamily | int = socket.AF_INET,
        type: SocketKind | int = socket.SOCK_STREAM,  # noqa: A002 - trio's name
        proto: int = 0,
    ) -> trio.socket.SocketType:
        """Make a TCP socket."""
        if family not in {socket.AF_INET, socket.AF_INET6} or type != socket.SOCK_STREAM:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return MemorySocket(self, family, proto)

    async def getaddrinfo(  # type: ignore[override]  # trio spells out two exact tuples that nothing builds
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - trio's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[AddressFamily, SocketKind, int, str, Address]]:
        """Look a name up.

        Raises:
            socket.gaierror: it does not exist.
        """
        await trio.lowlevel.checkpoint()
        found = None if host is None else self.names.get(host.decode("ascii").lower())
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        numeric = flags | socket.AI_NUMERICHOST
        return [*socket.getaddrinfo(found, port, family, type, proto, numeric)]

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int
    ) -> tuple[str, str]:
        """Name an address by itself: there are no reverse names here."""
        await trio.lowlevel.checkpoint()
        return socket.getnameinfo(sockaddr, flags | socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)

    # What sockets ask of their network

    def bind(self, one: MemorySocket, address: Address) -> Address:
        """Give a socket an address of its own; port 0 takes the next free port.

        Raises:
            OSError: EADDRINUSE.
        """
        host, port, *rest = address
        if port == 0:
            port = self._free_port()
        elif any(_is_in_the_way(holder, one, host) for holder in self._bound.get(port, ())):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._bound.setdefault(port, []).append(one)
        return (host, port, *rest)

    def free(self, one: MemorySocket, address: Address) -> None:
        """Take an address back; one that was never given does no harm."""
        holders = self._bound.get(address[1], [])
        if one in holders:
            holders.remove(one)
            if not holders:
                del self._bound[address[1]]

    def find_backlog(self, family: int, address: Address) -> Backlog | None:
        """Return where connections to an address wait; None when nobody listens there."""
        host, port, *_ = address
        for holder in self._bound.get(port, ()):
            is_there = holder.family == family and _overlap(host, holder.getsockname()[0])
            if is_there and holder.backlog is not None:
                return holder.backlog
        return None

    def _free_port(self) -> int:
        while self._next_port in self._bound:
            self._advance()
        found = self._next_port
        self._advance()
        return found

    def _advance(self) -> None:
        is_last = self._next_port == _LAST_FREE_PORT
        self._next_port = _FIRST_FREE_PORT if is_last else self._next_port + 1


def _is_in_the_way(holder: MemorySocket, one: MemorySocket, host: str) -> bool:
    option = (socket.SOL_SOCKET, socket.SO_REUSEPORT)
    if holder.getsockopt(*option) and one.getsockopt(*option):
        return False
    return _overlap(host, holder.getsockname()[0])


def _overlap(first: str, second: str) -> bool:
    return first == second or not _EVERYWHERE.isdisjoint((first, second))
