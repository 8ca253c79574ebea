"""One value, the newest wins: how news travels between tasks.

An old snapshot delivered late is worse than none, so nothing queues: a reader waits for anything newer than what it has
seen, and gets the present.
"""

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Newest(Generic[T]):
    """The newest value published, if any."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._sequence = 0
        self._changed = trio.Event()

    @property
    def sequence(self) -> int:
        """Grow by one with every value."""
        return self._sequence

    def publish(self, value: T) -> None:
        """Replace the value and wake every reader."""
        self._value = value
        self._sequence += 1
        self._changed.set()
        self._changed = trio.Event()

    def get(self) -> T | None:
        """Return the newest value; None before the first."""
        return self._value

    async def wait_newer(self, sequence: int) -> tuple[int, T]:
        """Wait for a value published after `sequence`; return its sequence and the value."""
        await trio.lowlevel.checkpoint()
        while self._sequence <= sequence:
            await self._changed.wait()
        assert self._value is not None
        return self._sequence, self._value
