"""The venue's own hash of a book, which tells of a delta that was lost anywhere in it.

Core. The stream has no sequence numbers, but every change carries the hash that the whole book has after it: SHA-1 of
the compact JSON of the REST body with `hash` left empty. Recomputed, it fits all books and all changes recorded from
the venue. It covers two fields that the stream does not send, so a book is only held to its hash once a snapshot of
it fitted; and since a recipe may change any day, a misfit asks for a snapshot and never decides a price.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1
from typing import Final

_REMEMBERED: Final = 16_384
_UNSENT: Final = (("5", False), ("5", True))
"""Least order size and neg-risk flag: what the hash covers and the stream leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedFields:
    """What a book's hash covers beside its levels and its time, in the venue's own characters."""

    market: str
    tick_size: str
    last_trade_price: str
    min_order_size: str
    is_neg_risk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HashStated:
    """The hash that a snapshot states for itself, and what it covers; fields the snapshot does not hold are None."""

    hash: str
    market: str
    tick_size: str
    last_trade_price: str
    min_order_size: str | None = None
    is_neg_risk: bool | None = None


Levels = Iterable[tuple[int, int]]
"""Price and size in e6, in the venue's order: bids ascend, asks descend."""


def hash_of_book(
    token_id: str, time_ms: int, bids: Levels, asks: Levels, fields: HashedFields
) -> str:
    """Return the hash of a whole book, as 40 hexadecimal digits.

    Source: `generate_orderbook_summary_hash` of Polymarket's own clients, confirmed on recorded bodies.
    """
    text = (
        f'{{"market":{json.dumps(fields.market)},"asset_id":{json.dumps(token_id)},'
        f'"timestamp":"{time_ms}","hash":"",'
        f'"bids":[{_levels_text(bids)}],"asks":[{_levels_text(asks)}],'
        f'"min_order_size":{json.dumps(fields.min_order_size)},'
        f'"tick_size":{json.dumps(fields.tick_size)},'
        f'"neg_risk":{"true" if fields.is_neg_risk else "false"},'
        f'"last_trade_price":{json.dumps(fields.last_trade_price)}}}'
    )
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def fields_that_fit(
    token_id: str, time_ms: int, bids: Levels, asks: Levels, stated: HashStated
) -> HashedFields | None:
    """Return the fields with which a snapshot has the hash it states; None when no guess at the unsent ones fits."""
    bids, asks = tuple(bids), tuple(asks)
    for min_order_size, is_neg_risk in _UNSENT:
        fields = HashedFields(
            market=stated.market,
            tick_size=stated.tick_size,
            last_trade_price=stated.last_trade_price,
            min_order_size=min_order_size
            if stated.min_order_size is None
            else stated.min_order_size,
            is_neg_risk=is_neg_risk if stated.is_neg_risk is None else stated.is_neg_risk,
        )
        if hash_of_book(token_id, time_ms, bids, asks, fields) == stated.hash:
            return fields
    return None


def _levels_text(levels: Levels) -> str:
    return ",".join(
        f'{{"price":"{_decimal(price)}","size":"{_decimal(size)}"}}' for price, size in levels
    )


@lru_cache(maxsize=_REMEMBERED)
def _decimal(value_e6: int) -> str:
    """Write millionths as the venue does, without trailing zeros: 63_000 is 0.063."""
    whole, fraction = divmod(value_e6, 1_000_000)
    return f"{whole}.{fraction:06d}".rstrip("0").rstrip(".")
