"""What is due among a million positions, kept up with: only what changed is judged again.

Core. A position's verdict follows from its row and its market alone. So a verdict stands until the row is written, or its
market's price, band, class or status changes, or the price's age passes the limit. A trade moves the pool only: that
concerns the sale, so of such a market only those are judged again that are unhealthy already. What results is the same,
integer for integer, as judging everything at once.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.assessment import (
    Assessment,
    Due,
    Rows,
    Verdict,
    Verdicts,
    assessment_of,
    count_verdicts,
)
from keeper.position_table import PositionTable
from keeper.risk import Terms, due_among, terms_of
from keeper.snapshot import Markets
from programs.units import Slot

_SALE_FIELDS: Final = ("liquidity", "outstanding", "leveraged")
_UNHEALTHY: Final = (Verdict.DUE, Verdict.AT_FLOOR, Verdict.CAP_EMPTY)
_BLANK: Final = len(Verdict)
"""Stands for the verdict of a row without a position."""
Flags = npt.NDArray[np.bool_]


class Watchlist:
    """Verdicts of a table's positions, and what is due."""

    def __init__(self, table: PositionTable, markets: Markets, slot: Slot) -> None:
        """Judge everything."""
        self._table = table
        self._terms = terms_of(markets, slot)
        self._judge_all()

    def refresh(self, markets: Markets, slot: Slot, written: Rows) -> Assessment:
        """Return what is due now.

        Args:
            markets: as they are now; `Markets.changed` makes them cheap to compare.
            slot: what the age of prices is counted to.
            written: rows of the table written or freed since the last call.
        """
        before, self._terms = self._terms, terms_of(markets, slot, self._terms)
        if markets.addresses is not before.markets.addresses:
            self._judge_all()
        else:
            is_moved, is_traded = _changes(before, self._terms)
            self._grow()
            moved = self._rows_in(is_moved)
            traded = self._rows_in(is_traded & ~is_moved)
            traded = traded[np.isin(self._verdicts[traded], _UNHEALTHY)]
            if len(traded) or len(written):
                moved = np.unique(np.concatenate([moved, traded, written]))
            self._judge(
                moved
            )  # each row once already, where one market's price is all that changed
        return assessment_of(slot, self._due, self._counts)

    def _judge_all(self) -> None:
        self._market_rows = self._terms.markets.rows_of(self._table.market_addresses)
        found, self._verdicts = self._judged(slice(0, self._table.count))
        self._due, self._counts = found.by_urgency(), count_verdicts(self._verdicts)
        self._is_judged = np.zeros(len(self._verdicts), np.bool_)
        """Of each row, whether it is being judged; all false in between: a million flags are not made for each change."""

    def _judge(self, rows: Rows) -> None:
        """Judge these rows again, each of them once."""
        if not len(rows):
            return
        found, verdicts = self._judged(rows)
        self._counts += count_verdicts(verdicts) - count_verdicts(self._verdicts[rows])
        self._verdicts[rows] = verdicts
        self._is_judged[rows] = True
        others = self._due.take(~self._is_judged[self._due.index])
        self._is_judged[rows] = False
        self._due = others.joined(replace(found, index=rows[found.index])).by_urgency()

    def _judged(self, rows: Rows | slice) -> tuple[Due, Verdicts]:
        found, verdicts = due_among(self._terms, self._table.holdings(rows, self._market_rows))
        verdicts[self._table.is_blank(rows)] = _BLANK
        return found, verdicts

    def _grow(self) -> None:
        """Make room for rows, and for the markets of positions, that are new."""
        table = self._table
        fresh = table.count - len(self._verdicts)
        if fresh:
            self._verdicts = np.concatenate([self._verdicts, np.full(fresh, _BLANK, np.uint8)])
            self._is_judged = np.zeros(len(self._verdicts), np.bool_)
        if len(table.market_addresses) > len(self._market_rows):
            self._market_rows = self._terms.markets.rows_of(table.market_addresses)

    def _rows_in(self, is_wanted: Flags) -> Rows:
        """Return the rows of the table that are in these markets."""
        if not is_wanted.any():
            return np.zeros(0, np.int64)
        is_known = self._market_rows >= 0
        return self._table.rows_in(np.flatnonzero(is_known & is_wanted[self._market_rows]).tolist())


def _changes(before: Terms, now: Terms) -> tuple[Flags, Flags]:
    """Tell of each market whether its positions are judged by other numbers now, and whether its pools sell otherwise.

    The markets are the same ones in the same order.
    """
    is_moved = before.gates != now.gates
    old, new = before.markets, now.markets
    is_traded = np.zeros(len(new), np.bool_)
    if new is old or not len(new):
        return is_moved, is_traded
    is_repriced = (before.prices != now.prices).any(axis=0).reshape(-1, 2).any(axis=1)
    is_moved |= np.logical_or.reduceat(is_repriced, new.first_pool)
    is_other = np.zeros(len(new.pools), np.bool_)
    for name in _SALE_FIELDS:
        differs = old.pools[name] != new.pools[name]
        is_other |= differs if differs.ndim == 1 else differs.any(axis=1)
    is_traded = np.logical_or.reduceat(is_other, new.first_pool)
    is_traded |= old.rows["sigma_e6"] != new.rows["sigma_e6"]
    return is_moved, is_traded
