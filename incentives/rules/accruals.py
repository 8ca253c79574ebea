"""What the wallets have earned in the epoch that runs.

Core. Exact claims add up beside the whole base units that were posted for them; the difference is posted at the close.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from incentives.rules.accounts import address_of, name_of
from incentives.rules.formulas import CLAIM_DENOMINATOR

EPOCH_CLAIMS_MAX: Final = 2**62
"""All claims of an epoch, base units: 460 times the season's budget, so it costs nobody a base unit that could be paid,
and every sum in a ledger stays a signed 64-bit integer."""


@dataclass(slots=True)
class Accruals:
    """Claims by wallet."""

    _claims: dict[bytes, list[int]] = field(default_factory=dict)
    """Wallet -> [exact numerator, base units posted]."""
    _total: int = 0

    def add(self, wallet: bytes, numerator: int) -> int | None:
        """Add a claim and return its whole base units; None where it is beyond what an epoch may claim."""
        amount = numerator // CLAIM_DENOMINATOR
        if self._total + amount >= EPOCH_CLAIMS_MAX:
            return None
        self._total += amount
        found = self._claims.get(wallet)
        if found is None:
            self._claims[wallet] = [numerator, amount]
        else:
            found[0] += numerator
            found[1] += amount
        return amount

    def by_wallet(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield wallet, exact numerator and base units posted, by wallet bytes."""
        for wallet in sorted(self._claims):
            numerator, posted = self._claims[wallet]
            yield wallet, numerator, posted

    def clear(self) -> None:
        """Begin the next epoch."""
        self._claims.clear()
        self._total = 0

    def to_state(self) -> list[Any]:
        """Return what a snapshot keeps."""
        return [[name_of(wallet), str(n), str(posted)] for wallet, n, posted in self.by_wallet()]

    @classmethod
    def from_state(cls, state: list[Any]) -> "Accruals":
        """Restore what `to_state` returned."""
        claims = {address_of(name): [int(n), int(posted)] for name, n, posted in state}
        return cls(claims, sum(posted for _, posted in claims.values()))
