"""What is recorded of an attempt, and what is read back: rows as other packages hand them over, by attribute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

EndState = Literal["landed", "failed", "expired"]


class JobToRecord(Protocol):
    """One job of an attempt about to be recorded."""

    @property
    def job_id(self) -> str:
        """The job, a pure function of what it is about."""
        ...

    @property
    def kind(self) -> str:
        """What is done: liquidate, post, …."""
        ...

    @property
    def target(self) -> str:
        """The address it is done to."""
        ...

    @property
    def effect(self) -> str:
        """The chain state it acts upon; the same effect of one job landing twice is a duplicate."""
        ...


class AttemptToRecord(Protocol):
    """A signed transaction that has not left yet."""

    @property
    def lane(self) -> str:
        """Which lane pays for it."""
        ...

    @property
    def signature_text(self) -> str:
        """Its first signature, base58."""
        ...

    @property
    def wire(self) -> bytes:
        """The signed bytes."""
        ...

    @property
    def blockhash_text(self) -> str:
        """The recent blockhash, base58."""
        ...

    @property
    def last_valid_block_height(self) -> int:
        """The block height after which it can no longer land."""
        ...

    @property
    def created_slot(self) -> int:
        """The slot at which the blockhash was read."""
        ...

    @property
    def cu_limit(self) -> int:
        """Compute units requested."""
        ...

    @property
    def cu_price_micro_lamports(self) -> int:
        """Price per compute unit."""
        ...

    @property
    def fee_bid_lamports(self) -> int:
        """What it costs if it is included, whether it succeeds or not."""
        ...

    @property
    def signed_minute(self) -> int | None:
        """When it was signed, Unix minutes by the wall clock; None if nobody will ask."""
        ...

    @property
    def rent_lamports(self) -> int:
        """What it locks in new accounts, if it lands."""
        ...

    @property
    def jobs(self) -> Sequence[JobToRecord]:
        """The jobs it carries, at least one."""
        ...


class EndToRecord(Protocol):
    """How an attempt ended, as far as the chain has said."""

    @property
    def signature_text(self) -> str:
        """Which attempt."""
        ...

    @property
    def state(self) -> EndState:
        """landed, failed on chain, or expired."""
        ...

    @property
    def slot(self) -> int | None:
        """Where it landed or failed."""
        ...

    @property
    def err(self) -> str | None:
        """The chain's error as JSON, or why it is believed to have expired."""
        ...

    @property
    def cu_used(self) -> int | None:
        """Compute units consumed, when the chain could say."""
        ...

    @property
    def fee_lamports(self) -> int | None:
        """What it cost."""
        ...

    @property
    def is_finalized(self) -> bool:
        """Whether no fork can change this any more."""
        ...


class FactsToRecord(Protocol):
    """What an ended attempt used, learned after its end."""

    @property
    def signature_text(self) -> str:
        """Which attempt."""
        ...

    @property
    def slot(self) -> int:
        """The block these facts are of: facts of a block that a fork left behind are not recorded."""
        ...

    @property
    def cu_used(self) -> int | None:
        """Compute units consumed, when the node could say."""
        ...

    @property
    def fee_lamports(self) -> int:
        """What it cost."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptJob:
    """One job of a recorded attempt."""

    job_id: str
    kind: str
    target: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A recorded attempt, with where it stands."""

    id: int
    lane: str
    signature_text: str
    wire: bytes
    blockhash_text: str
    last_valid_block_height: int
    created_slot: int
    cu_limit: int
    cu_price_micro_lamports: int
    fee_bid_lamports: int
    state: Literal["open", "landed", "failed", "expired"]
    slot: int | None
    err: str | None
    cu_used: int | None
    fee_lamports: int | None
    is_finalized: bool
    jobs: tuple[AttemptJob, ...]
