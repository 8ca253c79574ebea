"""What risk says of positions: verdicts, and what is due, most urgent first.

Core. Urgency is the money at stake: bounty plus shortfall; among equals the least healthy goes first, then the order of
the snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from programs.units import U64_MAX, Slot

Amounts = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Verdicts = npt.NDArray[np.uint8]


class Verdict(IntEnum):
    """What becomes of a position, and why."""

    DUE = 0
    """The program would liquidate it now."""
    HEALTHY = 1
    NO_DEBT = 2
    """Never liquidatable."""
    MARKET_UNKNOWN = 3
    """The snapshot has no such market or pool."""
    MARKET_NOT_OPEN = 4
    PRICE_CLASS = 5
    """The market's price class permits no liquidation."""
    PRICE_STALE = 6
    """The oracle's price is more than 150 slots old."""
    AT_FLOOR = 7
    """Unhealthy, but a partial sale waits while the pool stands at its floor."""
    CAP_EMPTY = 8
    """Unhealthy, but a slot's partial cap has no room for a single share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What is due at one slot. The arrays have one row for each due position, most urgent first."""

    slot: Slot
    index: Rows
    """Into the snapshot's positions."""
    market_row: Rows
    """Into the snapshot's markets."""
    health_bps: Rows
    """Below 10_000, at the judged price; negative under water."""
    bounty: Amounts
    """What the keeper earns at least, base units: the proceeds are taken at the floor of the sale."""
    shortfall: Amounts
    """What the vault loses at the oracle's price, base units."""
    counts: Mapping[Verdict, int]
    """Every position of the snapshot, by verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Due positions and their numbers, as columns; see `Assessment`."""

    index: Rows
    market_row: Rows
    health_bps: Rows
    bounty: Amounts
    shortfall: Amounts

    @classmethod
    def none(cls) -> Self:
        """Return no rows."""
        rows, amounts = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return cls(index=rows, market_row=rows, health_bps=rows, bounty=amounts, shortfall=amounts)

    def take(self, which: Rows | npt.NDArray[np.bool_]) -> "Due":
        """Return these rows."""
        return Due(
            index=self.index[which],
            market_row=self.market_row[which],
            health_bps=self.health_bps[which],
            bounty=self.bounty[which],
            shortfall=self.shortfall[which],
        )

    def joined(self, other: "Due") -> "Due":
        """Return these rows and the others after them."""
        return Due(
            index=np.concatenate([self.index, other.index]),
            market_row=np.concatenate([self.market_row, other.market_row]),
            health_bps=np.concatenate([self.health_bps, other.health_bps]),
            bounty=np.concatenate([self.bounty, other.bounty]),
            shortfall=np.concatenate([self.shortfall, other.shortfall]),
        )

    def by_urgency(self) -> "Due":
        """Return the rows in order; rows that mostly are in order already cost little."""
        rank = U64_MAX - (self.bounty + self.shortfall)
        order = np.argsort(rank, kind="stable")
        rank = rank[order]
        is_same = rank[1:] == rank[:-1]
        if is_same.any():
            # Equals stand side by side, so ordering them among themselves keeps each group where it is.
            is_tied = np.zeros(len(rank), np.bool_)
            is_tied[1:] |= is_same
            is_tied[:-1] |= is_same
            tied = order[is_tied]
            order[is_tied] = tied[
                np.lexsort((self.index[tied], self.health_bps[tied], rank[is_tied]))
            ]
        return self.take(order)


def count_verdicts(verdicts: Verdicts) -> Rows:
    """Return how often each verdict occurs, by its number; the last entry is for rows that hold no position."""
    return np.bincount(verdicts, minlength=len(Verdict) + 1).astype(np.int64)


def assessment_of(slot: Slot, due: Due, counts: Rows) -> Assessment:
    """Put together what is due, in order, and the counts of all verdicts by their number."""
    return Assessment(
        slot=slot,
        index=due.index,
        market_row=due.market_row,
        health_bps=due.health_bps,
        bounty=due.bounty,
        shortfall=due.shortfall,
        counts={each: int(counts[each]) for each in Verdict if counts[each]},
    )
