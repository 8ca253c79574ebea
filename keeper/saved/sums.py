"""What every account adds to the root's sums, and the tree over all accounts.

Core. Counted where one party holds it, so that this party can be shown that it counts:

    vault debt       a position's debt; a chain's debt and that of its positions
    maker liquidity  a maker's liquidity, a chain's maker included
    rewards owed     an epoch's total less what of it is paid

Then each total is in the books a second time: the vault's loans, the pools' liquidity, all roots ever posted (books.py). Only accounts
of this layout's version and of their kind's length count.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.saved.accounts import Table
from keeper.saved.content import Block
from programs.layout import EPOCH_DTYPE, LAYOUT_VERSION, AccountKind, epoch_bytes
from state.snapshots.errors import SumsTooLarge
from state.snapshots.sum_tree import (
    BLOCK_LEAVES,
    NODE_BYTES,
    SUM_NAMES,
    Nodes,
    Sums,
    leaf_nodes,
    leaf_nodes_of_rows,
)

_HOLDINGS: Final = 3
_DEBT, _LIQUIDITY, _REWARDS = range(3)


def sums_of_table(table: Table, start: int, stop: int) -> Sums:
    """Return what some accounts of a table add, a row each.

    Raises:
        SumsTooLarge: one account alone is beyond 64 bits.
    """
    rows = table.rows[start:stop]
    sums = np.zeros((len(rows), len(SUM_NAMES)), np.uint64)
    match table.kind:
        case AccountKind.POSITION:
            sums[:, _DEBT] = rows["debt"]
        case AccountKind.MAKER:
            sums[:, _LIQUIDITY] = rows["liquidity"]
        case AccountKind.CHAIN:
            parts = [rows["debt"], *(rows["positions"][:, at]["debt"] for at in range(_HOLDINGS))]
            sums[:, _DEBT] = _added(parts)
            sums[:, _LIQUIDITY] = rows["maker"]["liquidity"]
        case _:
            pass
    sums[rows["version"] != LAYOUT_VERSION] = 0
    return sums


def sums_of_other(data: bytes) -> tuple[int, int, int]:
    """Return what an account adds that is in no table."""
    head = EPOCH_DTYPE.itemsize
    if len(data) < head or data[0] != AccountKind.EPOCH or data[1] != LAYOUT_VERSION:
        return 0, 0, 0
    epoch = np.frombuffer(data, EPOCH_DTYPE, count=1)[0]
    if len(data) != epoch_bytes(int(epoch["leaf_count"])):
        return 0, 0, 0
    return 0, 0, max(0, int(epoch["total"]) - int(epoch["paid"]))


def leaf_blocks(blocks: Iterable[Block]) -> Iterator[Nodes]:
    """Yield the lowest level of the tree, in blocks of BLOCK_LEAVES.

    Raises:
        SumsTooLarge: an account's own sum is beyond 64 bits.
    """
    waiting = np.zeros((0, NODE_BYTES), np.uint8)
    for block in blocks:
        for nodes in _nodes(block):
            waiting = np.concatenate([waiting, nodes]) if len(waiting) else nodes
            while len(waiting) >= BLOCK_LEAVES:
                yield waiting[:BLOCK_LEAVES]
                waiting = waiting[BLOCK_LEAVES:]
    if len(waiting):
        yield waiting


def _nodes(block: Block) -> Iterator[Nodes]:
    table = block.table
    if table is None:
        added = [sums_of_other(data) for _, data in block.others]
        listed = [address + data for address, data in block.others]
        yield leaf_nodes(listed, np.array(added, np.uint64).reshape(-1, len(SUM_NAMES)))
        return
    for start in range(0, len(table), BLOCK_LEAVES):
        stop = min(start + BLOCK_LEAVES, len(table))
        sums = sums_of_table(table, start, stop)
        nodes = np.empty((stop - start, NODE_BYTES), np.uint8)
        for at, whole in table.whole(start, stop):
            nodes[at] = leaf_nodes_of_rows(whole, sums[at])
        yield nodes


def _added(parts: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    total = parts[0].astype(np.uint64)
    for part in parts[1:]:
        total = total + part
        if (total < part).any():
            raise SumsTooLarge(SUM_NAMES[_DEBT], sum(int(each.max()) for each in parts))
    return total
