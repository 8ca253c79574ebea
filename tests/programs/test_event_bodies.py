"""programs/events.py: bytes that are almost an event. Real ones: tests/chain."""

import pytest

from programs.event_layout import HEAD, STRUCTS, EventKind
from programs.events import MalformedEventError, decode


def event_bytes(kind, *, tail=b""):
    body = STRUCTS[kind]
    head = HEAD.pack(1, kind, 0, 0, 0, 0)
    return head + bytes(body.size) + tail


@pytest.mark.parametrize("kind", [each for each in EventKind if each in STRUCTS])
def test_an_event_of_another_length_than_its_kind_is_refused(kind):
    whole = event_bytes(kind)
    assert decode(whole).kind is kind
    with pytest.raises(MalformedEventError, match="expected"):
        decode(whole[:-1])
    with pytest.raises(MalformedEventError, match="found"):
        decode(whole + b"\0")


def test_prices_of_another_number_of_pools_than_stated_are_refused():
    with pytest.raises(MalformedEventError, match="found 8 bytes of records for 0 pools"):
        decode(event_bytes(EventKind.PRICES_UPDATED, tail=bytes(8)))
