"""One order book from snapshots and deltas.

Core: no I/O, no clock. A book remembers the best `LEVELS_MAX` levels of each side in two integer arrays, 1.5 kB a token,
so that tens of thousands fit in memory. What lies beyond is forgotten and known to be forgotten: when the
remembered levels run out the book asks for a snapshot instead of calling the side empty.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from keeper.prices.book_hash import HashedFields, HashStated, fields_that_fit, hash_of_book

LEVELS_MAX: Final = 64
"""Levels remembered per side. The recorded books have up to 254; the best few decide every price."""
REORDERED_MAX_MS: Final = 10_000
"""How much older than its book a delta may be and still be one that came out of order. Older than that, it is the
venue's clock that went back: its old times would hold every newer content off for as long."""


class Side(StrEnum):
    """Which side of the book, in the venue's words."""

    BUY = "BUY"
    SELL = "SELL"


class Level(NamedTuple):
    """One price with the size resting there; size 0 removes it. A tuple, for a body has hundreds."""

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
    hash_stated: HashStated | None = None
    """What the body says its hash is; None when it says none or leaves out what it would cover."""


class BookDelta(NamedTuple):
    """One level of one book set to a new size. A tuple, for thousands are made a second."""

    token_id: str
    side: Side
    level: Level
    time_ms: int | None
    best_bid_e6: int | None = None
    """What the venue says the best is once this frame is applied; None when it does not say."""
    best_ask_e6: int | None = None
    hash_stated: str | None = None
    """The hash of the whole book once this frame is applied."""


class Applied(StrEnum):
    """What became of a snapshot or delta."""

    APPLIED = "applied"
    OLDER = "older"
    """A snapshot that precedes the book, or a delta that does and says what the book holds: dropped."""
    OUT_OF_ORDER = "out_of_order"
    """A delta that precedes the book and says otherwise. It is dropped; but it may have been the only word on its level,
    so a snapshot is wanted."""
    CLOCK_STEPPED = "clock_stepped"
    """It precedes the book by more than any reordering: the venue's time went back, and the book cannot be compared."""
    NO_SNAPSHOT = "no_snapshot"
    """There is no book to change yet."""


class _Ladder:
    """One side, keyed so that the best level has the largest key: price for bids, -price for asks."""

    __slots__ = ("_horizon", "_keys", "_sizes")

    def __init__(self, levels: Iterable[tuple[int, int]]) -> None:
        kept = sorted((key, size) for key, size in dict(levels).items() if size > 0)
        self._horizon: int | None = None
        self._keys = array("i", (key for key, _ in kept))
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

    def says(self, key: int, size: int) -> bool:
        """Tell whether the side already has this size at this level, or forgot the level."""
        if self._horizon is not None and key < self._horizon:
            return True
        at = bisect_left(self._keys, key)
        is_present = at < len(self._keys) and self._keys[at] == key
        return self._sizes[at] == size if is_present else size == 0

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

    @property
    def is_whole(self) -> bool:
        return self._horizon is None

    def levels(self) -> Iterable[tuple[int, int]]:
        """Best first."""
        return zip(reversed(self._keys), reversed(self._sizes), strict=True)

    def ascending(self) -> Iterable[tuple[int, int]]:
        """Worst first, as the venue writes a side."""
        return zip(self._keys, self._sizes, strict=True)


class Book:
    """The book of one token. Every method is synchronous and idempotent."""

    __slots__ = ("_asks", "_bids", "has_snapshot", "hashed", "last_trade_e6", "time_ms")

    def __init__(self) -> None:
        self._bids = _Ladder(())
        self._asks = _Ladder(())
        self.has_snapshot = False
        self.time_ms: int | None = None
        """The venue's timestamp of the newest content applied."""
        self.last_trade_e6: int | None = None
        self.hashed: HashedFields | None = None
        """With what its hash is computed; None when the hash cannot be held against it."""

    def apply_snapshot(self, snapshot: BookSnapshot) -> Applied:
        """Replace the book, unless the snapshot is older than what the book already holds."""
        if self.has_snapshot:
            age_ms = self._older_by_ms(snapshot.time_ms)
            if age_ms > 0:
                return Applied.OLDER if age_ms <= REORDERED_MAX_MS else Applied.CLOCK_STEPPED
        self._bids = _Ladder((level.price_e6, level.size_e6) for level in snapshot.bids)
        self._asks = _Ladder((-level.price_e6, level.size_e6) for level in snapshot.asks)
        self.has_snapshot = True
        self.time_ms = snapshot.time_ms
        self.hashed = None
        if snapshot.last_trade_e6 is not None:
            self.last_trade_e6 = snapshot.last_trade_e6
        return Applied.APPLIED

    def apply_delta(self, delta: BookDelta) -> Applied:
        """Set one level. Sizes are absolute, so a repeated delta changes nothing."""
        if not self.has_snapshot:
            return Applied.NO_SNAPSHOT
        if delta.side is Side.BUY:
            ladder, key = self._bids, delta.level.price_e6
        else:
            ladder, key = self._asks, -delta.level.price_e6
        age_ms = self._older_by_ms(delta.time_ms)
        if age_ms > 0:
            if age_ms > REORDERED_MAX_MS:
                return Applied.CLOCK_STEPPED
            is_known = ladder.says(key, delta.level.size_e6)
            return Applied.OLDER if is_known else Applied.OUT_OF_ORDER
        ladder.put(key, delta.level.size_e6)
        if delta.time_ms is not None:
            self.time_ms = delta.time_ms
        return Applied.APPLIED

    def drop(self) -> None:
        """Forget every level: after a tick size change or a contradiction, only a snapshot counts."""
        self._bids = _Ladder(())
        self._asks = _Ladder(())
        self.has_snapshot = False
        self.time_ms = None
        self.hashed = None

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
    def is_crossed(self) -> bool:
        """Whether the best bid is not below the best ask."""
        bid, ask = self._bids.best, self._asks.best
        return bid is not None and ask is not None and bid >= -ask

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

    @property
    def is_whole(self) -> bool:
        """Whether every level is remembered."""
        return self._bids.is_whole and self._asks.is_whole

    def fit_hash(self, token_id: str, stated: HashStated) -> HashedFields | None:
        """Return the fields with which the book has the hash its snapshot states, if any."""
        if self.time_ms is None or not self.is_whole:
            return None
        bids, asks = self._bids.ascending(), self._descending_asks()
        return fields_that_fit(token_id, self.time_ms, bids, asks, stated)

    def misfits(self, token_id: str, hash_stated: str | None) -> bool:
        """Tell whether a hash can be held against the book, and is another than the book's."""
        if hash_stated is None or self.hashed is None or self.time_ms is None or not self.is_whole:
            return False
        bids, asks = self._bids.ascending(), self._descending_asks()
        return hash_of_book(token_id, self.time_ms, bids, asks, self.hashed) != hash_stated

    def _descending_asks(self) -> Iterable[tuple[int, int]]:
        return ((-key, size) for key, size in self._asks.ascending())

    def contradicts(self, delta: BookDelta) -> bool:
        """Tell whether the best prices the venue states with a delta differ from the book's own."""
        return self.differs(delta.best_bid_e6, delta.best_ask_e6)

    def differs(self, best_bid_e6: int | None, best_ask_e6: int | None) -> bool:
        """Tell whether best prices differ from the book's own; None says nothing."""
        bid_differs = best_bid_e6 is not None and best_bid_e6 != self.best_bid_e6
        ask_differs = best_ask_e6 is not None and best_ask_e6 != self.best_ask_e6
        return bid_differs or ask_differs

    def _older_by_ms(self, time_ms: int | None) -> int:
        return 0 if time_ms is None or self.time_ms is None else self.time_ms - time_ms
