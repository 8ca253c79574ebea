"""Who follows the venue's stream: a bounded queue of frames each, and the door that an outage closes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import trio

from keeper.sandbox.venue.content import Frame

_QUEUED_FRAMES_MAX = 4_096
"""A subscriber this far behind is disconnected, as at the real venue."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """One open socket."""

    outbox: trio.MemorySendChannel[str]
    token_ids: set[str] = field(default_factory=set)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Cancelled to close the socket."""


class Subscribers:
    """Every open socket of the stream."""

    def __init__(self) -> None:
        self._open: set[Subscriber] = set()
        self._left = trio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def join(self) -> tuple[Subscriber, trio.MemoryReceiveChannel[str]]:
        """Add a socket; it receives nothing until it has tokens."""
        send, receive = trio.open_memory_channel[str](_QUEUED_FRAMES_MAX)
        subscriber = Subscriber(outbox=send)
        self._open.add(subscriber)
        return subscriber, receive

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a socket."""
        self._open.discard(subscriber)
        self._left.set()
        self._left = trio.Event()

    async def wait_empty(self) -> None:
        """Wait until no socket is open."""
        await trio.lowlevel.checkpoint()
        while self._open:
            await self._left.wait()

    def publish(self, frames: Iterable[Frame]) -> None:
        """Queue frames for the sockets that follow one of their tokens; a full queue closes its socket."""
        for frame in frames:
            followers = [one for one in self._open if one.token_ids & frame.token_ids]
            if followers:
                text = json.dumps(frame.body, separators=(",", ":"))
                for follower in followers:
                    send_or_close(follower, text)

    def broadcast(self, text: str) -> None:
        """Queue one text for every socket, whatever it follows."""
        for subscriber in self._open:
            send_or_close(subscriber, text)

    def close_all(self) -> None:
        """Cut every socket."""
        for subscriber in self._open:
            subscriber.scope.cancel(reason="the venue cut its stream")


def send_or_close(subscriber: Subscriber, text: str) -> None:
    """Queue one text; a subscriber whose queue is full is cut off, one that is leaving is passed over."""
    try:
        subscriber.outbox.send_nowait(text)
    except trio.WouldBlock:
        subscriber.scope.cancel(reason="the subscriber is too far behind")
    except trio.BrokenResourceError:
        pass  # its socket has ended and is being closed: it leaves in a moment
