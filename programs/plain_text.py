"""Text from outside -> text that can be written anywhere, and does nothing to whoever reads it.

Core. JSON can say half of a character, a lone surrogate, which no file, log or database can hold; and whatever a stranger names a
market, or a node gives as its reason, may carry the escapes by which a terminal is told what to do. The one is mended where
JSON is read, the other made visible where text is shown.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

_REPLACEMENT: Final = 0xFFFD
_PICTURES: Final = 0x2400
"""Where Unicode has a picture of each of the first 32 control characters."""
_SURROGATES: Final = range(0xD800, 0xE000)
_UNSEEN: Final = {
    **{code: _PICTURES + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), _REPLACEMENT),
    **dict.fromkeys((0x061C, 0x200E, 0x200F), _REPLACEMENT),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), _REPLACEMENT),
    **dict.fromkeys(_SURROGATES, _REPLACEMENT),
}
"""What controls a terminal, turns the direction of writing, or is half of a character."""
_UNSEEN_OF_PAGE: Final = {code: to for code, to in _UNSEEN.items() if chr(code) not in "\n\t"}
_OF_SEVERAL_LINES: Final = frozenset({"exception", "stack"})
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""One escape of a JSON string, a pair of surrogates being one; the group is a surrogate without the other."""


def shown(text: str) -> str:
    """Return one line of text with everything that a terminal would act upon made visible, as long as it was."""
    return text.translate(_UNSEEN)


def shown_page(text: str) -> str:
    """Do the same to a text of several lines, which may have tabs."""
    return text.translate(_UNSEEN_OF_PAGE)


def plain_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a log line says for people: each value on one line, a traceback as it is."""
    return {
        key: value
        if not isinstance(value, str)
        else shown_page(value)
        if key in _OF_SEVERAL_LINES
        else shown(value)
        for key, value in entry.items()
    }


def with_whole_characters(json_text: str) -> str:
    """Return JSON whose strings hold no half characters: each is replaced, the rest is what it was."""
    if "\\ud" not in json_text and "\\uD" not in json_text:
        return json_text
    return _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], json_text)


def is_text(text: str) -> bool:
    """Tell whether it can be written down: an argument that is not UTF-8 arrives with half characters."""
    return not any(ord(character) in _SURROGATES for character in text)
