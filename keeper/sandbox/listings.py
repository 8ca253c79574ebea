"""Which markets the sandbox creates on chain: the venue's listings, and recorded books that none of them covers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from keeper.errors import SandboxError
from keeper.prices.discovery import discover_markets
from keeper.prices.errors import MalformedError, VenueError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.listing import MarketListing
from keeper.prices.numerals import price_e6_from
from keeper.prices.outcomes import (
    OUTCOMES_MAX,
    group_id_of,
    hash_of,
    in_order,
    sums_to_one,
    token_bytes,
    triple_of,
)
from keeper.prices.price import TokenId
from keeper.prices.quote import quote
from keeper.sandbox.venue.content import touch_of
from keeper.sandbox.venue.recorded import RecordingError, load_recording
from programs.units import PRICE_MAX_E6, PRICE_MIN_E6

_TWO_OUTCOMES = 2
_TOKEN_BYTES = 32
_EVEN_E6 = 500_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSeed:
    """A market to create."""

    condition_id: bytes
    """Or the neg-risk group's id, when it has more than two outcomes."""
    yes_token_or_hash: bytes
    """32 bytes, big-endian; the hash of all triples when it has more than two outcomes."""
    no_token: bytes
    """Likewise; zeros when it is not known, or there are several."""
    prices_e6: tuple[int, ...]
    """First price of YES of each pool, inside the tradable range."""
    outcomes: int = _TWO_OUTCOMES


async def find_markets(feed: FeedConfig, replay: Path | None) -> list[MarketSeed]:
    """Ask the venue what it lists; of a recording also the books without a listing.

    The markets with two outcomes come first.

    Raises:
        SandboxError: the venue does not answer, or there is no market to create.
    """
    try:
        listings = await discover_markets(feed)
    except VenueError as error:
        raise SandboxError(f"the sandbox venue does not list its markets: {error}") from error
    singles, groups = _grouped(
        [listing for listing in listings if len(listing.token_ids) == _TWO_OUTCOMES]
    )
    seeds = [_of_listing(listing) for listing in singles]
    if replay is not None:
        known = {seed.condition_id for seed in seeds}
        seeds += [seed for seed in _of_books(replay) if seed.condition_id not in known]
    for group_id, members in groups.items():
        seeds += _of_group(group_id, members)
    if not seeds:
        where = "the venue" if replay is None else str(replay)
        raise SandboxError(
            f"{where} has no market with two outcomes: expected a Gamma market or a CLOB book"
        )
    return seeds


def _grouped(
    listings: Sequence[MarketListing],
) -> tuple[list[MarketListing], dict[str, list[MarketListing]]]:
    """Tell markets of their own from the outcomes of groups; an outcome listed alone stands for itself."""
    groups: dict[str, list[MarketListing]] = {}
    for listing in listings:
        group_id = group_id_of(listing)
        if group_id is not None:
            groups.setdefault(group_id, []).append(listing)
    whole = {name: each for name, each in groups.items() if len(each) > _TWO_OUTCOMES}
    return [one for one in listings if group_id_of(one) not in whole], whole


def _of_listing(listing: MarketListing) -> MarketSeed:
    yes, no = listing.token_ids
    return MarketSeed(
        condition_id=listing.condition_bytes,
        yes_token_or_hash=token_bytes(yes),
        no_token=token_bytes(no),
        prices_e6=(_tradable(listing.quote.price_e6),),
    )


def _of_group(group_id: str, listings: Sequence[MarketListing]) -> list[MarketSeed]:
    """Make one market of a group, unless the program would not take it."""
    ordered = in_order(listings)
    triples = [triple for listing in ordered if (triple := triple_of(listing)) is not None]
    prices_e6 = tuple(_tradable(listing.quote.price_e6) for listing in ordered)
    if not len(triples) == len(ordered) <= OUTCOMES_MAX or not sums_to_one(prices_e6):
        log.warning(
            "group.set_aside",
            group=group_id,
            outcomes=len(ordered),
            readable=len(triples),
            sum_e6=sum(prices_e6),
        )
        return []
    return [
        MarketSeed(
            condition_id=bytes.fromhex(group_id.removeprefix("0x")),
            outcomes=len(ordered),
            yes_token_or_hash=hash_of(triples),
            no_token=bytes(_TOKEN_BYTES),
            prices_e6=prices_e6,
        )
    ]


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
        yes_token_or_hash=token_bytes(TokenId(str(body["asset_id"]))),
        no_token=bytes(_TOKEN_BYTES),
        prices_e6=(_tradable(found.price_e6),),
    )


def _tradable(price_e6: int | None) -> int:
    return min(max(_EVEN_E6 if price_e6 is None else price_e6, PRICE_MIN_E6), PRICE_MAX_E6)
