"""What accounts held before: reads at confirmed and finalized, although LiteSVM keeps only the present.

Each block keeps the first value that it overwrote of every account. The value at the end of block b is then the
first one overwritten after b, or the present one if nothing was. The same values take blocks back.

Blocks go by their height here: a height has a block whatever slots were passed over.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from solders.account import Account
from solders.pubkey import Pubkey

from programs.units import BlockHeight


class UndoLog:
    """Overwritten account values of the blocks that may still be read or taken back."""

    def __init__(self, height: BlockHeight) -> None:
        self._layers: deque[tuple[BlockHeight, dict[Pubkey, Account | None]]] = deque(
            [(height, {})]
        )

    def open_block(self, height: BlockHeight, oldest: BlockHeight) -> None:
        """Start the block of `height` and forget what was overwritten before `oldest`."""
        self._layers.append((height, {}))
        while self._layers[0][0] < oldest:
            self._layers.popleft()

    def unkept(
        self, addresses: Iterable[Pubkey], read: Callable[[Pubkey], Account | None]
    ) -> dict[Pubkey, Account | None]:
        """The present values of those `addresses` that the newest block has not kept yet.

        Read them before a write, and `keep` them once the write has happened.
        """
        layer = self._layers[-1][1]
        return {address: read(address) for address in addresses if address not in layer}

    def keep(self, values: Mapping[Pubkey, Account | None]) -> None:
        """Keep values that the newest block has overwritten."""
        self._layers[-1][1].update(values)

    def touched(self, height: BlockHeight) -> Mapping[Pubkey, Account | None]:
        """The accounts written in a block with their values before it; empty if it is forgotten."""
        first = self._layers[0][0]
        return self._layers[height - first][1] if first <= height <= self._layers[-1][0] else {}

    def take_back(self, height: BlockHeight) -> dict[Pubkey, Account | None]:
        """Forget every block after `height`; returns the values to restore."""
        values = self.overwritten_after(height)
        while self._layers[-1][0] > height:
            self._layers.pop()
        return values

    def overwritten_after(self, height: BlockHeight) -> dict[Pubkey, Account | None]:
        """Every account written after `height`, with its value at the end of that block."""
        values: dict[Pubkey, Account | None] = {}
        for layer_height, layer in reversed(self._layers):
            if layer_height <= height:
                break
            values.update(layer)
        return values

    def account_at(
        self, address: Pubkey, height: BlockHeight, read: Callable[[Pubkey], Account | None]
    ) -> Account | None:
        """The value of `address` at the end of a block; `read` gives the present one."""
        first = self._layers[0][0]
        for position in range(max(0, height + 1 - first), len(self._layers)):
            layer = self._layers[position][1]
            if address in layer:
                return layer[address]
        return read(address)
