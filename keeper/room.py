"""How many transactions of a lane may be in flight: places that are taken, given back, and changed in number."""

from dataclasses import dataclass

import trio


@dataclass(slots=True)
class Room:
    """A lane's places. Fewer than are taken takes none back: they go as they come free."""

    size: int
    _taken: int = 0

    @property
    def value(self) -> int:
        """How many are free."""
        return max(0, self.size - self._taken)

    def acquire_nowait(self) -> None:
        """Take one.

        Raises:
            trio.WouldBlock: none is free.
        """
        if not self.value:
            raise trio.WouldBlock
        self._taken += 1

    def release(self) -> None:
        """Give one back."""
        assert self._taken, "only a place that was taken is given back"
        self._taken -= 1

    def resize(self, size: int) -> None:
        """Have this many from now on."""
        self.size = size
