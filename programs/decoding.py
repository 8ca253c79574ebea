"""Bytes of the program as names and values, by its interface: any account, event or instruction.

The typed codecs (accounts.py, events.py) are for code that acts on what it reads; this is for showing all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs.c_header import FILLER, NUMBERS, Struct
from programs.interface import InstructionShape, Interface, Tail

Value = int | Pubkey | str | list["Value"] | dict[str, "Value"]
"""An integer, an address, hexadecimal text of bytes without a structure, or several."""
Fields = dict[str, Value]

_WORD_BITS: Final = 64


class MalformedBytesError(ValueError):
    """The bytes are not what the program writes or accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """An account or an event."""

    name: str
    struct: Struct
    tail: Tail | None
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedInstruction:
    """One instruction of a transaction."""

    name: str
    data: Struct
    arguments: Fields
    accounts: dict[str, Pubkey]
    more: tuple[Pubkey, ...]
    """The accounts after those with a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value of what was decoded, with where it stands."""

    path: str
    struct: str
    field: str
    value: int | Pubkey | str


def decode_account(interface: Interface, data: bytes) -> Decoded:
    """Read an account of the program.

    Raises:
        MalformedBytesError: it is of no kind or version that the program writes, or has another length.
    """
    shape = next((each for each in interface.accounts if data[:1] == bytes([each.kind])), None)
    if shape is None or data[1:2] != bytes([interface.layout_version]):
        raise MalformedBytesError(
            f"found {len(data)} bytes beginning {data[:2].hex() or 'nowhere'}, expected an account's kind "
            f"(1 to {max(each.kind for each in interface.accounts)}) and version {interface.layout_version}"
        )
    fields = _whole(interface, shape.struct, shape.tail, data)
    return Decoded(name=shape.name, struct=shape.struct, tail=shape.tail, fields=fields)


def decode_event(interface: Interface, data: bytes) -> Decoded:
    """Read an event; its head is the field `head`.

    Raises:
        MalformedBytesError: it is of no known kind, or has another length.
    """
    head = interface.structs["event"]
    if len(data) < head.bytes:
        raise MalformedBytesError(f"found an event of {len(data)} bytes, expected {head.bytes}")
    kind = _struct(interface, head, data)["kind"]
    shape = next((each for each in interface.events if each.kind == kind), None)
    if shape is None:
        raise MalformedBytesError(f"found an event of kind {kind}, expected one of this release")
    fields = _whole(interface, shape.struct, shape.tail, data)
    return Decoded(name=shape.name, struct=shape.struct, tail=shape.tail, fields=fields)


def decode_instruction(interface: Interface, instruction: Instruction) -> DecodedInstruction:
    """Read an instruction of the program.

    Raises:
        MalformedBytesError: no instruction has its tag, or its data has another length.
    """
    data = bytes(instruction.data)
    shape = next((each for each in interface.instructions if data[:1] == bytes([each.tag])), None)
    if shape is None:
        raise MalformedBytesError(
            f"found instruction data {data[:16].hex() or 'of no bytes'}, expected a tag from 0 to "
            f"{max(each.tag for each in interface.instructions)}"
        )
    accounts, more = _named_accounts(shape, [meta.pubkey for meta in instruction.accounts])
    return DecodedInstruction(
        name=shape.name,
        data=shape.data,
        arguments=_arguments(interface, shape, data),
        accounts=accounts,
        more=more,
    )


def _named_accounts(
    shape: InstructionShape, given: Sequence[Pubkey]
) -> tuple[dict[str, Pubkey], tuple[Pubkey, ...]]:
    roles = [*shape.roles, *([shape.extra] if shape.extra else [])]
    named = {role.name: address for role, address in zip(roles, given, strict=False)}
    return named, tuple(given[len(roles) :])


def _arguments(interface: Interface, shape: InstructionShape, data: bytes) -> Fields:
    struct = shape.data
    is_open = bool(struct.rest) or any(field.count == 0 for field in struct.fields)
    if len(data) < struct.bytes or (len(data) > struct.bytes and not is_open):
        raise MalformedBytesError(
            f"found {len(data)} bytes of data for {shape.name}, expected {struct.bytes}"
            + (" or more" if is_open else "")
        )
    fields = _struct(interface, struct, data)
    del fields["tag"]
    if struct.rest:
        fields["rest"] = data[struct.bytes :].hex()
    return fields


def _whole(interface: Interface, struct: Struct, tail: Tail | None, data: bytes) -> Fields:
    """A struct and what follows it, with no byte missing or left over."""
    size = struct.bytes
    fields = _struct(interface, struct, data) if len(data) >= size else {}
    if fields and tail:
        count = fields[tail.count]
        assert isinstance(count, int)
        width = _width(interface, tail)
        rows = -(-count // _WORD_BITS) if tail.type == "bitmap" else count
        size += rows * width
    if len(data) != size:
        raise MalformedBytesError(f"found {len(data)} bytes, expected {size} for {struct.name}")
    if tail:
        fields["records"] = _records(interface, tail, data[struct.bytes :])
    return fields


def _width(interface: Interface, tail: Tail) -> int:
    if tail.type == "bitmap":
        return _WORD_BITS // 8
    return NUMBERS[tail.type] if tail.type in NUMBERS else interface.structs[tail.type].bytes


def _records(interface: Interface, tail: Tail, data: bytes) -> Value:
    if tail.type == "bitmap":
        return data.hex()
    width = _width(interface, tail)
    rows = [data[at : at + width] for at in range(0, len(data), width)]
    if tail.type in NUMBERS:
        return [{tail.name: int.from_bytes(row, "little")} for row in rows]
    return [_struct(interface, interface.structs[tail.type], row) for row in rows]


def _struct(interface: Interface, struct: Struct, data: bytes) -> Fields:
    fields: Fields = {}
    for field in struct.fields:
        if field.name in FILLER:
            continue
        if field.count is None:
            fields[field.name] = _single(interface, field.type, data, field.offset)
            continue
        width = _single_width(interface, field.type)
        count = field.count or (len(data) - field.offset) // width
        fields[field.name] = [
            _single(interface, field.type, data, field.offset + i * width) for i in range(count)
        ]
    return fields


def _single_width(interface: Interface, kind: str) -> int:
    return NUMBERS[kind] if kind in NUMBERS else interface.structs[kind].bytes


def _single(interface: Interface, kind: str, data: bytes, offset: int) -> Value:
    chunk = data[offset : offset + _single_width(interface, kind)]
    if kind in NUMBERS or kind == "wide":
        return int.from_bytes(chunk, "little")
    if kind == "address":
        return Pubkey.from_bytes(chunk)
    return _struct(interface, interface.structs[kind], chunk)


def rows(interface: Interface, found: Decoded | DecodedInstruction) -> list[Row]:
    """Return every integer, address and text with a dotted name, lists with indices: `records[0].price_e6`."""
    if isinstance(found, DecodedInstruction):
        return _rows(interface, found.data, None, found.arguments)
    return _rows(interface, found.struct, found.tail, found.fields)


def _rows(
    interface: Interface, struct: Struct, tail: Tail | None, fields: Fields, prefix: str = ""
) -> list[Row]:
    types = {field.name: field.type for field in struct.fields}
    if tail:
        types["records"] = tail.type
    return [
        row
        for name, value in fields.items()
        for row in _value_rows(
            interface, struct, types.get(name, ""), name, f"{prefix}{name}", value
        )
    ]


def _value_rows(
    interface: Interface, struct: Struct, kind: str, name: str, path: str, value: Value
) -> list[Row]:
    if isinstance(value, list):
        return [
            row
            for i, each in enumerate(value)
            for row in _value_rows(interface, struct, kind, name, f"{path}[{i}]", each)
        ]
    if isinstance(value, dict):
        inner = interface.structs.get(kind, struct)
        return _rows(interface, inner, None, value, f"{path}.")
    return [Row(path=path, struct=struct.name, field=name, value=value)]
