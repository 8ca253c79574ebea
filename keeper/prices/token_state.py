"""What is remembered of one token: the last word of every source, how far each is trusted, and the prices to carry.

Core.
"""

from dataclasses import dataclass
from math import inf

from keeper.prices.observation import Observation
from keeper.prices.price import Price, PriceClass, Reason, TokenId
from keeper.prices.traits import SourceTraits
from keeper.prices.trust_rules import TrustRules


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What is known of one source for one token."""

    observation: Observation | None = None
    """What it last said and has not been taken from it since: its standing word."""
    last_heard: Observation | None = None
    """What it last said, even if its connection was lost since: a repetition after that is no news."""
    withdrawn_at_s: float = -inf
    """When its word was withdrawn because its book was to be asked for anew."""
    is_stuck: bool = False
    """Asked for its book anew, it answered with the very content that was found behind, and has shown no other since."""
    is_trusted: bool = True
    doubt: Reason | None = None
    """Why it is not trusted, or why its standing word is refused; None otherwise."""
    trusted_since_s: float = -inf
    agreeing: int = 0
    """Agreeing probes since trust was lost."""
    probed_at_s: float = -inf
    """When the last probe counted: probes within one slot are one probe."""
    changed_at_s: float = -inf
    """When its content last differed from what it had said before: its last sign of life."""
    behind: int = 0
    """Polls in a row that found its content older than another source's."""
    doubts: int = 0
    """How often such a row became long enough to take its trust."""
    stamp_ms: int | None = None
    """The last stamp it showed."""
    regressed_at_s: float = -inf
    """When a stamp of it was last below the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """A token whose sources disagreed, or whose price jumped, on its way back to a valid price."""

    wanted: int
    """Polls at one price that are still wanted."""
    reason: Reason
    """JUMP, or SETTLING after a disagreement."""
    price_e6: int
    """The price the polls have to agree with."""
    counted_at_s: float = -inf
    """When the last of them counted: polls within one slot are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """Everything the judgement of one token depends on, but for what concerns the venue as a whole."""

    token_id: TokenId
    sources: tuple[SourceState, ...]
    """In the order of the rules' sources, best first."""
    news: int = 0
    """The places of the sources heard since the last judgement, one bit each."""
    settling: Settling | None = None
    """What is still wanted after a disagreement or a jump; None when nothing is."""
    is_closed: bool = False
    closed_at_s: float = -inf
    """When the venue last called the market closed."""
    last_good: Price | None = None
    """The newest price that could be acted on: carried when no source is believed, and what a jump is measured from."""
    last_valid: Price | None = None
    """The newest valid price, however old: what a cached quote is measured from."""
    judged: PriceClass | None = None
    """The class of the last judgement, before what concerns the venue as a whole; None before the first price."""
    judged_reason: Reason = Reason.NO_SOURCE


def unheard(token_id: TokenId, rules: TrustRules) -> TokenState:
    """Return the state of a token of which no source has spoken."""
    return TokenState(token_id=token_id, sources=(SourceState(),) * len(rules.sources))


def is_fresh(known: SourceState, fresh_s: float, now_s: float) -> bool:
    """Whether a source's standing word is younger than its source's fresh time."""
    # Summed as `judgement.due_s` sums it: a difference may round to the other side of the boundary.
    return known.observation is not None and now_s <= known.observation.received_at_s + fresh_s


def is_overtaken(known: SourceState, traits: SourceTraits, restarting_until_s: float) -> bool:
    """Whether a source's trust dates from before the end of an engine restart, and is void."""
    return traits.is_of_engine and known.trusted_since_s < restarting_until_s
