"""One connection through a proxy, and what becomes of its bytes on the way.

Shell, over any two trio streams: sockets for drills in real time, memory for those on the virtual clock.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import trio

from keeper.drills.faults import Blackhole, Cut, Drip, Garbage, Latency, Refuse, Wire
from keeper.sandbox.venue.draws import draw_below

_CHUNK_BYTES: Final = 65_536
_DRIPS_PER_S: Final = 20
_ON_THE_WAY: Final = 1_024
"""Chunks that may be under way in one direction before the sender has to wait."""
_BROKEN: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


@dataclass(slots=True, eq=False)
class WireState:
    """What a family's connections suffer now; shared by all of them, read at every chunk."""

    wires: tuple[Wire, ...] = ()
    share_percent: int = 100
    connections: int = 0
    """Taken since the start."""
    changed: trio.Event = field(default_factory=trio.Event)
    _open: set["_Connection"] = field(default_factory=set)

    def set(self, wires: tuple[Wire, ...], share_percent: int) -> None:
        """Change what they suffer; refused and garbled connections break at once."""
        self.wires, self.share_percent = wires, share_percent
        self.changed.set()
        self.changed = trio.Event()
        for connection in tuple(self._open):
            connection.replied_bytes = 0
            if any(
                isinstance(wire, Refuse | Garbage) for wire in self._suffered(connection.number)
            ):
                connection.is_reset = True
                connection.scope.cancel(reason="the drill cut it")

    def _suffered(self, number: int) -> tuple[Wire, ...]:
        is_spared = draw_below(100, number, "wire") >= self.share_percent
        return () if is_spared else self.wires

    @property
    def is_refusing(self) -> bool:
        """Whether nobody listens."""
        return self.share_percent == 100 and any(isinstance(wire, Refuse) for wire in self.wires)  # noqa: PLR2004 - all of them


@dataclass(slots=True, eq=False)
class _Connection:
    number: int
    state: WireState
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    replied_bytes: int = 0
    """Since the wires changed last."""
    is_reset: bool = False

    @property
    def wires(self) -> tuple[Wire, ...]:
        return self.state._suffered(self.number)  # noqa: SLF001 - of this file

    def delay_s(self) -> float:
        return sum(wire.delay_s for wire in self.wires if isinstance(wire, Latency))

    def bytes_per_s(self) -> float:
        return min(
            (wire.bytes_per_s for wire in self.wires if isinstance(wire, Drip)), default=math.inf
        )

    async def wait_open(self) -> None:
        """Wait while a black hole swallows everything."""
        while any(isinstance(wire, Blackhole) for wire in self.wires):
            await self.state.changed.wait()


async def conduct(client: trio.abc.Stream, server: trio.abc.Stream, state: WireState) -> bool:
    """Carry bytes both ways until either side ends or a fault does; the caller closes both streams.

    Returns:
        Whether the client should see a reset rather than an orderly end.
    """
    state.connections += 1
    connection = _Connection(number=state.connections, state=state)
    state._open.add(connection)  # noqa: SLF001 - of this file
    try:
        with connection.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_carry, client, server, connection, False)  # noqa: FBT003 - a direction
                await _carry(server, client, connection, True)  # noqa: FBT003
                nursery.cancel_scope.cancel(reason="one side ended")
    finally:
        state._open.discard(connection)  # noqa: SLF001
    return connection.is_reset


async def _carry(
    source: trio.abc.ReceiveStream,
    sink: trio.abc.SendStream,
    connection: _Connection,
    is_reply: bool,  # noqa: FBT001 - a direction
) -> None:
    """Carry one direction: a delay line, so that latency does not become a lack of bandwidth."""
    send, receive = trio.open_memory_channel[tuple[float, bytes]](_ON_THE_WAY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_deliver, receive, sink, connection, is_reply)
        with send:
            try:
                while chunk := await source.receive_some(_CHUNK_BYTES):
                    await send.send((trio.current_time() + connection.delay_s(), bytes(chunk)))
            except _BROKEN:
                pass
    if not is_reply:
        connection.scope.cancel(reason="the client left")


async def _deliver(
    chunks: trio.MemoryReceiveChannel[tuple[float, bytes]],
    sink: trio.abc.SendStream,
    connection: _Connection,
    is_reply: bool,  # noqa: FBT001 - a direction
) -> None:
    with chunks:
        async for due_s, chunk in chunks:
            await trio.sleep_until(due_s)
            await connection.wait_open()
            try:
                if not is_reply:
                    await sink.send_all(chunk)
                elif not await _reply(sink, chunk, connection):
                    connection.scope.cancel(reason="the drill cut it")
            except _BROKEN:
                connection.scope.cancel(reason="the other side left")


async def _reply(sink: trio.abc.SendStream, chunk: bytes, connection: _Connection) -> bool:
    """Send a part of a reply as the wires allow; False ends the connection."""
    for wire in connection.wires:
        if isinstance(wire, Garbage):
            await sink.send_all(wire.data)
            return False
        if isinstance(wire, Cut):
            left = max(wire.after_bytes - connection.replied_bytes, 0)
            if len(chunk) >= left:
                connection.is_reset = wire.is_reset
                if left:
                    await sink.send_all(chunk[:left])
                return False
    connection.replied_bytes += len(chunk)
    await _send_slowly(sink, chunk, connection)
    return True


async def _send_slowly(sink: trio.abc.SendStream, chunk: bytes, connection: _Connection) -> None:
    at = 0
    while at < len(chunk):
        rate = connection.bytes_per_s()
        if math.isinf(rate):
            await sink.send_all(chunk[at:])
            return
        size = max(int(rate) // _DRIPS_PER_S, 1)
        await sink.send_all(chunk[at : at + size])
        at += size
        await trio.sleep(size / rate)
