"""What waits for its qualifying slot: trades and deposits, and how much of each is still held.

Core.
"""

from dataclasses import dataclass
from typing import Any

from incentives.rules.accounts import address_of, name_of
from incentives.sourced import Place


@dataclass(slots=True)
class Trade:
    """An open that is held, or not, until it counts."""

    place: Place
    cause: str
    wallet: bytes
    position: bytes
    """The position's account, or the chain that holds it."""
    number: int
    """The program's, from 1; 0 beyond the first 100."""
    notional: int
    shares: int
    held: int
    """Of the shares, still; 0: voided."""
    is_doubted: bool = False
    """Somebody may have liquidated it unread: perhaps it is gone."""

    def to_state(self) -> list[Any]:
        """Return what a snapshot keeps."""
        return [
            *_head(self.place, self.cause, self.wallet),
            name_of(self.position),
            self.number,
            str(self.notional),
            str(self.shares),
            str(self.held),
            self.is_doubted,
        ]

    @classmethod
    def from_state(cls, state: list[Any]) -> "Trade":
        """Restore what `to_state` returned."""
        place, cause, wallet, position, number, *amounts, is_doubted = state
        notional, shares, held = map(int, amounts)
        return cls(
            Place(*place),
            cause,
            address_of(wallet),
            address_of(position),
            number,
            notional,
            shares,
            held,
            is_doubted,
        )


@dataclass(slots=True)
class Deposit:
    """Liquidity that one add brought, as far as it is still there."""

    place: Place
    cause: str
    wallet: bytes
    market: int
    pool: int
    liquidity: int
    held: int
    """Of the liquidity, still; 0: voided or removed."""
    value: int
    """Of all of it at the deposit, quote base units."""
    improvement_bps: int
    counted_to: int
    """The first slot that mining has not counted."""
    has_dwelt: bool = False
    chain: bytes = b""
    """The chain whose step it was; empty for a maker's."""

    def to_state(self) -> list[Any]:
        """Return what a snapshot keeps."""
        return [
            *_head(self.place, self.cause, self.wallet),
            self.market,
            self.pool,
            str(self.liquidity),
            str(self.held),
            str(self.value),
            self.improvement_bps,
            self.counted_to,
            self.has_dwelt,
            name_of(self.chain) if self.chain else "",
        ]

    @classmethod
    def from_state(cls, state: list[Any]) -> "Deposit":
        """Restore what `to_state` returned."""
        place, cause, wallet, market, pool, liquidity, held, value, *rest = state
        improvement_bps, counted_to, has_dwelt, chain = rest
        return cls(
            Place(*place),
            cause,
            address_of(wallet),
            market,
            pool,
            int(liquidity),
            int(held),
            int(value),
            improvement_bps,
            counted_to,
            has_dwelt,
            address_of(chain) if chain else b"",
        )


def _head(place: Place, cause: str, wallet: bytes) -> list[Any]:
    where = [place.slot, place.tx_index, place.instruction, place.inner]
    return [where, cause, name_of(wallet)]
