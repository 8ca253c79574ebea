"""What each source last said of a token, and whether it is believed: what people are shown beside the price.

Core.
"""

from dataclasses import dataclass

from keeper.prices.price import Reason, SourceName
from keeper.prices.token_state import TokenState
from keeper.prices.trust_rules import TrustRules


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """The last word of one source on one token."""

    source: SourceName
    price_e6: int | None
    """None when its book has no midpoint and no trade stands in for it."""
    half_spread_e6: int
    received_at_s: float
    """On the trio clock."""
    content_time_ms: int | None
    is_trusted: bool
    reason: Reason
    """OK, or why this source's quote may not be acted on."""


def views_of(state: TokenState, rules: TrustRules) -> tuple[SourceView, ...]:
    """Return the last word of every source that has spoken, best source first."""
    return tuple(
        SourceView(
            source=traits.name,
            price_e6=known.observation.quote.price_e6,
            half_spread_e6=known.observation.quote.half_spread_e6,
            received_at_s=known.observation.received_at_s,
            content_time_ms=known.observation.content_time_ms,
            is_trusted=known.is_trusted,
            reason=known.doubt or known.observation.quote.reason,
        )
        for traits, known in zip(rules.sources, state.sources, strict=True)
        if known.observation is not None
    )
