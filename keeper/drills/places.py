"""Where the price of a scripted market stands on chain: the pool of a market account.

Core. A two-outcome market is one place, named after its address; each outcome of a multi-outcome one is a place of its own.
"""

from dataclasses import dataclass

from solders.pubkey import Pubkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One price on chain."""

    address: Pubkey
    """The market's."""
    pool: int = 0
    pools: int = 1
    """Of that market."""

    @property
    def name(self) -> str:
        """Name it in evidence: the market's address, and the outcome where there are several."""
        return str(self.address) if self.pools == 1 else f"{self.address}#{self.pool}"


def places_of(address: Pubkey, pools: int) -> tuple[Place, ...]:
    """Return the places of one market account."""
    return tuple(Place(address=address, pool=pool, pools=pools) for pool in range(pools))
