"""What actors see and what they can do: the values between the core that plans and the shell that trades.

Core.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.sandbox.cast import Actor
from programs.accounts import Market, Side, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A position of one of the actors."""

    owner: Actor
    position_id: int
    side: Side
    shares: int
    debt: int
    notional: int
    """What it cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """One market as the actors see it."""

    slot: int
    address: Pubkey
    market: Market
    vault: Vault
    held: Sequence[Held]
    """The actors' positions in it, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Buy a side."""

    side: Side
    margin: int
    leverage: int
    worst_price_e6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Sell shares of a position; an empty one pays what it still holds."""

    position_id: int
    shares: int
    has_debt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """Put dollars into the vault."""

    amount: int


Action = Open | Close | Stake


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One transaction: an actor's trades in one market, all or none."""

    actor: Actor
    market: Pubkey
    purpose: str
    """What for, in logs."""
    actions: tuple[Action, ...]


Orders = list[Order]
