"""What a closed epoch owes -> reward roots, and where on chain each of them belongs.

Core. Wallets that are owed something, by wallet bytes, 65_536 to a root: the same close makes the same roots on any machine.

The program takes roots under the number of a chain epoch of 9_000 slots that has begun, and an index of 32 bits. An epoch
of ours may be shorter, so long as a whole number of them, k, makes a chain epoch:

    chain epoch = epoch // k        index = (epoch % k) * 65_536 + part        k = 9_000 // epoch_slots

Each root of each epoch has a place of its own, for ever: what stands there can never be posted a second time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from solders.pubkey import Pubkey

from incentives.lines import Allocation, EpochClose
from incentives.parameters import CHAIN_EPOCH_SLOTS
from programs.merkle import LEAVES_MAX, Reward, RewardTree, build_tree
from programs.units import BaseUnits

PARTS_MAX: Final = 65_536
"""Roots an epoch may have: over four thousand million wallets."""


class UnpayableError(ValueError):
    """What an epoch owes cannot be put into roots; one sentence says why."""


@dataclass(frozen=True, slots=True, order=True)
class RootPlace:
    """Where on chain a root belongs."""

    epoch: int
    """As the program counts them."""
    index: int
    """Among the roots of that chain epoch."""


def epochs_per_chain_epoch(epoch_slots: int) -> int:
    """Return k.

    Raises:
        UnpayableError: no whole number of such epochs makes a chain epoch.
    """
    if epoch_slots < 1 or CHAIN_EPOCH_SLOTS % epoch_slots:
        raise UnpayableError(
            f"epochs are {epoch_slots} slots long, expected a divisor of {CHAIN_EPOCH_SLOTS}: "
            "set incentives.epoch_slots to one"
        )
    return CHAIN_EPOCH_SLOTS // epoch_slots


def place_of(epoch: int, part: int, epoch_slots: int) -> RootPlace:
    """Return where part `part` of an epoch belongs.

    Raises:
        UnpayableError: the epoch's length, or a number out of its range.
    """
    k = epochs_per_chain_epoch(epoch_slots)
    if epoch < 0 or not 0 <= part < PARTS_MAX:
        raise UnpayableError(
            f"found epoch {epoch}, part {part}: expected 0 or more, and 0 to {PARTS_MAX - 1}"
        )
    return RootPlace(epoch // k, epoch % k * PARTS_MAX + part)


def epoch_and_part(place: RootPlace, epoch_slots: int) -> tuple[int, int] | None:
    """Return which epoch's which part belongs at a place; None: no root of ours ever stands there."""
    k = epochs_per_chain_epoch(epoch_slots)
    within, part = divmod(place.index, PARTS_MAX)
    return None if within >= k else (place.epoch * k + within, part)


def parts_of(allocations: Iterable[Allocation]) -> Iterator[list[Allocation]]:
    """Yield the leaves of each root of an epoch: what is above zero, in the order given, 65_536 to a root."""
    leaves = [each for each in allocations if each.amount]
    for first in range(0, len(leaves), LEAVES_MAX):
        yield leaves[first : first + LEAVES_MAX]


def roots_of(close: EpochClose, epoch_slots: int) -> tuple[RewardTree, ...]:
    """Hash the trees of a closed epoch, in order; none if it owes nothing. 65_536 wallets take a fifth of a second.

    Raises:
        UnpayableError: the allocations are not in order of their wallets' bytes, or an amount is below zero.
    """
    parts = [[_reward(each) for each in leaves] for leaves in parts_of(close.allocations)]
    wallets = [bytes(reward.wallet) for rewards in parts for reward in rewards]
    if any(one >= other for one, other in pairwise(wallets)):
        raise UnpayableError(
            f"epoch {close.epoch}: its allocations are not one for each wallet, in order of wallet bytes"
        )
    trees = list[RewardTree]()
    for part, rewards in enumerate(parts):
        place = place_of(close.epoch, part, epoch_slots)
        try:
            trees.append(build_tree(place.epoch, place.index, rewards))
        except ValueError as error:
            raise UnpayableError(f"epoch {close.epoch}, part {part}: {error}") from error
    return tuple(trees)


def _reward(leaf: Allocation) -> Reward:
    return Reward(wallet=Pubkey.from_string(leaf.wallet), amount=BaseUnits(leaf.amount))
