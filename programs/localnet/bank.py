"""The chain: LiteSVM executes, this gives it slots, blockhashes, finality and a memory.

Synchronous and in-process: no sockets, no clock. Whoever owns the bank calls `advance_slot`. One transaction is
one small step (some 60 microseconds), so a trio task can checkpoint between them.

Where it differs from a cluster, on purpose:

- there are no forks, no leaders and no skipped slots: every slot has a block and height equals slot;
- transactions always execute against the processed state, preflight at whatever commitment included;
- reads at confirmed and finalized are true for accounts written by transactions; sysvars show the present;
- durable nonces are refused (their blockhash is never in the window), as is the v1 message format;
- a transaction whose program does not exist is dropped without a fee; agave charges it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Literal

from solders.account import Account
from solders.clock import Clock
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.transaction import SanitizeError, VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from programs.localnet.fees import RecentFees, bid_micro_lamports
from programs.localnet.ledger import Ledger, TransactionError, TransactionRecord
from programs.localnet.locks import LookupTables, count_locks
from programs.localnet.tokens import TOKEN_PROGRAMS, TokenBalances
from programs.localnet.undo import UndoLog
from programs.localnet.window import Block, BlockhashWindow, derive_hash
from programs.units import (
    SLOT_MS,
    TRANSACTION_BYTES_MAX,
    TRANSACTION_LOCKS_MAX,
    Lamports,
    Slot,
)

Commitment = Literal["processed", "confirmed", "finalized"]

FAUCET_LAMPORTS: Final = Lamports(500_000_000 * 10**9)
SLOTS_PER_EPOCH: Final = 432_000
"""Source: solana-clock DEFAULT_SLOTS_PER_EPOCH."""
_FAUCET_CU: Final = 10_000
"""More than a transfer and its budget instruction use; the airdrop's number is added to it."""


class TransactionRefused(Exception):  # noqa: N818 - it is an ordinary end of a transaction, not a fault
    """The transaction did not land: no fee was charged and nothing was written."""

    def __init__(self, error: TransactionError, explanation: str) -> None:
        super().__init__(explanation)
        self.error = error
        """As agave writes it in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankConfig:
    """How the chain is made; equal configurations make equal chains."""

    seed: int = 0
    """Genesis hash, blockhashes, faucet and identity derive from it."""
    slot_ms: int = SLOT_MS
    """How far one slot moves the Clock sysvar."""
    confirmed_slots: int = 2
    """Depth at which a slot is confirmed."""
    finality_slots: int = 31
    """Depth at which a slot is finalized."""
    records_max: int = 100_000
    """Transaction records kept; about 4 KB each."""
    genesis_unix_s: int = 1_750_000_000
    """Time of slot 0."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a transaction would have done."""

    error: TransactionError | None
    logs: Sequence[str]
    meta: TransactionMetadata | None
    """None when it was refused before execution."""
    post_accounts: dict[Pubkey, Account]
    loaded_bytes: int = 0
    """Account data loaded, as it counts against the transaction's limit."""


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
        self._window = BlockhashWindow(self.config.seed)
        self._undo = UndoLog(self._window.tip.slot)
        self.recent_fees: Final = RecentFees(self._window.tip.slot)
        # The window and the signatures are this class's business: LiteSVM's own history would be a second one.
        self._svm = LiteSVM().with_blockhash_check(check=False).with_transaction_history(0)
        self._tables = LookupTables(self._svm.get_account)
        self._tokens = TokenBalances(self._svm.get_account)
        self._airdrops = 0
        self._landed_in_slot = 0
        self._svm.set_account(
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

    def slot_at(self, commitment: Commitment) -> Slot:
        """The newest slot that has reached `commitment`."""
        depth = {
            "processed": 0,
            "confirmed": self.config.confirmed_slots,
            "finalized": self.config.finality_slots,
        }[commitment]
        return Slot(max(0, self.slot - depth))

    def block_at(self, commitment: Commitment) -> Block:
        """The newest block that has reached `commitment`."""
        return self._window.block_at(self.slot_at(commitment))

    def blockhash_of(self, slot: Slot) -> Hash:
        """The blockhash of `slot`, however old."""
        return derive_hash(self.config.seed, "block", slot)

    def unix_time_s(self, slot: Slot) -> int:
        """The time of `slot`, whole seconds."""
        return self.config.genesis_unix_s + slot * self.config.slot_ms // 1_000

    def advance_slot(self, count: int = 1) -> None:
        """Close the current slot and open the next, `count` times."""
        for _ in range(count):
            self._landed_in_slot = 0
            block = self._window.open_block()
            oldest = max(0, block.slot - self.config.finality_slots - 1)
            self._undo.open_slot(block.slot, Slot(oldest))
            self.recent_fees.open_slot(block.slot)
        epoch = self.slot // SLOTS_PER_EPOCH
        self._svm.set_clock(
            Clock(
                slot=self.slot,
                epoch_start_timestamp=self.unix_time_s(Slot(epoch * SLOTS_PER_EPOCH)),
                epoch=epoch,
                leader_schedule_epoch=epoch + 1,
                unix_timestamp=self.unix_time_s(self.slot),
            )
        )
        self._svm.set_slot_hashes(self._window.slot_hashes())

    def is_blockhash_valid(self, blockhash: Hash, commitment: Commitment = "processed") -> bool:
        """Whether a transaction with `blockhash` could land in the block at `commitment`."""
        return self._window.is_valid(blockhash, self.block_at(commitment).height)

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
        signature = transaction.signatures[0]
        self._check_admissible(transaction)
        locked = self._tables.lock(transaction.message)
        addresses = locked.addresses
        written = [addresses[i] for i in locked.writable]
        before = self._undo.unkept(written, self._svm.get_account)
        has_tokens = any(program in addresses for program in TOKEN_PROGRAMS)
        pre_balances = self._balances(addresses)
        pre_tokens = self._tokens.of(addresses, locked.writable) if has_tokens else ()
        result = self._svm.send_transaction(transaction)
        error: TransactionError | None = None
        if isinstance(result, FailedTransactionMetadata):
            error = _error_json(result)
            meta = result.meta()
            payer_lamports = self._svm.get_balance(addresses[0]) or 0
            if payer_lamports == pre_balances[0]:
                # A landed failure always pays its fee; this one was stopped at the door.
                raise TransactionRefused(error, f"the transaction was refused: {error}")
        else:
            meta = result
        self._undo.keep(before)
        self._tables.forget(written)
        record = TransactionRecord(
            signature=signature,
            slot=self.slot,
            index=self._landed_in_slot,
            transaction=transaction,
            locked=locked,
            error=error,
            meta=meta,
            pre_balances=pre_balances,
            post_balances=self._balances(addresses),
            pre_token_balances=pre_tokens,
            post_token_balances=self._tokens.of(addresses, locked.writable) if has_tokens else (),
        )
        self._window.spend(signature)
        self._landed_in_slot += 1
        self.recent_fees.add(written, bid_micro_lamports(transaction.message))
        self.ledger.append(record)
        return record

    def simulate(
        self,
        transaction: VersionedTransaction,
        *,
        verify_signatures: bool = True,
        check_blockhash: bool = True,
    ) -> Simulation:
        """Run one transaction on the processed state and keep nothing."""
        try:
            self._check_admissible(transaction, check_blockhash=check_blockhash)
        except TransactionRefused as refused:
            return Simulation(error=refused.error, logs=(), meta=None, post_accounts={})
        self._svm.with_sigverify(verify_signatures)
        try:
            result = self._svm.simulate_transaction(transaction)
        finally:
            self._svm.with_sigverify(sigverify=True)
        if isinstance(result, FailedTransactionMetadata):
            meta = result.meta()
            return Simulation(
                error=_error_json(result), logs=meta.logs(), meta=meta, post_accounts={}
            )
        meta = result.meta()
        return Simulation(
            error=None,
            logs=meta.logs(),
            meta=meta,
            post_accounts=dict(result.post_accounts()),
            loaded_bytes=self._tables.loaded_bytes(transaction.message),
        )

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
            return self._svm.get_account(address)
        return self._undo.account_at(address, slot, self._svm.get_account)

    def program_accounts(
        self, program: Pubkey, commitment: Commitment = "processed"
    ) -> list[tuple[Pubkey, Account]]:
        """Every account that `program` owns, in the order of their addresses."""
        present = self._svm.get_program_accounts(program)
        past = self._undo.overwritten_after(self.slot_at(commitment))
        if past:
            present = [(address, account) for address, account in present if address not in past]
            present += [
                (address, account)
                for address, account in past.items()
                if account is not None and account.owner == program
            ]
        # LiteSVM's own order is another one in every process: a chain made again must answer the same.
        present.sort(key=itemgetter(0))
        return present

    def written_in(self, slot: Slot) -> Iterable[Pubkey]:
        """The addresses written in `slot`, which must not be older than finality."""
        return self._undo.touched(slot)

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Overwrite an account without a transaction: for tests and genesis, never reachable by RPC."""
        self._undo.keep(self._undo.unkept((address,), self._svm.get_account))
        self._tables.forget((address,))
        self._svm.set_account(address, account)

    def rent_exempt_lamports(self, data_bytes: int) -> Lamports:
        """The balance that an account of `data_bytes` must hold."""
        return Lamports(self._svm.minimum_balance_for_rent_exemption(data_bytes))

    # Parts

    def _check_admissible(
        self, transaction: VersionedTransaction, *, check_blockhash: bool = True
    ) -> None:
        message = transaction.message
        size = len(bytes(transaction))
        if size > TRANSACTION_BYTES_MAX:
            raise TransactionRefused(
                "SanitizeFailure",
                f"the transaction has {size} bytes; the limit is {TRANSACTION_BYTES_MAX}",
            )
        if isinstance(message, MessageV1):
            raise TransactionRefused(
                "UnsupportedVersion", "the message is v1; this network takes legacy and v0"
            )
        if check_blockhash and not self._window.is_valid(message.recent_blockhash):
            raise TransactionRefused(
                "BlockhashNotFound",
                f"blockhash {message.recent_blockhash} is not among the last 150 blocks"
                f" of height {self._window.tip.height}; fetch a new one and sign again",
            )
        signature = transaction.signatures[0]
        if signature != Signature.default() and self._window.is_spent(signature):
            raise TransactionRefused("AlreadyProcessed", f"{signature} has already landed")
        locks = count_locks(message)
        if locks > TRANSACTION_LOCKS_MAX:
            raise TransactionRefused(
                "TooManyAccountLocks",
                f"the transaction locks {locks} accounts; the limit is {TRANSACTION_LOCKS_MAX}",
            )

    def _balances(self, addresses: Sequence[Pubkey]) -> tuple[Lamports, ...]:
        get_balance = self._svm.get_balance
        return tuple([Lamports(get_balance(address) or 0) for address in addresses])


def parse_transaction(raw: bytes) -> VersionedTransaction:
    """Read one wire transaction.

    Raises:
        TransactionRefused: It is too long, unreadable, or inconsistent in itself.
    """
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise TransactionRefused(
            "SanitizeFailure",
            f"the transaction has {len(raw)} bytes; the limit is {TRANSACTION_BYTES_MAX}",
        )
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except (ValueError, SanitizeError) as error:
        raise TransactionRefused(
            "SanitizeFailure", f"the {len(raw)} bytes are no well-formed transaction: {error}"
        ) from error
    return transaction


def _error_json(failed: FailedTransactionMetadata) -> TransactionError:
    # solders has no public way from its error classes to agave's JSON, but the whole result has one.
    error: TransactionError = json.loads(failed.to_json())["err"]
    return error
