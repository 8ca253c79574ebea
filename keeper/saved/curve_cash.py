"""What cash a pool should hold, for many pools at once: what its curve says, to a unit or so.

Core. A forecast, not money: a snapshot keeps the difference to what the account says. But that difference must come out the same
wherever it is read, so only additions, multiplications, divisions and floors of IEEE doubles are used, in one order, on a table
that is made from integers.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from programs.fixed import E18
from programs.normal import g, price_e18

_STEPS: Final = 256
"""Points of the table to one unit of u; a cubic between them is off by 2.4e-13, and by less than a unit at any liquidity there is."""
_U_MAX: Final = 4
_CASH_MAX: Final = float(1 << 62)

Integers = npt.NDArray[np.uint64]
Doubles = npt.NDArray[np.float64]


def cash_of(liquidity: Integers, yes: Integers, no: Integers) -> Integers:
    """Return the cash of pools on their curve: outstanding NO + L g((YES - NO) / L).

    Args:
        liquidity: L of each pool.
        yes: outstanding YES shares.
        no: outstanding NO shares.
    """
    values, slopes = _table()
    depth = np.maximum(liquidity, np.uint64(1)).astype(np.float64)
    u = (yes.astype(np.float64) - no.astype(np.float64)) / depth
    at = (np.clip(u, -_U_MAX, _U_MAX) + _U_MAX) * _STEPS
    left = np.minimum(np.floor(at), 2 * _U_MAX * _STEPS - 1)
    t = at - left
    row = left.astype(np.int64)
    rise = values[row + 1] - values[row]
    first, last = slopes[row] / _STEPS, slopes[row + 1] / _STEPS
    bend = rise * 3.0 - first * 2.0 - last
    twist = first + last - rise * 2.0
    height = values[row] + t * (first + t * (bend + t * twist))
    part = np.clip(np.floor(height * depth + 0.5), 0.0, _CASH_MAX)
    cash: Integers = no + part.astype(np.uint64)
    return np.where(liquidity == 0, np.uint64(0), cash)


@cache
def _table() -> tuple[Doubles, Doubles]:
    """Return g and its slope at every point."""
    points = [at * E18 // _STEPS for at in range(-_U_MAX * _STEPS, _U_MAX * _STEPS + 1)]
    values = np.array([g(point) / E18 for point in points])
    slopes = np.array([price_e18(point) / E18 for point in points])
    return values, slopes
