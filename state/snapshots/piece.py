"""What a snapshot is of, and what it is made of.

Core.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One section."""

    section: int
    rows: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a snapshot is of."""

    genesis_hash: bytes
    program: bytes
    slot: int

    @property
    def context(self) -> bytes:
        """What a root is bound to."""
        return self.genesis_hash + self.program
