"""Which stamps of the venue may be believed, and which of two contents is the older.

Core. Old content is not stale content: stamps never age a price. They only tell which of two sources that differ has
missed something, and only while the clocks behind them are sane:

- a stamp from the future is no stamp, or all later content would look old; and what bears one is not sound, for a clock
  that is merely wrong says so itself when it is read;
- while the venue's clock is far from ours, or a stamp is missing, stamps are not compared: whoever moved last is the
  newer, and on a tie the poll, for it was asked, while a stream merely says nothing new;
- news told as it happens is late when its stamp is old, and its source is lost for that token until it is on time;
- after a source's stamps went back, nothing is decided until the venue's clock was read again: a clock that was set
  back and a replica that lags look the same from here.
"""

from dataclasses import replace
from enum import Enum
from math import inf

from keeper.prices.circumstances import Circumstances
from keeper.prices.observation import Observation
from keeper.prices.price import Reason
from keeper.prices.quote import Quote
from keeper.prices.token_state import SourceState
from keeper.prices.trust_rules import TrustRules


class Older(Enum):
    """Which of two contents is the older."""

    FIRST = "first"
    SECOND = "second"
    UNDECIDED = "undecided"


def without_future(
    observation: Observation, wall_ms: int, about: Circumstances, rules: TrustRules
) -> Observation:
    """Return an observation as it may be believed: unsound and without its stamp where that is from the future."""
    stamp_ms = observation.content_time_ms
    if stamp_ms is None or not is_from_future(stamp_ms, wall_ms, about, rules):
        return observation
    found = observation.quote
    reason = Reason.FROM_FUTURE if found.is_sound else found.reason
    return replace(
        observation,
        quote=Quote(found.price_e6, found.half_spread_e6, reason),
        content_time_ms=None,
    )


def is_from_future(
    content_time_ms: int, wall_ms: int, about: Circumstances, rules: TrustRules
) -> bool:
    """Whether a stamp is later than both our clock and the venue's, by more than clocks may differ."""
    latest_ms = wall_ms + max(0, about.skew_ms or 0) + rules.clock_skew_max_ms
    return content_time_ms > latest_ms


def is_late(
    observation: Observation, wall_ms: int, about: Circumstances, rules: TrustRules
) -> bool:
    """Whether news told as it happens was under way for longer than clocks may differ.

    Old content may be the newest there is; old news is not. Bytes that are held up between the venue and us arrive in
    order and without a gap, PONG among them, however far behind they are.
    """
    stamp_ms = observation.content_time_ms
    if not observation.is_as_it_happens or stamp_ms is None or not are_clocks_sane(about, rules):
        return False
    return wall_ms + (about.skew_ms or 0) - stamp_ms > rules.clock_skew_max_ms


def are_clocks_sane(about: Circumstances, rules: TrustRules) -> bool:
    """Whether the venue's clock is near ours; unread it has the benefit of the doubt."""
    return about.skew_ms is None or abs(about.skew_ms) <= rules.clock_skew_max_ms


def older_of(
    polled: SourceState, other: SourceState, about: Circumstances, rules: TrustRules
) -> Older:
    """Return which of two standing contents is the older: FIRST is the poll's. Ties go against the other."""
    first, second = polled.observation, other.observation
    assert first is not None, "a poll has just answered"
    assert second is not None, "it is compared with a standing word"
    regressed_at_s = max(polled.regressed_at_s, other.regressed_at_s)
    if regressed_at_s > -inf and about.clock_read_at_s < regressed_at_s:
        return Older.UNDECIDED
    if (
        first.content_time_ms is None
        or second.content_time_ms is None
        or not are_clocks_sane(about, rules)
    ):
        return Older.FIRST if polled.changed_at_s < other.changed_at_s else Older.SECOND
    return Older.FIRST if first.content_time_ms < second.content_time_ms else Older.SECOND
