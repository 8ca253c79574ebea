"""What one RPC node knows of the chain: all of it, or all of it some blocks late.

A lagging node tells the truth about an earlier moment: heights, blocks, accounts, statuses, blockhashes and what
subscribers hear. It executes and simulates on the present state, for there is only one; a blockhash that is too
new for it is unknown to it all the same.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from programs.localnet.bank import Bank, Commitment
from programs.localnet.ledger import TransactionRecord
from programs.localnet.runtime import Simulation
from programs.localnet.window import Block
from programs.units import BlockHeight, MicroLamports, Slot

Deliver = Callable[[VersionedTransaction], object]
"""Takes a transaction towards the chain; raises TransactionRefused when it is known at once that it cannot land."""


class Node:
    """One node's view of a bank."""

    def __init__(self, bank: Bank, *, lag_blocks: int = 0, deliver: Deliver | None = None) -> None:
        self.bank = bank
        self.deliver: Deliver = deliver or bank.execute
        self._lag_blocks = lag_blocks
        # Nobody listens yet to what is old.
        self._told: dict[Commitment, Slot] = {
            level: Slot(self.slot_at(level) - 1)
            for level in ("processed", "confirmed", "finalized")
        }

    @property
    def lag_blocks(self) -> int:
        """How many blocks it is behind."""
        return self._lag_blocks

    @lag_blocks.setter
    def lag_blocks(self, blocks: int) -> None:
        if not 0 <= blocks <= self.bank.config.past_blocks:
            raise ValueError(
                f"a lag of {blocks} blocks; this bank keeps {self.bank.config.past_blocks} to lag behind"
            )
        self._lag_blocks = blocks

    # Time

    @property
    def slot(self) -> Slot:
        """The newest slot it has heard of."""
        return self.slot_at("processed")

    @property
    def tip(self) -> Block:
        """The newest block it has heard of."""
        return self.block_at("processed")

    def height_at(self, commitment: Commitment) -> BlockHeight:
        """The height of the newest block that it knows to have reached `commitment`."""
        return BlockHeight(max(0, self.bank.height_at(commitment) - self._lag_blocks))

    def block_at(self, commitment: Commitment) -> Block:
        """The newest block that it knows to have reached `commitment`."""
        return self.bank.block_of(self.height_at(commitment))

    def slot_at(self, commitment: Commitment) -> Slot:
        """The newest slot that it knows to have reached `commitment`."""
        return self.bank.slot_of(self.height_at(commitment))

    def reached(self, slot: Slot) -> Commitment:
        """The highest commitment that it knows `slot` to have reached."""
        if slot <= self.slot_at("finalized"):
            return "finalized"
        return "confirmed" if slot <= self.slot_at("confirmed") else "processed"

    def is_blockhash_valid(self, blockhash: Hash, commitment: Commitment = "processed") -> bool:
        """Whether it believes that a transaction with `blockhash` may land."""
        return self.bank.is_valid_at(blockhash, self.height_at(commitment))

    # Accounts and transactions

    def account_at(self, address: Pubkey, slot: Slot) -> Account | None:
        """The account as it was at the end of `slot`."""
        return self.bank.account_at(address, slot)

    def program_accounts_at(self, program: Pubkey, slot: Slot) -> list[tuple[Pubkey, Account]]:
        """Every account that `program` owned at the end of `slot`."""
        return self.bank.program_accounts_at(program, slot)

    def status(self, signature: Signature) -> TransactionRecord | None:
        """The record of a transaction whose landing it has heard of."""
        record = self.bank.status(signature)
        return record if record is not None and record.slot <= self.slot else None

    def records_in(self, slot: Slot) -> Collection[TransactionRecord]:
        """The records of `slot`, in order."""
        return self.bank.ledger.in_slot(slot)

    def newest_first(self, address: Pubkey) -> Iterator[TransactionRecord]:
        """The records that lock `address` and that it has heard of, newest first."""
        newest = self.slot
        return (x for x in self.bank.ledger.newest_first(address) if x.slot <= newest)

    @property
    def landed_count(self) -> int:
        """Transactions landed since genesis, as far as it has heard."""
        unheard = range(self.slot + 1, self.bank.slot + 1)
        late = sum(len(self.records_in(Slot(slot))) for slot in unheard)
        return self.bank.ledger.landed_count - late

    def fee_floor(self, addresses: Sequence[Pubkey]) -> list[tuple[Slot, MicroLamports]]:
        """Per recent slot, what a transaction writing `addresses` had to beat."""
        newest = self.slot
        return [each for each in self.bank.recent_fees.floor(addresses) if each[0] <= newest]

    def simulate(
        self,
        transaction: VersionedTransaction,
        *,
        verify_signatures: bool = True,
        check_blockhash: bool = True,
    ) -> Simulation:
        """Run one transaction and keep nothing."""
        return self.bank.simulate(
            transaction,
            verify_signatures=verify_signatures,
            check_blockhash=check_blockhash,
            height=self.tip.height,
        )

    # News

    def arriving(self, commitment: Commitment) -> list[Slot]:
        """The slots that reach `commitment` as the current one closes: one, unless the chain forked or it caught up.

        After a fork the blocks below it have been told already, and those after it are new slots.
        """
        height = self.height_at(commitment)
        slots: list[Slot] = []
        while height >= 0:
            slot = self.bank.slot_of(height)
            if slot <= self._told[commitment]:
                break
            slots.append(slot)
            height = BlockHeight(height - 1)
        return slots[::-1]

    def mark_told(self) -> None:
        """Take what was arriving as told; call it when the slot closes."""
        for level in self._told:
            self._told[level] = max(self._told[level], self.slot_at(level))

    def written_in(self, slot: Slot, commitment: Commitment) -> Collection[Pubkey]:
        """The addresses whose value a block that reaches `commitment` changed.

        Where the block begins a fork, they include what had been told of the blocks that it replaces.
        """
        written = self.bank.written_in(slot)
        reverted = self.bank.reverted_in(slot)
        if not reverted:
            return written
        depth = self.bank.config.depth(commitment)
        return {*written, *(address for address, below in reverted.items() if below >= depth)}
