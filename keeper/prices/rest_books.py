"""The order books of one /books reply, each reduced to what a quote needs: best bid, best ask, last trade.

Core. A full refresh is 42_000 books of a hundred levels and more; building an object for every level takes ten times as
long as reading the bytes. Two ways lead through a book, and a test holds them equal on every input:

- the **swift** one, for a book exactly as the venue writes it: one expression checks every level, and only the best
  price of each side becomes a number;
- the **plain** one, for anything else: JSON, then level by level, each malformed one counted.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from keeper.prices.bodies import LEVELS_PER_SIDE_MAX
from keeper.prices.errors import MalformedError
from keeper.prices.numerals import e6_from, price_e6_from, time_ms_from
from keeper.prices.quote import Quote, last_trade_e6_from, quote
from keeper.prices.strict_json import after_blanks, load_at, load_strict

_PRICE: Final = r'0\.(?!0+")[0-9]{1,6}'
_SIZE: Final = r'(?:[1-9][0-9]{0,11}+(?:\.[0-9]{1,6})?|0\.(?!0+")[0-9]{1,6})'
_LEVEL: Final = rf'\{{"price":"{_PRICE}","size":"{_SIZE}"\}}'
_SIDE: Final = rf"\[(?:{_LEVEL}(?:,{_LEVEL})*+)?+\]"
_SCALAR: Final = r'"[a-z_]++":(?:"[0-9A-Za-z.]*+"|true|false|null)'
_BOOK: Final = re.compile(
    rf'\{{((?:{_SCALAR},)*+)"bids":({_SIDE}),"asks":({_SIDE})((?:,{_SCALAR})*+)\}}'
)
_PRICES: Final = re.compile(r'"price":"([^"]*+)"')
_LEVEL_CHARACTERS_LEAST: Final = len('{"price":"0.1","size":"1"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class RestBook:
    """What a quote needs of one book."""

    token_id: str
    quote: Quote
    time_ms: int | None
    """When the book last changed, by the venue's clock."""
    refused_levels: int
    """Levels that could not be read; the best is the best of the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedBook:
    """An entry that is no book of a token asked for."""

    kind: str
    """Short and stable: malformed_book, token_not_asked_for or token_twice."""
    reason: str


def books_of(text: str, asked: Collection[str]) -> Iterator[RestBook | RefusedBook]:
    """Read the array of books of a reply, one entry a step: a caller can do other work between two.

    Entries come in any order and tokens without a book are left out. A token that was not asked for, or that comes
    twice, is refused: of two books of one token neither can be told to be the right one, so the first stands.

    Raises:
        MalformedError: no array, or no JSON at some point of it. What came before must then not be believed either.

    """
    at = after_blanks(text, 0)
    if text[at : at + 1] != "[":
        found = load_strict(text)
        raise MalformedError(f"found {type(found).__name__}, wanted a list of books")
    wanted = set(asked)
    at = after_blanks(text, at + 1)
    is_ended = text[at : at + 1] == "]"
    while not is_ended:
        book, at = _entry_at(text, at)
        if isinstance(book, RestBook):
            if book.token_id in wanted:
                wanted.remove(book.token_id)
            else:
                is_twice = book.token_id in asked
                book = RefusedBook(
                    kind="token_twice" if is_twice else "token_not_asked_for",
                    reason=f"found {'two books' if is_twice else 'a book'} of {_shown(book.token_id)}, "
                    f"wanted {'one' if is_twice else 'none'}",
                )
        yield book
        at = after_blanks(text, at)
        following = text[at : at + 1]
        if following not in (",", "]"):
            raise MalformedError(f"found {following!r} after a book, wanted a comma or the end")
        is_ended = following == "]"
        at = at if is_ended else after_blanks(text, at + 1)
    if after_blanks(text, at + 1) != len(text):
        raise MalformedError("found more after the end of the list of books")


def book_of_value(body: object) -> RestBook:
    """Read one book, level by level.

    Raises:
        MalformedError: no object, no asset id, or sides that are no lists. A malformed level is only counted.

    """
    if not isinstance(body, dict):
        raise MalformedError(f"found a book that is {type(body).__name__}, wanted an object")
    bids, refused_bids = _prices_of(body.get("bids"))
    asks, refused_asks = _prices_of(body.get("asks"))
    return _book_of(
        body,
        max(bids, default=None),
        min(asks, default=None),
        refused_levels=refused_bids + refused_asks,
    )


def _entry_at(text: str, at: int) -> tuple[RestBook | RefusedBook, int]:
    found = _BOOK.match(text, at)
    if found is not None:
        swift = _swift_book(found)
        if swift is not None:
            return swift, found.end()
    body, end = load_at(text, at)
    try:
        return book_of_value(body), end
    except MalformedError as error:
        return RefusedBook(kind="malformed_book", reason=str(error)), end


def _swift_book(found: re.Match[str]) -> RestBook | None:
    before, bids, asks, after = found.groups()
    most = LEVELS_PER_SIDE_MAX * _LEVEL_CHARACTERS_LEAST
    if len(bids) > most or len(asks) > most:
        return None  # It may have too many levels: the plain way counts them.
    scalars = load_strict("{" + before[:-1] + (after if before else after[1:]) + "}")
    if not isinstance(scalars, dict) or not scalars.keys().isdisjoint(("bids", "asks")):
        return None
    # Every price is "0." and one to six digits: the order of the texts is the order of the numbers.
    bid = max(_PRICES.findall(bids), default=None)
    ask = min(_PRICES.findall(asks), default=None)
    try:
        return _book_of(
            scalars,
            None if bid is None else price_e6_from(bid),
            None if ask is None else price_e6_from(ask),
            refused_levels=0,
        )
    except MalformedError:
        return None  # The plain way says why.


def _book_of(
    body: dict[str, object], bid_e6: int | None, ask_e6: int | None, *, refused_levels: int
) -> RestBook:
    token_id = body.get("asset_id")
    if not isinstance(token_id, str) or not token_id:
        raise MalformedError("found no asset_id, wanted text")
    return RestBook(
        token_id=token_id,
        quote=quote(bid_e6, ask_e6, last_trade_e6_from(body.get("last_trade_price"), None)),
        time_ms=time_ms_from(body.get("timestamp")),
        refused_levels=refused_levels,
    )


def _prices_of(side: object) -> tuple[list[int], int]:
    if not isinstance(side, list):
        raise MalformedError(f"found a side that is {type(side).__name__}, wanted a list")
    if len(side) > LEVELS_PER_SIDE_MAX:
        raise MalformedError(f"found {len(side)} levels, wanted at most {LEVELS_PER_SIDE_MAX}")
    prices, refused = [], 0
    for level in side:
        try:
            if not isinstance(level, dict):
                raise MalformedError(  # noqa: TRY301 - a level that is no object is one that cannot be read
                    f"found a level that is {type(level).__name__}, wanted an object"
                )
            price_e6, size_e6 = price_e6_from(level.get("price")), e6_from(level.get("size"))
        except MalformedError:
            refused += 1
        else:
            if size_e6 > 0:
                prices.append(price_e6)
    return prices, refused


def _shown(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:10]}…{text[-10:]}"  # noqa: PLR2004 - ids of 78 digits
