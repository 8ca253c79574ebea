"""Mistakes in keeper.toml in words, without what must not be seen: they end on terminals, in logs and in tickets.

Core. Keeper and incentives read the same file, each its own tables, and say what is wrong with it alike. A URL is shown by
scheme and host. A text that is neither a URL nor a short word is told by its length: a key pasted at the wrong place looks like any text.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from programs.endpoint_urls import shown_url, unshown
from programs.units import I64_MAX

_WORD: Final = re.compile(r"[\w .,:+!-]{0,48}")
"""The longest value that is asked for by name is an address, of 44 characters."""
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,48}")
_URL_KEY: Final = re.compile(r"(^|_)urls?$")
_SYNTAX: Final = re.compile(r"(?P<what>.*) \((?P<where>at [\w, ]+)\)", re.DOTALL)
_NAMED: Final = re.compile(r"\(.*\)|'.{5,}'|\".{5,}\"", re.DOTALL)
"""In what tomllib says: keys, as they stand in the file. Shorter ones are characters."""
_DIGITS: Final = "an integer is longer than 64 bits"
_DEPTH: Final = "tables or lists are nested too deeply for any setting"


class TomlMistake(Exception):  # noqa: N818 - an operator meets a mistake, not an error class
    """The text is no TOML, or none that a setting could be in; the message says why."""


def decode_toml(text: str) -> dict[str, Any]:
    """Return what a file says.

    Raises:
        TomlMistake: it is no TOML; the message has the place, and nothing of the text but single characters.
    """
    try:
        found = tomllib.loads(text)
        _require_64_bits(found, ())
    except tomllib.TOMLDecodeError as error:
        told = _SYNTAX.fullmatch(str(error))
        what, where = (told["what"], told["where"]) if told else (str(error), "somewhere")
        raise TomlMistake(f"{_NAMED.sub('a key', what)} ({where})") from None
    except ValueError:  # Python refuses to read it
        raise TomlMistake(_DIGITS) from None
    except RecursionError:
        raise TomlMistake(_DEPTH) from None
    return found


def _require_64_bits(found: object, keys: tuple[str | int, ...]) -> None:
    """Refuse longer integers: Python's reader takes them, and so would everything behind it, until one is packed or stored.

    Source: toml.io, v1.0.0, Integer.
    """
    if isinstance(found, dict | list):
        for key, each in found.items() if isinstance(found, dict) else enumerate(found):
            _require_64_bits(each, (*keys, key))
    elif isinstance(found, int) and not -I64_MAX - 1 <= found <= I64_MAX:
        where = ".".join(map(_shown_key, keys))
        raise TomlMistake(f"{where} is longer than 64 bits, expected at most {I64_MAX}")


def as_json(found: object) -> str:
    """Return decoded TOML as JSON, for a strict reader.

    Raises:
        TomlMistake: a date or time, which JSON does not have and no setting is.
    """
    try:
        return json.dumps(found)
    except TypeError as error:
        raise TomlMistake(f"a date or time where none is expected ({error})") from None
    except ValueError:  # hexadecimal digits are read without a limit
        raise TomlMistake(_DIGITS) from None
    except RecursionError:
        raise TomlMistake(_DEPTH) from None


def mistake(detail: Mapping[str, Any], prefix: Sequence[str] = ()) -> str:
    """Return one mistake as `dotted.key: what is wrong, found what`.

    Args:
        detail: one of pydantic's `ValidationError.errors()`.
        prefix: the dotted key of what was validated.
    """
    keys = [*prefix, *detail["loc"]]
    where = ".".join(map(_shown_key, keys)) or "(file)"
    if detail["type"] == "unexpected_keyword_argument":
        return f"{where}: unknown key"
    if detail["type"] in {"missing", "missing_argument"}:
        return f"{where}: missing"
    found = detail.get("input")
    is_url = any(isinstance(key, str) and _URL_KEY.search(key) for key in keys)
    told = shown(found, is_url=is_url) if isinstance(found, str | int | float) else ""
    what = str(detail["msg"]).removeprefix("Value error, ")
    # What refuses a value by a sentence of its own may have shown it already.
    return f"{where}: {what}, found {told}" if told and told not in what else f"{where}: {what}"


def listed(path: Path, mistakes: Sequence[str]) -> str:
    """Return all mistakes of a file as lines, counted in the first one."""
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}"
    return "\n".join([f"{path} has {count}:", *(f"  {each}" for each in mistakes)])


def shown(value: float | str, *, is_url: bool = False) -> str:
    """Return a value as a message may show it.

    Args:
        value: as found in the file.
        is_url: whether a URL was wanted there: what is none may be one that was mistyped, key and all.
    """
    if not isinstance(value, str):
        return repr(value) if len(repr(value)) <= 48 else "a number of many digits"  # noqa: PLR2004 - as of words
    if is_url or "://" in value:
        told = shown_url(value)
        return told if told == unshown(value) else repr(told)
    return repr(value) if _WORD.fullmatch(value) else unshown(value)


def _shown_key(key: str | int) -> str:
    text = str(key)
    return text if _BARE_KEY.fullmatch(text) else f"(a key of {len(text)} characters)"
