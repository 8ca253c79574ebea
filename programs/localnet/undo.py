"""What accounts held before: reads at confirmed and finalized, although LiteSVM keeps only the present.

Each slot keeps the first value that it overwrote of every account. The value at the end of slot s is then the
first one overwritten after s, or the present one if nothing was.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from solders.account import Account
from solders.pubkey import Pubkey

from programs.units import Slot


class UndoLog:
    """Overwritten account values of the slots that are not final yet."""

    def __init__(self, slot: Slot) -> None:
        self._layers: deque[tuple[Slot, dict[Pubkey, Account | None]]] = deque([(slot, {})])

    def open_slot(self, slot: Slot, oldest: Slot) -> None:
        """Start `slot` and forget what was overwritten before `oldest`."""
        self._layers.append((slot, {}))
        while self._layers[0][0] < oldest:
            self._layers.popleft()

    def unkept(
        self, addresses: Iterable[Pubkey], read: Callable[[Pubkey], Account | None]
    ) -> dict[Pubkey, Account | None]:
        """The present values of those `addresses` that the newest slot has not kept yet.

        Read them before a write, and `keep` them once the write has happened.
        """
        layer = self._layers[-1][1]
        return {address: read(address) for address in addresses if address not in layer}

    def keep(self, values: Mapping[Pubkey, Account | None]) -> None:
        """Keep values that the newest slot has overwritten."""
        self._layers[-1][1].update(values)

    def touched(self, slot: Slot) -> Mapping[Pubkey, Account | None]:
        """The accounts written in `slot` with their values before it; empty if it is forgotten."""
        first = self._layers[0][0]
        return self._layers[slot - first][1] if first <= slot <= self._layers[-1][0] else {}

    def overwritten_after(self, slot: Slot) -> dict[Pubkey, Account | None]:
        """Every account written after `slot`, with its value at the end of `slot`."""
        values: dict[Pubkey, Account | None] = {}
        for layer_slot, layer in reversed(self._layers):
            if layer_slot <= slot:
                break
            values.update(layer)
        return values

    def account_at(
        self, address: Pubkey, slot: Slot, read: Callable[[Pubkey], Account | None]
    ) -> Account | None:
        """The value of `address` at the end of `slot`; `read` gives the present one."""
        first = self._layers[0][0]
        for position in range(max(0, slot + 1 - first), len(self._layers)):
            layer = self._layers[position][1]
            if address in layer:
                return layer[address]
        return read(address)
