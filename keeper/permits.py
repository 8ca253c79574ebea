"""Which positions may be liquidated now, as we see their market: the program knows only what was last posted.

Shell, though it does no I/O: it counts and tells what waits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog
from solders.pubkey import Pubkey

from keeper.assessment import Assessment
from keeper.mirrors import Following
from keeper.prices.board import PriceBoard
from keeper.prices.outcomes import Unproven
from keeper.reading import Reading, Refusal, is_chain_behind, reading_of, why_not_liquidate
from keeper.snapshot import Snapshot
from keeper.tally import Tally
from programs.accounts import Side

LANE: Final = "liquidations"
_BEHIND: Final = "chain_price_behind"
_SIDES: Final = 2
_POOLS_MAX: Final = 16
Flags = npt.NDArray[np.bool_]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one plan is made of."""

    board: PriceBoard
    snapshot: Snapshot
    following: Following

    def reading_of(self, address: Pubkey) -> Reading | Refusal:
        """Return what the board says of all outcomes of a market."""
        tokens = self.following.tokens_of(address)
        if isinstance(tokens, Unproven):
            return Refusal(reason=tokens)
        return reading_of([self.board.get(token) for token in tokens])


@dataclass(slots=True)
class Permits:
    """What waits, with the reason last told."""

    tally: Tally
    change_e6: Callable[[], int]
    """Smallest move that is posted, now: the chain may always be off by so much."""
    _markets: dict[Pubkey, Refusal] = field(default_factory=dict)
    _sides: Mapping[tuple[Pubkey, int, Side], int] = field(default_factory=dict)
    """Pools' sides whose price on chain is behind, and how far."""

    def allows(self, sight: Sight, address: Pubkey) -> bool:
        """Apply the permissions of a market's class as the board has it: the chain's copy may be 150 slots old."""
        market = sight.snapshot.markets[address]
        reading = sight.reading_of(address)
        refusal = (
            reading
            if isinstance(reading, Refusal)
            else why_not_liquidate(reading, market.price_class)
        )
        known = self._markets.get(address)
        if refusal is None:
            if self._markets.pop(address, None) is not None:
                log.info("liquidations.released", market=market.market_id)
            return True
        self._markets[address] = refusal
        if known is None or known.reason != refusal.reason:
            self.tally.refusals[f"{LANE}.{refusal.reason}"] += 1
            log.info(
                "liquidations.withheld",
                market=market.market_id,
                reason=refusal.reason,
                outcome=refusal.outcome,
            )
        return False

    def spare(self, sight: Sight, found: Assessment) -> Flags:
        """Tell of each due position whether it waits, because the chain's own price wrongs it.

        The program moves its price two points a slot at most. On its way back from a false price it still stands where
        we know that the market is not, and whoever is under water only there is spared until it has arrived. A true
        fall comes down from above: the side that it hurts is sold all the way.
        """
        positions = sight.snapshot.positions
        pool = positions["pool"][found.index].astype(np.int64)
        side = positions["side"][found.index].astype(np.int64)
        part = (found.market_row * _POOLS_MAX + pool) * _SIDES + side
        # As many as all markets have: marking them is a fraction of sorting what is due.
        waits = np.zeros(len(sight.snapshot.markets.addresses) * _POOLS_MAX * _SIDES, np.bool_)
        is_met = waits.copy()
        is_met[part] = True
        behind: dict[tuple[Pubkey, int, Side], int] = {}
        for each in np.flatnonzero(is_met).tolist():
            pool_row, of_side = divmod(each, _SIDES)
            market_row, of_pool = divmod(pool_row, _POOLS_MAX)
            address = sight.snapshot.markets.addresses[market_row]
            off_e6 = self._behind_e6(sight, address, of_pool, Side(of_side))
            if off_e6:
                waits[each] = True
                behind[address, of_pool, Side(of_side)] = off_e6
        self._tell(sight, behind)
        shown: Flags = waits[part]
        return shown

    def _behind_e6(self, sight: Sight, address: Pubkey, pool: int, side: Side) -> int:
        reading = sight.reading_of(address)
        if isinstance(reading, Refusal):
            return 0  # withheld as a whole, and told so
        on_chain, price = sight.snapshot.markets[address].pools[pool], reading.prices[pool]
        is_at_band = reading.permissions.liquidate_at_band
        if not is_chain_behind(
            on_chain.price_e6,
            price,
            side,
            change_e6=self.change_e6(),
            judged_band_e6=on_chain.band_e6 if is_at_band else None,
        ):
            return 0
        return max(abs(price.price_e6 - on_chain.price_e6), abs(price.band_e6 - on_chain.band_e6))

    def _tell(self, sight: Sight, behind: Mapping[tuple[Pubkey, int, Side], int]) -> None:
        for (address, pool, side), off_e6 in behind.items():
            if (address, pool, side) not in self._sides:
                self.tally.refusals[f"{LANE}.{_BEHIND}"] += 1
                log.info(
                    "liquidations.withheld",
                    market=sight.snapshot.markets[address].market_id,
                    reason=_BEHIND,
                    outcome=pool,
                    side=side.name.lower(),
                    off_e6=off_e6,
                )
        self._sides = behind
