"""Which markets the sandbox creates on chain: the venue's listings, and recorded books that none of them covers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from keeper.errors import SandboxError
from keeper.prices.discovery import discover_markets
from keeper.prices.errors import MalformedError, VenueError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.listing import MarketListing
from keeper.prices.numerals import price_e6_from
from keeper.prices.quote import quote
from keeper.sandbox.venue.content import touch_of
from keeper.sandbox.venue.recorded import RecordingError, load_recording
from programs.units import PRICE_MAX_E6, PRICE_MIN_E6

_TOKEN_BYTES = 32
_EVEN_E6 = 500_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSeed:
    """A two-outcome market to create."""

    condition_id: bytes
    yes_token: bytes
    """32 bytes, big-endian."""
    no_token: bytes
    """Likewise; zeros when it is not known."""
    price_e6: int
    """First price of YES, inside the tradable range."""


async def find_markets(feed: FeedConfig, replay: Path | None) -> list[MarketSeed]:
    """Ask the venue what it lists; of a recording also the books without a listing.

    Raises:
        SandboxError: the venue does not answer, or there is no market to create.
    """
    try:
        listings = await discover_markets(feed)
    except VenueError as error:
        raise SandboxError(f"the sandbox venue does not list its markets: {error}") from error
    seeds = [_of_listing(listing) for listing in listings if len(listing.token_ids) == 2]  # noqa: PLR2004 - YES and NO
    if replay is not None:
        known = {seed.condition_id for seed in seeds}
        seeds += [seed for seed in _of_books(replay) if seed.condition_id not in known]
    if not seeds:
        where = "the venue" if replay is None else str(replay)
        raise SandboxError(
            f"{where} has no market with two outcomes: expected a Gamma market or a CLOB book"
        )
    return seeds


def _of_listing(listing: MarketListing) -> MarketSeed:
    yes, no = listing.token_ids
    return MarketSeed(
        condition_id=listing.condition_bytes,
        yes_token=_token_bytes(yes),
        no_token=_token_bytes(no),
        price_e6=_tradable(listing.quote.price_e6),
    )


def _of_books(folder: Path) -> list[MarketSeed]:
    """Make a market of every recorded book: its condition, and its token as YES."""
    try:
        recording = load_recording(folder)
    except RecordingError as error:
        raise SandboxError(str(error)) from error
    seeds = []
    for answer in recording.books.values():
        body = answer.body
        try:
            seeds.append(_of_book(body if isinstance(body, dict) else {}))
        except (MalformedError, ValueError, LookupError, OverflowError) as error:
            log.warning("recording.set_aside", file=answer.recorded_body, reason=str(error))
    return seeds


def _of_book(body: Mapping[str, object]) -> MarketSeed:
    touch = touch_of(body)
    last = body.get("last_trade_price")
    found = quote(price_e6_from(touch.bid), price_e6_from(touch.ask), price_e6_from(last))
    condition_id = bytes.fromhex(str(body["market"]).removeprefix("0x"))
    if len(condition_id) != _TOKEN_BYTES:
        raise ValueError(f"found the market {body['market']!r}, expected 32 bytes in hex")
    return MarketSeed(
        condition_id=condition_id,
        yes_token=_token_bytes(str(body["asset_id"])),
        no_token=bytes(_TOKEN_BYTES),
        price_e6=_tradable(found.price_e6),
    )


def _token_bytes(token_id: str) -> bytes:
    return int(token_id).to_bytes(_TOKEN_BYTES, "big")


def _tradable(price_e6: int | None) -> int:
    return min(max(_EVEN_E6 if price_e6 is None else price_e6, PRICE_MIN_E6), PRICE_MAX_E6)
