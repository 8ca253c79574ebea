"""Which chains may take a step now, as we see their market: the program knows only what was last posted.

Shell, though it does no I/O: it counts and tells what waits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from solders.pubkey import Pubkey

from keeper.permits import Sight
from keeper.reading import Refusal, is_chain_behind
from keeper.tally import Tally
from programs.accounts import Side

LANE: Final = "chains"
_BEHIND: Final = "chain_price_behind"
log = structlog.get_logger()


@dataclass(slots=True)
class ChainPermits:
    """What waits, with the reason last told."""

    tally: Tally
    change_e6: Callable[[], int]
    """Smallest move that is posted, now: the chain may always be off by so much."""
    _pools: dict[tuple[Pubkey, int], str] = field(default_factory=dict)

    def allows(self, sight: Sight, address: Pubkey, pool: int) -> bool:
        """Apply the permissions of a market's class as the board has it, and of one outcome's price.

        A step adds exposure at the oracle's price and tells by it whether it is due. While that price is on its way to
        where we know the market to be, a trigger may seem crossed that is not, and a step would buy what is not cheap:
        all steps wait until it has arrived, from whichever side.
        """
        refusal = self._refusal(sight, address, pool)
        known = self._pools.get((address, pool))
        number = sight.snapshot.markets[address].market_id
        if refusal is None:
            if self._pools.pop((address, pool), None) is not None:
                log.info("chains.released", market=number, outcome=pool)
            return True
        self._pools[address, pool] = refusal.reason
        if known != refusal.reason:
            self.tally.refusals[f"{LANE}.{refusal.reason}"] += 1
            log.info("chains.withheld", market=number, outcome=pool, reason=refusal.reason)
        return False

    def _refusal(self, sight: Sight, address: Pubkey, pool: int) -> Refusal | None:
        reading = sight.reading_of(address)
        if isinstance(reading, Refusal):
            return reading
        if not reading.permissions.execute_chain:
            return reading.refusal
        chain_e6, price = sight.snapshot.markets[address].pools[pool].price_e6, reading.prices[pool]
        if any(is_chain_behind(chain_e6, price, side, change_e6=self.change_e6()) for side in Side):
            return Refusal(reason=_BEHIND, outcome=pool)
        return None
