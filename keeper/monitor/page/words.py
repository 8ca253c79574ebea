"""How figures are written on the page: short, the same width from one second to the next, never more exact than they are.

Core. Times are UTC: logs are, and whoever is woken may be anywhere.
"""

import math
from datetime import UTC, datetime
from typing import Final

UNKNOWN: Final = "\u2013"
"""Nobody told it: no figure stands for a guess."""
_TENTHS_BELOW_S: Final = 10
_SECONDS_BELOW_S: Final = 100
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_LAMPORTS_PER_SOL: Final = 1_000_000_000
_MILLIONS: Final = 1_000_000


def amount(value: float | None) -> str:
    """Write quote units or MMT."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= _MILLIONS else f"{value:,.2f}"


def ratio(value: float | None) -> str:
    """Write a ratio such as the coverage."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"  # noqa: PLR2004 - more digits than that say nothing


def count(value: float | None) -> str:
    """Write a number of things."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Write a part of a whole; all of it only when it is."""
    if value is None:
        return UNKNOWN
    return f"{math.floor(value * 1_000) / 10:.1f} %"


def rate(value: float | None) -> str:
    """Write a number per second."""
    return UNKNOWN if value is None else f"{value:,.1f}/s"


def length(value_s: float | None) -> str:
    """Write a length of time: 0.4 s, 42 s, 2:05 min, 1:02 h, 3 d 4 h."""
    if value_s is None:
        return UNKNOWN
    if value_s < _TENTHS_BELOW_S:
        return f"{value_s:.1f} s"
    left = int(value_s)
    if left < _SECONDS_BELOW_S:
        return f"{left} s"
    if left < _HOUR_S:
        return f"{left // 60}:{left % 60:02d} min"
    if left < _DAY_S:
        return f"{left // _HOUR_S}:{left % _HOUR_S // 60:02d} h"
    return f"{left // _DAY_S} d {left % _DAY_S // _HOUR_S} h"


def latency(value_s: float | None) -> str:
    """Write how long something took."""
    if value_s is None:
        return UNKNOWN
    return f"{value_s * 1_000:.1f} ms" if value_s < 1 else f"{value_s:.2f} s"


def sol(lamports: float | None) -> str:
    """Write lamports as SOL."""
    return UNKNOWN if lamports is None else f"{lamports / _LAMPORTS_PER_SOL:,.4f} SOL"


def size(value: float | None) -> str:
    """Write bytes."""
    if value is None:
        return UNKNOWN
    return f"{value / 2**30:,.1f} GiB" if value >= 2**30 else f"{value / 2**20:,.0f} MiB"


def price(value_e6: object) -> str:
    """Write a price of 0 to 1 that is counted in millionths."""
    return f"{value_e6 / _MILLIONS:.3f}" if isinstance(value_e6, int | float) else UNKNOWN


def clock(wall_s: float) -> str:
    """Write a unix time as the time of day."""
    return f"{datetime.fromtimestamp(wall_s, UTC):%H:%M:%S} UTC"


def stamp(wall_s: float) -> str:
    """Write a unix time as machines read it."""
    return f"{datetime.fromtimestamp(wall_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def plain(text: str) -> str:
    """Write a name of ours, `oldest_due`, as words."""
    return text.replace("_", " ")
