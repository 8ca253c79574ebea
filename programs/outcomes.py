"""What was signed, and how it ended, as values."""

import json
from dataclasses import dataclass, replace
from typing import Final, Literal

from solders.signature import Signature

from programs.rpc import LatestBlockhash, SignatureStatus, TransactionFacts
from programs.transaction import Budget, SignedTransaction
from programs.units import BlockHeight, ComputeUnits, Lamports, MicroLamports, Slot

_NO_RENT: Final = Lamports(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRef:
    """One job of a batch, as it is recorded."""

    job_id: str
    kind: str
    target: str
    effect: str
    """The chain state it acts upon (a position's shares, say): the same effect landing twice is a duplicate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBatch:
    """A signed transaction and all that must be known to land it, or to prove that it cannot."""

    lane: str
    jobs: tuple[JobRef, ...]
    transaction: SignedTransaction
    latest: LatestBlockhash
    """What it was signed with."""
    budget: Budget
    signed_minute: int | None = None
    """Unix minutes by the wall clock; None where spending is not capped by time."""
    rent_lamports: Lamports = _NO_RENT
    """What it locks in new accounts, if it lands."""

    @property
    def signature_text(self) -> str:
        """Its signature, base58."""
        return str(self.transaction.signature)

    @property
    def wire(self) -> bytes:
        """The signed bytes."""
        return self.transaction.wire

    @property
    def blockhash_text(self) -> str:
        """Its recent blockhash, base58."""
        return str(self.latest.blockhash)

    @property
    def last_valid_block_height(self) -> BlockHeight:
        """The height after which it can no longer land."""
        return self.latest.last_valid_block_height

    @property
    def created_slot(self) -> Slot:
        """The slot its blockhash was read at."""
        return self.latest.slot

    @property
    def cu_limit(self) -> ComputeUnits:
        """Compute units requested."""
        return self.budget.cu_limit

    @property
    def cu_price_micro_lamports(self) -> MicroLamports:
        """Price per compute unit."""
        return self.budget.cu_price_micro_lamports

    @property
    def fee_bid_lamports(self) -> Lamports:
        """What inclusion costs, success or failure."""
        # A signature count below 128 is one byte of the wire.
        return self.budget.fee_lamports(signatures=self.wire[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """It is in a confirmed block and did its work."""

    signature: Signature
    slot: Slot
    cu_used: ComputeUnits | None
    """None when no node could say in time."""
    fee_lamports: Lamports
    logs: tuple[str, ...]
    is_finalized: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It is in a confirmed block, changed nothing, and cost its fee."""

    signature: Signature
    slot: Slot
    err: object
    """The node's own JSON."""
    cu_used: ComputeUnits | None
    fee_lamports: Lamports
    logs: tuple[str, ...]
    is_finalized: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """It is proved that it never will be in a block. It cost nothing."""

    signature: Signature
    reason: str
    """The last refusal a node gave, or that there was none."""

    @property
    def is_finalized(self) -> bool:
        """Expiry is judged at finalized height: nothing can change it."""
        return True


Outcome = Landed | Failed | Expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An end that a fork changed after it had been told."""

    lane: str
    job_ids: tuple[str, ...]
    was: Outcome
    now: Outcome
    """Landed or failed in another block; or expired: undone, and its jobs are due again as the chain says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRow:
    """An outcome as it is recorded."""

    signature_text: str
    state: Literal["landed", "failed", "expired"]
    slot: int | None
    err: str | None
    cu_used: int | None
    fee_lamports: int | None
    is_finalized: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsRow:
    """What an ended attempt used, as it is recorded."""

    signature_text: str
    slot: int
    """The block these facts are of."""
    cu_used: int | None
    fee_lamports: int


def read_outcome(
    signature: Signature, status: SignatureStatus, fee_bid_lamports: Lamports
) -> Landed | Failed:
    """Turn a confirmed or finalized status into an outcome; what it used is learned later (`with_facts`).

    The fee is what was bid, which is what the chain charges.
    """
    is_finalized = status.commitment == "finalized"
    if status.err is None:
        return Landed(
            signature=signature,
            slot=status.slot,
            cu_used=None,
            fee_lamports=fee_bid_lamports,
            logs=(),
            is_finalized=is_finalized,
        )
    return Failed(
        signature=signature,
        slot=status.slot,
        err=status.err,
        cu_used=None,
        fee_lamports=fee_bid_lamports,
        logs=(),
        is_finalized=is_finalized,
    )


def with_facts(outcome: Outcome | None, facts: TransactionFacts) -> Landed | Failed | None:
    """Add what a node says it used; None if these are the facts of another block, on another fork."""
    if outcome is None or isinstance(outcome, Expired) or outcome.slot != facts.slot:
        return None
    return replace(outcome, cu_used=facts.cu_used, fee_lamports=facts.fee_lamports, logs=facts.logs)


def is_same_end(outcome: Outcome | None, status: SignatureStatus) -> bool:
    """Whether a status says what was already concluded; if not, a fork moved the transaction."""
    match outcome:
        case Landed():
            return outcome.slot == status.slot and status.err is None
        case Failed():
            return outcome.slot == status.slot and outcome.err == status.err
        case _:
            return False


def end_row(outcome: Outcome) -> EndRow:
    """Turn an outcome into its record."""
    if isinstance(outcome, Expired):
        return EndRow(
            signature_text=str(outcome.signature),
            state="expired",
            slot=None,
            err=outcome.reason,
            cu_used=None,
            fee_lamports=0,
            is_finalized=True,
        )
    failed = isinstance(outcome, Failed)
    return EndRow(
        signature_text=str(outcome.signature),
        state="failed" if failed else "landed",
        slot=outcome.slot,
        err=err_text(outcome.err) if isinstance(outcome, Failed) else None,
        cu_used=outcome.cu_used,
        fee_lamports=outcome.fee_lamports,
        is_finalized=outcome.is_finalized,
    )


def err_text(err: object) -> str:
    """Write a transaction error as canonical JSON: one text per error."""
    return json.dumps(err, sort_keys=True, separators=(",", ":"))
