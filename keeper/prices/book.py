"""One order book from snapshots and deltas.

Core: no I/O, no clock. A book remembers the best `LEVELS_MAX` levels of each side in two integer arrays, 2 kB a token,
so that tens of thousands fit in memory. What lies beyond is forgotten and known to be forgotten: when the
remembered levels run out the book asks for a snapshot instead of calling the side empty.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LEVELS_MAX: Final = 64
"""Levels remembered per side. The recorded books have up to 126; the best few decide every price."""


class Side(StrEnum):
    """Which side of the book, in the venue's words."""

    BUY = "BUY"
    SELL = "SELL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One price with the size resting there; size 0 removes it."""

    price_e6: int
    size_e6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSnapshot:
    """A whole book, as REST and the stream's `book` event send it."""

    token_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time_ms: int | None
    last_trade_e6: int | None
    refused_levels: int = 0
    """Levels of the body that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDelta:
    """One level of one book set to a new size."""

    token_id: str
    side: Side
    level: Level
    time_ms: int | None
    best_bid_e6: int | None = None
    """What the venue says the best is once this frame is applied; None when it does not say."""
    best_ask_e6: int | None = None


class Applied(StrEnum):
    """What became of a snapshot or delta."""

    APPLIED = "applied"
    OLDER = "older"
    """Its timestamp precedes the book's: dropped."""
    NO_SNAPSHOT = "no_snapshot"
    """There is no book to change yet."""


class _Ladder:
    """One side, keyed so that the best level has the largest key: price for bids, -price for asks."""

    __slots__ = ("_horizon", "_keys", "_sizes")

    def __init__(self, levels: Iterable[tuple[int, int]]) -> None:
        kept = sorted((key, size) for key, size in dict(levels).items() if size > 0)
        self._horizon: int | None = None
        self._keys = array("q", (key for key, _ in kept))
        self._sizes = array("q", (size for _, size in kept))
        self._forget_worst()

    def _forget_worst(self) -> None:
        surplus = len(self._keys) - LEVELS_MAX
        if surplus > 0:
            self._horizon = self._keys[surplus]
            del self._keys[:surplus]
            del self._sizes[:surplus]

    @property
    def best(self) -> int | None:
        return self._keys[-1] if self._keys else None

    @property
    def is_exhausted(self) -> bool:
        return not self._keys and self._horizon is not None

    def put(self, key: int, size: int) -> None:
        if self._horizon is not None and key < self._horizon:
            return  # Beyond what is remembered: it cannot be the best while anything is.
        at = bisect_left(self._keys, key)
        is_present = at < len(self._keys) and self._keys[at] == key
        if size == 0:
            if is_present:
                del self._keys[at]
                del self._sizes[at]
        elif is_present:
            self._sizes[at] = size
        else:
            self._keys.insert(at, key)
            self._sizes.insert(at, size)
            self._forget_worst()

    def levels(self) -> Iterable[tuple[int, int]]:
        return zip(reversed(self._keys), reversed(self._sizes), strict=True)


class Book:
    """The book of one token. Every method is synchronous and idempotent."""

    __slots__ = ("_asks", "_bids", "has_snapshot", "last_trade_e6", "time_ms")

    def __init__(self) -> None:
        self._bids = _Ladder(())
        self._asks = _Ladder(())
        self.has_snapshot = False
        self.time_ms: int | None = None
        """The venue's timestamp of the newest content applied."""
        self.last_trade_e6: int | None = None

    def apply_snapshot(self, snapshot: BookSnapshot) -> Applied:
        """Replace the book, unless the snapshot is older than what the book already holds."""
        if self.has_snapshot and self._is_older(snapshot.time_ms):
            return Applied.OLDER
        self._bids = _Ladder((level.price_e6, level.size_e6) for level in snapshot.bids)
        self._asks = _Ladder((-level.price_e6, level.size_e6) for level in snapshot.asks)
        self.has_snapshot = True
        self.time_ms = snapshot.time_ms
        if snapshot.last_trade_e6 is not None:
            self.last_trade_e6 = snapshot.last_trade_e6
        return Applied.APPLIED

    def apply_delta(self, delta: BookDelta) -> Applied:
        """Set one level. Sizes are absolute, so a repeated delta changes nothing."""
        if not self.has_snapshot:
            return Applied.NO_SNAPSHOT
        if self._is_older(delta.time_ms):
            return Applied.OLDER
        if delta.side is Side.BUY:
            self._bids.put(delta.level.price_e6, delta.level.size_e6)
        else:
            self._asks.put(-delta.level.price_e6, delta.level.size_e6)
        if delta.time_ms is not None:
            self.time_ms = delta.time_ms
        return Applied.APPLIED

    def drop(self) -> None:
        """Forget every level: after a tick size change or a contradiction, only a snapshot counts."""
        self._bids = _Ladder(())
        self._asks = _Ladder(())
        self.has_snapshot = False
        self.time_ms = None

    @property
    def best_bid_e6(self) -> int | None:
        """Highest bid; None on an empty side."""
        return self._bids.best

    @property
    def best_ask_e6(self) -> int | None:
        """Lowest ask; None on an empty side."""
        key = self._asks.best
        return None if key is None else -key

    @property
    def needs_snapshot(self) -> bool:
        """Whether the remembered levels no longer tell the best: nothing came yet, or a side ran out."""
        return not self.has_snapshot or self._bids.is_exhausted or self._asks.is_exhausted

    def bids(self) -> tuple[Level, ...]:
        """List the remembered bids, best first."""
        return tuple(Level(price_e6=key, size_e6=size) for key, size in self._bids.levels())

    def asks(self) -> tuple[Level, ...]:
        """List the remembered asks, best first."""
        return tuple(Level(price_e6=-key, size_e6=size) for key, size in self._asks.levels())

    def contradicts(self, delta: BookDelta) -> bool:
        """Tell whether the best prices the venue states with a delta differ from the book's own."""
        bid_differs = delta.best_bid_e6 is not None and delta.best_bid_e6 != self.best_bid_e6
        ask_differs = delta.best_ask_e6 is not None and delta.best_ask_e6 != self.best_ask_e6
        return bid_differs or ask_differs

    def _is_older(self, time_ms: int | None) -> bool:
        return time_ms is not None and self.time_ms is not None and time_ms < self.time_ms
