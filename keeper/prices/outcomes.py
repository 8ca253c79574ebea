"""The outcomes of a multi-outcome market: which of the venue's markets they are, in which order, and whether they fit.

Core. At the venue every outcome of a neg-risk event is a market of its own: a condition with a YES and a NO token. The
chain stores the id they share and the hash of all their triples, so whoever finds candidates needs no trust: candidates
that do not hash to the chain's value are not the market's outcomes.

THE HASH is SHA-256 over the N triples one after the other, each condition | YES token | NO token, 32 bytes big-endian
each, in the order of the market's pools.

THE ORDER is that of the questions: the neg-risk contract numbers them in the last byte of their id, from the group's own
id on. Who founded a market may have taken another one, so three are tried: by number, by Gamma's own place in the group
(`groupItemThreshold`), and as listed. The hash decides.

Source: SPEC.md section 5, create_market; NegRiskIdLib of Polymarket's neg-risk-ctf-adapter.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

from keeper.prices.listing import MarketListing
from keeper.prices.price import TokenId

OUTCOMES_MAX: Final = 16
"""Of a market on chain. Source: OUTCOMES_MAX of risk.h."""
QUESTIONS_MAX: Final = 256
"""Of a group: the number is one byte."""
SUM_TOLERANCE_E6: Final = 50_000
"""How far the prices of all outcomes may be from one together. Source: PRICE_SUM_TOLERANCE_E6 of market.c."""
_ONE_E6: Final = 1_000_000
_LATER_OUTCOMES_MAX: Final = 2
"""Outcomes that the venue named after a market was founded: so many are left out in turn."""
_ID_BYTES: Final = 32


class Unproven(StrEnum):
    """Why the outcomes of a market on chain are not known."""

    PENDING = "outcomes_pending"
    """Not asked for yet."""
    UNANSWERED = "outcomes_unanswered"
    """Gamma did not answer."""
    UNLISTED = "outcomes_unlisted"
    """Gamma lists no outcome under the market's id."""
    TOO_FEW = "outcomes_too_few"
    """Gamma lists fewer outcomes than the market has."""
    TOO_MANY = "outcomes_too_many"
    """Gamma lists so many more that which of them are meant cannot be tried."""
    HASH = "outcomes_hash"
    """As many as it takes, but they do not hash to what the chain stores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triple:
    """One outcome: its condition and its two tokens."""

    condition_id: bytes
    yes: TokenId
    no: TokenId

    @property
    def packed(self) -> bytes:
        """Return the 96 bytes that are hashed."""
        return self.condition_id + token_bytes(self.yes) + token_bytes(self.no)


def token_bytes(token_id: TokenId) -> bytes:
    """Return a token id as the chain stores it: 32 bytes, big-endian.

    Raises:
        ValueError, OverflowError: it is no whole number that fits.
    """
    return int(token_id).to_bytes(_ID_BYTES, "big")


def hash_of(triples: Sequence[Triple]) -> bytes:
    """Return the 32 bytes that a multi-outcome market stores."""
    return hashlib.sha256(b"".join(triple.packed for triple in triples)).digest()


def question_id(group_id: bytes, number: int) -> str:
    """Return the id of a group's question, as Gamma writes it."""
    return "0x" + (group_id[: _ID_BYTES - 1] + bytes([number])).hex()


def group_id_of(listing: MarketListing) -> str | None:
    """Return the id that an outcome shares with the others of its market, in small letters.

    None for what is no outcome: a market of its own, a placeholder without a name yet, the placeholder for all others.
    """
    if listing.neg_risk_market_id is None or not listing.is_active or listing.is_neg_risk_other:
        return None
    return listing.neg_risk_market_id.lower()


def in_order(listings: Sequence[MarketListing]) -> list[MarketListing]:
    """Return a group's outcomes in the order in which a market of them is founded."""
    return next(_orders(listings))


def triple_of(listing: MarketListing) -> Triple | None:
    """Return an outcome's triple; None when it is no condition with two tokens."""
    try:
        yes, no = listing.token_ids
        triple = Triple(condition_id=listing.condition_bytes, yes=yes, no=no)
        return triple if len(triple.packed) == 3 * _ID_BYTES else None
    except (ValueError, OverflowError):
        return None


def prove(
    listings: Sequence[MarketListing], *, outcomes: int, proof: bytes
) -> tuple[TokenId, ...] | Unproven:
    """Find the outcomes of a market on chain among the listings of its group.

    Args:
        listings: of one group, without placeholders; one that came twice counts once.
        outcomes: how many the market has.
        proof: the hash that it stores.

    Returns:
        The YES tokens in the order of the market's pools, or why they are not known.
    """
    unique = list({listing.condition_id.lower(): listing for listing in listings}.values())
    if not unique:
        return Unproven.UNLISTED
    if len(unique) < outcomes:
        return Unproven.TOO_FEW
    if len(unique) > outcomes + _LATER_OUTCOMES_MAX:
        return Unproven.TOO_MANY
    for order in _orders(unique):
        triples = [triple_of(listing) for listing in order]
        packed = [(triple.packed, triple.yes) for triple in triples if triple is not None]
        for chosen in combinations(packed, outcomes):
            if hashlib.sha256(b"".join(each for each, _ in chosen)).digest() == proof:
                return tuple(yes for _, yes in chosen)
    return Unproven.HASH


def sums_to_one(prices_e6: Sequence[int]) -> bool:
    """Tell whether the program takes the prices of all outcomes together; a single pool has nothing to sum."""
    return len(prices_e6) == 1 or abs(sum(prices_e6) - _ONE_E6) <= SUM_TOLERANCE_E6


def _orders(listings: Sequence[MarketListing]) -> Iterator[list[MarketListing]]:
    numbers = [_number_of(listing) for listing in listings]
    places = [listing.group_place for listing in listings]
    for keys in (numbers, places):
        known = [key for key in keys if key is not None]
        if len(known) == len(listings):
            paired = sorted(zip(known, range(len(listings)), strict=True))
            yield [listings[at] for _, at in paired]
    yield list(listings)


def _number_of(listing: MarketListing) -> int | None:
    """Return the number of an outcome's question; None when its id is not one of its group."""
    group, question = listing.neg_risk_market_id, listing.question_id
    if group is None or question is None or len(question) != len(group):
        return None
    if question[:-2].lower() != group[:-2].lower():
        return None
    try:
        return int(question[-2:], 16)
    except ValueError:
        return None
