"""From a book to a price: midpoint, band, and whether the book alone may be believed.

Core. Polymarket's own display rule: the midpoint, unless the spread is above ten cents, then the last trade.
"""

from dataclasses import dataclass
from typing import Final

from keeper.prices.book import Book, BookSnapshot
from keeper.prices.errors import MalformedError
from keeper.prices.numerals import price_e6_from
from keeper.prices.price import Reason
from programs.units import PriceE6

SPREAD_MAX_E6: Final = 100_000
"""Ten cents. Source: SPEC.md section 6 and Polymarket's display rule."""
_PLACEHOLDER_E6: Final = 500_000
"""What /last-trade-price answers, with side "", for a token that never traded."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What one source's book says of one token."""

    price_e6: PriceE6 | None
    """None when the book has no midpoint and no trade stands in for it."""
    half_spread_e6: int
    """Rounded up; 0 when there is no spread."""
    reason: Reason
    """OK, or why the price may not be acted on."""

    @property
    def is_sound(self) -> bool:
        """Whether the book alone is good enough to act on."""
        return self.reason is Reason.OK


def quote(bid_e6: int | None, ask_e6: int | None, last_trade_e6: int | None = None) -> Quote:
    """Quote a best bid and ask.

    The midpoint of an odd sum is rounded down: half a millionth, inside the band, which is rounded up. A last trade
    outside the book is never used: it is older than the book, or of the complementary token.
    """
    if bid_e6 is None or ask_e6 is None:
        reason = Reason.EMPTY_BOOK if bid_e6 is ask_e6 else Reason.ONE_SIDED
        return Quote(_inside(last_trade_e6, bid_e6, ask_e6), 0, reason)
    if bid_e6 >= ask_e6:
        return Quote(None, 0, Reason.CROSSED)
    spread_e6 = ask_e6 - bid_e6
    half_spread_e6 = -(-spread_e6 // 2)
    midpoint_e6 = PriceE6((bid_e6 + ask_e6) // 2)
    if spread_e6 > SPREAD_MAX_E6:
        trade_e6 = _inside(last_trade_e6, bid_e6, ask_e6)
        return Quote(
            midpoint_e6 if trade_e6 is None else trade_e6, half_spread_e6, Reason.WIDE_SPREAD
        )
    return Quote(midpoint_e6, half_spread_e6, Reason.OK)


def quote_of_book(book: Book) -> Quote:
    """Quote a streamed book."""
    return quote(book.best_bid_e6, book.best_ask_e6, book.last_trade_e6)


def quote_of_snapshot(snapshot: BookSnapshot) -> Quote:
    """Quote a REST book without building it: best is the largest bid and the smallest ask, never a position."""
    return quote(
        max((level.price_e6 for level in snapshot.bids if level.size_e6 > 0), default=None),
        min((level.price_e6 for level in snapshot.asks if level.size_e6 > 0), default=None),
        snapshot.last_trade_e6,
    )


def last_trade_e6_from(price: object, side: object) -> int | None:
    """Read a last trade; None when there is none.

    A price of 0.5 without a side is the venue's placeholder for "never traded", and a book body states no side at
    all: both are no trade. Anything unreadable is none either, for a last trade never decides alone.
    """
    try:
        price_e6 = price_e6_from(price)
    except MalformedError:
        return None
    return None if price_e6 == _PLACEHOLDER_E6 and not side else price_e6


def _inside(trade_e6: int | None, bid_e6: int | None, ask_e6: int | None) -> PriceE6 | None:
    if trade_e6 is None:
        return None
    is_above_bid = bid_e6 is None or trade_e6 >= bid_e6
    is_below_ask = ask_e6 is None or trade_e6 <= ask_e6
    return PriceE6(trade_e6) if is_above_bid and is_below_ask else None
