"""The bytes of each line that the hash chain runs over, and the chain itself.

Core. A line's hash is sha256(hash before ‖ its text). Texts are fields joined by `|`; no field but the last can contain one,
so no two lines have the same text. The first hash before is that of the ledger's identity: cluster, program and mint. A version
of the rules is a line too, right before the first transfer that was computed under it.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final

from incentives.lines import Anomaly, BoostedTrade, EpochClose, EventLine, Line, Transfer
from incentives.parameters import Parameters
from incentives.sourced import SourcedEvent

_WITHIN: Final = struct.Struct(">HH")
"""Instruction and event within it, so that ids sort as events do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which season of which platform a ledger is of."""

    genesis_hash: str
    """Of the cluster, base58."""
    program: str
    mint: str
    """Of MMT."""

    @property
    def seed(self) -> bytes:
        """The hash before the first line."""
        text = f"identity|{self.genesis_hash}|{self.program}|{self.mint}"
        return hashlib.sha256(text.encode()).digest()


@dataclass(slots=True)
class Chain:
    """Where the chain of hashes stands, and which versions of the rules are in it."""

    parameters: Parameters
    seq: int
    """Number of the last line; the first is 1."""
    head: bytes
    versions: set[int] = field(default_factory=set)

    def add(self, text: str) -> int:
        """Take the next line's text and return its number."""
        self.head = chained(self.head, text)
        self.seq += 1
        return self.seq

    def version_before(self, line: Transfer) -> tuple[int, str] | None:
        """Return the version of the rules that must be a line before this transfer, and its parameters."""
        version = line.rules_version
        if version in self.versions:
            return None
        self.versions.add(version)
        return version, self.parameters.version_json(version)


def chained(before: bytes, text: str) -> bytes:
    """Return the hash of a line after another."""
    return hashlib.sha256(before + text.encode()).digest()


def signature_id(signature: str) -> bytes:
    """Return what the ids of a transaction's events begin with: half of a hash of its signature.

    Not a part of the signature itself: whoever signs chooses its first half, and two transactions that share it would stop
    the ledger.
    """
    return hashlib.sha256(signature.encode()).digest()[:16]


def event_id(event: SourcedEvent) -> bytes:
    """Return what an event is found by, 20 bytes: its source id, the signature hashed."""
    return signature_id(event.signature) + _WITHIN.pack(event.place.instruction, event.place.inner)


def id_of_source(source_id: str) -> bytes:
    """Return the same of a source id.

    Raises:
        ValueError: it is none.
    """
    signature, instruction, inner = source_id.split(":")
    return signature_id(signature) + _WITHIN.pack(int(instruction), int(inner))


def rules_text(version: int, parameters: str) -> str:
    """Return the text of a config version."""
    return f"rules|{version}|{parameters}"


def inputs_text(inputs: Mapping[str, int | str] | None) -> str | None:
    """Return a transfer's inputs as they are stored and hashed: JSON, keys sorted, no spaces; ten times as fast as json's own."""
    if inputs is None:
        return None
    template, names = _shape(tuple(inputs))
    return template % tuple(
        [_quoted(value) if isinstance(value := inputs[name], str) else int(value) for name in names]
    )


@cache
def _shape(names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the JSON of an object with these names, `%s` for each value, and the order of the values: a handful of shapes."""
    ordered = tuple(sorted(names))
    fields = ",".join(f"{_quoted(name).replace('%', '%%')}:%s" for name in ordered)
    return "{" + fields + "}", ordered


def transfer_text(line: Transfer, inputs: str | None) -> str:
    """Return the text of a transfer, given the text of its inputs."""
    return (
        f"transfer|{line.cause}|{line.leg}|{line.code.value}|{line.slot}|{line.debit}|{line.credit}|{line.amount}|"
        f"{line.epoch}|{line.rules_version}|{inputs or ''}"
    )


def event_text(source_id: str, slot: int, tx_index: int, payload: bytes) -> str:
    """Return the text of an event."""
    return f"event|{source_id}|{slot}|{tx_index}|{payload.hex()}"


def text_of(line: Line) -> str:
    """Return the text of any line."""
    match line:
        case Transfer():
            return transfer_text(line, inputs_text(line.inputs))
        case EventLine(event):
            place = event.place
            return event_text(event.source_id, place.slot, place.tx_index, event.payload)
        case EpochClose():
            allocations = "|".join(
                f"{each.wallet},{each.claim_numerator},{each.amount}" for each in line.allocations
            )
            return (
                f"close|{line.epoch}|{line.start_slot}|{line.end_slot}|{line.rolled_over}|"
                f"{line.emitted}|{line.claim_denominator}|{int(line.is_scaled)}|{allocations}"
            )
        case BoostedTrade():
            return (
                f"boosted|{line.trade_number}|{line.cause}|{line.wallet}|{line.slot}|"
                f"{int(line.is_voided)}"
            )
        case Anomaly():
            return f"anomaly|{line.kind}|{line.cause}|{line.slot}|{line.reason}"
