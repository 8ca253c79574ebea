"""What a liquidation sells on a pool: the lowest price it takes, and how many shares the pool buys above it.

Core, over arrays; the rule is that of betting_platform/liquidate.c. A batch sells together, at the highest floor of its
positions; here each position has its own, so what is expected of it alone is a bound of what the batch may do.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.snapshot import Markets
from programs.accounts import Side
from programs.curve import Curve, shares_to_price
from programs.curve import Side as CurveSide
from programs.units import PRICE_ONE_E6

Amounts = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FLOOR_POINTS_E6: Final = 50_000
"""Sales go no lower than the oracle less five points. Source: GAP_POINTS_E6 of liquidate.c."""
BOUNTY_BPS: Final = 5
BOUNTY_UNDERWATER_BPS: Final = 2
_BPS_ONE: Final = 10_000
_DIGITS: Final = 10**5
"""The price of a share of the debt is divided out in two steps of five digits."""
_EXACT_BELOW: Final = 1 << 47
"""shares * 10**5 fits a u64 below this: $140M. Larger rows take Python's integers."""
_COARSE_E6: Final = 1_000


def floors_e6(oracle_e6: Amounts, shares: Amounts, debt: Amounts, is_underwater: Flags) -> Amounts:
    """Return the lowest marginal price at which each position is sold.

    Args:
        oracle_e6: of the position's side.
        shares: above zero; the debt is at most as many base units unless the position is under water.
    """
    least = np.maximum(oracle_e6, FLOOR_POINTS_E6) - FLOOR_POINTS_E6
    floor: Amounts = np.where(
        is_underwater, oracle_e6, np.maximum(least, _repaying_e6(shares, debt, ~is_underwater))
    )
    return floor


def rooms(
    markets: Markets, pool_row: Rows, side: npt.NDArray[np.uint8], floor_e6: Amounts
) -> Amounts:
    """Return how many shares each position's pool takes before it stands at the position's floor.

    To the floor rounded up to a tenth of a cent, or exactly where that leaves none: at most so many different prices
    are worked out, however many positions there are.
    """
    coarse = -(-floor_e6.astype(np.int64) // _COARSE_E6) * _COARSE_E6
    taken = _rooms_at(markets, 2 * pool_row + side, coarse)
    shut = np.flatnonzero(taken == 0)
    below = _rooms_at(markets, (2 * pool_row + side)[shut], coarse[shut] - _COARSE_E6)
    near = shut[below > 0]
    taken[near] = _rooms_at(markets, (2 * pool_row + side)[near], floor_e6[near].astype(np.int64))
    return taken


def _repaying_e6(shares: Amounts, debt: Amounts, wanted: Flags) -> Amounts:
    """Return the price a share at which a sale repays debt and bounty, rounded up; 0 where it is not wanted."""
    floor = np.zeros(len(shares), np.uint64)
    narrow = np.flatnonzero(wanted & (shares < _EXACT_BELOW))
    divisor = shares[narrow]
    whole, rest = np.divmod(debt[narrow] * _DIGITS, divisor)
    scaled = whole * _DIGITS + (rest * _DIGITS + divisor - 1) // divisor
    floor[narrow] = (scaled + (_BPS_ONE - BOUNTY_BPS - 1)) // (_BPS_ONE - BOUNTY_BPS)
    for row in np.flatnonzero(wanted & (shares >= _EXACT_BELOW)):
        kept = int(shares[row]) * (_BPS_ONE - BOUNTY_BPS)
        floor[row] = -(-int(debt[row]) * PRICE_ONE_E6 * _BPS_ONE // kept)
    return floor


def _rooms_at(markets: Markets, key: Rows, floor_e6: Rows) -> Amounts:
    """Return how many shares the pool and side of each key take down to a price."""
    pairs, which = np.unique(np.stack([key, floor_e6], axis=1), axis=0, return_inverse=True)
    room = np.zeros(len(pairs), np.uint64)
    for at, (each, price_e6) in enumerate(pairs.tolist()):
        pool = markets.pools[each // 2]
        liquidity = int(pool["liquidity"])
        if liquidity:
            outstanding = pool["outstanding"]
            q = int(outstanding[Side.YES]) - int(outstanding[Side.NO])
            room[at] = shares_to_price(
                Curve(liquidity=liquidity, q=q), CurveSide(each % 2), price_e6
            )
    taken: Amounts = room[which.reshape(-1)]
    return taken
