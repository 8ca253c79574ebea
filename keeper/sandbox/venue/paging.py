"""Keyset pages: a list cut at a cursor that only the venue can read.

Core.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where to go on; None at the end."""

    items: Sequence[T]
    next_cursor: str | None


def page_of(items: Sequence[T], cursor: str | None, limit: int) -> Page[T]:
    """Cut the page after a cursor. A cursor that cannot be read starts at the beginning, as at the venue."""
    start = _position_of(cursor)
    following = start + limit
    has_more = following < len(items)
    return Page(
        items[start:following], b64encode(str(following).encode()).decode() if has_more else None
    )


def _position_of(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return max(0, int(b64decode(cursor, validate=True)))
    except ValueError:
        return 0
