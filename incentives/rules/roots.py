"""The roots that the ledger owes: from a close until the program has paid every leaf.

Core. Each part of an epoch has at most 65_536 leaves, by wallet bytes; a root on chain is known when it is the one that our
leaves hash to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey

from incentives.lines import Allocation
from incentives.rules.accounts import address_of, name_of
from incentives.rules.season import root_place
from programs.merkle import LEAVES_MAX, Reward, build_tree
from programs.units import BaseUnits


@dataclass(slots=True)
class Root:
    """What one root pays, and how far it is."""

    epoch: int
    """The ledger's."""
    wallets: list[bytes]
    amounts: list[int]
    is_posted: bool = False
    paid: set[int] = field(default_factory=set)
    """Numbers of leaves."""

    def root_hash(self, chain_epoch: int, index: int) -> bytes:
        """Return the root that these leaves have at a place of the program's."""
        rewards = [
            Reward(wallet=Pubkey.from_bytes(wallet), amount=BaseUnits(amount))
            for wallet, amount in zip(self.wallets, self.amounts, strict=True)
        ]
        return build_tree(chain_epoch, index, rewards).root

    def pays(self, leaf: int, wallet: bytes, amount: int) -> bool:
        """Say whether this root stands on chain and still owes exactly this leaf."""
        return (
            self.is_posted
            and leaf < len(self.wallets)
            and leaf not in self.paid
            and (self.wallets[leaf], self.amounts[leaf]) == (wallet, amount)
        )


def parts_of(allocations: Iterable[Allocation]) -> list[list[Allocation]]:
    """Return the leaves of an epoch's roots: allocations above zero, in their order, 65_536 to a root."""
    leaves = [allocation for allocation in allocations if allocation.amount]
    return [leaves[i : i + LEAVES_MAX] for i in range(0, len(leaves), LEAVES_MAX)]


@dataclass(slots=True)
class RootBook:
    """Roots not paid in full, by the program's epoch and index."""

    _owed: dict[tuple[int, int], Root] = field(default_factory=dict)

    def owe(self, epoch: int, epoch_slots: int, allocations: Iterable[Allocation]) -> None:
        """Take in what a close allocated."""
        for part, leaves in enumerate(parts_of(allocations)):
            wallets = [address_of(leaf.wallet) for leaf in leaves]
            root = Root(epoch, wallets, [leaf.amount for leaf in leaves])
            self._owed[root_place(epoch, part, epoch_slots)] = root

    def find(self, chain_epoch: int, index: int) -> Root | None:
        """Return what is owed under a root; None where nothing is, or everything is paid."""
        return self._owed.get((chain_epoch, index))

    def pay(self, chain_epoch: int, index: int, leaf: int) -> None:
        """Note that a leaf is paid, and forget the root with its last one."""
        root = self._owed[chain_epoch, index]
        root.paid.add(leaf)
        if len(root.paid) == len(root.wallets):
            del self._owed[chain_epoch, index]

    def to_state(self) -> list[Any]:
        """Return what a snapshot keeps."""
        return [
            [
                *place,
                root.epoch,
                root.is_posted,
                [[name_of(w), str(a)] for w, a in zip(root.wallets, root.amounts, strict=True)],
                sorted(root.paid),
            ]
            for place, root in sorted(self._owed.items(), key=lambda item: item[0])
        ]

    @classmethod
    def from_state(cls, state: list[Any]) -> "RootBook":
        """Restore what `to_state` returned."""
        book = cls()
        for chain_epoch, index, epoch, is_posted, leaves, paid in state:
            wallets = [address_of(name) for name, _ in leaves]
            amounts = [int(amount) for _, amount in leaves]
            book._owed[chain_epoch, index] = Root(epoch, wallets, amounts, is_posted, set(paid))
        return book
