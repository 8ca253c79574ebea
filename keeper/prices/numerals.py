"""Decimal text to integers, and JSON to objects, without a float on the way.

Core. The venue sends the same number as a string, an integer or a JSON float, by endpoint and by mood. All three
arrive here as text: `load_json` keeps a float token's characters, so 0.1 is never 0.1000000000000000055.
"""

import json
import re
from functools import lru_cache
from typing import Final

from keeper.prices.errors import MalformedError
from programs.plain_text import with_whole_characters

E6: Final = 1_000_000
_TEXT_MAX_CHARACTERS: Final = 48
_INTEGER_MAX: Final = 10**12
"""Numbers from here on are refused: a million million tokens, in e6 still a signed 64-bit integer."""
_EXPONENT_MAX: Final = 20
_DECIMAL: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?", re.ASCII)
_REMEMBERED: Final = 16_384
"""Texts whose value is remembered: the finest tick has 9_999 prices, and they come again and again."""
_TIME_MAX_MS: Final = 10**14
"""Unix milliseconds beyond the year 5000 are no timestamp."""
_TIME_MAX_DIGITS: Final = 14


def e6_from(value: object) -> int:
    """Convert a decimal number as the venue sent it to integer millionths.

    Rounding: half up at the sixth decimal (venue prices have at most four, sizes at most six).

    Raises:
        MalformedError: not text or an integer, not a plain decimal, negative, longer than 48 characters, an
            exponent beyond ±20, or 10^12 and more.

    """
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < _INTEGER_MAX:
            raise MalformedError(f"found the number {_shown(value)}, wanted 0 to 10^12")
        return value * E6
    if not isinstance(value, str):
        raise MalformedError(f"found {type(value).__name__} {_shown(value)}, wanted a decimal")
    return _e6_from_text(value)


@lru_cache(maxsize=_REMEMBERED)
def _e6_from_text(value: str) -> int:
    found = _DECIMAL.fullmatch(value) if len(value) <= _TEXT_MAX_CHARACTERS else None
    if found is None:
        raise MalformedError(f"found {_shown(value)}, wanted a non-negative decimal")
    whole, fraction, exponent_text = found.group(1), found.group(2) or "", found.group(3)
    if not whole and not fraction:
        raise MalformedError(f"found {_shown(value)}, wanted digits")
    exponent = int(exponent_text) if exponent_text else 0
    if abs(exponent) > _EXPONENT_MAX:
        raise MalformedError(f"found {_shown(value)}, wanted an exponent within ±{_EXPONENT_MAX}")
    digits = int(whole + fraction)
    # value = digits * 10^shift, in millionths.
    shift = exponent - len(fraction) + 6
    scaled: int = digits * 10**shift if shift >= 0 else (2 * digits // 10**-shift + 1) // 2
    if scaled >= _INTEGER_MAX * E6:
        raise MalformedError(f"found {_shown(value)}, wanted less than 10^12")
    return scaled


def price_e6_from(value: object) -> int:
    """Convert a price strictly between 0 and 1 to e6.

    Raises:
        MalformedError: no decimal, or not inside (0, 1).

    """
    price_e6 = _e6_from_text(value) if type(value) is str else e6_from(value)
    if not 0 < price_e6 < E6:
        raise MalformedError(f"found the price {_shown(value)}, wanted more than 0 and less than 1")
    return price_e6


def dollars(price_e6: int) -> str:
    """Write a price of a share, without a float: 650000 is 0.65, 651234 is 0.651234."""
    whole, rest = divmod(abs(price_e6), 1_000_000)
    digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if price_e6 < 0 else ''}{whole}.{digits}"


def time_ms_from(value: object) -> int | None:
    """Convert the venue's timestamp, milliseconds as text or integer; None when there is none or it is absurd."""
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isdigit()
        and len(value) <= _TIME_MAX_DIGITS
    ):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _TIME_MAX_MS:
        return value
    return None


def load_json(body: bytes | str) -> object:
    """Parse JSON without making a float: float tokens come back as their text.

    Raises:
        MalformedError: no JSON, NaN or Infinity, nested too deeply, or an integer of absurd length.

    """
    try:
        text = body if isinstance(body, str) else body.decode(json.detect_encoding(body))
        loaded: object = _DECODER.decode(with_whole_characters(text))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"found a body that is no JSON: {_shown(str(error))}") from error
    return loaded


def _refuse_constant(token: str) -> object:
    raise ValueError(f"{token} is no number")


_DECODER: Final = json.JSONDecoder(parse_float=str, parse_constant=_refuse_constant)
"""Made once: json.loads makes one for every call that is given options, which costs as much as a small frame."""


def _shown(value: object) -> str:
    # Neither a hostile integer of 5_000 digits nor a list a thousand deep, which is read and cannot be written, may
    # raise while its refusal is being worded.
    if isinstance(value, int) and abs(value) > 10**40:
        text = "a very long integer"
    elif value is None or isinstance(value, str | int):
        text = repr(value)
    else:
        text = "(not shown)"
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a log line's worth
