"""The venue's bodies and frames as values: JSON objects in, snapshots and deltas out.

Core. One malformed level, delta or book is refused alone; what surrounds it is kept, and every refusal is returned
to be counted. Unknown event types are no error: the venue adds some now and then, and they are counted too.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from keeper.prices.book import BookDelta, BookSnapshot, Level, Side
from keeper.prices.book_hash import HashStated
from keeper.prices.errors import MalformedError
from keeper.prices.numerals import e6_from, price_e6_from, time_ms_from
from keeper.prices.quote import last_trade_e6_from

LEVELS_PER_SIDE_MAX: Final = 10_000
"""The finest tick, 0.0001, allows 9_999 levels: more is no book."""
_OF_NO_BOOK: Final = ("new_market",)
_KIND_CHARACTERS_MAX: Final = 40
_HASHED_CHARACTERS_MAX: Final = 80
"""A market's id has 66. A book keeps what its hash covers, and whoever writes the body can state a hash that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTrade:
    """One trade, from the stream."""

    token_id: str
    price_e6: int | None
    """None for the venue's placeholder."""
    time_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TickSizeChange:
    """The grid of prices changed: the book must be dropped until the next snapshot."""

    token_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketResolved:
    """The market is over: its tokens' prices no longer move."""

    token_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestStated:
    """The best prices of a book as the venue states them beside it; None where it states no price."""

    token_id: str
    bid_e6: int | None
    ask_e6: int | None
    time_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """An event of a type that this reader was not written for."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A part of a body that could not be read, and why."""

    reason: str


Event = (
    BookSnapshot
    | BookDelta
    | LastTrade
    | BestStated
    | TickSizeChange
    | MarketResolved
    | Unknown
    | Refused
)


def events_of_frame(frame: object, only: Container[str] | None = None) -> list[Event]:
    """Read one stream frame: an object, or an array of them.

    A market's price_change carries both of its tokens; deltas of tokens outside `only` are passed over unread.
    """
    events: list[Event] = []
    for part in frame if isinstance(frame, list) else (frame,):
        if not isinstance(part, dict):
            events.append(Refused(reason=f"event is {type(part).__name__}, wanted an object"))
            continue
        try:
            if part.get("event_type") == "price_change":
                _read_deltas(part, only, events)
            else:
                event = _event_of(part)
                if event is not None:
                    events.append(event)
        except MalformedError as error:
            events.append(Refused(reason=str(error)))
    return events


def book_of(body: object) -> BookSnapshot:
    """Read a book: the body of GET /book, one entry of POST /books, or a stream's `book` event.

    Raises:
        MalformedError: no object, no asset id, or sides that are no lists. A malformed level is only counted.

    """
    if not isinstance(body, dict):
        raise MalformedError(f"found a book that is {type(body).__name__}, wanted an object")
    bids, refused_bids = _levels_of(body.get("bids"))
    asks, refused_asks = _levels_of(body.get("asks"))
    return BookSnapshot(
        token_id=_text_of(body, "asset_id"),
        bids=bids,
        asks=asks,
        time_ms=time_ms_from(body.get("timestamp")),
        last_trade_e6=last_trade_e6_from(body.get("last_trade_price"), None),
        refused_levels=refused_bids + refused_asks,
        hash_stated=_hash_stated_of(body),
    )


def _hash_stated_of(body: Mapping[str, object]) -> HashStated | None:
    """Read what a book says of its own hash; the stream leaves out two of the fields that it covers."""
    stated, market = body.get("hash"), body.get("market")
    tick_size, last_trade_price = body.get("tick_size"), body.get("last_trade_price")
    if not (
        isinstance(stated, str)
        and isinstance(market, str)
        and isinstance(tick_size, str)
        and isinstance(last_trade_price, str)
    ):
        return None
    min_order_size, is_neg_risk = body.get("min_order_size"), body.get("neg_risk")
    kept = (market, tick_size, last_trade_price, min_order_size)
    if any(isinstance(text, str) and len(text) > _HASHED_CHARACTERS_MAX for text in kept):
        return None
    return HashStated(
        hash=stated,
        market=market,
        tick_size=tick_size,
        last_trade_price=last_trade_price,
        min_order_size=min_order_size if isinstance(min_order_size, str) else None,
        is_neg_risk=is_neg_risk if isinstance(is_neg_risk, bool) else None,
    )


def _event_of(part: Mapping[str, object]) -> Event | None:
    """Read any event but price_change; None for one that concerns no book."""
    kind = part.get("event_type")
    if kind == "book":
        return book_of(part)
    if kind == "last_trade_price":
        return LastTrade(
            token_id=_text_of(part, "asset_id"),
            price_e6=last_trade_e6_from(part.get("price"), part.get("side")),
            time_ms=time_ms_from(part.get("timestamp")),
        )
    if kind == "best_bid_ask":
        return BestStated(
            token_id=_text_of(part, "asset_id"),
            bid_e6=_best_of(part.get("best_bid")),
            ask_e6=_best_of(part.get("best_ask")),
            time_ms=time_ms_from(part.get("timestamp")),
        )
    if kind == "tick_size_change":
        return TickSizeChange(token_id=_text_of(part, "asset_id"))
    if kind == "market_resolved":
        ids = part.get("assets_ids")
        found = ids if isinstance(ids, list) else [part.get("asset_id")]
        return MarketResolved(token_ids=tuple(text for text in found if isinstance(text, str)))
    if kind in _OF_NO_BOOK:
        return None
    return Unknown(kind=kind[:_KIND_CHARACTERS_MAX] if isinstance(kind, str) else "none")


def _read_deltas(
    part: Mapping[str, object], only: Container[str] | None, events: list[Event]
) -> None:
    """Read a price_change: `price_changes` with an asset each, or the older flat form with one for all."""
    time_ms = time_ms_from(part.get("timestamp"))
    changes = part.get("price_changes", part.get("changes"))
    if changes is None and "price" in part:
        changes = [part]
    if not isinstance(changes, list):
        raise MalformedError("found a price_change without a list of changes")
    for change in changes:
        if not isinstance(change, dict):
            events.append(Refused(reason=f"change is {type(change).__name__}, wanted an object"))
            continue
        token_id = change.get("asset_id", part.get("asset_id"))
        if not isinstance(token_id, str) or not token_id:
            events.append(Refused(reason="change without an asset_id"))
            continue
        if only is not None and token_id not in only:
            continue
        try:
            events.append(_delta_of(change, token_id, time_ms))
        except MalformedError as error:
            events.append(Refused(reason=str(error)))


def _delta_of(change: Mapping[str, object], token_id: str, time_ms: int | None) -> BookDelta:
    side, hash_stated = change.get("side"), change.get("hash")
    if side not in ("BUY", "SELL"):
        # A value nested a thousand deep can be read and not be written: only text is shown.
        found = repr(side[:_KIND_CHARACTERS_MAX]) if isinstance(side, str) else type(side).__name__
        raise MalformedError(f"found the side {found}, wanted BUY or SELL")
    return BookDelta(
        token_id,
        Side.BUY if side == "BUY" else Side.SELL,
        Level(price_e6_from(change.get("price")), e6_from(change.get("size"))),
        time_ms,
        _best_of(change.get("best_bid")),
        _best_of(change.get("best_ask")),
        hash_stated if isinstance(hash_stated, str) else None,
    )


def _best_of(value: object) -> int | None:
    """Read a stated best price; an empty side is stated as 0 or 1, which is no level and says nothing."""
    try:
        return price_e6_from(value)
    except MalformedError:
        return None


def _levels_of(side: object) -> tuple[tuple[Level, ...], int]:
    if not isinstance(side, list):
        raise MalformedError(f"found a side that is {type(side).__name__}, wanted a list")
    if len(side) > LEVELS_PER_SIDE_MAX:
        raise MalformedError(f"found {len(side)} levels, wanted at most {LEVELS_PER_SIDE_MAX}")
    levels = []
    for entry in side:
        try:
            levels.append(_level_of(entry))
        except MalformedError:
            continue
    return tuple(levels), len(side) - len(levels)


def _level_of(entry: object) -> Level:
    if not isinstance(entry, dict):
        raise MalformedError(f"found a level that is {type(entry).__name__}, wanted an object")
    return Level(price_e6_from(entry.get("price")), e6_from(entry.get("size")))


def _text_of(part: Mapping[str, object], key: str) -> str:
    value = part.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"found no {key}, wanted text")
    return value
