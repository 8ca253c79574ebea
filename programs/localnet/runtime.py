"""LiteSVM with a past: it executes, and what it overwrites can still be read and taken back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from programs.localnet.admission import TransactionRefused
from programs.localnet.ledger import TransactionError
from programs.localnet.locks import LockedAccounts, LookupTables
from programs.localnet.tokens import TOKEN_PROGRAMS, TokenBalance, TokenBalances
from programs.localnet.undo import UndoLog
from programs.log_limit import LOG_BYTES_MAX
from programs.units import BlockHeight, Lamports, Slot

_GONE = Account(lamports=0, data=b"", owner=SYSTEM_PROGRAM, executable=False)
"""What LiteSVM takes for no account at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What a landed transaction did."""

    locked: LockedAccounts
    written: Sequence[Pubkey]
    error: TransactionError | None
    meta: TransactionMetadata
    pre_balances: tuple[Lamports, ...]
    post_balances: tuple[Lamports, ...]
    pre_token_balances: tuple[TokenBalance, ...]
    post_token_balances: tuple[TokenBalance, ...]


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


class Runtime:
    """The accounts of one chain, present and recently past, and what transactions do to them."""

    def __init__(self, log_bytes_max: int | None = LOG_BYTES_MAX) -> None:
        # The window and the signatures are the bank's business: LiteSVM's own history would be a second one.
        svm = LiteSVM().with_blockhash_check(check=False).with_transaction_history(0)
        self._svm = svm.with_log_bytes_limit(log_bytes_max)
        self._undo = UndoLog(BlockHeight(0))
        self._tables = LookupTables(self._svm.get_account)
        self._tokens = TokenBalances(self._svm.get_account)

    def open_block(
        self,
        height: BlockHeight,
        oldest: BlockHeight,
        clock: Clock,
        slot_hashes: list[tuple[Slot, Hash]],
    ) -> None:
        """Start a block; the past before `oldest` is forgotten."""
        self._undo.open_block(height, oldest)
        self._svm.set_clock(clock)
        self._svm.set_slot_hashes(slot_hashes)

    def take_back(self, height: BlockHeight) -> None:
        """Make every account again what it was at the end of block `height`."""
        values = self._undo.take_back(height)
        self._tables.forget(values)
        for address, account in values.items():
            self._svm.set_account(address, _GONE if account is None else account)

    def execute(self, transaction: VersionedTransaction) -> Executed:
        """Execute one admissible transaction.

        Raises:
            TransactionRefused: It did not land.
        """
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
        return Executed(
            locked=locked,
            written=written,
            error=error,
            meta=meta,
            pre_balances=pre_balances,
            post_balances=self._balances(addresses),
            pre_token_balances=pre_tokens,
            post_token_balances=self._tokens.of(addresses, locked.writable) if has_tokens else (),
        )

    def simulate(
        self, transaction: VersionedTransaction, *, verify_signatures: bool = True
    ) -> Simulation:
        """Run one admissible transaction on the present state and keep nothing."""
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

    def account(self, address: Pubkey) -> Account | None:
        """The account as it is now."""
        return self._svm.get_account(address)

    def account_at(self, address: Pubkey, height: BlockHeight) -> Account | None:
        """The account as it was at the end of a block that is not forgotten."""
        return self._undo.account_at(address, height, self._svm.get_account)

    def program_accounts_at(
        self, program: Pubkey, height: BlockHeight
    ) -> list[tuple[Pubkey, Account]]:
        """Every account that `program` owned at the end of a block, in the order of their addresses."""
        present = self._svm.get_program_accounts(program)
        past = self._undo.overwritten_after(height)
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

    def written_in(self, height: BlockHeight) -> Mapping[Pubkey, object]:
        """The addresses that a block wrote; none once it is forgotten."""
        return self._undo.touched(height)

    def lock(self, transaction: VersionedTransaction) -> LockedAccounts:
        """The accounts that a transaction locks, lookup tables resolved."""
        return self._tables.lock(transaction.message)

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Overwrite an account without a transaction."""
        self._undo.keep(self._undo.unkept((address,), self._svm.get_account))
        self._tables.forget((address,))
        self._svm.set_account(address, account)

    def rent_exempt_lamports(self, data_bytes: int) -> Lamports:
        """The balance that an account of `data_bytes` must hold."""
        return Lamports(self._svm.minimum_balance_for_rent_exemption(data_bytes))

    def _balances(self, addresses: Iterable[Pubkey]) -> tuple[Lamports, ...]:
        get_balance = self._svm.get_balance
        return tuple([Lamports(get_balance(address) or 0) for address in addresses])


def _error_json(failed: FailedTransactionMetadata) -> TransactionError:
    # solders has no public way from its error classes to agave's JSON, but the whole result has one.
    error: TransactionError = json.loads(failed.to_json())["err"]
    return error
