"""When the venue asks to be left alone: Retry-After as seconds or as a date, and `retry_after_seconds` in a body.

Core. A wish is bounded before it is obeyed: a broken reply must not silence a source for a day.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from keeper.prices.errors import MalformedError
from keeper.prices.numerals import E6, e6_from

_MILLISECONDS: Final = 1_000


def retry_after_ms(
    header: str | None, body: object, *, wall_ms: int, at_most_ms: int
) -> int | None:
    """Return how long to stay away, in milliseconds; None when nothing readable is asked.

    Args:
        header: Retry-After, whole seconds or an HTTP date. Source: RFC 9110, section 10.2.3.
        body: the reply's JSON, if it is any: `retry_after_seconds` is a number of either kind.
        wall_ms: now, Unix milliseconds: dates are counted from it.
        at_most_ms: the longest wish that is granted.

    Of two wishes the longer is granted. A date gone by is a wait of 0.

    """
    wishes = [wish for wish in (_of_header(header, wall_ms), _of_body(body)) if wish is not None]
    return min(max(wishes), at_most_ms) if wishes else None


def _of_header(header: str | None, wall_ms: int) -> int | None:
    text = "" if header is None else header.strip()
    if not text:
        return None
    seconds_ms = _seconds_ms(text)
    if seconds_ms is not None:
        return seconds_ms
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # A date without a zone, or in the old form with "-0000", is GMT all the same.
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return max((aware - epoch) // _ONE_MS - wall_ms, 0)


def _of_body(body: object) -> int | None:
    if not isinstance(body, Mapping):
        return None
    return _seconds_ms(body.get("retry_after_seconds"))


def _seconds_ms(value: object) -> int | None:
    try:
        return -(-e6_from(value) * _MILLISECONDS // E6)
    except MalformedError:
        return None


_ONE_MS: Final = datetime(1970, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
