"""Who acts in the sandbox: keypairs that follow from the seed, and what each of them does.

Core.
"""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

PROGRAM_KEY: Final = Keypair.from_seed(sha256(b"betting-keeper sandbox program").digest())
"""The same at every start, so that a configuration can name the program's address."""


class Role(StrEnum):
    """What an actor is there for."""

    ADMIN = "admin"
    """Creates markets, and mints the quote token."""
    STAKER = "staker"
    """Fills the vault, so that leverage is allowed."""
    MAKER = "maker"
    """Adds liquidity."""
    TRADER = "trader"
    """Holds leveraged positions, takes profits, and collects what liquidations leave."""
    ARBITRAGEUR = "arbitrageur"
    """Trades the pools towards the oracle's price."""
    NOISE = "noise"
    """Trades spot for no reason."""
    INVESTOR = "investor"
    """Buys spot once in every market and keeps it: its trades outlast the rewards' dwell."""
    PLANNER = "planner"
    """Opens chains for keepers to execute; some of them never can be."""


COUNTS: Final = {
    Role.ADMIN: 1,
    Role.STAKER: 1,
    Role.MAKER: 2,
    Role.TRADER: 8,
    Role.ARBITRAGEUR: 1,
    Role.NOISE: 3,
    Role.INVESTOR: 2,
    Role.PLANNER: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One owner of lamports and quote tokens."""

    role: Role
    key: Keypair
    tokens: Pubkey
    """Its quote token account."""

    @property
    def address(self) -> Pubkey:
        """Its address."""
        return self.key.pubkey()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """All actors of one sandbox."""

    quote_mint: Keypair
    mmt_mint: Keypair
    actors: tuple[Actor, ...]

    def of(self, role: Role) -> tuple[Actor, ...]:
        """Return the actors of a role."""
        return tuple(actor for actor in self.actors if actor.role is role)

    @property
    def admin(self) -> Actor:
        """Return the only admin."""
        return self.of(Role.ADMIN)[0]


def cast_of(seed: int) -> Cast:
    """Return the cast that a seed decides."""
    quote_mint = _keypair(seed, "quote mint")
    return Cast(
        quote_mint=quote_mint,
        mmt_mint=_keypair(seed, "mmt mint"),
        actors=tuple(
            _actor(role, _keypair(seed, f"{role} {number}"), quote_mint.pubkey())
            for role, count in COUNTS.items()
            for number in range(count)
        ),
    )


def _actor(role: Role, key: Keypair, quote_mint: Pubkey) -> Actor:
    return Actor(role=role, key=key, tokens=get_associated_token_address(key.pubkey(), quote_mint))


def _keypair(seed: int, name: str) -> Keypair:
    return Keypair.from_seed(sha256(f"betting-keeper sandbox {seed} {name}".encode()).digest())
