"""Every drill, in the order in which `keeper drill run all` runs them."""

from typing import Final

from keeper.drills.scenario import Scenario
from keeper.drills.scenarios import clocks, endings, lies, outages, replies, silences, transport

SCENARIOS: Final[tuple[Scenario, ...]] = (
    outages.TOTAL_OUTAGE,
    outages.STREAM_LOST,
    outages.GAMMA_ALONE,
    outages.HALF_FAILS,
    outages.FLAPPING,
    outages.KILLED_IN_AN_OUTAGE,
    outages.RECOVERY_IN_A_CASCADE,
    replies.RATE_LIMITED,
    replies.RATE_LIMITED_RUDELY,
    replies.BLOCKED,
    replies.SERVER_ERRORS,
    replies.REDIRECTED,
    replies.MALFORMED,
    replies.OVERSIZED,
    transport.SLOW_DRIP,
    transport.BLACK_HOLE,
    transport.RESETS,
    transport.TRUNCATION,
    transport.NO_HTTP,
    transport.UNTRUSTED_TLS,
    transport.NO_SUCH_HOST,
    silences.STREAM_FROZEN,
    silences.ASSET_FROZEN,
    silences.STALE_BUT_200,
    silences.THIN_BUT_200,
    silences.DISORDERED,
    silences.VENUE_FROZEN,
    silences.ENGINE_RESTART,
    lies.PRICE_SPIKE,
    lies.LONE_SPIKE,
    lies.BOTH_LIE_APART,
    lies.GAMMA_LIES,
    lies.CROSSED_AND_EMPTY,
    lies.TICK_CHANGE,
    clocks.CLOCK_AHEAD,
    clocks.CLOCK_BACK,
    clocks.STAMP_FROM_THE_FUTURE,
    endings.RESOLVED,
    endings.CONFLICTING_FLAGS,
)
