"""CLOB REST: order books in batches, and the venue's clock."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from keeper.prices.bodies import book_of
from keeper.prices.book import BookSnapshot
from keeper.prices.errors import MalformedError, MalformedReplyError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import TokenId
from keeper.prices.venue_http import fetch_json

_YEAR_2020_S = 1_577_836_800


@dataclass(frozen=True, slots=True, kw_only=True)
class BookReply:
    """One book, and the file it was recorded in if the venue replays."""

    snapshot: BookSnapshot
    recorded_body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksReply:
    """What a batch brought. Tokens without a book are left out by the venue, silently and in any order."""

    books: tuple[BookReply, ...]
    refusals: tuple[str, ...]
    """Why an entry could not be read, one text each."""


async def read_books(
    client: httpx.AsyncClient, config: FeedConfig, tokens: Sequence[TokenId]
) -> BooksReply:
    """Read the books of at most `config.books_per_request` tokens.

    Raises:
        VenueError: no usable reply. A malformed entry is returned as a refusal instead.

    """
    url = f"{config.clob_url}/books"
    sent = [{"token_id": token_id} for token_id in tokens]
    reply = await fetch_json(client, config, url, sent=sent)
    if not isinstance(reply.body, list):
        raise MalformedReplyError(f"{url} sent {type(reply.body).__name__}, wanted a list of books")
    has_names = len(reply.recorded_bodies) == len(reply.body)
    names = reply.recorded_bodies if has_names else (None,) * len(reply.body)
    books, refusals = [], []
    for entry, name in zip(reply.body, names, strict=True):
        try:
            books.append(BookReply(snapshot=book_of(entry), recorded_body=name))
        except MalformedError as error:
            refusals.append(str(error))
    return BooksReply(books=tuple(books), refusals=tuple(refusals))


async def read_time_s(client: httpx.AsyncClient, config: FeedConfig) -> int:
    """Read the venue's clock, whole seconds since 1970.

    Raises:
        VenueError: no usable reply.

    """
    url = f"{config.clob_url}/time"
    reply = await fetch_json(client, config, url)
    if not isinstance(reply.body, int) or reply.body < _YEAR_2020_S:
        raise MalformedReplyError(f"{url} sent {reply.body!r}, wanted seconds since 1970")
    return reply.body
