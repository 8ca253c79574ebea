"""What of a reward root is still to be paid, and in which batches.

Core. The chain's bitmap alone says what is left: whoever paid a leaf, this keeper, another one or the wallet itself, it is
paid. A subtree of eight leaves is one job; what may be paid of it goes into the lowest subtree that covers it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from programs.accounts import Epoch
from programs.merkle import BATCH_HEIGHT_MAX, Batch, RewardTree

SUBTREE_LEAVES: Final = 1 << BATCH_HEIGHT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtree:
    """Eight leaves of a root, or what there is of them, some of them unpaid."""

    number: int
    marks: int
    """The bitmap's byte: bit i is set where leaf i is paid. Each payment changes it, and nothing changes it back."""
    unpaid: tuple[int, ...]
    """Numbers of leaves, in order."""


def why_not(tree: RewardTree, epoch: Epoch) -> str | None:
    """Say why a manifest's tree is not what was posted; None if it is."""
    if tree.root != bytes(epoch.root):
        return f"its tree has the root {tree.root.hex()}, on chain stands {bytes(epoch.root).hex()}"
    if len(tree.rewards) != epoch.leaf_count:
        return f"it has {len(tree.rewards)} leaves, on chain are {epoch.leaf_count}"
    if tree.total != epoch.total:
        return f"its leaves sum to {tree.total} base units, on chain are {epoch.total}"
    return None


def unpaid_subtrees(epoch: Epoch) -> Iterator[Subtree]:
    """Yield the subtrees with unpaid leaves, in order."""
    for number in range(-(-epoch.leaf_count // SUBTREE_LEAVES)):
        marks = epoch.bitmap[number]
        first = number * SUBTREE_LEAVES
        count = min(SUBTREE_LEAVES, epoch.leaf_count - first)
        if marks != (1 << count) - 1:
            unpaid = tuple(first + i for i in range(count) if not marks >> i & 1)
            yield Subtree(number=number, marks=marks, unpaid=unpaid)


def tight_batch(tree: RewardTree, payable: Collection[int]) -> Batch:
    """Return the lowest subtree that covers the leaves to pay, at least one of one subtree; the others come as hashes."""
    first, last = min(payable), max(payable)
    height = min((first ^ last).bit_length(), tree.depth)
    start = first >> height << height
    rest = frozenset(range(start, start + (1 << height))) - set(payable)
    return tree.batch(start, height, rest)
