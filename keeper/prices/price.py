"""What the rest of the keeper knows of a price: the number, how sure we are, and what that allows.

Core. The permissions are the table of SPEC.md section 6, written once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NewType, TypeAlias

from programs.units import PriceE6

TokenId = NewType("TokenId", str)
"""A Polymarket outcome token: an ERC-1155 id as decimal text (up to 78 digits)."""
ConditionId = NewType("ConditionId", str)
"""A Polymarket condition: 0x and 64 hex digits, the 32 bytes that a two-outcome market stores on chain."""


class PriceClass(StrEnum):
    """How far a price may be trusted, best first."""

    VALID = "valid"
    DEGRADED = "degraded"
    UNCERTAIN = "uncertain"
    STALE = "stale"
    HALTED = "halted"


CHAIN_CLASSES: Final = (PriceClass.VALID, PriceClass.DEGRADED)
"""The classes that are posted, numbered as the program does. Source: `enum price_class` of layout.h."""


CLASS_ORDER: Final[Mapping[PriceClass, int]] = MappingProxyType(
    {price_class: number for number, price_class in enumerate(PriceClass)}
)
"""How bad each class is: 0 is the best."""


class Source(StrEnum):
    """Where a price came from, best first."""

    STREAM = "stream"
    CLOB = "clob"
    GAMMA = "gamma"
    LAST_GOOD = "last_good"


SourceName: TypeAlias = str
"""The name of a source: a member of `Source`, or any other text for a source that was added."""


class Reason(StrEnum):
    """Why a price has its class; what logs, metrics and the terminal show."""

    OK = "ok"
    FALLBACK = "fallback"
    """No better source is live: Gamma's cached quote, or the last good price."""
    CONTESTED = "contested"
    """The leading source is believed, and one that lost its trust still says something else."""
    ENGINE_RESTART = "engine_restart"
    """The venue's engine restarts: its books are not believed for a while."""
    WIDE_SPREAD = "wide_spread"
    ONE_SIDED = "one_sided"
    EMPTY_BOOK = "empty_book"
    CROSSED = "crossed"
    FROM_FUTURE = "from_future"
    """Its stamp is later than our clock and the venue's: whatever else it says is not believed either."""
    SOURCES_DISAGREE = "sources_disagree"
    SETTLING = "settling"
    """The sources agree again, but not for three polls yet."""
    JUMP = "jump"
    """One source alone moved far from the last good price, and has not held it for three polls."""
    JUMP_CONTESTED = "jump_contested"
    """One source moved far from the last good price, and another says something else."""
    FALLBACK_FAR = "fallback_far"
    """The cached quote is too far from a last good price that is still fresh."""
    VENUE_FROZEN = "venue_frozen"
    """No content of any token has changed for long."""
    MARKET_CLOSED = "market_closed"
    """Closed or resolved at the venue: not an outage, so it never becomes stale or halted."""
    TOO_OLD = "too_old"
    SOURCES_FAILING = "sources_failing"
    """Every source failed several times in a row."""
    NO_SOURCE = "no_source"
    """No source has said anything yet."""
    LOST = "lost"
    """Of a source: its connection is gone, or its book is being asked for anew."""
    SILENT = "silent"
    """Of a source: it has not answered for longer than its fresh time."""
    BEHIND = "behind"
    """Of a source: three polls in a row found its content older than another's, and unmoved."""
    PROBATION = "probation"
    """Of a source: it is back, but three probes have not agreed with it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One token's price at one moment, with its class and the reason for it."""

    token_id: TokenId
    price_e6: PriceE6
    band_e6: int
    """Half the spread, rounded up, plus the gap between sources; absolute."""
    price_class: PriceClass
    source: SourceName
    received_at_s: float
    """When the price itself reached us, on the trio clock. A carried price keeps its old time."""
    content_time_ms: int | None
    """The venue's own timestamp of the content, Unix milliseconds: when the book last *changed*."""
    reason: Reason
    recorded_body: str | None = None
    """The file a replaying venue built the answer from; None from a real host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What one price class allows."""

    post: bool
    """Write the price on chain (with its class and band)."""
    liquidate: bool
    liquidate_at_band: bool
    """Liquidate only what is unhealthy even at price + band in the trader's favour."""
    execute_chain: bool
    pay_rewards: bool = True
    """Rewards depend on events alone, never on today's price."""


_NOTHING: Final = Permissions(
    post=False, liquidate=False, liquidate_at_band=False, execute_chain=False
)

PERMISSIONS: Final[Mapping[PriceClass, Permissions]] = MappingProxyType(
    {
        PriceClass.VALID: Permissions(
            post=True, liquidate=True, liquidate_at_band=False, execute_chain=True
        ),
        PriceClass.DEGRADED: Permissions(
            post=True, liquidate=True, liquidate_at_band=True, execute_chain=False
        ),
        PriceClass.UNCERTAIN: _NOTHING,
        PriceClass.STALE: _NOTHING,
        PriceClass.HALTED: _NOTHING,
    }
)
"""Source: SPEC.md section 6."""
