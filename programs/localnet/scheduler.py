"""Which of the waiting transactions a block takes: the best paying first, as far as its limits go.

A block fills by what transactions ask for, not by what they use: an asked-for unit that stays unused is another one's
loss here, while agave gives it back once the transaction has run.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs.localnet.weights import Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLimits:
    """How much fits into one block."""

    block_cu: int
    account_cu: int
    """On any one writable account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A transaction that wants to be in a block."""

    transaction: VersionedTransaction
    weight: Weight
    writable: Sequence[Pubkey]
    number: int
    """In the order of arrival, which decides between equal bids."""

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts the best first."""
        return (-self.weight.priority, self.number)


def fill_block(waiting: Iterable[Waiting], limits: BlockLimits) -> list[Waiting]:
    """Choose from `waiting`, which is sorted by rank, in the order of execution.

    One that does not fit is passed over: smaller ones below it, and those on other accounts, still get in.
    """
    chosen: list[Waiting] = []
    left_cu = limits.block_cu
    used_cu: Counter[Pubkey] = Counter()
    for each in waiting:
        cost = each.weight.cost_cu
        if cost > left_cu:
            continue
        if any(used_cu[address] + cost > limits.account_cu for address in each.writable):
            continue
        left_cu -= cost
        for address in each.writable:
            used_cu[address] += cost
        chosen.append(each)
    return chosen
