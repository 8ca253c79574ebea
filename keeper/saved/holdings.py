"""What positions, makers and chains add up to, by pool and market: what the markets' own columns are forecast from.

Core. Sums wrap around at 64 bits, for they only forecast.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.saved.fields import Integers, Rows
from programs.layout import AccountKind

_SIDES: Final = 2
_HOLDINGS: Final = 3


class Holdings:
    """Sums so far."""

    def __init__(self, pool_counts: npt.NDArray[Any]) -> None:
        """Begin with nothing, given how many pools each market has."""
        self.counts = pool_counts.astype(np.int64)
        self.first_pool = np.cumsum(self.counts) - self.counts
        pools = int(self.counts.sum())
        self.shares = np.zeros((pools, _SIDES), np.uint64)
        self.leveraged = np.zeros((pools, _SIDES), np.uint64)
        self.liquidity = np.zeros(pools, np.uint64)
        self.debt = np.zeros(len(self.counts), np.uint64)
        self.escrow = np.zeros(len(self.counts), np.uint64)

    def add(self, kind: AccountKind, rows: Rows, market_places: Integers) -> None:
        """Add accounts, given the place of each one's market: its row and one."""
        market = market_places.astype(np.int64) - 1
        is_known = (market >= 0) & (market < len(self.counts))
        if not is_known.all():
            rows, market = rows[is_known], market[is_known]
        match kind:
            case AccountKind.POSITION:
                self._add_positions(rows, market)
            case AccountKind.MAKER:
                pool, fits = self._pools(market, rows["pool"])
                np.add.at(self.liquidity, pool[fits], rows["liquidity"][fits])
            case AccountKind.CHAIN:
                pool, fits = self._pools(market, rows["pool"])
                np.add.at(self.liquidity, pool[fits], rows["maker"]["liquidity"][fits])
                np.add.at(self.debt, market, rows["debt"])
                np.add.at(self.escrow, market, rows["working"] + rows["bounty"])
                for holding in range(_HOLDINGS):
                    self._add_positions(rows["positions"][:, holding], market)
            case _:
                pass

    def _add_positions(self, rows: Rows, market: npt.NDArray[np.int64]) -> None:
        np.add.at(self.debt, market, rows["debt"])
        pool, fits = self._pools(market, rows["pool"])
        fits &= rows["side"] < _SIDES
        side, shares = rows["side"][fits], rows["shares"][fits]
        np.add.at(self.shares, (pool[fits], side), shares)
        owes = rows["debt"][fits] > 0
        np.add.at(self.leveraged, (pool[fits][owes], side[owes]), shares[owes])

    def _pools(
        self, market: npt.NDArray[np.int64], pool: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the row of each pool, and which of them exist."""
        return self.first_pool[market] + pool, pool < self.counts[market]
