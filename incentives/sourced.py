"""An event of the program with its place in the chain's history: what the reader delivers and everything else is computed from.

Core. Payloads are kept as the program logged them: what is hashed, stored and decoded is the same bytes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the chain's history; the order of places is the order of events."""

    slot: int
    tx_index: int
    """Of the transaction in its block."""
    instruction: int
    """Of the transaction's own instructions, the one under which it was logged."""
    inner: int
    """Of the program's events under that instruction, from 0."""


@dataclass(frozen=True, slots=True)
class SourcedEvent:
    """One event, as finalized."""

    place: Place
    signature: str
    """Of the transaction, base58."""
    payload: bytes
    """As logged: head, body, records (programs/event_layout.py)."""

    @property
    def source_id(self) -> str:
        """What identifies it for good; the cluster is the database's own."""
        return f"{self.signature}:{self.place.instruction}:{self.place.inner}"
