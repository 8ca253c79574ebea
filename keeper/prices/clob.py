"""CLOB REST: order books in batches, and the venue's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from keeper.prices.endpoints import Endpoint
from keeper.prices.errors import MalformedError, MalformedReplyError, NotJsonError
from keeper.prices.price import TokenId
from keeper.prices.rest_books import RefusedBook, RestBook, books_of
from keeper.prices.venue_http import Reply, VenueHttp

_YEAR_2020_S: Final = 1_577_836_800
_YEAR_2100_S: Final = 4_102_444_800
_BOOKS_AT_ONCE: Final = 16
"""Books read between two checkpoints: about a millisecond, so that a large reply delays no frame of the stream."""

_ENTRIES_SPARE: Final = 16
"""Entries that nobody asked for, each refused alone. Beyond it the reply is: 32 MB hold sixteen million of them, and
their refusals would be gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookReply:
    """One book, and the file it was recorded in if the venue replays."""

    book: RestBook
    recorded_body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksReply:
    """What a batch brought, in the venue's order."""

    books: tuple[BookReply, ...]
    refusals: tuple[RefusedBook, ...]
    """Entries that are not believed."""
    omitted: tuple[TokenId, ...]
    """Tokens asked for that no entry was about: the venue leaves out, silently, those that have no book."""


async def read_books(venue: VenueHttp, tokens: Sequence[TokenId]) -> BooksReply:
    """Read the books of at most `books_per_request` tokens.

    Raises:
        VenueError: no usable reply; nothing of it is kept. One malformed entry is returned as a refusal instead.

    """
    sent = [{"token_id": token_id} for token_id in tokens]
    async with venue.reading(Endpoint.BOOKS, sent=sent) as reply:
        if not reply.text.lstrip().startswith("["):
            found = type(reply.json()).__name__
            raise MalformedReplyError(f"{reply.url} sent {found}, wanted a list of books")
        return await _read_entries(reply, tokens)


async def _read_entries(reply: Reply, tokens: Sequence[TokenId]) -> BooksReply:
    books: list[tuple[int, RestBook]] = []
    refusals: list[RefusedBook] = []
    number = -1
    try:
        for number, entry in enumerate(books_of(reply.text, frozenset(tokens))):
            if number == len(tokens) + _ENTRIES_SPARE:
                raise MalformedReplyError(
                    f"{reply.url} sent more than {number} entries, wanted at most {len(tokens)} books"
                )
            if isinstance(entry, RestBook):
                books.append((number, entry))
            else:
                refusals.append(entry)
            if number % _BOOKS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
    except MalformedError as error:
        raise NotJsonError(f"{reply.url}: {error}") from error
    names = reply.recorded_bodies if len(reply.recorded_bodies) == number + 1 else None
    told = {book.token_id for _, book in books}
    return BooksReply(
        books=tuple(
            BookReply(book=book, recorded_body=None if names is None else names[at])
            for at, book in books
        ),
        refusals=tuple(refusals),
        omitted=tuple(token_id for token_id in tokens if token_id not in told),
    )


async def read_time_s(venue: VenueHttp) -> int:
    """Read the venue's clock, whole seconds since 1970.

    Raises:
        VenueError: no usable reply.

    """
    async with venue.reading(Endpoint.TIME) as reply:
        found = reply.json()
        # A bool is an int to Python, and 1.
        if not isinstance(found, int) or not _YEAR_2020_S <= found <= _YEAR_2100_S:
            shown = found if isinstance(found, int) else type(found).__name__
            raise MalformedReplyError(f"{reply.url} sent {shown}, wanted seconds since 1970")
        return found
