"""What risk found due -> jobs, the most urgent of each market, each as old as its need.

Core. Objects are made of what may be sent soon only; how long the others have been due is remembered for them all, so that
no wait is hidden by the queue's bounds.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.assessment import Assessment
from keeper.jobs import Job, Urgency
from keeper.sale import FLOOR_POINTS_E6
from keeper.snapshot import Snapshot
from programs.accounts import Side
from programs.units import PRICE_ONE_E6, BaseUnits

KIND: Final = "liquidate"
JOBS_PER_MARKET: Final = 64
"""One transaction of a market goes at a look, and the fullest holds 54, by lookup tables."""
JOBS_PER_MARKET_UNTABLED: Final = 32
"""Without any the fullest holds 23."""
Amounts = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(slots=True)
class DueSince:
    """When each position that is due now was first seen so."""

    _keys: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    _since_s: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _late_s: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Since when it also could be liquidated, as far as we may."""
    _order: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of the keys, in the order that they were last given in."""

    def update(self, addresses: npt.NDArray[np.void], now_s: float) -> npt.NDArray[np.float64]:
        """Take what is due now, and return since when each of it is; what is missing is forgotten."""
        # Addresses are hashes: the first word tells them apart but for one pair in 2**64.
        keys = np.ascontiguousarray(addresses).view("<u8").reshape(-1, 4)[:, 0].copy()
        since_s = np.full(len(keys), now_s)
        late_s = since_s.copy()
        if len(self._keys) and len(keys):
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            is_known = self._keys[at] == keys
            since_s[is_known] = self._since_s[at[is_known]]
            late_s[is_known] = self._late_s[at[is_known]]
        order = self._order = np.argsort(keys)
        self._keys, self._since_s, self._late_s = keys[order], since_s[order], late_s[order]
        return since_s

    def bar(self, barred: Flags, now_s: float) -> float | None:
        """Take which of those last given we may not liquidate; return since when the oldest of the others is late.

        None: there is no other. What we may not do is not late, and is due anew from when we may.
        """
        is_barred = barred[self._order]
        self._late_s[is_barred] = now_s
        others_s = self._late_s[~is_barred]
        return float(others_s.min()) if len(others_s) else None


def jobs_of(
    snapshot: Snapshot,
    found: Assessment,
    waits: Flags,
    since: DueSince,
    now_s: float,
    at_most: int | None = None,
    *,
    per_market: int = JOBS_PER_MARKET,
) -> list[Job]:
    """Make jobs of each market's most urgent rows that need not wait.

    Args:
        snapshot: what was judged.
        found: what is due of it, most urgent first.
        waits: what must not be liquidated now.
        since: remembers the age of each need.
        now_s: on the caller's clock.
        at_most: the most urgent so many of all; None: all.
        per_market: of one market no more than so many.
    """
    since_s = since.update(snapshot.addresses[found.index], now_s)
    by_market = np.argsort(found.market_row, kind="stable")
    by_market = by_market[~waits[by_market]]
    _, first, counts = np.unique(found.market_row[by_market], return_index=True, return_counts=True)
    rank = np.arange(len(by_market)) - first.repeat(counts)
    urgent = np.sort(by_market[rank < per_market])[:at_most]
    index, market_row = found.index[urgent], found.market_row[urgent]
    positions, markets = snapshot.positions, snapshot.markets
    # One sale for each side of each pool, and one apart for those under water.
    sale = positions["pool"][index].astype(np.int64) * 2 + positions["side"][index]
    sale = sale * 2 + (found.shortfall[urgent] > 0)
    yes_e6 = markets.pools["price_e6"][markets.first_pool[market_row] + positions["pool"][index]]
    oracle_e6 = np.where(positions["side"][index] == Side.YES, yes_e6, PRICE_ONE_E6 - yes_e6)
    at_risk = shortfall_below(
        positions["shares"][index], positions["debt"][index], oracle_e6.astype(np.uint64)
    )
    rows = zip(
        index.tolist(),
        market_row.tolist(),
        positions["shares"][index].tolist(),
        positions["debt"][index].tolist(),
        markets.rows["event_sequence"][market_row].tolist(),
        markets.rows["pools"][market_row].tolist(),
        sale.tolist(),
        found.bounty[urgent].tolist(),
        found.shortfall[urgent].tolist(),
        at_risk.tolist(),
        since_s[urgent].tolist(),
        strict=True,
    )
    return [
        Job(
            kind=KIND,
            market=markets.addresses[at_market],
            target=snapshot.position_address(at),
            # Whatever lands on a market raises its sequence. So one effect is acted upon once, and a batch's member
            # that was passed over has another one when it is due again.
            effect=f"{shares}:{debt}#{sequence}",
            urgency=Urgency(bounty=BaseUnits(bounty), shortfall=BaseUnits(shortfall)),
            seen_slot=snapshot.slot,
            due_at_s=due_at_s,
            at_risk=BaseUnits(risk),
            is_chain=snapshot.addresses[at].tobytes() in snapshot.chains,
            sale=sale_number,
            pools=pools,
        )
        for (
            at,
            at_market,
            shares,
            debt,
            sequence,
            pools,
            sale_number,
            bounty,
            shortfall,
            risk,
            due_at_s,
        ) in rows
    ]


def shortfall_below(shares: Amounts, debt: Amounts, oracle_e6: Amounts) -> Amounts:
    """Return what the vault loses of each position if the price falls by the gap that sales allow for, base units."""
    fallen_e6 = np.maximum(oracle_e6, np.uint64(FLOOR_POINTS_E6)) - np.uint64(FLOOR_POINTS_E6)
    whole, rest = shares // PRICE_ONE_E6, shares % PRICE_ONE_E6
    worth = whole * fallen_e6 + rest * fallen_e6 // PRICE_ONE_E6
    lost: Amounts = np.maximum(debt, worth) - worth
    return lost
