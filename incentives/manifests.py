"""A root as a file: what the keeper posts and pays from, what a wallet proves its reward with, what strangers check.

Core. One JSON object, its leaves last, so that what it is about can be read without them:

    epoch, index        where on chain the root belongs (roots.py)
    root, count, total  of the tree; the total as text, for it may pass 2**53
    leaves              [[wallet, base units], ...] in the order of the tree
    genesis_hash, program, account   the chain, the program and the account: a manifest is posted there and nowhere else
    ledger_epoch, ledger_head, formula_version, rules_version   the close in the ledger that it follows from

The same close always makes the same bytes.
"""

import json
from dataclasses import dataclass

from solders.pubkey import Pubkey

from incentives.lines import EpochClose
from incentives.roots import roots_of
from programs.addresses import epoch_address
from programs.merkle import RewardTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What of the ledger, and of the chain it reads, a manifest names."""

    genesis_hash: str
    """Of the cluster, base58."""
    program: Pubkey
    head: str
    """Hash of the ledger's last line at the close, hex."""
    formula_version: int
    rules_version: int


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One manifest, written."""

    name: str
    """Of the file: which chain, which epoch, which part."""
    text: str


def manifest_files(close: EpochClose, anchor: Anchor, epoch_slots: int) -> tuple[ManifestFile, ...]:
    """Write the manifests of a closed epoch; none if it owes nothing.

    Raises:
        UnpayableError: its allocations make no roots.
    """
    return tuple(
        ManifestFile(
            file_name(anchor.genesis_hash, close.epoch, part),
            manifest_text(tree, anchor, close.epoch),
        )
        for part, tree in enumerate(roots_of(close, epoch_slots))
    )


def file_name(genesis_hash: str, epoch: int, part: int) -> str:
    """Name a manifest's file: in the order of epochs, and never one name for two chains."""
    return f"{genesis_hash[:8]}-{epoch:08d}-{part:05d}.json"


def manifest_text(tree: RewardTree, anchor: Anchor, ledger_epoch: int) -> str:
    """Write one manifest."""
    head = {
        "genesis_hash": anchor.genesis_hash,
        "program": str(anchor.program),
        "account": str(epoch_address(anchor.program, tree.epoch, tree.index)[0]),
        "epoch": tree.epoch,
        "index": tree.index,
        "root": tree.root.hex(),
        "count": len(tree.rewards),
        "total": str(tree.total),
        "ledger_epoch": ledger_epoch,
        "ledger_head": anchor.head,
        "formula_version": anchor.formula_version,
        "rules_version": anchor.rules_version,
    }
    leaves = ",\n".join(json.dumps([str(each.wallet), each.amount]) for each in tree.rewards)
    return f'{json.dumps(head, indent=1)[:-2]},\n "leaves": [\n{leaves}\n ]\n}}\n'
