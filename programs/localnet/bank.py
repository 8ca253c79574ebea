"""The chain: a runtime executes, this gives it slots, blockhashes, forks, finality and a memory.

Synchronous and in-process: no sockets, no clock. Whoever owns the bank calls `advance_slot`. One transaction is
one small step (some 60 microseconds), so a trio task can checkpoint between them.

Where it differs from a cluster, on purpose:

- there are no leaders, and no slot is without a block unless a `fork` passed over it;
- transactions always execute against the processed state, preflight at whatever commitment included;
- reads at confirmed and finalized are true for accounts written by transactions; sysvars show the present;
- durable nonces are refused (their blockhash is never in the window), as is the v1 message format;
- a transaction whose program does not exist is dropped without a fee; agave charges it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from solders.account import Account
from solders.clock import Clock
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from programs.localnet.admission import TransactionRefused, check_admissible, parse_transaction
from programs.localnet.fees import RecentFees, bid_micro_lamports
from programs.localnet.ledger import Ledger, TransactionRecord
from programs.localnet.locks import LockedAccounts
from programs.localnet.runtime import Runtime, Simulation
from programs.localnet.window import Block, BlockhashWindow, derive_hash
from programs.log_limit import LOG_BYTES_MAX
from programs.units import BLOCKHASH_AGE_MAX_BLOCKS, SLOT_MS, BlockHeight, Lamports, Slot

Commitment = Literal["processed", "confirmed", "finalized"]

FAUCET_LAMPORTS: Final = Lamports(500_000_000 * 10**9)
SLOTS_PER_EPOCH: Final = 432_000
"""Source: solana-clock DEFAULT_SLOTS_PER_EPOCH."""
_FAUCET_CU: Final = 10_000
"""More than a transfer and its budget instruction use; the airdrop's number is added to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankConfig:
    """How the chain is made; equal configurations make equal chains."""

    seed: int = 0
    """Genesis hash, blockhashes, faucet and identity derive from it."""
    slot_ms: int = SLOT_MS
    """How far one slot moves the Clock sysvar."""
    confirmed_slots: int = 2
    """Depth, in blocks, at which a slot is confirmed."""
    finality_slots: int = 31
    """Depth, in blocks, at which a slot is finalized."""
    records_max: int = 100_000
    """Transaction records kept; about 4 KB each."""
    genesis_unix_s: int = 1_750_000_000
    """Time of slot 0."""
    blockhash_blocks: int = BLOCKHASH_AGE_MAX_BLOCKS
    """How many blocks a blockhash is good for; fewer than a cluster's 150 make transactions expire sooner."""
    past_blocks: int = 0
    """How much further back than finality accounts can be read: what a lagging node needs."""
    log_bytes_max: int | None = LOG_BYTES_MAX
    """What is kept of a transaction's logs, as `agave-validator --log-messages-bytes-limit` has it; None keeps all."""

    def __post_init__(self) -> None:
        """Refuse a chain that could not run.

        Raises:
            ValueError: A value is out of range.
        """
        if self.slot_ms < 1:
            raise ValueError(f"slot_ms is {self.slot_ms}; a slot takes at least 1 ms")
        if not 0 <= self.confirmed_slots <= self.finality_slots:
            raise ValueError(
                f"confirmed_slots is {self.confirmed_slots} and finality_slots {self.finality_slots};"
                " 0 <= confirmed_slots <= finality_slots must hold"
            )
        if self.records_max < 1:
            raise ValueError(f"records_max is {self.records_max}; keep at least 1 record")
        if not 1 <= self.blockhash_blocks <= BLOCKHASH_AGE_MAX_BLOCKS:
            raise ValueError(
                f"blockhash_blocks is {self.blockhash_blocks}; 1 to {BLOCKHASH_AGE_MAX_BLOCKS} must hold"
            )
        if self.past_blocks < 0:
            raise ValueError(f"past_blocks is {self.past_blocks}; it cannot be negative")

    def depth(self, commitment: Commitment) -> int:
        """How many blocks lie on top of one that has just reached `commitment`."""
        if commitment == "processed":
            return 0
        return self.confirmed_slots if commitment == "confirmed" else self.finality_slots


class Bank:
    """One chain, from genesis on.

    Not for several threads. Every method is synchronous; the longest is `program_accounts`.
    """

    def __init__(self, config: BankConfig | None = None) -> None:
        self.config = config or BankConfig()
        self.genesis_hash: Final = derive_hash(self.config.seed, "genesis")
        self.faucet: Final = Keypair.from_seed(bytes(derive_hash(self.config.seed, "faucet")))
        self.identity: Final = Keypair.from_seed(bytes(derive_hash(self.config.seed, "identity")))
        self.ledger: Final = Ledger(self.config.records_max)
        self._window = BlockhashWindow(self.config.seed, self.config.blockhash_blocks)
        self.recent_fees: Final = RecentFees(self.slot)
        self._runtime = Runtime(self.config.log_bytes_max)
        self._root = BlockHeight(0)
        self._clock_jumps: list[tuple[Slot, int]] = []
        self._reverted: dict[Slot, Mapping[Pubkey, int]] = {}
        self._airdrops = 0
        self._landed_in_slot = 0
        self._runtime.set_account(
            self.faucet.pubkey(),
            Account(lamports=FAUCET_LAMPORTS, data=b"", owner=SYSTEM_PROGRAM, executable=False),
        )
        # Lookup tables are made from a past slot: leave genesis before anyone asks.
        self.advance_slot()

    # Time

    @property
    def slot(self) -> Slot:
        """The slot now being filled; it is what processed means."""
        return self._window.tip.slot

    def height_at(self, commitment: Commitment) -> BlockHeight:
        """The height of the newest block that has reached `commitment`; finality is never taken back."""
        if commitment == "finalized":
            return self._root
        height = self._window.tip.height - self.config.depth(commitment)
        return BlockHeight(max(self._root, height))

    def block_of(self, height: BlockHeight) -> Block:
        """The block of `height`."""
        return self._window.block_of(height)

    def block_at(self, commitment: Commitment) -> Block:
        """The newest block that has reached `commitment`."""
        return self._window.block_of(self.height_at(commitment))

    def slot_at(self, commitment: Commitment) -> Slot:
        """The newest slot that has reached `commitment`."""
        return self.slot_of(self.height_at(commitment))

    def slot_of(self, height: BlockHeight) -> Slot:
        """The slot of the block of `height`."""
        return self._window.gaps.slot_of(height)

    def height_of(self, slot: Slot) -> BlockHeight:
        """The height of the block of `slot`, or of the last one before it."""
        return self._window.gaps.height_of(slot)

    def is_skipped(self, slot: int) -> bool:
        """Whether `slot` was passed over and has no block."""
        return self._window.gaps.has(slot)

    def unix_time_s(self, slot: Slot) -> int:
        """The time of `slot`, whole seconds."""
        steady = self.config.genesis_unix_s + slot * self.config.slot_ms // 1_000
        return steady + sum(seconds for first, seconds in self._clock_jumps if first <= slot)

    def advance_slot(self, count: int = 1) -> None:
        """Close the current slot and open the next, `count` times."""
        for _ in range(count):
            self._start(self._window.open_block())

    def fork(self, blocks: int) -> list[TransactionRecord]:
        """Close the current slot, take the newest `blocks` back, and open the next slot on what is left.

        What they held has never happened: accounts, statuses, signatures and heights are those of the block before.
        Their slots stay without a block.

        Returns:
            The transactions taken back, in the order they had landed in.

        Raises:
            ValueError: That many blocks cannot be taken back, for a finalized one is among them.
        """
        tip = self._window.tip.height
        left = BlockHeight(tip - blocks)
        if not self._root <= left < tip:
            raise ValueError(
                f"cannot take {blocks} blocks back: the tip has height {tip} and height {self._root} is finalized"
            )
        reverted: dict[Pubkey, int] = {}
        for height in range(tip, left, -1):
            depth = tip - height
            reverted |= dict.fromkeys(self._runtime.written_in(BlockHeight(height)), depth)
        self._runtime.take_back(left)
        block = self._window.unwind(blocks)
        taken = self.ledger.take_back(block.parent)
        self.recent_fees.take_back(block.parent)
        self._clock_jumps = [jump for jump in self._clock_jumps if jump[0] <= self.slot]
        self._reverted[block.slot] = reverted
        self._start(block)
        return taken

    def jump_clock(self, seconds: int) -> None:
        """Let the time of the next slot, and of all after it, be `seconds` later (or earlier) than due."""
        self._clock_jumps.append((Slot(self.slot + 1), seconds))

    def is_blockhash_valid(self, blockhash: Hash, commitment: Commitment = "processed") -> bool:
        """Whether a transaction with `blockhash` could land in the block at `commitment`."""
        return self.is_valid_at(blockhash, self.height_at(commitment))

    def is_valid_at(self, blockhash: Hash, height: BlockHeight) -> bool:
        """Whether a transaction with `blockhash` could land in the block of `height`."""
        return self._window.is_valid(blockhash, height)

    # Transactions

    def send(self, raw: bytes) -> Signature:
        """Execute one serialized transaction now.

        Returns:
            Its signature. It landed: `status` says whether its instructions succeeded.

        Raises:
            TransactionRefused: It did not land.
        """
        return self.execute(parse_transaction(raw)).signature

    def execute(self, transaction: VersionedTransaction) -> TransactionRecord:
        """Execute one transaction now; `send` without the parsing.

        Raises:
            TransactionRefused: It did not land.
        """
        check_admissible(transaction, self._window)
        executed = self._runtime.execute(transaction)
        record = TransactionRecord(
            signature=transaction.signatures[0],
            slot=self.slot,
            index=self._landed_in_slot,
            transaction=transaction,
            locked=executed.locked,
            error=executed.error,
            meta=executed.meta,
            pre_balances=executed.pre_balances,
            post_balances=executed.post_balances,
            pre_token_balances=executed.pre_token_balances,
            post_token_balances=executed.post_token_balances,
        )
        self._window.spend(record.signature)
        self._landed_in_slot += 1
        self.recent_fees.add(executed.written, bid_micro_lamports(transaction.message))
        self.ledger.append(record)
        return record

    def simulate(
        self,
        transaction: VersionedTransaction,
        *,
        verify_signatures: bool = True,
        check_blockhash: bool = True,
        height: BlockHeight | None = None,
    ) -> Simulation:
        """Run one transaction on the processed state and keep nothing.

        Args:
            transaction: What to run.
            verify_signatures: Whether they must be right.
            check_blockhash: Whether it must be one that can still land.
            height: The block in which it would have to land; None is the tip.
        """
        try:
            check_admissible(
                transaction, self._window, height=height, check_blockhash=check_blockhash
            )
        except TransactionRefused as refused:
            return Simulation(error=refused.error, logs=(), meta=None, post_accounts={})
        return self._runtime.simulate(transaction, verify_signatures=verify_signatures)

    def fee_lamports(self, message: Message | MessageV0) -> Lamports:
        """The fee that `message`, which must be well formed, would be charged; priority included."""
        unsigned = [Signature.default()] * message.header.num_required_signatures
        simulation = self.simulate(
            VersionedTransaction.populate(message, unsigned),
            verify_signatures=False,
            check_blockhash=False,
        )
        return Lamports(0 if simulation.meta is None else simulation.meta.fee())

    def airdrop(self, address: Pubkey, lamports: Lamports) -> Signature:
        """Transfer `lamports` from the faucet to `address`, by a transaction like any other.

        Raises:
            TransactionRefused: The transfer cannot land, for instance because the result would not be rent exempt.
        """
        self._airdrops += 1
        budget = set_compute_unit_limit(_FAUCET_CU + self._airdrops)  # keeps signatures apart
        payment = transfer(
            TransferParams(from_pubkey=self.faucet.pubkey(), to_pubkey=address, lamports=lamports)
        )
        message = Message.new_with_blockhash(
            [budget, payment], self.faucet.pubkey(), self._window.tip.blockhash
        )
        record = self.execute(VersionedTransaction(message, [self.faucet]))
        if record.error is not None:
            raise TransactionRefused(
                record.error, f"the faucet could not pay {lamports} lamports: {record.error}"
            )
        return record.signature

    def status(self, signature: Signature) -> TransactionRecord | None:
        """The record of a landed transaction, or None."""
        return self.ledger.find(signature)

    def lock(self, transaction: VersionedTransaction) -> LockedAccounts:
        """The accounts that a transaction locks, lookup tables resolved as of now."""
        return self._runtime.lock(transaction)

    def reached(self, slot: Slot) -> Commitment:
        """The highest commitment that `slot` has reached."""
        if slot <= self.slot_at("finalized"):
            return "finalized"
        return "confirmed" if slot <= self.slot_at("confirmed") else "processed"

    # Accounts

    def account(self, address: Pubkey, commitment: Commitment = "processed") -> Account | None:
        """The account at `address`, or None when there is none."""
        return self.account_at(address, self.slot_at(commitment))

    def account_at(self, address: Pubkey, slot: Slot) -> Account | None:
        """The account as it was at the end of `slot`, which must not be older than finality."""
        if slot >= self.slot:
            return self._runtime.account(address)
        return self._runtime.account_at(address, self.height_of(slot))

    def program_accounts(
        self, program: Pubkey, commitment: Commitment = "processed"
    ) -> list[tuple[Pubkey, Account]]:
        """Every account that `program` owns, in the order of their addresses."""
        return self._runtime.program_accounts_at(program, self.height_at(commitment))

    def program_accounts_at(self, program: Pubkey, slot: Slot) -> list[tuple[Pubkey, Account]]:
        """Every account that `program` owned at the end of `slot`, which must not be older than finality; by address."""
        return self._runtime.program_accounts_at(program, self.height_of(slot))

    def written_in(self, slot: Slot) -> Collection[Pubkey]:
        """The addresses written in `slot`, which must not be older than finality."""
        return self._runtime.written_in(self.height_of(slot)).keys()

    def reverted_in(self, slot: Slot) -> Mapping[Pubkey, int]:
        """The addresses that the fork before `slot` reverted, with how deep below the tip they had been written."""
        return self._reverted.get(slot, {})

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Overwrite an account without a transaction: for tests and genesis, never reachable by RPC."""
        self._runtime.set_account(address, account)

    def rent_exempt_lamports(self, data_bytes: int) -> Lamports:
        """The balance that an account of `data_bytes` must hold."""
        return self._runtime.rent_exempt_lamports(data_bytes)

    def _start(self, block: Block) -> None:
        self._landed_in_slot = 0
        depth = self.config.finality_slots
        self._root = BlockHeight(max(self._root, block.height - depth))
        oldest = max(0, block.height - depth - self.config.past_blocks - 1)
        # Nobody asks for older ones than the blocks still remembered.
        self._reverted = {s: a for s, a in self._reverted.items() if self.height_of(s) >= oldest}
        self.recent_fees.open_slot(block.slot)
        epoch = block.slot // SLOTS_PER_EPOCH
        clock = Clock(
            slot=block.slot,
            epoch_start_timestamp=self.unix_time_s(Slot(epoch * SLOTS_PER_EPOCH)),
            epoch=epoch,
            leader_schedule_epoch=epoch + 1,
            unix_timestamp=self.unix_time_s(block.slot),
        )
        self._runtime.open_block(
            block.height, BlockHeight(oldest), clock, self._window.slot_hashes()
        )
