"""What one payer can still pay: the balance last read, less what has been signed since.

Core. Lanes may share a payer: caps are theirs, the balance is the payer's. What is in flight and what landed since the last
reading both count against it, so a payment is for a moment counted twice, but never not at all.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from solders.pubkey import Pubkey

from programs.units import Lamports

RENT_EXEMPT_LAMPORTS: Final = Lamports(890_880)
"""What an account without data must keep, or the cluster refuses its transaction. Source: solana-rent, 128 bytes."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What a signed transaction may take from its payer."""

    lamports: Lamports


@dataclass(slots=True, eq=False)
class Funds:
    """One payer: who it is, whom it pays for, and how much it has."""

    address: Pubkey
    key_file: Path | None = None
    """None: given as a key, not as a file."""
    lanes: list[str] = field(default_factory=list)
    """Whom it pays for."""
    low_lamports: Lamports = RENT_EXEMPT_LAMPORTS
    """Below it operators are warned."""
    balance_lamports: Lamports | None = None
    """As last read; None before the first reading."""
    is_low: bool = False
    _in_flight: int = 0
    _paid_since: int = 0

    @property
    def available_lamports(self) -> Lamports | None:
        """What may be signed away now; None as long as the balance is unknown."""
        if self.balance_lamports is None:
            return None
        spent = self._in_flight + self._paid_since
        return Lamports(max(0, self.balance_lamports - RENT_EXEMPT_LAMPORTS - spent))

    def can_pay(self, lamports: int) -> bool:
        """Whether so much may be signed away; an unknown balance is not held against a lane."""
        available = self.available_lamports
        return available is None or lamports <= available

    def commit(self, lamports: Lamports) -> Payment:
        """Count what is about to be signed away; `settle` says what it came to."""
        self._in_flight += lamports
        return Payment(lamports)

    def settle(self, payment: Payment, paid_lamports: Lamports) -> None:
        """Correct a payment to what was paid."""
        self._in_flight -= payment.lamports
        self._paid_since += paid_lamports

    def note_balance(self, lamports: Lamports) -> Literal["low", "well"] | None:
        """Take a reading; say whether operators should be told something new."""
        self.balance_lamports, self._paid_since = lamports, 0
        if not self.is_low and lamports < self.low_lamports:
            self.is_low = True
            return "low"
        # Half as much again above the mark: a few lamports to and fro are told once.
        if self.is_low and 2 * lamports >= 3 * self.low_lamports:
            self.is_low = False
            return "well"
        return None
