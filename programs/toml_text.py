"""TOML text -> values, or what is wrong with it in a few words.

Core. An integer of TOML has 64 bits. Python's reader takes longer ones, and so would everything behind it, until one is divided,
packed or stored: so they are refused where they are read. Source: toml.io, v1.0.0, Integer.
"""

import tomllib
from typing import Any, Final

from programs.units import I64_MAX

_I64_MIN: Final = -I64_MAX - 1


class TomlError(ValueError):
    """The text is no TOML."""


def read_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        TomlError: it is none, in words that follow a file's name.
    """
    try:
        found = tomllib.loads(text)
        _require_64_bits(found, "")
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"is no TOML: {error}") from error
    except RecursionError as error:
        raise TomlError("is no TOML of ours: tables or lists are nested too deeply") from error
    except TomlError:
        raise
    except ValueError as error:  # Python's own bound of an integer's digits
        raise TomlError("is no TOML: an integer is longer than 64 bits") from error
    return found


def _require_64_bits(found: object, key: str) -> None:
    if isinstance(found, dict):
        for name, value in found.items():
            _require_64_bits(value, f"{key}.{name}" if key else name)
    elif isinstance(found, list):
        for number, value in enumerate(found):
            _require_64_bits(value, f"{key}.{number}")
    elif isinstance(found, int) and not _I64_MIN <= found <= I64_MAX:
        raise TomlError(f"is no TOML: {key} is longer than 64 bits, expected at most {I64_MAX}")
