"""How late the event loop is: a sleeper that measures by how much it oversleeps.

Shell. Whatever keeps the loop to itself for longer than a nap is seen, less a nap at the most.
"""

from dataclasses import dataclass
from typing import Final

import trio

_NAP_S: Final = 0.05


@dataclass(slots=True)
class LoopLag:
    """The worst delay since it was last asked for."""

    _worst_s: float = 0.0
    _due_s: float | None = None

    async def measure(self) -> None:
        """Nap until cancelled."""
        while True:
            self._due_s = trio.current_time() + _NAP_S
            await trio.sleep(_NAP_S)
            self._worst_s = max(self._worst_s, trio.current_time() - self._due_s)

    def take_s(self) -> float:
        """Return the worst delay, and begin anew; a nap that should be over counts as far as it is late by now."""
        late_s = 0.0 if self._due_s is None else trio.current_time() - self._due_s
        worst_s, self._worst_s = max(self._worst_s, late_s, 0.0), 0.0
        return worst_s
