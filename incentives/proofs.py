"""A wallet's reward, ready to be claimed by the wallet itself: leaf, path, and the instructions that it signs and sends.

Core. Nobody has to be trusted with it: the tree is hashed anew from the manifest, and the program pays only what leads to the
root on chain, to the wallet that stands in the leaf, once. A manifest from anywhere will do, so it is read as a stranger's file.
"""

import json
import reprlib
from dataclasses import dataclass
from typing import Any, Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
)

from programs.accounts import Epoch
from programs.addresses import epoch_address
from programs.instructions import pay_rewards
from programs.merkle import Reward, RewardTree, build_tree
from programs.units import U64_MAX, BaseUnits

_INDEX_MAX: Final = 2**32 - 1


class UnprovableError(ValueError):
    """The file proves nothing; one sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """One leaf, and all it takes to be paid."""

    program: Pubkey
    genesis_hash: str
    """Of the cluster on which the root belongs."""
    ledger_epoch: int
    account: Pubkey
    """Holds the root and the bitmap."""
    tree: RewardTree
    leaf: int

    @property
    def reward(self) -> Reward:
        """Who is paid how much, MMT base units."""
        return self.tree.rewards[self.leaf]

    @property
    def path(self) -> tuple[bytes, ...]:
        """The siblings from the leaf up to the root."""
        return self.tree.path(self.leaf)

    def instructions(self, mint: Pubkey) -> tuple[Instruction, Instruction]:
        """Return what the wallet signs: open its token account, if it has none, and be paid.

        Args:
            mint: of MMT.
        """
        wallet = self.reward.wallet
        return (
            create_idempotent_associated_token_account(wallet, wallet, mint),
            pay_rewards(
                self.program,
                self.tree.batch(self.leaf, 0),
                [get_associated_token_address(wallet, mint)],
            ),
        )

    def standing(self, root: Epoch | None) -> str:
        """Say how far it is, by the root's account on chain: not posted, other root, unpaid, paid."""
        if root is None:
            return "not posted"
        if bytes(root.root) != self.tree.root or root.leaf_count != len(self.tree.rewards):
            return "other root"
        return "paid" if root.is_paid(self.leaf) else "unpaid"


def find_claimable(manifest: bytes, wallet: Pubkey) -> Claimable | None:
    """Find a wallet's leaf in a manifest; None: it has none there.

    Raises:
        UnprovableError: the file is no manifest of the incentives, or its leaves do not make its root.
    """
    if str(wallet).encode() not in manifest:
        return None
    try:
        found = json.loads(manifest)
        tree = build_tree(
            _number(found, "epoch", U64_MAX), _number(found, "index", _INDEX_MAX), _rewards(found)
        )
        program = Pubkey.from_string(found["program"])
        said = found["root"]
        genesis_hash = str(found["genesis_hash"])
        ledger_epoch = _number(found, "ledger_epoch", U64_MAX)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnprovableError(f"it is no manifest: {error}") from error
    if said != tree.root.hex():
        raise UnprovableError(
            f"it names the root {reprlib.repr(said)}, its leaves make {tree.root.hex()}"
        )
    leaf = next((i for i, reward in enumerate(tree.rewards) if reward.wallet == wallet), None)
    if leaf is None:
        return None
    return Claimable(
        program=program,
        ledger_epoch=ledger_epoch,
        account=epoch_address(program, tree.epoch, tree.index)[0],
        tree=tree,
        leaf=leaf,
        genesis_hash=genesis_hash,
    )


def _number(found: dict[str, Any], name: str, most: int) -> int:
    value = found[name]
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name}: found {reprlib.repr(value)}, expected an integer up to {most}")
    return value


def _rewards(found: dict[str, Any]) -> list[Reward]:
    rewards = list[Reward]()
    for wallet, amount in found["leaves"]:
        if type(amount) is not int:
            raise ValueError(f"leaves: found the amount {reprlib.repr(amount)}")
        rewards.append(Reward(wallet=Pubkey.from_string(wallet), amount=BaseUnits(amount)))
    return rewards
