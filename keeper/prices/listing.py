"""A Gamma market as a value: what it is called, its tokens, its flags, and its cached quote.

Core. Gamma writes lists as JSON strings inside JSON, prices as numbers, and leaves out what it does not know.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keeper.prices.errors import MalformedError
from keeper.prices.numerals import E6, e6_from, price_e6_from
from keeper.prices.price import ConditionId, TokenId
from keeper.prices.quote import Quote, quote
from keeper.prices.strict_json import load_strict

_CONDITION_ID: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_TOKEN_ID: Final = re.compile(r"[0-9]{1,78}", re.ASCII)
"""A 256-bit number in decimal."""
_TICK_DEFAULT_E6: Final = 10_000
"""Polymarket's own default tick, one cent."""
_DIGITS_MAX: Final = 9
_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketListing:
    """One market at the venue: a pair of outcome tokens under one condition."""

    condition_id: ConditionId
    question: str
    outcomes: tuple[str, ...]
    token_ids: tuple[TokenId, ...]
    """In the order of `outcomes`; the first is outcome 0, the YES token."""
    neg_risk: bool
    neg_risk_market_id: str | None
    """Shared by the markets that are the outcomes of one multi-outcome event."""
    is_neg_risk_other: bool
    """The placeholder outcome "other": listed, never traded."""
    is_active: bool
    is_closed: bool
    """Closed or resolved; a closed flag wins over `accepting_orders`, and an end date alone means nothing."""
    tick_e6: int
    quote: Quote
    """Of outcome 0, as cached by Gamma for up to 300 s."""
    question_id: str | None = None
    """The question's own id; in a neg-risk group the group's id with the outcome's number as its last byte."""
    group_place: int | None = None
    """Where Gamma shows an outcome in its group (`groupItemThreshold`)."""

    @property
    def yes_token_id(self) -> TokenId:
        """Return outcome 0's token: the one whose price a two-outcome market on chain follows."""
        return self.token_ids[0]

    @property
    def condition_bytes(self) -> bytes:
        """Return the 32 bytes of the condition id, as stored on chain."""
        return bytes.fromhex(self.condition_id[2:])


def listing_of(body: object) -> MarketListing:
    """Read one market of a Gamma page.

    Raises:
        MalformedError: an id is missing or malformed, tokens and outcomes differ in number, or the version is unknown.

    """
    if not isinstance(body, dict):
        raise MalformedError(f"found a market that is {type(body).__name__}, wanted an object")
    outcomes = _texts_of(body, "outcomes")
    token_ids = _token_ids_of(body)
    if len(token_ids) != len(outcomes) or not token_ids:
        raise MalformedError(f"found {len(token_ids)} tokens for {len(outcomes)} outcomes")
    tick_e6 = _price_of(body, "orderPriceMinTickSize")
    return MarketListing(
        condition_id=_condition_id_of(body),
        question=str(body.get("question") or ""),
        outcomes=outcomes,
        token_ids=token_ids,
        neg_risk=body.get("negRisk") is True,
        neg_risk_market_id=_text_of(body, "negRiskMarketID"),
        is_neg_risk_other=body.get("negRiskOther") is True,
        is_active=body.get("active") is not False,
        is_closed=body.get("closed") is True or _is_resolved(body),
        tick_e6=_TICK_DEFAULT_E6 if tick_e6 is None else tick_e6,
        quote=quote(
            _price_of(body, "bestBid"),
            _price_of(body, "bestAsk"),
            _price_of(body, "lastTradePrice"),
        ),
        question_id=_text_of(body, "questionID"),
        group_place=_whole_of(body, "groupItemThreshold"),
    )


def _condition_id_of(body: Mapping[str, object]) -> ConditionId:
    condition_id = body.get("conditionId")
    if not isinstance(condition_id, str) or _CONDITION_ID.fullmatch(condition_id) is None:
        raise MalformedError(
            f"found the conditionId {_shown(condition_id)}, wanted 0x and 64 hex digits"
        )
    return ConditionId(condition_id)


def _token_ids_of(body: Mapping[str, object]) -> tuple[TokenId, ...]:
    version = body.get("version", "v1")
    if version == "v1":
        key = "clobTokenIds"
    elif version == "v2":
        key = "positionIds"
    else:
        raise MalformedError(f"found the version {_shown(version)}, wanted v1 or v2")
    token_ids = _texts_of(body, key)
    for token_id in token_ids:
        if _TOKEN_ID.fullmatch(token_id) is None:
            raise MalformedError(f"found the token id {token_id[:80]!r}, wanted up to 78 digits")
    if len(set(token_ids)) != len(token_ids):
        raise MalformedError(f"found one token id twice under {key}")
    return tuple(TokenId(text) for text in token_ids)


def _texts_of(body: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = body.get(key)
    if isinstance(value, str):
        value = load_strict(value)
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise MalformedError(f"found no list of texts under {key}")
    return tuple(value)


def _text_of(body: Mapping[str, object], key: str) -> str | None:
    text = body.get(key)
    return text if isinstance(text, str) and text else None


def _whole_of(body: Mapping[str, object], key: str) -> int | None:
    value = body.get(key)
    text = str(value) if isinstance(value, str | int) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None


def _shown(value: object) -> str:
    """Word what was found instead of an id: its beginning if it is text, and never what may be nested without end."""
    return repr(value[:_SHOWN_CHARACTERS]) if isinstance(value, str) else type(value).__name__


def _price_of(body: Mapping[str, object], key: str) -> int | None:
    try:
        return price_e6_from(body.get(key))
    except MalformedError:
        return None


def _is_resolved(body: Mapping[str, object]) -> bool:
    """Tell a finished market whose flag lags: an outcome price of exactly 1 is a winner, not a quote."""
    try:
        return any(e6_from(text) == E6 for text in _texts_of(body, "outcomePrices"))
    except MalformedError:
        return False
