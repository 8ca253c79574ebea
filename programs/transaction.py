"""Instructions -> signed v0 bytes, with each compute-budget instruction exactly once.

Two SetComputeUnitLimit in one transaction make the cluster refuse it whole: a caller's own are refused here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders import compute_budget
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from programs.units import (
    SIGNATURE_FEE_LAMPORTS,
    TRANSACTION_BYTES_MAX,
    TRANSACTION_CU_MAX,
    ComputeUnits,
    Lamports,
    MicroLamports,
)

COMPUTE_BUDGET_CU: Final = ComputeUnits(450)
"""Three compute-budget instructions of 150 each. Source: agave, DEFAULT_COMPUTE_UNITS of the builtin."""
COMPUTE_BUDGET_LOG_BYTES: Final = 363
"""What the three log: that each is invoked, and that it succeeded."""
LOADED_BYTES_MAX: Final = 64 << 20
"""Source: agave MAX_LOADED_ACCOUNTS_DATA_SIZE_BYTES."""
LOADED_PAGE_BYTES: Final = 32 << 10
"""The scheduler charges 8 CU a page. Source: agave ACCOUNT_DATA_COST_PAGE_SIZE."""
_MICRO: Final = 1_000_000


class TransactionRefused(ValueError):  # noqa: N818 - named after what happened
    """These instructions make no transaction the cluster would take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one transaction may use, and bids for it."""

    cu_limit: ComputeUnits
    cu_price_micro_lamports: MicroLamports
    loaded_bytes: int
    """All account data it loads, programs included."""

    def __post_init__(self) -> None:
        """Refuse what the runtime would refuse."""
        if not 0 < self.cu_limit <= TRANSACTION_CU_MAX:
            raise TransactionRefused(
                f"cu_limit is {self.cu_limit}, expected 1 to {TRANSACTION_CU_MAX}"
            )
        if self.cu_price_micro_lamports < 0:
            raise TransactionRefused(
                f"cu price is {self.cu_price_micro_lamports}, expected 0 or more"
            )
        if not 0 < self.loaded_bytes <= LOADED_BYTES_MAX:
            raise TransactionRefused(
                f"loaded_bytes is {self.loaded_bytes}, expected 1 to {LOADED_BYTES_MAX}"
            )

    def fee_lamports(self, signatures: int = 1) -> Lamports:
        """Compute what inclusion costs, success or failure; the priority part rounds up, as the chain does.

        Source: SOLANA.md section 3.
        """
        priority = -(-self.cu_price_micro_lamports * self.cu_limit // _MICRO)
        return Lamports(SIGNATURE_FEE_LAMPORTS * signatures + priority)

    def instructions(self) -> list[Instruction]:
        """Build the three instructions."""
        return [
            compute_budget.set_compute_unit_limit(self.cu_limit),
            compute_budget.set_compute_unit_price(self.cu_price_micro_lamports),
            compute_budget.set_loaded_accounts_data_size_limit(self.loaded_bytes),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTransaction:
    """Bytes ready to leave."""

    signature: Signature
    """The payer's: the transaction's id."""
    wire: bytes


def whole_pages(loaded_bytes: int) -> int:
    """Round a loaded-data estimate up to the pages the scheduler charges for."""
    return min(LOADED_BYTES_MAX, math.ceil(loaded_bytes / LOADED_PAGE_BYTES) * LOADED_PAGE_BYTES)


def compile_message(
    payer: Pubkey,
    instructions: Sequence[Instruction],
    budget: Budget,
    blockhash: Hash,
    tables: Sequence[AddressLookupTableAccount] = (),
) -> MessageV0:
    """Build the message, compute-budget instructions first; accounts that stand in a table are taken from there.

    Raises:
        TransactionRefused: an instruction is itself a compute-budget instruction.
    """
    if any(instruction.program_id == compute_budget.ID for instruction in instructions):
        raise TransactionRefused("compute-budget instructions are added here, exactly once each")
    whole = [*budget.instructions(), *instructions]
    return MessageV0.try_compile(payer, whole, list(tables), blockhash)


class Signers:
    """Keypairs with their addresses; the first one pays.

    solders works an address out of its key whenever it is asked for it, and the constructor of a signed transaction asks:
    21 us each time, as long as the signature itself. Here it is asked once.
    """

    def __init__(self, keypairs: Sequence[Keypair]) -> None:
        """Take the payer, and who signs beside him."""
        self.addresses: Final = tuple(keypair.pubkey() for keypair in keypairs)
        self._by_address: Final = dict(zip(self.addresses, keypairs, strict=True))

    @property
    def payer(self) -> Pubkey:
        """The first one's address."""
        return self.addresses[0]

    def sign(self, message: MessageV0) -> SignedTransaction:
        """Sign a message.

        Raises:
            TransactionRefused: it is longer than a packet, or these are not the signers that it names.
        """
        wanted = message.account_keys[: message.header.num_required_signatures]
        if len(self.addresses) != len(wanted) or self._by_address.keys() != set(wanted):
            raise TransactionRefused(
                f"cannot sign: found keys of {', '.join(map(str, self.addresses)) or 'nobody'}, "
                f"expected those of {', '.join(map(str, wanted))}"
            )
        signed = to_bytes_versioned(message)
        signatures = [self._by_address[address].sign_message(signed) for address in wanted]
        wire = bytes(VersionedTransaction.populate(message, signatures))
        if len(wire) > TRANSACTION_BYTES_MAX:
            raise TransactionRefused(
                f"{len(wire)} bytes, a transaction has at most {TRANSACTION_BYTES_MAX}"
            )
        return SignedTransaction(signature=signatures[0], wire=wire)


def sign(message: MessageV0, signers: Sequence[Keypair]) -> SignedTransaction:
    """Sign a message once; who signs many keeps `Signers`.

    Raises:
        TransactionRefused: it is longer than a packet, or the signers are not those it names.
    """
    return Signers(signers).sign(message)
