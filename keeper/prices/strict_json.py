"""JSON as an answer may hold it: UTF-8, each key once, no NaN, no absurd integer, and no float on the way.

Core. What is refused here is refused whole and with one sentence. Python's own reader takes the last of two equal keys,
so that two readers of one body can disagree over a price: here it is an error. It refuses too deep a nesting itself.
"""

import json
import re
from collections import Counter
from typing import Final

from keeper.prices.errors import MalformedError
from programs.plain_text import with_whole_characters

_INTEGER_MAX_CHARACTERS: Final = 40
"""Longer than any number the venue has use for: token ids are text."""
_SHOWN_CHARACTERS: Final = 80
_BLANKS: Final = re.compile(r"[ \t\n\r]*")


def text_of(body: bytes) -> str:
    """Decode a body.

    Raises:
        MalformedError: not UTF-8, or begun by a byte order mark, which JSON has none of.

    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"found byte 0x{body[error.start]:02x} at {error.start}, wanted UTF-8 text"
        ) from error
    if text.startswith("\ufeff"):
        raise MalformedError("found a byte order mark, wanted JSON")
    return with_whole_characters(text)


def load_strict(text: str) -> object:
    """Parse a whole text; float tokens come back as their characters.

    Raises:
        MalformedError: see the top of this file.

    """
    value, end = load_at(text, after_blanks(text, 0))
    end = after_blanks(text, end)
    if end != len(text):
        raise MalformedError(f"found {_shown(text[end:])} after the end of the JSON")
    return value


def load_at(text: str, at: int) -> tuple[object, int]:
    """Parse the one value that begins at `at`; return it and where it ends.

    Raises:
        MalformedError: see the top of this file.

    """
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise MalformedError("found JSON nested too deeply") from error
    except ValueError as error:
        raise MalformedError(f"found no JSON: {_shown(str(error))}") from error


def after_blanks(text: str, at: int) -> int:
    """Return where the blanks that JSON allows between tokens end."""
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()


def _object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Counted in one pass: a body holds millions of keys, and nothing else runs while this looks at them.
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise MalformedError(f"found the key {_shown(twice)} twice in one object")
    return found


def _integer_of(token: str) -> int:
    if len(token) > _INTEGER_MAX_CHARACTERS:
        raise MalformedError(f"found an integer of {len(token)} characters")
    return int(token)


def _refuse_constant(token: str) -> object:
    raise MalformedError(f"found {token}, which is no number")


def _shown(text: str) -> str:
    shown = repr(text[:_SHOWN_CHARACTERS])
    return shown if len(text) <= _SHOWN_CHARACTERS else f"{shown} and more"


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object_of,
    parse_float=str,
    parse_int=_integer_of,
    parse_constant=_refuse_constant,
)
