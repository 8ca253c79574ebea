"""Markup that cannot be broken by what it shows: every text is escaped on its way in.

Core. Drills show what a hostile venue answered, so a text is either escaped here or it is `Markup`, which only this module
makes.
"""

import html
import re
from collections.abc import Iterable
from typing import Final

_CLOSED_AT_ONCE: Final = frozenset(
    {"br", "circle", "line", "link", "meta", "path", "polygon", "polyline", "rect", "use"}
)
"""Elements without content: void ones of HTML, leaves of SVG."""
_UNSHOWABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, lone surrogates, and what reorders the text after it."""


class Markup(str):
    """Text that is already HTML or SVG."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """Return one element.

    Args:
        name: of the element.
        children: markup as it is, any other text escaped.
        attributes: `None` leaves one out; `class_` is class, and every other underscore a hyphen.
    """
    listed = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not children and name in _CLOSED_AT_ONCE:
        return Markup(f"<{name}{listed}/>")
    return Markup(f"<{name}{listed}>{joined(children)}</{name}>")


def joined(children: Iterable[str], between: str = "") -> Markup:
    """Put elements and texts one after the other."""
    return Markup(between.join(map(_child, children)))


def number(value: float) -> str:
    """Write a coordinate, to a tenth: what no eye can tell apart needs no bytes."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _attribute(value: object) -> str:
    return number(value) if isinstance(value, float) else escaped(str(value))


def _child(child: str) -> str:
    return child if isinstance(child, Markup) else escaped(child)


def escaped(text: str) -> str:
    """Return a text as it may stand between tags or in an attribute; what cannot be shown becomes U+FFFD."""
    return html.escape(_UNSHOWABLE.sub("\ufffd", text))
