"""The ledger beside the chain: what each says of the same amounts at the same slot.

Core. MMT base units.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from programs.genesis import TREASURY_MMT

_IN_TREASURY: Final = ("season", "pot", "unspent", "accrued", "payable", "in_flight")
"""What is not paid yet lies in the season treasury, whoever it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What the chain holds."""

    supply: int
    sink: int
    treasury: int
    posted: int
    """Of all roots that ever stood on chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One amount as both have it."""

    item: str
    ledger: int
    """What this ledger computed."""
    foreign: int = 0
    """What it recorded of roots that it did not compute, and of their payments."""
    chain: int

    @property
    def difference(self) -> int:
        """Chain less what the ledger knows of."""
        return self.chain - self.ledger - self.foreign


def compare(
    balances: Mapping[str, int], chain: Holdings, *, posted_unknown: int = 0
) -> tuple[Comparison, ...]:
    """Compare balances with what the chain holds.

    Args:
        balances: by role, of all wallets together: credits less debits as of the chain's slot.
        chain: read at one slot.
        posted_unknown: of roots that the ledger recorded as posted and did not compute. One that it has not recorded is
            a difference.
    """
    held = {
        role: balances.get(role, 0)
        for role in (*_IN_TREASURY, "mint", "sink", "paid", "unexplained")
    }
    # Nothing is paid but from the treasury: what it lacks was paid.
    return (
        Comparison(item="supply", ledger=-held["mint"], chain=chain.supply),
        Comparison(item="sink", ledger=held["sink"], chain=chain.sink),
        Comparison(
            item="treasury", ledger=sum(held[role] for role in _IN_TREASURY), chain=chain.treasury
        ),
        Comparison(
            item="posted",
            ledger=held["in_flight"] + held["paid"],
            foreign=posted_unknown,
            chain=chain.posted,
        ),
        Comparison(
            item="paid",
            ledger=held["paid"],
            foreign=held["unexplained"],
            chain=TREASURY_MMT - chain.treasury,
        ),
    )
