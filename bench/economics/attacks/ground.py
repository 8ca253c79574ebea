"""What attacks have in common: a platform to try them on, wallets, and how profit is counted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bench.economics.chain import Chain
from bench.economics.jump import START_E6, VAULT
from bench.economics.model import RefusedError
from bench.economics.rules import ALL_RULES, Rules
from bench.economics.twin import Twin
from programs.curve import Side

TRADER: Final = "trader"
WALLETS: Final = (TRADER, Side.YES.name, Side.NO.name)
"""All the attacker's; leveraged ones go by their side."""
_LEAVES: Final = {"PROCEEDS_BELOW_DEBT", "PRICE_RANGE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where an attack is tried: as many fresh platforms as it has variants."""

    rules: Rules = ALL_RULES
    has_chain: bool = True

    def found(self, liquidity: int, start_e6: int = START_E6) -> Twin:
        """Return a platform with a vault of $100k and a pool at the oracle's price."""
        twin = Twin(self.rules, start_e6, has_chain=self.has_chain)
        twin.stake("staker", VAULT)
        twin.add_liquidity("maker", liquidity)
        return twin

    def program(self, liquidity: int, *, vault: int = VAULT) -> Chain:
        """Return the same platform of the program alone, for instructions that the model does not have."""
        assert self.rules == ALL_RULES, "the program has all rules"
        chain = Chain(START_E6)
        if vault:
            chain.platform.stake(chain.user("staker"), vault)
        chain.platform.add_liquidity(chain.user("maker"), chain.market, liquidity)
        return chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to play an attack."""

    name: str
    play: Callable[[Ground], int]
    """Returns the profit in base units; below zero it cost money."""


Attack = Callable[[], Iterator[Variant]]
"""Its name is the function's, its sentence the docstring's first line."""


def settle(twin: Twin) -> int:
    """Close all that the attacker holds, last first, and count.

    What is refused he tries again when the rest is closed; a loan that no sale covers, or shares that the pool has no
    room for, he leaves.
    """
    mine = [number for number, each in twin.model.positions.items() if each.owner in WALLETS]
    while refused := [number for number in reversed(mine) if not _close(twin, number)]:
        if len(refused) == len(mine):
            break
        mine = refused[::-1]
    twin.audit()
    return sum(twin.model.wallets[name] for name in WALLETS)


def _close(twin: Twin, number: int) -> bool:
    try:
        twin.close(number)
    except RefusedError as refusal:
        if refusal.name not in _LEAVES:
            raise
        return False
    return True
