"""What actors see and what they can do: the values between the core that plans and the shell that trades.

Core.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.sandbox.cast import Actor
from programs.accounts import Market, Side, Vault
from programs.chain_account import Chain, Step


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
    chains: Sequence["PlannedChain"] = ()
    """The actors' chains in it, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChain:
    """A chain of one of the actors."""

    owner: Actor
    address: Pubkey
    chain: Chain


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChain:
    """Escrow a deposit for steps that anyone may run once the price has crossed the trigger."""

    side: Side
    deposit: int
    trigger_e6: int
    is_above: bool
    expiry_slot: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseHolding:
    """Sell all that a chain holds in one of its positions."""

    address: Pubkey
    holding: int
    """0 for what OPEN bought, 1 and 2 for YES and NO shares without debt."""
    has_debt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelChain:
    """Take back what a chain still has, as far as its locks are over."""

    address: Pubkey


Action = Open | Close | Stake | OpenChain | CloseHolding | CancelChain


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One transaction: an actor's trades in one market, all or none."""

    actor: Actor
    market: Pubkey
    purpose: str
    """What for, in logs."""
    actions: tuple[Action, ...]


Orders = list[Order]
