"""Decode the program's events from transaction logs.

Mirrors events.h. An event is one `Program data:` line: a 24-byte head (version, kind, series, sequence, slot), then
integers and addresses. Only lines logged while the program itself was executing count: another program can log any
bytes it likes.
"""

import base64
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from solders.pubkey import Pubkey

EVENT_VERSION: Final = 1
VAULT_SERIES: Final = 0xFFFF_FFFF
"""Series number of the vault's events."""
REWARDS_SERIES: Final = 0x8000_0000
"""Plus a root's number: the series of that root's events. Every smaller series is a market id."""


class EventKind(IntEnum):
    """What happened."""

    INITIALIZED = 1
    MARKET_CREATED = 2
    PRICES_UPDATED = 3
    LIQUIDITY_ADDED = 4
    STAKED = 5
    POSITION_OPENED = 6
    POSITION_CLOSED = 7
    POSITIONS_LIQUIDATED = 8
    BAD_DEBT_BOOKED = 9
    LIQUIDITY_REMOVED = 10
    MAKER_FEES_CLAIMED = 11
    FEES_WITHDRAWN = 12
    FEES_SWEPT = 13
    UNSTAKE_REQUESTED = 14
    UNSTAKED = 15
    INVENTORY_BOUGHT = 16
    CHAIN_OPENED = 17
    CHAIN_STEPPED = 18
    CHAIN_CANCELLED = 19
    PLEDGES_SEIZED = 20
    EPOCH_POSTED = 21
    REWARDS_PAID = 22
    MARKET_RESOLVED = 23
    POSITION_REDEEMED = 24
    HALTED = 25


_A: Final = "32s"
_BODIES: Final[dict[EventKind, list[tuple[str, str]]]] = {
    EventKind.INITIALIZED: [
        ("quote_mint", _A),
        ("mmt_mint", _A),
        ("sink_tokens", _A),
        ("treasury_tokens", _A),
        ("season_start_slot", "Q"),
        ("season_slots", "Q"),
        ("treasury_mmt", "Q"),
        ("sink_mmt", "Q"),
    ],
    EventKind.MARKET_CREATED: [
        ("market", _A),
        ("condition_id", _A),
        ("outcomes", "Q"),
        ("pools", "Q"),
    ],
    EventKind.PRICES_UPDATED: [("price_class", "I"), ("pools", "I"), ("publish_slot", "Q")],
    EventKind.LIQUIDITY_ADDED: [
        ("owner", _A),
        ("position", _A),
        ("pool", "I"),
        ("price_e6", "I"),
        ("liquidity_added", "Q"),
        ("liquidity_before", "Q"),
        ("liquidity_high", "Q"),
        ("liquidity_after", "Q"),
        ("cash", "Q"),
        ("surplus_yes", "Q"),
        ("surplus_no", "Q"),
        ("value", "Q"),
        ("improvement_bps", "Q"),
    ],
    EventKind.STAKED: [
        ("owner", _A),
        ("amount", "Q"),
        ("shares", "Q"),
        ("share_supply", "Q"),
        ("vault_value", "Q"),
    ],
    EventKind.POSITION_OPENED: [
        ("position", _A),
        ("owner", _A),
        ("pool", "H"),
        ("holding", "H"),
        ("side", "I"),
        ("leverage", "I"),
        ("margin_bps", "I"),
        ("margin", "Q"),
        ("notional", "Q"),
        ("shares", "Q"),
        ("debt", "Q"),
        ("fee", "Q"),
        ("fee_rate_ubp", "Q"),
        ("coverage_e6", "Q"),
        ("oracle_e6", "I"),
        ("pool_price_e6", "I"),
        ("trade_number", "Q"),
    ],
    EventKind.POSITION_CLOSED: [
        ("position", _A),
        ("owner", _A),
        ("pool", "H"),
        ("holding", "H"),
        ("side", "I"),
        ("shares", "Q"),
        ("shares_left", "Q"),
        ("proceeds", "Q"),
        ("fee", "Q"),
        ("debt_repaid", "Q"),
        ("payout", "Q"),
    ],
    EventKind.POSITIONS_LIQUIDATED: [
        ("positions", "Q"),
        ("to_vault", "Q"),
        ("to_keeper", "Q"),
    ],
    EventKind.BAD_DEBT_BOOKED: [
        ("amount", "Q"),
        ("positions", "Q"),
        ("market_id", "Q"),
        ("total", "Q"),
    ],
    EventKind.LIQUIDITY_REMOVED: [
        ("owner", _A),
        ("position", _A),
        ("pool", "I"),
        ("price_e6", "I"),
        ("liquidity_removed", "Q"),
        ("liquidity_after", "Q"),
        ("cash", "Q"),
        ("shares_yes", "Q"),
        ("shares_no", "Q"),
        ("fees_paid", "Q"),
    ],
    EventKind.MAKER_FEES_CLAIMED: [
        ("owner", _A),
        ("pool", "Q"),
        ("amount", "Q"),
    ],
    EventKind.FEES_WITHDRAWN: [
        ("amount", "Q"),
    ],
    EventKind.FEES_SWEPT: [
        ("fees", "Q"),
        ("inventory_cash", "Q"),
        ("inventory_cost", "Q"),
    ],
    EventKind.UNSTAKE_REQUESTED: [
        ("owner", _A),
        ("shares", "Q"),
        ("value", "Q"),
        ("locked_shares", "Q"),
    ],
    EventKind.UNSTAKED: [
        ("owner", _A),
        ("shares", "Q"),
        ("amount", "Q"),
        ("shares_left", "Q"),
        ("share_supply", "Q"),
        ("vault_value", "Q"),
    ],
    EventKind.INVENTORY_BOUGHT: [
        ("position", _A),
        ("owner", _A),
        ("pool", "I"),
        ("side", "I"),
        ("shares", "Q"),
        ("cash", "Q"),
        ("inventory_cost", "Q"),
    ],
    EventKind.CHAIN_OPENED: [
        ("chain", _A),
        ("kind", "B"),
        ("version", "B"),
        ("bump", "B"),
        ("status", "B"),
        ("pool", "B"),
        ("side", "B"),
        ("step_count", "B"),
        ("next_step", "B"),
        ("market", _A),
        ("owner", _A),
        ("chain_id", "I"),
        ("trigger_e6", "I"),
        ("is_above", "I"),
        ("leverage_e6", "I"),
        ("expiry_slot", "Q"),
        ("deposit", "Q"),
    ],
    EventKind.CHAIN_STEPPED: [
        ("chain", _A),
        ("step", "I"),
        ("kind", "I"),
        ("amount", "Q"),
        ("shares", "Q"),
        ("working", "Q"),
        ("debt", "Q"),
        ("bounty", "Q"),
        ("leverage_e6", "Q"),
    ],
    EventKind.CHAIN_CANCELLED: [
        ("chain", _A),
        ("debt_repaid", "Q"),
        ("bounty", "Q"),
        ("cash", "Q"),
        ("shares_staked", "Q"),
        ("is_closed", "Q"),
    ],
    EventKind.PLEDGES_SEIZED: [
        ("chain", _A),
        ("debt_repaid", "Q"),
        ("stake_shares", "Q"),
        ("cash", "Q"),
        ("inventory_shares", "Q"),
        ("inventory_credit", "Q"),
    ],
    EventKind.EPOCH_POSTED: [
        ("epoch", "Q"),
        ("index", "I"),
        ("leaf_count", "I"),
        ("total", "Q"),
        ("root", _A),
        ("account", _A),
        ("posted_mmt", "Q"),
        ("emitted_mmt", "Q"),
    ],
    EventKind.REWARDS_PAID: [
        ("epoch", "Q"),
        ("index", "I"),
        ("count", "I"),
        ("amount", "Q"),
    ],
    EventKind.MARKET_RESOLVED: [
        ("pools", "Q"),
    ],
    EventKind.POSITION_REDEEMED: [
        ("position", _A),
        ("owner", _A),
        ("pool", "I"),
        ("side", "I"),
        ("payout_e6", "I"),
        ("holding", "I"),
        ("shares", "Q"),
        ("value", "Q"),
        ("debt_repaid", "Q"),
        ("bad_debt", "Q"),
        ("payout", "Q"),
    ],
    EventKind.HALTED: [
        ("authority", _A),
    ],
}
_TAILS: Final[dict[EventKind, tuple[str, list[tuple[str, str]]]]] = {
    EventKind.PRICES_UPDATED: ("pools", [("price_e6", "I"), ("band_e6", "I")]),
    EventKind.CHAIN_OPENED: (
        "step_count",
        [("kind", "B"), ("padding", "B"), ("leverage", "H"), ("limit_e6", "I")],
    ),
    EventKind.POSITIONS_LIQUIDATED: (
        "positions",
        [
            ("position", _A),
            ("pool", "I"),
            ("side", "I"),
            ("shares_sold", "Q"),
            ("proceeds", "Q"),
            ("shares_to_inventory", "Q"),
            ("inventory_credit", "Q"),
            ("debt_repaid", "Q"),
            ("debt_left", "Q"),
            ("bounty", "Q"),
            ("bad_debt", "Q"),
            ("equity_before", "Q"),
            ("required_before", "Q"),
        ],
    ),
    EventKind.REWARDS_PAID: (
        "count",
        [("index", "I"), ("leaf", "I"), ("wallet", _A), ("amount", "Q")],
    ),
    EventKind.MARKET_RESOLVED: ("pools", [("payout_e6", "Q")]),
}
"""Kinds whose bodies are followed by records: the field that counts them, and the fields of one."""
_STRUCTS: Final = {
    kind: struct.Struct("<" + "".join(code for _, code in body)) for kind, body in _BODIES.items()
}
_TAIL_STRUCTS: Final = {
    kind: struct.Struct("<" + "".join(code for _, code in record))
    for kind, (_, record) in _TAILS.items()
}
_HEAD: Final = struct.Struct("<BBHIQQ")

_INVOKE: Final = re.compile(r"Program (\w+) invoke \[\d+\]")
_RETURN: Final = re.compile(r"Program \w+ (success$|failed: )")
_TRUNCATED: Final = "Log truncated"

Field = int | Pubkey


class MalformedEventError(ValueError):
    """The program logged bytes that are no event of a known version."""


class TruncatedLogsError(MalformedEventError):
    """The runtime cut the logs at its byte limit: events may be missing, and what happened is in the accounts only."""


def _integer(value: Field) -> int:
    assert isinstance(value, int)
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

    def amount(self, name: str) -> int:
        """Return an integer field."""
        return _integer(self.fields[name])

    def address(self, name: str) -> Pubkey:
        """Return an address field."""
        value = self.fields[name]
        assert isinstance(value, Pubkey)
        return value


def decode(data: bytes) -> Event:
    """Decode one event.

    Raises:
        MalformedEventError: unknown version or kind, or the wrong length.
    """
    if len(data) < _HEAD.size:
        raise MalformedEventError(f"found {len(data)} bytes, expected at least {_HEAD.size}")
    version, number, _, series, sequence, slot = _HEAD.unpack_from(data)
    if version != EVENT_VERSION or number not in _BODIES:
        raise MalformedEventError(f"found version {version} kind {number}, expected version 1")
    kind = EventKind(number)
    body = _STRUCTS[kind]
    tail = data[_HEAD.size + body.size :]
    if len(data) < _HEAD.size + body.size or (tail and kind not in _TAILS):
        raise MalformedEventError(
            f"found {len(data)} bytes, expected {_HEAD.size + body.size} for {kind.name}"
        )
    fields = _named(_BODIES[kind], body.unpack_from(data, _HEAD.size))
    return Event(
        kind=kind,
        series=series,
        sequence=sequence,
        slot=slot,
        fields=fields,
        records=_records(kind, fields, tail) if kind in _TAILS else (),
    )


def _named(body: list[tuple[str, str]], values: tuple[Any, ...]) -> dict[str, Field]:
    return {
        name: Pubkey.from_bytes(value) if code == _A else value
        for (name, code), value in zip(body, values, strict=True)
    }


def _records(
    kind: EventKind, fields: dict[str, Field], tail: bytes
) -> tuple[dict[str, Field], ...]:
    counter, body = _TAILS[kind]
    count, record = _integer(fields[counter]), _TAIL_STRUCTS[kind]
    if len(tail) != count * record.size:
        raise MalformedEventError(
            f"found {len(tail)} bytes of records for {count} {counter} of {kind.name}, "
            f"expected {count * record.size}"
        )
    return tuple(_named(body, values) for values in record.iter_unpack(tail))


def program_data(logs: Iterable[str], program: Pubkey) -> Iterator[bytes]:
    """Yield the bytes that `program` itself logged, in order, from a transaction's log lines.

    Raises:
        MalformedEventError: a line of the program's data is not base64.
        TruncatedLogsError: the logs are incomplete; raised after the last event before the cut.
    """
    name = str(program)
    stack: list[str] = []
    is_truncated = False
    for line in logs:
        if (data := line.removeprefix("Program data: ")) != line:
            if not stack or stack[-1] != name:
                continue
            try:
                yield base64.b64decode(data, validate=True)
            except (
                ValueError
            ) as error:  # binascii.Error is one; characters beyond ASCII are another
                raise MalformedEventError(f"found {data!r}, expected base64") from error
        elif invoked := _INVOKE.fullmatch(line):
            stack.append(invoked[1])
        elif _RETURN.match(line) and stack:
            stack.pop()
        elif line == _TRUNCATED:
            is_truncated = True
    if is_truncated:
        raise TruncatedLogsError("the runtime truncated the logs: read the accounts instead")


def decode_logs(logs: Sequence[str], program: Pubkey) -> list[Event]:
    """Return the program's events of one transaction, in order.

    Raises:
        MalformedEventError: one line is no event.
        TruncatedLogsError: the logs are incomplete.
    """
    return [decode(data) for data in program_data(logs, program)]
