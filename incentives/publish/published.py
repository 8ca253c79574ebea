"""An epoch as it is published: what strangers get to see, and recompute.

Core. Amounts are MMT base units (1e-9); as text in JSON, because jq and browsers round above 2**53.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from incentives.manifests import Anchor
from programs.merkle import RewardTree


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRoot:
    """One root: its tree, and where it stands on chain."""

    account: str
    """Of the program, base58: it holds the root and the bitmap."""
    tree: RewardTree
    """Its epoch and index are the chain's."""
    posted: str | None
    """Signature of the transaction that posted it; None: not yet."""
    paid_leaves: int

    @property
    def is_paid(self) -> bool:
        """Whether every leaf is paid."""
        return self.paid_leaves == len(self.tree.rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEpoch:
    """One closed epoch of the ledger."""

    number: int
    start_slot: int
    end_slot: int
    """Exclusive."""
    emitted: int
    rolled_over: int
    """What earlier epochs left unspent."""
    allocated: int
    is_scaled: bool
    """More was claimed than the pot held: every claim was scaled down."""
    anchor: Anchor
    """What its roots' manifests name."""
    roots: tuple[PublishedRoot, ...]

    @property
    def pot(self) -> int:
        """What could be allocated."""
        return self.emitted + self.rolled_over

    @property
    def left(self) -> int:
        """What rolls over to the next epoch."""
        return self.pot - self.allocated

    @property
    def wallets(self) -> int:
        """How many are owed something."""
        return sum(len(root.tree.rewards) for root in self.roots)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """An epoch's line on the page of all epochs: no leaf is kept for it."""

    number: int
    start_slot: int
    end_slot: int
    emitted: int
    rolled_over: int
    allocated: int
    left: int
    wallets: int
    roots: tuple[str, ...]
    """Where each root stands, in words."""


def row_of(epoch: PublishedEpoch) -> EpochRow:
    """Return an epoch's line."""
    return EpochRow(
        number=epoch.number,
        start_slot=epoch.start_slot,
        end_slot=epoch.end_slot,
        emitted=epoch.emitted,
        rolled_over=epoch.rolled_over,
        allocated=epoch.allocated,
        left=epoch.left,
        wallets=epoch.wallets,
        roots=tuple(map(_standing, epoch.roots)),
    )


def _standing(root: PublishedRoot) -> str:
    if root.posted is None:
        return "not posted yet"
    return "paid" if root.is_paid else f"{root.paid_leaves} of {len(root.tree.rewards)} paid"


def leaf_rows(root: PublishedRoot) -> Iterator[str]:
    """Yield lines of CSV, a heading first."""
    yield "leaf,wallet,amount_base_units\n"
    for number, reward in enumerate(root.tree.rewards):
        yield f"{number},{reward.wallet},{reward.amount}\n"


def proof_rows(root: PublishedRoot) -> Iterator[str]:
    """Yield one object a line: a wallet's leaf, and the hashes from it up to the root."""
    for number, reward in enumerate(root.tree.rewards):
        path = [node.hex() for node in root.tree.path(number)]
        found = {"leaf": number, "wallet": str(reward.wallet), "amount": str(reward.amount)}
        yield json.dumps(found | {"path": path}) + "\n"
