r"""A binary tree of hashes in which every node also carries sums: who is shown one leaf sees that the totals count it.

Core. With amounts A of a leaf or node as three u64, and || for one after the other:

    leaf  = sha256(0x00 || "betting account" || A || address || data),  A as the account's own bytes say
    node  = sha256(0x01 || left hash || left A || right hash || right A),  A = left A + right A
    root  = sha256(0x02 || "betting state" || context || number of leaves u64 || top hash || top A)

Integers are little-endian. The last level is filled up to a power of two with hashes of 32 zero bytes and sums of 0, so every
leaf has a path of the same length. What keeps a root honest:

- both children's sums are hashed, not their total alone: a sum cannot be moved from one side to the other afterwards;
- sums are unsigned, and an addition that does not fit into 64 bits is refused, here and by every checker: no leaf can be
  negative and hide another one's debt, and no total can wrap around to a small one;
- the first byte keeps leaves, nodes and roots apart, so none can be shown in the place of another;
- the number of leaves is in the root, and with it the length of every path.

What it cannot do: show that no account was left out. That takes somebody who knows it and is not given a path.

Source of the attacks: Chalkias, Chatzigiannis, Ji, "Broken Proofs of Solvency in Blockchain Custodial Wallets and Exchanges" (2022).
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from state.snapshots.errors import SumsTooLarge

SUM_NAMES: Final = ("vault_debt", "maker_liquidity", "rewards_owed")
NODE_BYTES: Final = 32 + 8 * len(SUM_NAMES)
"""A hash and its sums: what a path lists."""
PADDING: Final = bytes(NODE_BYTES)
BLOCK_DEPTH: Final = 15
BLOCK_LEAVES: Final = 1 << BLOCK_DEPTH
"""Leaves are hashed in subtrees of this many, so that no more of them are held at once."""

_LEAF: Final = b"\0betting account"
_NODE: Final = 1
_ROOT: Final = b"\2betting state"
_SUMS: Final = struct.Struct("<QQQ")
_COUNT: Final = struct.Struct("<Q")
_U64_MAX: Final = 2**64 - 1
_HASH_BYTES: Final = 32

Nodes = npt.NDArray[np.uint8]
"""Rows of NODE_BYTES."""
Sums = npt.NDArray[np.uint64]
"""Rows of three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """What a tree comes to."""

    hash: bytes
    sums: tuple[int, int, int]
    """Of vault debt, maker liquidity (both quote base units) and rewards owed (MMT base units)."""
    leaves: int

    def root(self, context: bytes) -> bytes:
        """Return the 32 bytes that commit to all of it.

        Args:
            context: what the leaves belong to; nothing else has the same.
        """
        packed = _COUNT.pack(self.leaves) + self.hash + _SUMS.pack(*self.sums)
        return hashlib.sha256(_ROOT + context + packed).digest()


def depth_of(leaves: int) -> int:
    """Return how long every path is."""
    return max(leaves - 1, 0).bit_length()


def leaf_nodes(leaves: Sequence[bytes], sums: Sums) -> Nodes:
    """Return the lowest level.

    Args:
        leaves: address and data of each account, one after the other.
        sums: a row each.
    """
    amounts = np.ascontiguousarray(sums, "<u8").view(f"V{_SUMS.size}").reshape(-1).tolist()
    messages = [_LEAF + amount + leaf for amount, leaf in zip(amounts, leaves, strict=True)]
    return _with_sums(_hashes(messages), sums)


def leaf_nodes_of_rows(leaves: npt.NDArray[np.uint8], sums: Sums) -> Nodes:
    """Return the lowest level of accounts of one length: a row of address and data each."""
    head = len(_LEAF) + _SUMS.size
    message = np.empty((len(leaves), head + leaves.shape[1]), np.uint8)
    message[:, : len(_LEAF)] = np.frombuffer(_LEAF, np.uint8)
    message[:, len(_LEAF) : head] = _bytes_of(sums)
    message[:, head:] = leaves
    return _with_sums(_hashes(_rows_of(message)), sums)


def level_above(nodes: Nodes) -> Nodes:
    """Return the level over an even number of nodes.

    Raises:
        SumsTooLarge: a sum does not fit.
    """
    pairs = nodes.reshape(-1, 2 * NODE_BYTES)
    message = np.full((len(pairs), 1 + 2 * NODE_BYTES), _NODE, np.uint8)
    message[:, 1:] = pairs
    sums = sums_of(nodes)
    added = sums[0::2] + sums[1::2]
    if (added < sums[0::2]).any():
        row, column = np.argwhere(added < sums[0::2])[0]
        total = int(sums[2 * row, column]) + int(sums[2 * row + 1, column])
        raise SumsTooLarge(SUM_NAMES[column], total)
    return _with_sums(_hashes(_rows_of(message)), added)


def sums_of(nodes: Nodes) -> Sums:
    """Return the sums of nodes."""
    return np.ascontiguousarray(nodes[:, _HASH_BYTES:]).view("<u8").reshape(-1, len(SUM_NAMES))


def _hashes(messages: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    joined = b"".join([each.digest() for each in map(hashlib.sha256, messages)])
    return np.frombuffer(joined, np.uint8).reshape(-1, _HASH_BYTES)


def _with_sums(hashes: npt.NDArray[np.uint8], sums: Sums) -> Nodes:
    nodes = np.empty((len(hashes), NODE_BYTES), np.uint8)
    nodes[:, :_HASH_BYTES] = hashes
    nodes[:, _HASH_BYTES:] = _bytes_of(sums)
    return nodes


def _bytes_of(sums: Sums) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(sums, "<u8").view(np.uint8).reshape(-1, _SUMS.size)


def _rows_of(message: npt.NDArray[np.uint8]) -> list[bytes]:
    listed: list[bytes] = message.view(f"V{message.shape[1]}").reshape(-1).tolist()
    return listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One leaf's way up."""

    index: int
    siblings: tuple[bytes, ...]
    """Nodes of NODE_BYTES, lowest first."""


def top_of(blocks: Iterable[Nodes], leaves: int, block_depth: int = BLOCK_DEPTH) -> Top:
    """Hash a tree whose lowest level comes in blocks of 2**block_depth nodes, the last one shorter.

    Raises:
        SumsTooLarge: a sum does not fit.
    """
    return _climbed(blocks, leaves, -1, block_depth)[0]


def path_of(
    blocks: Iterable[Nodes], leaves: int, index: int, block_depth: int = BLOCK_DEPTH
) -> tuple[Top, Path]:
    """Hash a tree, and return the way up of one leaf as well.

    Raises:
        IndexError: there is no such leaf.
        SumsTooLarge: a sum does not fit.
    """
    if not 0 <= index < leaves:
        raise IndexError(f"found leaf {index}, expected 0 to {leaves - 1}")
    return _climbed(blocks, leaves, index, block_depth)


def _climbed(
    blocks: Iterable[Nodes], leaves: int, index: int, block_depth: int
) -> tuple[Top, Path]:
    depth = depth_of(leaves)
    block_leaves = 1 << block_depth
    block_depth = min(depth, block_depth)
    siblings: list[bytes] = []
    tops: list[Nodes] = []
    empty = _empty(0)
    for number, block in enumerate(blocks):
        within = index - number * block_leaves
        inside = within if 0 <= within < block_leaves and index >= 0 else -1
        node, path = _subtree(block, empty, block_depth, inside)
        tops.append(node)
        siblings += path
    assert tops, "a tree has a leaf"
    among = index // block_leaves if index >= 0 else -1
    whole, path = _subtree(np.concatenate(tops), _empty(block_depth), depth - block_depth, among)
    top = Top(hash=whole[0, :_HASH_BYTES].tobytes(), sums=_row(whole), leaves=leaves)
    return top, Path(index=index, siblings=tuple(siblings + path))


def _empty(height: int) -> Nodes:
    """Return the node over so many levels of padding, as a row."""
    node = np.zeros((1, NODE_BYTES), np.uint8)
    for _ in range(height):
        node = level_above(np.concatenate([node, node]))
    return node


def _subtree(nodes: Nodes, padding: Nodes, depth: int, index: int) -> tuple[Nodes, list[bytes]]:
    """Climb so many levels, padding the right; return the top as a row, and the siblings of a leaf, if it is here."""
    path: list[bytes] = []
    for _ in range(depth):
        if len(nodes) % 2:
            nodes = np.concatenate([nodes, padding])
        if index >= 0:
            path.append(nodes[index ^ 1].tobytes())
            index >>= 1
        nodes = level_above(nodes)
        padding = level_above(np.concatenate([padding, padding]))
    return nodes, path


def _row(nodes: Nodes) -> tuple[int, int, int]:
    debt, liquidity, rewards = sums_of(nodes)[0].tolist()
    return debt, liquidity, rewards


def climb(node: bytes, path: Path) -> tuple[bytes, tuple[int, int, int]] | None:
    """Return the hash and sums that a leaf's node leads to; None where a sum does not fit into 64 bits."""
    for level, sibling in enumerate(path.siblings):
        left, right = (sibling, node) if path.index >> level & 1 else (node, sibling)
        totals = [one + other for one, other in zip(_unpacked(left), _unpacked(right), strict=True)]
        if max(totals) > _U64_MAX:
            return None
        node = hashlib.sha256(bytes([_NODE]) + left + right).digest() + _SUMS.pack(*totals)
    return node[:_HASH_BYTES], _unpacked(node)


def leaf_node(address: bytes, data: bytes, sums: Sequence[int]) -> bytes:
    """Return the node of one account."""
    amounts = _SUMS.pack(*sums)
    return hashlib.sha256(_LEAF + amounts + address + data).digest() + amounts


def _unpacked(node: bytes) -> tuple[int, int, int]:
    debt, liquidity, rewards = _SUMS.unpack(node[_HASH_BYTES:])
    return debt, liquidity, rewards


def blocks_of(
    leaves: Sequence[bytes], sums: Sums, block_depth: int = BLOCK_DEPTH
) -> Iterator[Nodes]:
    """Yield the lowest level in blocks."""
    size = 1 << block_depth
    for at in range(0, len(leaves), size):
        yield leaf_nodes(leaves[at : at + size], sums[at : at + size])
