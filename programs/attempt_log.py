"""What landing asks of whoever keeps the attempts; `state.attempts.Attempts` is one."""

from collections.abc import Sequence
from typing import Literal, Protocol

from programs.outcomes import EndRow, FactsRow, SignedBatch


class StoredJob(Protocol):
    """One job of a recorded attempt."""

    @property
    def job_id(self) -> str:
        """What it is."""
        ...

    @property
    def kind(self) -> str:
        """What is done."""
        ...

    @property
    def target(self) -> str:
        """What it is done to."""
        ...

    @property
    def effect(self) -> str:
        """The chain state it acts upon."""
        ...


class StoredAttempt(Protocol):
    """An attempt of an earlier process."""

    @property
    def id(self) -> int:
        """Its place in the order of signing."""
        ...

    @property
    def lane(self) -> str:
        """Which lane pays."""
        ...

    @property
    def signature_text(self) -> str:
        """Its signature, base58."""
        ...

    @property
    def wire(self) -> bytes:
        """The signed bytes."""
        ...

    @property
    def last_valid_block_height(self) -> int:
        """When it can no longer land."""
        ...

    @property
    def created_slot(self) -> int:
        """The slot its blockhash was read at: it cannot be in an older block."""
        ...

    @property
    def fee_bid_lamports(self) -> int:
        """What inclusion costs."""
        ...

    @property
    def state(self) -> Literal["open", "landed", "failed", "expired"]:
        """Where it stood."""
        ...

    @property
    def slot(self) -> int | None:
        """Where it landed or failed."""
        ...

    @property
    def err(self) -> str | None:
        """Its error, as recorded."""
        ...

    @property
    def jobs(self) -> Sequence[StoredJob]:
        """What it carried."""
        ...


class AttemptLog(Protocol):
    """What must survive a crash. Each call returns once committed."""

    async def record_attempt(self, attempt: SignedBatch, /) -> None:
        """Commit an attempt before its bytes leave; refuse a job or an effect that one still holds."""
        ...

    async def record_ends(self, ends: Sequence[EndRow], /) -> None:
        """Commit how attempts ended."""
        ...

    async def record_facts(self, facts: Sequence[FactsRow], /) -> None:
        """Commit what ended attempts used."""
        ...

    async def mark_finalized(self, signatures: Sequence[str], /) -> None:
        """Commit that these ends cannot change."""
        ...

    async def open_attempts(self, *, after_id: int, at_most: int) -> Sequence[StoredAttempt]:
        """Read attempts that are open, or ended but not finalized; oldest first, a page at a time."""
        ...
