"""The blocks of the chain, the blockhashes a transaction may carry, and the signatures already spent on them.

LiteSVM knows one blockhash and no time; this is the chain's memory of its last blocks. A fork takes blocks away again:
their slots stay without one, their hashes are worth nothing, and their signatures are unspent.
"""

from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from solders.hash import Hash
from solders.signature import Signature

from programs.localnet.gaps import Gaps
from programs.units import BLOCKHASH_AGE_MAX_BLOCKS, BlockHeight, Slot

SLOT_HASHES_MAX: Final = 512
"""Entries of the SlotHashes sysvar. Source: solana-slot-hashes MAX_ENTRIES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block's place in the chain."""

    slot: Slot
    height: BlockHeight
    """Slot and height run together until a fork leaves slots without a block."""
    blockhash: Hash
    parent: Slot
    """The slot before, unless slots were passed over; genesis is its own parent."""
    last_valid_height: BlockHeight
    """The last block height at which a transaction with this blockhash may still land."""


def derive_hash(seed: int, purpose: str, number: int = 0) -> Hash:
    """Derive a hash that is the same in every run with the same seed."""
    text = f"localnet/{seed}/{purpose}/{number}"
    return Hash(sha256(text.encode()).digest())


class BlockhashWindow:
    """The newest 513 blocks; transactions may carry the blockhash of the newest `age_blocks` and of the tip.

    A signature is remembered as long as its block is, so a repeat is always recognised, also after blocks were taken
    away, and the memory is bounded by the traffic of 513 blocks.
    """

    def __init__(self, seed: int, age_blocks: int = BLOCKHASH_AGE_MAX_BLOCKS) -> None:
        self._seed = seed
        self.age_blocks = age_blocks
        self.gaps = Gaps()
        self._blocks: deque[Block] = deque()
        self._height_of: dict[Hash, BlockHeight] = {}
        self._spent: dict[Signature, BlockHeight] = {}
        self._spent_in: deque[list[Signature]] = deque()
        self._append(Slot(0))

    @property
    def tip(self) -> Block:
        """The block now being filled."""
        return self._blocks[-1]

    def open_block(self) -> Block:
        """Start the next slot's block; its blockhash can be used at once."""
        return self._append(Slot(self.tip.slot + 1))

    def unwind(self, count: int) -> Block:
        """Take the newest `count` blocks away and start the next slot's on top of what is left.

        The caller sees to it that `count` blocks and one more are there.
        """
        next_slot = Slot(self.tip.slot + 1)
        for _ in range(count):
            block = self._blocks.pop()
            del self._height_of[block.blockhash]
            for signature in self._spent_in.pop():
                del self._spent[signature]
        self.gaps.add(Slot(self.tip.slot + 1), next_slot)
        return self._append(next_slot)

    def block_of(self, height: BlockHeight) -> Block:
        """The block of `height`, however old."""
        slot = self.gaps.slot_of(height)
        return Block(
            slot=slot,
            height=height,
            blockhash=derive_hash(self._seed, "block", slot),
            parent=self.gaps.slot_of(BlockHeight(max(0, height - 1))),
            last_valid_height=BlockHeight(height + self.age_blocks),
        )

    def is_valid(self, blockhash: Hash, at: BlockHeight | None = None) -> bool:
        """Whether a transaction with `blockhash` may land in the block of height `at` (now: the tip)."""
        height = self._height_of.get(blockhash)
        now = self.tip.height if at is None else at
        return height is not None and height <= now <= height + self.age_blocks

    def is_spent(self, signature: Signature) -> bool:
        """Whether `signature` landed in one of the blocks remembered."""
        return signature in self._spent

    def spend(self, signature: Signature) -> None:
        """Remember `signature` as landed in the tip."""
        self._spent[signature] = self.tip.height
        self._spent_in[-1].append(signature)

    def slot_hashes(self) -> list[tuple[Slot, Hash]]:
        """The SlotHashes sysvar as programs of the tip see it: past slots, newest first."""
        return [(block.slot, block.blockhash) for block in reversed(self._blocks)][1:]

    def _append(self, slot: Slot) -> Block:
        block = self.block_of(self.gaps.height_of(slot))
        self._blocks.append(block)
        self._height_of[block.blockhash] = block.height
        self._spent_in.append([])
        if len(self._blocks) > SLOT_HASHES_MAX + 1:
            del self._height_of[self._blocks.popleft().blockhash]
            for signature in self._spent_in.popleft():
                del self._spent[signature]
        return block
