"""The roots that the ledger owes: from a close until the program has paid every leaf.

Core. Each part of an epoch has at most 65_536 leaves, by wallet bytes; a root on chain is known when it is the one that our
leaves hash to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey

from incentives.lines import Allocation
from incentives.roots import RootPlace, parts_of, place_of
from incentives.rules.accounts import address_of, name_of
from programs.merkle import Reward, build_tree
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

    def root_hash(self, place: RootPlace) -> bytes:
        """Return the root that these leaves have at a place on chain."""
        rewards = [
            Reward(wallet=Pubkey.from_bytes(wallet), amount=BaseUnits(amount))
            for wallet, amount in zip(self.wallets, self.amounts, strict=True)
        ]
        return build_tree(place.epoch, place.index, rewards).root

    def pays(self, leaf: int, wallet: bytes, amount: int) -> bool:
        """Say whether this root stands on chain and still owes exactly this leaf."""
        return (
            self.is_posted
            and leaf < len(self.wallets)
            and leaf not in self.paid
            and (self.wallets[leaf], self.amounts[leaf]) == (wallet, amount)
        )


@dataclass(slots=True)
class RootBook:
    """Roots not paid in full, by the program's epoch and index."""

    _owed: dict[RootPlace, Root] = field(default_factory=dict)

    def owe(self, epoch: int, epoch_slots: int, allocations: Iterable[Allocation]) -> None:
        """Take in what a close allocated."""
        for part, leaves in enumerate(parts_of(allocations)):
            wallets = [address_of(leaf.wallet) for leaf in leaves]
            root = Root(epoch, wallets, [leaf.amount for leaf in leaves])
            self._owed[place_of(epoch, part, epoch_slots)] = root

    def find(self, place: RootPlace) -> Root | None:
        """Return what is owed under a root; None where nothing is, or everything is paid."""
        return self._owed.get(place)

    def pay(self, place: RootPlace, leaf: int) -> None:
        """Note that a leaf is paid, and forget the root with its last one."""
        root = self._owed[place]
        root.paid.add(leaf)
        if len(root.paid) == len(root.wallets):
            del self._owed[place]

    def to_state(self) -> list[Any]:
        """Return what a snapshot keeps."""
        return [
            [
                place.epoch,
                place.index,
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
            book._owed[RootPlace(chain_epoch, index)] = Root(
                epoch, wallets, amounts, is_posted, set(paid)
            )
        return book
