"""A cluster as a list of blocks: what arrives is executed in the next one, and the newest may be taken back.

Core: it is told when a slot ends. A blockhash carries its own height and fork in its bytes.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from bench.schedules.program import State, execute
from programs.rpc import SignatureStatus
from programs.units import Slot

CONFIRM_BLOCKS: Final = 1
FINALIZE_BLOCKS: Final = 8
"""31 on a cluster: a tenth of the time shows the same."""
WINDOW_BLOCKS: Final = 24
"""150 on a cluster."""
RECENT_BLOCKS: Final = 30
"""How far back a status is known without searching history."""
FIRST_SLOT: Final = 1_000
FIRST_HEIGHT: Final = 500


@dataclass(slots=True, kw_only=True)
class Block:
    """One block, and all accounts after it."""

    slot: int
    height: int
    blockhash: Hash
    state: State
    executed: dict[Signature, object] = field(default_factory=dict)
    """Its transactions in order, with the error of each."""


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The chain as it really is; nodes may lag behind it."""

    blocks: list[Block]
    cursed: frozenset[Pubkey] = frozenset()
    slot: int = FIRST_SLOT
    final_height: int = FIRST_HEIGHT - FINALIZE_BLOCKS
    """No fork goes below."""
    forks: int = 0
    transactions: dict[Signature, VersionedTransaction] = field(default_factory=dict)
    """All bytes that ever arrived."""
    _arriving: defaultdict[int, list[Signature]] = field(default_factory=lambda: defaultdict(list))
    """By the slot in whose block they may be."""
    _height_of: dict[Signature, int] = field(default_factory=dict)
    """What is on the current fork."""

    @property
    def tip(self) -> Block:
        """The newest block."""
        return self.blocks[-1]

    def block_at(self, height: int) -> Block:
        """Return a block of the current fork."""
        return self.blocks[height - self.blocks[0].height]

    def tip_behind(self, lag_blocks: int) -> Block:
        """Return the newest block of a node that lags; never below what is final."""
        return self.block_at(max(self.tip.height - lag_blocks, self.final_height))

    def arrive(self, wire: bytes, after_slots: int) -> VersionedTransaction:
        """Take bytes that will reach a leader so many slots from now."""
        transaction = VersionedTransaction.from_bytes(wire)
        signature = transaction.signatures[0]
        self.transactions[signature] = transaction
        self._arriving[self.slot + 1 + after_slots].append(signature)
        return transaction

    def is_on_chain(self, signature: Signature) -> bool:
        """Whether the current fork has it."""
        return signature in self._height_of

    def error_of(self, signature: Signature) -> object:
        """Return how it ended on the current fork."""
        return self.block_at(self._height_of[signature]).executed[signature]

    def slot_of(self, signature: Signature) -> int:
        """Return where the current fork has it."""
        return self.block_at(self._height_of[signature]).slot

    def can_land(self, transaction: VersionedTransaction, last_valid_height: int) -> bool:
        """Whether a block after the tip may still have it."""
        return (
            self.tip.height + 1 <= last_valid_height
            and self._height_of_hash(transaction.message.recent_blockhash) is not None
        )

    def _height_of_hash(self, blockhash: Hash) -> int | None:
        height = int.from_bytes(bytes(blockhash)[:8], "little")
        at = height - self.blocks[0].height
        if not 0 <= at < len(self.blocks) or self.blocks[at].blockhash != blockhash:
            return None
        return height

    def end_slot(self) -> None:
        """Make the slot's block of what has arrived."""
        self.slot += 1
        before = self.tip
        block = Block(
            slot=self.slot,
            height=before.height + 1,
            blockhash=_blockhash(before.height + 1, self.forks),
            state=before.state,
        )
        for signature in self._arriving.pop(self.slot, ()):
            transaction = self.transactions[signature]
            height = self._height_of_hash(transaction.message.recent_blockhash)
            if signature in self._height_of or height is None:
                continue
            if block.height > height + WINDOW_BLOCKS:
                continue
            block.state, block.executed[signature] = execute(
                block.state, transaction, self.slot, self.cursed
            )
            self._height_of[signature] = block.height
        self.blocks.append(block)
        self.final_height = max(self.final_height, block.height - FINALIZE_BLOCKS)

    def fork(self, count: int) -> list[Signature]:
        """Take back the newest blocks, none that is final; return their transactions in order."""
        count = min(count, self.tip.height - self.final_height)
        if count <= 0:
            return []
        taken = [signature for block in self.blocks[-count:] for signature in block.executed]
        del self.blocks[-count:]
        self.forks += 1
        for signature in taken:
            del self._height_of[signature]
        return taken

    def come_again(self, signature: Signature, after_slots: int) -> None:
        """Let what a fork took back arrive at another leader."""
        self._arriving[self.slot + 1 + after_slots].append(signature)

    def height(self, commitment: str, tip: Block) -> int:
        """Return the height that a node at `tip` calls so."""
        lag = self.tip.height - tip.height
        final = max(self.final_height - lag, self.blocks[0].height)
        if commitment == "finalized":
            return final
        return tip.height if commitment == "processed" else max(tip.height - CONFIRM_BLOCKS, final)

    def status(self, signature: Signature, tip: Block, *, history: bool) -> SignatureStatus | None:
        """Return what a node at `tip` says of a signature."""
        height = self._height_of.get(signature)
        if height is None or height > tip.height:
            return None
        if not history and height < tip.height - RECENT_BLOCKS:
            return None
        block = self.block_at(height)
        if height <= self.height("finalized", tip):
            commitment = "finalized"
        else:
            commitment = "confirmed" if height <= self.height("confirmed", tip) else "processed"
        return SignatureStatus(
            slot=Slot(block.slot), err=block.executed[signature], commitment=commitment
        )

    def done(self) -> Iterator[Signature]:
        """Yield what took effect on the current fork, in order."""
        for block in self.blocks:
            for signature, err in block.executed.items():
                if err is None:
                    yield signature


def genesis(state: State) -> Cluster:
    """Make a chain whose first blocks are final."""
    blocks = [
        Block(
            slot=FIRST_SLOT - back,
            height=FIRST_HEIGHT - back,
            blockhash=_blockhash(FIRST_HEIGHT - back, 0),
            state=state,
        )
        for back in range(FINALIZE_BLOCKS, -1, -1)
    ]
    return Cluster(blocks=blocks)


def _blockhash(height: int, fork: int) -> Hash:
    return Hash(height.to_bytes(8, "little") + fork.to_bytes(8, "little") + bytes(16))
