"""How a keeper dies in a loop it shares with the world: at once, wherever it stands, and nothing of it acts again.

Shell.
"""

from dataclasses import dataclass, field
from typing import Protocol

import trio
from solders.signature import Signature

from bench.schedules.schedule import Death, Mortal


class Witness(Protocol):
    """Who is told of what leaves the keeper."""

    def note_told(self, signature: Signature, *, is_known: bool) -> None:
        """Take down what a node just said of a signature."""
        ...

    def note_sent(self, signature: Signature) -> None:
        """Take note of bytes that reached a node."""
        ...


@dataclass(slots=True, kw_only=True)
class Executioner:
    """Ends the present life at the place that was decided for it."""

    world: Witness
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _death: Death | None = None
    _left: int = 0

    def attend(self, death: Death | None) -> trio.CancelScope:
        """Begin a life; return the scope it has to be lived in."""
        self.scope = trio.CancelScope()
        self._death, self._left = death, 0 if death is None else death.times
        return self.scope

    async def reach(self, where: Mortal) -> None:
        """Pass a place, or end there: a process killed with -9 runs no line after it."""
        if self._death is not None and self._death.where is where is not Mortal.IN_TIME:
            self._left -= 1
            if self._left <= 0:
                self.scope.cancel(reason="killed")
        if self.scope.cancel_called:
            await trio.sleep_forever()
