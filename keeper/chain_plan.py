"""How many steps of which chains go now: forecast one by one, then together, in the order in which they will run.

Core. A forecast stands as long as the chain, its market and the vault do: the next look repeats it without arithmetic. What
goes into one plan is forecast once more, each on what those before it leave, because chains of one market share its caps
and all of them share the vault.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from solders.pubkey import Pubkey

from programs.accounts import Market, Vault
from programs.chain_account import Chain
from programs.chain_steps import Stand
from programs.chains import Forecast, forecast
from programs.units import BaseUnits, Slot

ChainKind = Literal["execute_chain", "cancel_chain"]
EXECUTE: Final = "execute_chain"
CANCEL: Final = "cancel_chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one transaction does to one chain: its next steps, or its cancelling."""

    kind: ChainKind
    address: Pubkey
    chain: Chain
    """As seen: which step is next is the chain's to say, nobody else's."""
    steps: int
    """How many to run; 0 cancels."""
    bounty: BaseUnits
    """What it earns."""
    pools: int
    """Of its market, which decides how much it loads."""
    counts_trade: bool
    """Whether the platform still numbers its trades."""

    @property
    def job_id(self) -> str:
        """A pure function of the chain: it is never open twice, whatever is done to it."""
        return f"chain:{self.address}"

    @property
    def effect(self) -> str:
        """The chain state it acts upon; no chain comes back to a step."""
        return f"step {self.chain.next_step}" if self.steps else "cancel"

    @property
    def left(self) -> int:
        """How many steps the chain has left."""
        return len(self.chain.steps) - self.chain.next_step

    @property
    def completes(self) -> bool:
        """Whether the last step is among them."""
        return self.steps == self.left

    def of_steps(self, steps: int) -> "Portion":
        """Return another number of steps; the bounty of each is fixed by the chain alone."""
        return replace(self, steps=steps, bounty=bounty_of_steps(self.chain, steps))


def bounty_of_steps(chain: Chain, steps: int) -> BaseUnits:
    """Return what the next steps of a chain pay: each an equal part of what is left, the last one all of it."""
    left, ahead = chain.bounty, len(chain.steps) - chain.next_step
    for _ in range(steps):
        left -= left // ahead
        ahead -= 1
    return BaseUnits(chain.bounty - left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What chains run in."""

    markets: Mapping[Pubkey, Market]
    vault: Vault
    counts_trade: bool
    """Whether the platform still numbers its trades."""
    is_halted: bool
    slot: Slot
    """In which a transaction may land."""

    def stand(self, chain: Chain) -> Stand:
        """Put a chain beside its market and the vault."""
        return Stand(chain=chain, market=self.markets[chain.market], vault=self.vault)


@dataclass(slots=True)
class Forecasts:
    """What each due chain would do, were it alone."""

    _known: dict[Pubkey, tuple[Stand, Forecast]] = field(default_factory=dict)

    def find(self, address: Pubkey, stand: Stand) -> Forecast | None:
        """Return the forecast that still stands; None when something it was made of has changed.

        A chain that stays due runs the same steps in every slot.
        """
        known = self._known.get(address)
        return known[1] if known is not None and known[0] == stand else None

    def make(self, address: Pubkey, stand: Stand, slot: Slot) -> Forecast:
        """Forecast for a due chain, and remember it."""
        found = forecast(stand, slot=slot, is_halted=False)
        self._known[address] = stand, found
        return found

    def keep_only(self, addresses: Iterable[Pubkey]) -> None:
        """Forget all chains but these."""
        kept = set(addresses)
        self._known = {address: one for address, one in self._known.items() if address in kept}


def plan_steps(chains: Sequence[tuple[Pubkey, Chain]], scene: Scene) -> list[Portion]:
    """Take the steps that run when these chains go one after the other; one that then could not go at all is left out.

    Args:
        chains: in the order in which they will run.
        scene: as seen.
    """
    portions = []
    changed: dict[Pubkey, Market] = {}
    vault = scene.vault
    for address, chain in chains:
        market = changed.get(chain.market, scene.markets[chain.market])
        stand = Stand(chain=chain, market=market, vault=vault)
        found = forecast(stand, slot=scene.slot, is_halted=scene.is_halted)
        if found.steps:
            changed[chain.market], vault = found.after.market, found.after.vault
            portions.append(
                Portion(
                    kind=EXECUTE,
                    address=address,
                    chain=chain,
                    steps=len(found.steps),
                    bounty=BaseUnits(found.bounty),
                    pools=len(market.pools),
                    counts_trade=scene.counts_trade,
                )
            )
    return portions


def plan_cancel(address: Pubkey, chain: Chain, scene: Scene) -> Portion:
    """Cancel a chain that has ended: all that is left of its bounty is for whoever does."""
    return Portion(
        kind=CANCEL,
        address=address,
        chain=chain,
        steps=0,
        bounty=BaseUnits(chain.bounty),
        pools=len(scene.markets[chain.market].pools),
        counts_trade=False,
    )
