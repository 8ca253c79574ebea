"""The tree of one reward root: what it is hashed from, and the batches that pay_rewards proves under it.

    leaf = sha256(0x00, "betting reward leaf", epoch u64, root's index u32, leaf's number u32, wallet, amount u64)
    node = sha256(0x01, left, right)

Integers are little-endian. The last level is filled up to a power of two with hashes of 32 zero bytes, whose preimages
nobody knows, so every leaf has a path of the same length. The first byte keeps leaves and nodes apart: neither can be
shown in the place of the other.

Source: SPEC.md section 7 ("payout leaf"), LEDGER.md "Tree rule".
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from programs.units import U64_MAX, BaseUnits

LEAVES_MAX: Final = 65_536
BATCH_HEIGHT_MAX: Final = 3
"""A batch is an aligned subtree of at most eight leaves."""
HASH_BYTES: Final = 32
PADDING: Final = bytes(HASH_BYTES)
"""Stands in the last level where there is no leaf."""

_LEAF: Final = struct.Struct("<20sQII32sQ")
_DOMAIN: Final = b"\0betting reward leaf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What one leaf pays."""

    wallet: Pubkey
    amount: BaseUnits
    """MMT base units (1e-9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An aligned subtree: what pay_rewards needs besides token accounts."""

    epoch: int
    index: int
    """Of the root among the epoch's."""
    first_leaf: int
    """A multiple of the number of entries."""
    entries: tuple[BaseUnits | bytes, ...]
    """For each leaf its amount where it is to be paid, its hash where not; 1, 2, 4 or 8 of them."""
    wallets: tuple[Pubkey, ...]
    """Of the leaves to be paid, in order."""
    path: tuple[bytes, ...]
    """The siblings from the subtree up to the root."""

    @property
    def height(self) -> int:
        """Levels below the subtree's own root."""
        return len(self.entries).bit_length() - 1

    @property
    def paid_mask(self) -> int:
        """Bit i is set where entry i is to be paid."""
        return sum(1 << i for i, entry in enumerate(self.entries) if isinstance(entry, int))


def hash_leaf(epoch: int, index: int, leaf: int, reward: Reward) -> bytes:
    """Return the hash of leaf number `leaf` of an epoch's root `index`."""
    packed = _LEAF.pack(_DOMAIN, epoch, index, leaf, bytes(reward.wallet), reward.amount)
    return hashlib.sha256(packed).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash over two nodes, or two leaves."""
    return hashlib.sha256(b"\1" + left + right).digest()


def verify(root: bytes, leaf_hash: bytes, leaf: int, path: Sequence[bytes]) -> bool:
    """Say whether a leaf's hash leads to the root, as the program climbs it."""
    node = leaf_hash
    for level, sibling in enumerate(path):
        node = hash_node(sibling, node) if leaf >> level & 1 else hash_node(node, sibling)
    return node == root


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardTree:
    """All levels of one root, leaves first; every level is one string of 32-byte hashes."""

    epoch: int
    index: int
    rewards: tuple[Reward, ...]
    levels: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """What post_epoch posts."""
        return self.levels[-1]

    @property
    def depth(self) -> int:
        """Siblings from a leaf to the root."""
        return len(self.levels) - 1

    @property
    def total(self) -> BaseUnits:
        """All that the leaves pay, MMT base units."""
        return BaseUnits(sum(reward.amount for reward in self.rewards))

    def hash_at(self, level: int, place: int) -> bytes:
        """Return the node at a place of a level; level 0 holds the leaves."""
        return self.levels[level][place * HASH_BYTES : (place + 1) * HASH_BYTES]

    def path(self, leaf: int, height: int = 0) -> tuple[bytes, ...]:
        """Return the siblings from the subtree of that height over `leaf` up to the root."""
        return tuple(self.hash_at(level, leaf >> level ^ 1) for level in range(height, self.depth))

    def batch(self, first_leaf: int, height: int, left_out: frozenset[int] = frozenset()) -> Batch:
        """Return the subtree of 2**height leaves from `first_leaf` on.

        Args:
            left_out: numbers of leaves not to pay: their wallets have no token account, or they are paid already.

        Raises:
            ValueError: the subtree is too high, not aligned or outside the tree.
        """
        if not 0 <= height <= min(BATCH_HEIGHT_MAX, self.depth):
            raise ValueError(
                f"found a subtree of height {height}, expected 0 to {min(BATCH_HEIGHT_MAX, self.depth)}"
            )
        if first_leaf % (1 << height) or not 0 <= first_leaf < len(self.rewards):
            raise ValueError(
                f"found first leaf {first_leaf}, expected a multiple of {1 << height} "
                f"below {len(self.rewards)}"
            )
        leaves = range(first_leaf, first_leaf + (1 << height))
        paid = [i for i in leaves if i < len(self.rewards) and i not in left_out]
        return Batch(
            epoch=self.epoch,
            index=self.index,
            first_leaf=first_leaf,
            entries=tuple(
                self.rewards[i].amount if i in paid else self.hash_at(0, i) for i in leaves
            ),
            wallets=tuple(self.rewards[i].wallet for i in paid),
            path=self.path(first_leaf, height),
        )

    def batches(self, left_out: frozenset[int] = frozenset()) -> Iterator[Batch]:
        """Yield the highest subtrees that cover every leaf once, those with nothing to pay left out."""
        height = min(BATCH_HEIGHT_MAX, self.depth)
        for first_leaf in range(0, len(self.rewards), 1 << height):
            batch = self.batch(first_leaf, height, left_out)
            if batch.wallets:
                yield batch


def build_tree(epoch: int, index: int, rewards: Sequence[Reward]) -> RewardTree:
    """Hash the tree of an epoch's root `index`, level by level: 65_536 leaves take about a fifth of a second.

    Raises:
        ValueError: no leaf, more than LEAVES_MAX, or a number outside its integer.
    """
    if not 1 <= len(rewards) <= LEAVES_MAX:
        raise ValueError(f"found {len(rewards)} leaves, expected 1 to {LEAVES_MAX}")
    for name, value, most in (("epoch", epoch, U64_MAX), ("index", index, 2**32 - 1)):
        if not 0 <= value <= most:
            raise ValueError(f"found {name} {value}, expected 0 to {most}")
    amounts = [reward.amount for reward in rewards]
    if min(amounts) < 0 or sum(amounts) > U64_MAX:
        raise ValueError(
            f"found amounts from {min(amounts)} that sum to {sum(amounts)}, expected a u64"
        )
    depth = (len(rewards) - 1).bit_length()
    level = b"".join(hash_leaf(epoch, index, i, reward) for i, reward in enumerate(rewards))
    levels = [level.ljust(HASH_BYTES << depth, b"\0")]
    for _ in range(depth):
        below = levels[-1]
        pairs = range(0, len(below), 2 * HASH_BYTES)
        levels.append(
            b"".join(hashlib.sha256(b"\1" + below[i : i + 2 * HASH_BYTES]).digest() for i in pairs)
        )
    return RewardTree(epoch=epoch, index=index, rewards=tuple(rewards), levels=tuple(levels))
