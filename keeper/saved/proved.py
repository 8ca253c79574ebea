"""Which saved positions are still what the chain holds, without reading them: those of markets where nothing has happened.

Core. Every instruction that changes a position says an event, and a market counts its events: the program does nothing else with
that number, and the program is immutable. So where a market's count is what it was in a snapshot of finalized accounts, every
position in it is what it was. Where it is another one, positions with debt are read again before anybody acts on them, those that
look worst at the newest price first; the others wait for the scan that follows at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.address_index import AddressIndex
from keeper.position_table import PositionColumns
from keeper.saved.accounts import Accounts, Order
from keeper.snapshot import Markets, market_accounts
from programs.layout import POSITION_BYTES, AccountKind
from programs.units import PRICE_ONE_E6

_SIDES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What a snapshot is worth by now."""

    unchanged: PositionColumns
    """Positions that the chain holds as they were."""
    doubtful: tuple[bytes, ...]
    """Addresses of positions with debt in markets that have changed, the weakest first."""
    markets_changed: int
    """Markets in which something has happened since."""


def prove(saved: Accounts, markets: Sequence[tuple[bytes, bytes]]) -> Proved:
    """Compare a snapshot with the markets of now.

    Args:
        saved: what was finalized then.
        markets: (address, data) of every market, as the chain holds it.
    """
    now, then = Markets(market_accounts(markets)[0]), saved.tables[AccountKind.MARKET]
    found = AddressIndex(then.addresses).rows_of(now.address_rows)
    is_same = found >= 0
    is_same[is_same] = (
        now.rows["event_sequence"][is_same] == then.rows["event_sequence"][found[is_same]]
    )
    positions = saved.tables[AccountKind.POSITION]
    market = now.rows_of(np.ascontiguousarray(positions.rows["market"]))
    is_unchanged = (market >= 0) & _at(is_same, market)
    is_doubtful = (market >= 0) & ~is_unchanged & (positions.rows["debt"] > 0)
    doubtful = np.flatnonzero(is_doubtful)
    order = _weakest_first(positions.rows[doubtful], now, market[doubtful])
    kept = np.flatnonzero(is_unchanged)
    return Proved(
        unchanged=PositionColumns(
            addresses=positions.addresses[kept],
            data=positions.rows[kept].view(np.uint8).reshape(-1, POSITION_BYTES),
        ),
        doubtful=tuple(each.tobytes() for each in positions.addresses[doubtful[order]]),
        markets_changed=int((~is_same).sum()),
    )


def with_read(unchanged: PositionColumns, read: Sequence[tuple[bytes, bytes]]) -> PositionColumns:
    """Return positions with those that were read again."""
    more = PositionColumns.of(read)
    return PositionColumns(
        addresses=np.concatenate([unchanged.addresses, more.addresses]),
        data=np.concatenate([unchanged.data, more.data]),
    )


def _at(flags: npt.NDArray[np.bool_], rows: Order) -> npt.NDArray[np.bool_]:
    """Return the flags of rows; of no row, False."""
    if not len(flags):
        return np.zeros(len(rows), np.bool_)
    chosen: npt.NDArray[np.bool_] = flags[np.maximum(rows, 0)] & (rows >= 0)
    return chosen


def _weakest_first(rows: npt.NDArray[Any], markets: Markets, market: Order) -> Order:
    """Sort positions by what their debt leaves of their value; a double orders, and decides nothing."""
    if not len(rows):
        return np.zeros(0, np.int64)
    pool = np.minimum(rows["pool"], markets.rows["pools"][market] - 1)
    yes_e6 = markets.pools["price_e6"][markets.first_pool[market] + pool].astype(np.float64)
    price_e6 = np.where(rows["side"] % _SIDES == 0, yes_e6, PRICE_ONE_E6 - yes_e6)
    value = rows["shares"].astype(np.float64) * price_e6
    debt = rows["debt"].astype(np.float64) * PRICE_ONE_E6
    order: Order = np.argsort((value - debt) / np.maximum(value, 1.0), kind="stable")
    return order
