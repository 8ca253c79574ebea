"""Which addresses deserve a place in our lookup tables now, judged from the chain alone.

Core. A market's own accounts are named by every post, liquidation and step of a chain, so each market with leverage in it
deserves its place, the one that owes most first. A position is liquidated once, so it deserves one only if that is likely:
its odds follow from how far it is from liquidation and how much its market moves.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from keeper.batching import Desk
from keeper.risk import judge
from keeper.snapshot import Snapshot
from programs.addresses import global_address
from programs.instructions import liquidate_header
from programs.table_plan import Wanted
from programs.table_worth import want_tables
from programs.units import Bps, Lamports

FEE_MULTIPLE: Final = Bps(30_000)
"""In a fall the blocks are full: a transaction then costs three times what it costs now."""
_UPDATES: Final = 100
"""The horizon: so many moves of the oracle, a few minutes of a lively market."""
_ONE_BPS: Final = 10_000
_PER_MARKET_MAX: Final = 250
_PRICE_ONE_E6: Final = 1_000_000


def wanted_tables(desk: Desk, snapshot: Snapshot, rent_lamports_max: Lamports) -> Wanted | None:
    """Say what deserves a place; None while no market lends to anybody.

    Args:
        desk: who liquidates.
        snapshot: the chain.
        rent_lamports_max: what all tables together may lock.
    """
    markets = snapshot.markets
    lending = np.flatnonzero(markets.rows["debt"] > 0)
    if not len(lending):
        return None
    busiest = lending[np.argsort(markets.rows["debt"][lending], kind="stable")[::-1]]
    return want_tables(
        global_address(desk.program)[0],
        {
            markets.addresses[row]: liquidate_header(
                desk.program, desk.payer, desk.tokens, markets.addresses[row]
            )
            for row in busiest.tolist()
        },
        _at_risk(snapshot),
        FEE_MULTIPLE,
        rent_lamports_max,
    )


def _at_risk(snapshot: Snapshot) -> dict[Pubkey, list[tuple[Pubkey, Bps]]]:
    """Return the likeliest liquidations of each market, with their odds."""
    markets, positions = snapshot.markets, snapshot.positions
    if not len(positions):
        return {}
    judged = judge(markets, positions, snapshot.slot)
    indebted = np.flatnonzero((positions["debt"] > 0) & (judged.market_row >= 0))
    rows = judged.market_row[indebted]
    odds = odds_bps(
        judged.value[indebted].astype(np.float64)
        - positions["debt"][indebted]
        - judged.required[indebted],
        positions["shares"][indebted].astype(np.float64),
        markets.rows["sigma_e6"][rows].astype(np.float64),
    )
    found: dict[Pubkey, list[tuple[Pubkey, Bps]]] = {}
    likely = np.flatnonzero(odds > 0)
    for at in likely[np.argsort(-odds[likely], kind="stable")].tolist():
        listed = found.setdefault(markets.addresses[rows[at]], [])
        if len(listed) < _PER_MARKET_MAX:
            listed.append((snapshot.position_address(int(indebted[at])), Bps(int(odds[at]))))
    return found


def odds_bps(
    cushion: npt.NDArray[np.float64],
    shares: npt.NDArray[np.float64],
    sigma_e6: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """Bound the odds that a position becomes due within the horizon.

    Chebyshev's inequality, halved for the direction that hurts: a sum of moves of deviation sigma exceeds a distance with
    odds of at most their variance over its square, whatever their distribution. Odds are no money: floats serve.

    Args:
        cushion: value beyond debt and requirement, base units; negative: due now.
        shares: of the position, base units.
        sigma_e6: of its market, by move.
    """
    distance_e6 = cushion * _PRICE_ONE_E6 / np.maximum(shares, 1.0)
    variance = _UPDATES * sigma_e6**2
    bound = np.minimum(variance / np.maximum(distance_e6, 1.0) ** 2 / 2, 1.0)
    odds = np.where(distance_e6 <= 0, 1.0, bound) * _ONE_BPS
    result: npt.NDArray[np.int64] = odds.astype(np.int64)
    return result
