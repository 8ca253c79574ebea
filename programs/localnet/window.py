"""The blockhashes a transaction may carry, and the signatures already spent on them.

LiteSVM knows one blockhash and no time; this is the chain's memory of its last 150 blocks.
"""

from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from solders.hash import Hash
from solders.signature import Signature

from programs.units import BLOCKHASH_AGE_MAX_BLOCKS, BlockHeight, Slot

SLOT_HASHES_MAX: Final = 512
"""Entries of the SlotHashes sysvar. Source: solana-slot-hashes MAX_ENTRIES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block's place in the chain."""

    slot: Slot
    height: BlockHeight
    """Every slot here produces a block, so height and slot run together."""
    blockhash: Hash

    @property
    def last_valid_height(self) -> BlockHeight:
        """The last block height at which a transaction with this blockhash may still land."""
        return BlockHeight(self.height + BLOCKHASH_AGE_MAX_BLOCKS)


def derive_hash(seed: int, purpose: str, number: int = 0) -> Hash:
    """Derive a hash that is the same in every run with the same seed."""
    text = f"localnet/{seed}/{purpose}/{number}"
    return Hash(sha256(text.encode()).digest())


class BlockhashWindow:
    """The last 512 blocks; the newest 151 of them carry transactions.

    A signature is remembered as long as its blockhash could still be accepted, so a repeat within the
    window is always recognised and the memory is bounded by the traffic of 151 blocks.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._blocks: deque[Block] = deque(maxlen=SLOT_HASHES_MAX + 1)
        self._height_of: dict[Hash, BlockHeight] = {}
        self._spent: deque[set[Signature]] = deque(maxlen=BLOCKHASH_AGE_MAX_BLOCKS + 1)
        self.open_block()

    @property
    def tip(self) -> Block:
        """The block now being filled."""
        return self._blocks[-1]

    def open_block(self) -> Block:
        """Start the next slot's block; its blockhash can be used at once."""
        height = self._blocks[-1].height + 1 if self._blocks else 0
        if len(self._blocks) == self._blocks.maxlen:
            del self._height_of[self._blocks[0].blockhash]
        block = Block(
            slot=Slot(height),
            height=BlockHeight(height),
            blockhash=derive_hash(self._seed, "block", height),
        )
        self._blocks.append(block)
        self._height_of[block.blockhash] = block.height
        self._spent.append(set())
        return block

    def block_at(self, slot: Slot) -> Block:
        """The block of `slot`; slots older than the window answer with the oldest one kept."""
        return self._blocks[max(0, slot - self._blocks[0].slot)]

    def is_valid(self, blockhash: Hash, at: BlockHeight | None = None) -> bool:
        """Whether a transaction with `blockhash` may land in the block of height `at` (now: the tip)."""
        height = self._height_of.get(blockhash)
        now = self.tip.height if at is None else at
        return height is not None and height <= now <= height + BLOCKHASH_AGE_MAX_BLOCKS

    def is_spent(self, signature: Signature) -> bool:
        """Whether `signature` landed in one of the blocks that could still accept it."""
        return any(signature in block for block in self._spent)

    def spend(self, signature: Signature) -> None:
        """Remember `signature` as landed in the tip."""
        self._spent[-1].add(signature)

    def slot_hashes(self) -> list[tuple[Slot, Hash]]:
        """The SlotHashes sysvar as programs of the tip see it: past slots, newest first."""
        return [(block.slot, block.blockhash) for block in reversed(self._blocks)][1:]
