"""Decode the program's events from transaction logs.

The bytes are described in event_layout.py. An event is one `Program data:` line. Only lines logged while the program
itself was executing count: another program can log any bytes it likes.
"""

import base64
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from solders.pubkey import Pubkey

from programs.event_layout import (
    ADDRESS,
    BODIES,
    EVENT_VERSION,
    HEAD,
    STRUCTS,
    TAIL_STRUCTS,
    TAILS,
    EventKind,
)
from programs.log_limit import CUT

_INVOKE: Final = re.compile(r"Program (\w+) invoke \[\d+\]")
_RETURN: Final = re.compile(r"Program \w+ (success$|failed: )")
Field = int | Pubkey


class MalformedEventError(ValueError):
    """The program logged bytes that are no event of a known version."""


class TruncatedLogsError(MalformedEventError):
    """The runtime cut the logs at its byte limit: events may be missing, and what happened is in the accounts only."""


def _integer(value: Field) -> int:
    assert isinstance(value, int)
    return value


def _address(value: Field) -> Pubkey:
    assert isinstance(value, Pubkey)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One state change, as the program told it."""

    kind: EventKind
    series: int
    """Market id, VAULT_SERIES, or REWARDS_SERIES plus a root's number."""
    sequence: int
    """Running number within the series, from 1 without gaps."""
    slot: int
    fields: dict[str, Field]
    """Integers and addresses by the names of events.h."""
    records: tuple[dict[str, Field], ...] = ()
    """What follows the body in some kinds: a reading per pool, a liquidated position, a step of a chain,
    a leaf that was paid."""

    @property
    def readings(self) -> tuple[tuple[int, int], ...]:
        """PRICES_UPDATED only: (price_e6, band_e6) per pool, after the clamp."""
        return tuple(zip(self.amounts("price_e6"), self.amounts("band_e6"), strict=True))

    def amounts(self, name: str) -> tuple[int, ...]:
        """Return an integer field of every record."""
        return tuple(_integer(record[name]) for record in self.records)

    def addresses(self, name: str) -> tuple[Pubkey, ...]:
        """Return an address field of every record."""
        return tuple(_address(record[name]) for record in self.records)

    def amount(self, name: str) -> int:
        """Return an integer field."""
        return _integer(self.fields[name])

    def address(self, name: str) -> Pubkey:
        """Return an address field."""
        return _address(self.fields[name])


@dataclass(frozen=True, slots=True)
class EventHead:
    """What every event begins with."""

    kind: EventKind
    series: int
    sequence: int
    slot: int


def read_head(data: bytes) -> EventHead:
    """Read an event's head, and check the length of all of it without decoding the rest.

    Raises:
        MalformedEventError: unknown version or kind, or the wrong length.
    """
    if len(data) < HEAD.size:
        raise MalformedEventError(f"found {len(data)} bytes, expected at least {HEAD.size}")
    version, number, _, series, sequence, slot = HEAD.unpack_from(data)
    if version != EVENT_VERSION or number not in BODIES:
        raise MalformedEventError(f"found version {version} kind {number}, expected version 1")
    kind = EventKind(number)
    fixed = HEAD.size + STRUCTS[kind].size
    if len(data) < fixed or (len(data) > fixed and kind not in TAILS):
        raise MalformedEventError(f"found {len(data)} bytes, expected {fixed} for {kind.name}")
    if kind in TAILS:
        counter, record = TAILS[kind][0], TAIL_STRUCTS[kind]
        count, tail = _COUNTERS[kind].unpack_from(data, HEAD.size)[0], len(data) - fixed
        if tail != count * record.size:
            raise MalformedEventError(
                f"found {tail} bytes of records for {count} {counter} of {kind.name}, "
                f"expected {count * record.size}"
            )
    return EventHead(kind, series, sequence, slot)


def _counter(kind: EventKind) -> struct.Struct:
    """Return what reads the number of records out of a body."""
    codes = ""
    for name, code in BODIES[kind]:
        if name == TAILS[kind][0]:
            return struct.Struct(f"<{struct.calcsize('<' + codes)}x{code}")
        codes += code
    raise AssertionError("a body counts its records")  # pragma: no cover - the tables are constant


_COUNTERS: Final = {kind: _counter(kind) for kind in TAILS}


def decode(data: bytes) -> Event:
    """Decode one event.

    Raises:
        MalformedEventError: unknown version or kind, or the wrong length.
    """
    head = read_head(data)
    kind, body = head.kind, STRUCTS[head.kind]
    tail = data[HEAD.size + body.size :]
    return Event(
        kind=kind,
        series=head.series,
        sequence=head.sequence,
        slot=head.slot,
        fields=_named(BODIES[kind], body.unpack_from(data, HEAD.size)),
        records=_records(kind, tail) if kind in TAILS else (),
    )


def _named(body: list[tuple[str, str]], values: tuple[Any, ...]) -> dict[str, Field]:
    return {
        name: Pubkey.from_bytes(value) if code == ADDRESS else value
        for (name, code), value in zip(body, values, strict=True)
    }


def _records(kind: EventKind, tail: bytes) -> tuple[dict[str, Field], ...]:
    layout = TAILS[kind][1]
    return tuple(_named(layout, values) for values in TAIL_STRUCTS[kind].iter_unpack(tail))


def program_data(logs: Iterable[str], program: Pubkey) -> Iterator[bytes]:
    """Yield the bytes that `program` itself logged, in order, from a transaction's log lines.

    Raises:
        MalformedEventError: a line of the program's data is not base64.
        TruncatedLogsError: the logs are incomplete; raised after the last event before the cut.
    """
    return (data for _, data in placed_data(logs, program))


def placed_data(logs: Iterable[str], program: Pubkey) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes that `program` itself logged, each with the number of the invocation it was logged under, from 0.

    What a transaction invokes are its own instructions in their order, but for precompiles, which log nothing at all.

    Raises:
        MalformedEventError: a line of the program's data is not base64.
        TruncatedLogsError: the logs are incomplete; raised after the last event before the cut.
    """
    name = str(program)
    stack: list[str] = []
    invoked_before = -1
    is_truncated = False
    for line in logs:
        if (data := line.removeprefix("Program data: ")) != line:
            if not stack or stack[-1] != name:
                continue
            yield invoked_before, _bytes_of(data)
        elif line.endswith("]") and (invoked := _INVOKE.fullmatch(line)):
            invoked_before += not stack
            stack.append(invoked[1])
        elif stack and ("success" in line or "failed: " in line) and _RETURN.match(line):
            stack.pop()
        elif line == CUT:
            is_truncated = True
    if is_truncated:
        raise TruncatedLogsError("the runtime truncated the logs: read the accounts instead")


@dataclass(slots=True)
class Invocation:
    """One call of a program, as far as the logs show it."""

    told: list[bytes] = field(default_factory=list)
    """What it logged, in order."""
    has_returned: bool = False
    """Nothing more of it can follow."""


def read_invocations(logs: Iterable[str], program: Pubkey) -> list[Invocation]:
    """Return the calls of a program, wherever it was called from, in the order in which they began.

    Args:
        logs: the beginning of a transaction's logs, with nothing left out.
        program: which calls itself neither directly nor through others.

    Raises:
        MalformedEventError: a line of the program's data is not base64.
    """
    name, stack, found = str(program), list[str](), list[Invocation]()
    for line in logs:
        if (data := line.removeprefix("Program data: ")) != line:
            if stack and stack[-1] == name:
                found[-1].told.append(_bytes_of(data))
        elif line.endswith("]") and (invoked := _INVOKE.fullmatch(line)):
            stack.append(invoked[1])
            if invoked[1] == name:
                found.append(Invocation())
        elif (
            stack
            and ("success" in line or "failed: " in line)
            and _RETURN.match(line)
            and stack.pop() == name
        ):
            found[-1].has_returned = True
    return found


def _bytes_of(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:  # binascii.Error is one; characters beyond ASCII are another
        raise MalformedEventError(f"found {data!r}, expected base64") from error


def decode_logs(logs: Sequence[str], program: Pubkey) -> list[Event]:
    """Return the program's events of one transaction, in order.

    Raises:
        MalformedEventError: one line is no event.
        TruncatedLogsError: the logs are incomplete.
    """
    return [decode(data) for data in program_data(logs, program)]
