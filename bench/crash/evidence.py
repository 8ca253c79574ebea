"""What is left of a campaign: the payer's transactions as the chain finalized them, and the keeper's record of them.

Core: values. `reading.py` takes them from a running network and from a database.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OnChain:
    """One finalized transaction of the payer's."""

    signature: str
    slot: int
    err: str | None
    """The chain's error as canonical JSON; None when it did its work."""
    effects: frozenset[str]
    """What it did, in the program's own words: "liquidate:POSITION", "post:MARKET", "step:CHAIN:NUMBER"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJob:
    """One job of an attempt, as the database has it."""

    job_id: str
    kind: str
    target: str
    effect: str
    """The chain state that it was planned on."""

    @property
    def deed(self) -> str:
        """What the chain would say that it did."""
        return f"{self.kind}:{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One attempt, as the database has it."""

    signature: str
    state: str
    slot: int | None
    err: str | None
    is_finalized: bool
    last_valid_block_height: int
    jobs: tuple[RecordedJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueJob:
    """Work that the program itself would accept when the campaign ended."""

    job: str
    waited_slots: int
    """Since it was first found so, with a keeper running all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the audit looks at."""

    chain: tuple[OnChain, ...]
    """In the chain's order, from the keeper's first transaction on."""
    attempts: tuple[Recorded, ...]
    finalized_height: int
    due: tuple[DueJob, ...] = field(default=())
