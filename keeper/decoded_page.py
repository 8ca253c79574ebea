"""What `keeper decode` found, as one object and as a page for people."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.decoding import Decoded, DecodedInstruction, Row, Value, rows
from programs.errors import in_words as error_in_words
from programs.interface import Interface
from programs.landed import Landed, Step
from programs.meanings import in_words
from programs.rpc import TransactionFacts

_PLACE: Final = ("series", "sequence", "slot")
"""Of an event's head, what tells it from others."""
_IDENTIFIERS: Final = ("condition_id", "yes_token_or_hash", "no_token", "root")
_ELEMENT: Final = re.compile(r"([^\[]+)\[(\d+)\]")


def account_json(
    interface: Interface, address: Pubkey, lamports: int, decoded: Decoded
) -> dict[str, Any]:
    """Return an account as one object."""
    found = {"address": str(address), "kind": decoded.name, "lamports": lamports}
    return found | _values(interface, decoded.fields, rows(interface, decoded))


def account_lines(interface: Interface, address: Pubkey, decoded: Decoded) -> list[str]:
    """Return an account for people."""
    return [f"{decoded.name} {address}", *_lines(interface, rows(interface, decoded), "  ")]


def transaction_json(
    interface: Interface, signature: Signature, facts: TransactionFacts, landed: Landed
) -> dict[str, Any]:
    """Return a transaction as one object."""
    return {
        "signature": str(signature),
        "slot": facts.slot,
        "err": facts.err,
        "error": None if facts.err is None else error_in_words(facts.err),
        "cu": facts.cu_used,
        "fee_lamports": facts.fee_lamports,
        "instructions": [_step_json(interface, step) for step in landed.steps],
        "events": [
            {"kind": event.name} | _values(interface, event.fields, rows(interface, event))
            for event in landed.events
        ],
        "problem": landed.problem or None,
    }


def _step_json(interface: Interface, step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"program": str(step.program), "name": None}
    if step.problem:
        found["problem"] = step.problem
    if step.decoded is not None:
        found |= {
            "name": step.decoded.name,
            "accounts": {name: str(key) for name, key in step.decoded.accounts.items()},
            "more_accounts": [str(key) for key in step.decoded.more],
        }
        found |= _values(interface, step.decoded.arguments, rows(interface, step.decoded))
    return found


def _values(interface: Interface, fields: dict[str, Value], told: Iterable[Row]) -> dict[str, Any]:
    """Every value under `fields`, and under `in_words`, by dotted name, those that mean more than their number."""
    words = {row.path: _words(interface, row) for row in told}
    return {
        "fields": json.loads(json.dumps(fields, default=str)),
        "in_words": {path: text for path, text in words.items() if text},
    }


def transaction_lines(
    interface: Interface, signature: Signature, facts: TransactionFacts, landed: Landed
) -> Iterable[str]:
    """Yield a transaction for people."""
    yield f"transaction {signature}"
    end = "landed" if facts.err is None else f"failed: {error_in_words(facts.err)}"
    yield f"  slot {facts.slot}, {facts.cu_used} CU, fee {facts.fee_lamports} lamports; {end}"
    for number, step in enumerate(landed.steps):
        name = "another program's" if step.decoded is None else step.decoded.name
        yield f"instruction {number}: {step.problem or name}" + (
            f" ({step.program})" if step.decoded is None else ""
        )
        if step.decoded is not None:
            yield from _instruction_lines(interface, step.decoded)
    for event in landed.events:
        told = {row.path: row for row in rows(interface, event)}
        place = ", ".join(f"{name} {told.pop(f'head.{name}').value}" for name in _PLACE)
        yield f"event: {event.name} ({place})"
        body = [row for path, row in told.items() if not path.startswith("head.")]
        yield from _lines(interface, body, "  ")
    if landed.problem:
        yield f"events are missing: {landed.problem}"


def _instruction_lines(interface: Interface, decoded: DecodedInstruction) -> Iterable[str]:
    for name, key in decoded.accounts.items():
        yield f"  {name:<24} {key}"
    for number, key in enumerate(decoded.more):
        yield f"  {f'more[{number}]':<24} {key}"
    yield from _lines(interface, rows(interface, decoded), "  ")


def _lines(interface: Interface, told: Sequence[Row], indent: str) -> list[str]:
    return [
        f"{indent}{row.path:<24} {row.value!s:<20} {_words(interface, row)}".rstrip()
        for row in without_unused(told)
    ]


def without_unused(told: Sequence[Row]) -> list[Row]:
    """Leave out the end of a list that is all zeros, from its third element on: outcomes or steps that there are not."""
    used: dict[str, int] = {}
    for row in told:
        place = _ELEMENT.match(row.path)
        if place and row.value:
            used[place[1]] = max(used.get(place[1], 0), int(place[2]))
    return [
        row
        for row in told
        if not (place := _ELEMENT.match(row.path)) or int(place[2]) <= max(1, used.get(place[1], 0))
    ]


def _words(interface: Interface, row: Row) -> str:
    if isinstance(row.value, int):
        return in_words(interface, row.struct, row.field, row.value)
    # Identifiers that are not addresses are known to their makers in hexadecimal.
    if isinstance(row.value, Pubkey) and row.field in _IDENTIFIERS:
        return f"0x{bytes(row.value).hex()}"
    return ""
