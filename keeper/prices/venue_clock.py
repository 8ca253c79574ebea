"""The venue's clock against ours: a skew explains content times that look wrong.

Shell.
"""

from collections.abc import Callable
from typing import Final

import structlog
import trio

from keeper.prices.clob import read_time_s
from keeper.prices.errors import BadStatusError, VenueError
from keeper.prices.price import Source
from keeper.prices.source import Hearing
from keeper.prices.venue_http import VenueHttp

_INTERVAL_S: Final = 60.0
_INTERVAL_SOON_S: Final = 5.0
"""While the skew changes, or is unknown: a clock that was set, at either end, must not be believed for a minute."""
_INTERVAL_LEAST_S: Final = 1.0
"""However often stamps go back: replicas that take turns make them go back at every poll."""
_STEADY_MS: Final = 1_500
"""Two readings of a steady clock differ by up to the second that the venue cuts off, and the time of a call."""
_MILLISECONDS: Final = 1_000

log = structlog.get_logger()


async def watch_clock(venue: VenueHttp, hearing: Hearing, wall_ms: Callable[[], int]) -> None:
    """Tell the venue's clock less ours, once a minute and sooner while it changes, until cancelled."""
    told_ms: int | None = None
    while True:
        skew_ms = await _read_skew_ms(venue, hearing, wall_ms)
        is_steady = skew_ms is not None and (
            told_ms is None or abs(skew_ms - told_ms) <= _STEADY_MS
        )
        if skew_ms is not None:
            if not is_steady:
                log.warning("clock.jumped", skew_ms=skew_ms, before_ms=told_ms)
            hearing.note_clock_skew(skew_ms)
            told_ms = skew_ms
        await trio.sleep(_INTERVAL_LEAST_S)
        with trio.move_on_after(
            (_INTERVAL_S if is_steady else _INTERVAL_SOON_S) - _INTERVAL_LEAST_S
        ):
            await hearing.wait_clock_doubted()


async def _read_skew_ms(
    venue: VenueHttp, hearing: Hearing, wall_ms: Callable[[], int]
) -> int | None:
    before_ms = wall_ms()
    try:
        venue_s = await read_time_s(venue)
    except VenueError as error:
        if isinstance(error, BadStatusError) and error.restart is not None:
            hearing.note_restart(Source.CLOB, error.restart)
        hearing.refuse(Source.CLOB, "clock_unread", error=str(error))
        return None
    # The venue read its clock somewhere between our two readings, and cut its seconds off: half of one is added back.
    ours_ms = (before_ms + wall_ms()) // 2
    return venue_s * _MILLISECONDS + _MILLISECONDS // 2 - ours_ms
