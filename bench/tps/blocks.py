"""How many of the transactions that landed fit a cluster's block, by what they write and what they used."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from bench.tps.floor import Landed
from programs.localnet.scheduler import BlockLimits, Waiting, fill_block
from programs.localnet.weights import Weight, read_budget, weigh
from programs.units import SLOT_MS


class TooFewError(Exception):
    """A block has room for all of the transactions: how many more it would take is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one block takes of a stream of transactions."""

    transactions: int
    cost_cu: int
    """Of all of them."""
    fullest_cu: int
    """Of those that write the account that is written most."""
    limits: BlockLimits

    @property
    def per_s(self) -> float:
        """Transactions a second, at the nominal length of a slot."""
        return self.transactions * 1_000 / SLOT_MS

    @property
    def bound_by(self) -> str:
        """Which limit is nearer to what was charged: `account` or `block`."""
        by_account = self.fullest_cu * self.limits.block_cu
        return "account" if by_account > self.cost_cu * self.limits.account_cu else "block"


def cost_cu(landed: Landed) -> int:
    """Return what a block is charged for a transaction once it has run: units asked for and not used are given back.

    Source: agave cost-model, `CostTracker::update_execution_cost`.
    """
    message = landed.transaction.message
    asked = weigh(message, len(landed.written)).cost_cu
    return asked - read_budget(message).limit_cu + landed.cu


def room_for(stream: Sequence[Landed], limits: BlockLimits) -> Room:
    """Fill one block with a stream, in its order, as the local network's scheduler does.

    Raises:
        TooFewError: the stream ends before the block is full.
    """
    waiting = [
        Waiting(
            transaction=each.transaction,
            weight=Weight(cost_cu=cost_cu(each), priority=0),
            writable=tuple(each.written),
            number=number,
        )
        for number, each in enumerate(stream)
    ]
    chosen = fill_block(waiting, limits)
    if len(chosen) == len(waiting):
        raise TooFewError(f"all {len(waiting)} transactions fit one block of {limits}")
    written: Counter[Pubkey] = Counter()
    for each in chosen:
        written.update(dict.fromkeys(each.writable, each.weight.cost_cu))
    return Room(
        transactions=len(chosen),
        cost_cu=sum(each.weight.cost_cu for each in chosen),
        fullest_cu=max(written.values()),
        limits=limits,
    )


def written_by_all(stream: Sequence[Landed]) -> frozenset[Pubkey]:
    """Return the accounts that every transaction of a stream writes."""
    return frozenset.intersection(*(each.written for each in stream))
