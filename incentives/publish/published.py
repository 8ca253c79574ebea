"""An epoch as it is published: what strangers get to see, and recompute.

Core. Amounts are MMT base units (1e-9); as text in JSON, because jq and browsers round above 2**53.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from programs.merkle import RewardTree


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRoot:
    """One root: its tree, and where it stands on chain."""

    program: str
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
    head: str
    """Hash of the ledger's last line at the close, hex."""
    formula_version: int
    rules_version: int
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


def root_json(epoch: PublishedEpoch, root: PublishedRoot) -> str:
    """Write a root with its leaves: what check.py reads, and a manifest that a keeper pays from."""
    tree = root.tree
    head = {
        "program": root.program,
        "account": root.account,
        "epoch": tree.epoch,
        "index": tree.index,
        "root": tree.root.hex(),
        "count": len(tree.rewards),
        "total": str(tree.total),
        "ledger_epoch": epoch.number,
        "ledger_head": epoch.head,
        "formula_version": epoch.formula_version,
        "rules_version": epoch.rules_version,
    }
    leaves = ",\n".join(json.dumps([str(each.wallet), each.amount]) for each in tree.rewards)
    return f'{json.dumps(head, indent=1)[:-2]},\n "leaves": [\n{leaves}\n ]\n}}\n'


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
