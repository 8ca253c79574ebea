"""What concerns the venue as a whole and not one token: its clock, its engine, its pulse.

Core. Facts go in from the shell; every judgement of a token is given the newest of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from keeper.prices.trust_rules import FAILURES_HALT, FROZEN_TOKENS_MIN, TrustRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """The venue as a whole, at one moment."""

    skew_ms: int | None = None
    """The venue's clock less ours; None until it was read."""
    clock_read_at_s: float = -inf
    """When it was read, on the trio clock."""
    restarting_until_s: float = -inf
    """Until when its books are not believed: its engine restarted."""
    is_frozen: bool = False
    """No content of many tokens has changed for long."""
    are_sources_failing: bool = False
    """Every source failed several times in a row."""


CALM = Circumstances()


def are_all_failing(in_a_row: Sequence[int]) -> bool:
    """Whether every source has gone unanswered often enough, given the rounds of each since its last answer."""
    return bool(in_a_row) and all(count >= FAILURES_HALT for count in in_a_row)


def restarting_until_s(about: Circumstances, rules: TrustRules, now_s: float) -> float:
    """Return how long the books are not to be believed, given one more sign of a restart: it extends, never shortens."""
    return max(about.restarting_until_s, now_s + rules.restart_cooldown_ms / 1_000)


def is_venue_frozen(heard: int, changed_at_s: float, rules: TrustRules, now_s: float) -> bool:
    """Whether the silence of the contents is the venue's and not the markets'.

    Args:
        heard: how many followed tokens any source has spoken of.
        changed_at_s: when the content of any of them last changed, by any source.
        rules: how long is too long.
        now_s: the time, on the same clock.

    """
    return heard >= FROZEN_TOKENS_MIN and now_s - changed_at_s > rules.venue_frozen_ms / 1_000
