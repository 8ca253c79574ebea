"""What is known of every followed price, as rows: the one that needs a person first.

Core.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from keeper.prices.heard import SourceView
from keeper.prices.price import Price, PriceClass, Reason, SourceName, TokenId
from programs.units import PriceE6

_MS: Final = 1_000
_CLASSES: Final = tuple(PriceClass)
"""Best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWord:
    """The last word of one source."""

    source: SourceName
    price_e6: int | None
    half_spread_e6: int
    age_ms: int
    """Since it was received, whatever the age of its content."""
    is_trusted: bool
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """One token."""

    market: str
    """Its name for people: the platform's number, or the venue's question."""
    token_id: TokenId
    price_e6: PriceE6 | None
    """None when there never was one; `reason` says why."""
    band_e6: int | None
    price_class: PriceClass | None
    source: SourceName | None
    age_ms: int | None
    reason: Reason
    sources: tuple[SourceWord, ...]
    """Of every source that has spoken, best source first."""


def price_row(
    token_id: TokenId,
    market: str,
    price: Price | None,
    why_unpriced: Reason | None,
    heard: Sequence[SourceView],
    now_s: float,
) -> PriceRow:
    """Put together what is known of one token at a moment of the trio clock."""
    words = tuple(
        SourceWord(
            source=view.source,
            price_e6=view.price_e6,
            half_spread_e6=view.half_spread_e6,
            age_ms=_age_ms(view.received_at_s, now_s),
            is_trusted=view.is_trusted,
            reason=view.reason,
        )
        for view in heard
    )
    if price is None:
        return PriceRow(
            market=market,
            token_id=token_id,
            price_e6=None,
            band_e6=None,
            price_class=None,
            source=None,
            age_ms=None,
            reason=why_unpriced or Reason.NO_SOURCE,
            sources=words,
        )
    return PriceRow(
        market=market,
        token_id=token_id,
        price_e6=price.price_e6,
        band_e6=price.band_e6,
        price_class=price.price_class,
        source=price.source,
        age_ms=_age_ms(price.received_at_s, now_s),
        reason=price.reason,
        sources=words,
    )


def worst_first(rows: Sequence[PriceRow]) -> list[PriceRow]:
    """Order rows: without a price, then from the worst class to the best; alike ones by market, numbers as numbers."""
    return sorted(rows, key=lambda row: (-_badness(row), _natural(row.market), row.token_id))


def count_by_class(rows: Sequence[PriceRow]) -> dict[str, int]:
    """Count rows by class, best first; "none" for those without a price, and no class that has no row."""
    counts = dict.fromkeys([*_CLASSES, "none"], 0)
    for row in rows:
        counts[row.price_class or "none"] += 1
    return {str(name): count for name, count in counts.items() if count}


def rows_json(rows: Sequence[PriceRow], statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Return rows and the feed's statistics as JSON types."""
    return {
        "markets": [asdict(row) for row in rows],
        "by_class": count_by_class(rows),
        "statistics": dict(statistics),
    }


def _age_ms(received_at_s: float, now_s: float) -> int:
    return max(0, round((now_s - received_at_s) * _MS))


def _badness(row: PriceRow) -> int:
    return len(_CLASSES) if row.price_class is None else _CLASSES.index(row.price_class)


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    return tuple(
        (int(word), "") if word.isascii() and word.isdigit() else (-1, word)
        for word in name.split()
    )
