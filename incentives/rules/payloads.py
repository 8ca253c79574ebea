"""The fields of an event that the rules read, out of its bytes without decoding the rest: a million trades a pass.

Core. The places of the fields come from programs/event_layout.py; the bytes of the others are skipped.
"""

import struct
from typing import Any, Final

from incentives.unread import UNREAD_KIND
from programs.event_layout import (
    BODIES,
    EVENT_VERSION,
    HEAD,
    STRUCTS,
    TAILS,
    EventKind,
)
from programs.events import MalformedEventError

_KIND_AT: Final = 1
_KINDS: Final[dict[int, EventKind | int]] = {
    **{kind.value: kind for kind in EventKind},
    UNREAD_KIND: UNREAD_KIND,
}
_SERIES: Final = struct.Struct("<I")
_SERIES_AT: Final = 4


def kind_of(payload: bytes) -> EventKind | int:
    """Return what kind of event it is; UNREAD_KIND for what stands in the place of events that cannot be read.

    Raises:
        MalformedEventError: another version, an unknown kind, or shorter than a head.
    """
    found = _KINDS.get(payload[_KIND_AT]) if len(payload) >= HEAD.size else None
    if found is None or payload[0] != EVENT_VERSION:
        raise MalformedEventError(
            f"found {payload[:2].hex() or 'no bytes'} and {len(payload)} bytes, expected an event of version {EVENT_VERSION}"
        )
    return found


def name_of_kind(kind: EventKind | int) -> str:
    """Return what a kind is called."""
    return kind.name if isinstance(kind, EventKind) else "UNREAD_INSTRUCTION"


def series_of(payload: bytes) -> int:
    """Return the series: the market's id in a market's events."""
    number: int = _SERIES.unpack_from(payload, _SERIES_AT)[0]
    return number


class Picked:
    """Some fields of one kind of event; `of` returns them in the order in which they were named.

    The values are what struct gives: integers, and addresses as 32 bytes.
    """

    __slots__ = ("_body", "_count", "_kind", "_record", "_size")

    def __init__(self, kind: EventKind, *names: str, record: tuple[str, ...] = ()) -> None:
        self._kind = kind
        self._size = HEAD.size + STRUCTS[kind].size
        self._body = _picking(BODIES[kind], names)
        self._record = _picking(TAILS[kind][1], record) if record else None
        self._count = _picking(BODIES[kind], (TAILS[kind][0],) if record else ())

    def of(self, payload: bytes) -> tuple[Any, ...]:
        """Return the fields of the body.

        Raises:
            MalformedEventError: the payload has the wrong length.
        """
        if len(payload) != self._size and (self._kind not in TAILS or len(payload) < self._size):
            raise self._of_length(len(payload), self._size)
        return self._body.unpack_from(payload, HEAD.size)

    def records(self, payload: bytes) -> list[tuple[Any, ...]]:
        """Return the picked fields of every record behind the body.

        Raises:
            MalformedEventError: the body counts others than there are.
        """
        assert self._record is not None, "no field of the records was picked"
        if len(payload) < self._size:
            raise self._of_length(len(payload), self._size)
        (count,) = self._count.unpack_from(payload, HEAD.size)
        whole = self._size + count * self._record.size
        if len(payload) != whole:
            raise self._of_length(len(payload), whole)
        return list(self._record.iter_unpack(payload[self._size :]))

    def _of_length(self, found: int, expected: int) -> MalformedEventError:
        return MalformedEventError(
            f"found {found} bytes, expected {expected} for {self._kind.name}"
        )


def _picking(fields: list[tuple[str, str]], names: tuple[str, ...]) -> struct.Struct:
    """Return a struct of the named fields, which must be named in the order of the layout; pad bytes for the others."""
    listed = tuple(name for name, _ in fields if name in names)
    assert listed == names, f"fields are picked in their order: {listed}"
    codes = (code if name in names else f"{struct.calcsize('<' + code)}x" for name, code in fields)
    return struct.Struct("<" + "".join(codes))
