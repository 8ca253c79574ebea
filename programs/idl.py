"""The interface as an IDL in Codama's format, which explorers and TypeScript clients read.

Source: https://github.com/codama-idl/codama, the node types of its version 1.
"""

import json
from typing import Any, Final

from solders.pubkey import Pubkey

from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.c_header import FILLER, NUMBERS, Field, Struct
from programs.interface import (
    AccountShape,
    EventShape,
    InstructionShape,
    Interface,
    Role,
    Seed,
    Tail,
)

CODAMA_VERSION: Final = "1.0.0"
SHOWN_ENUMS: Final = ("market_status", "price_class", "side", "chain_status", "step_kind")
"""What the numbers of a field of that meaning stand for; the fields themselves are numbers, of several widths."""

Node = dict[str, Any]

_OWN_NAMES: Final = ("kind", "version")
"""Of an event's head: `eventKind` and `eventVersion`, because a body may have a kind of its own."""
_BUILT_IN: Final = {"address", "wide", "event"}
"""Structs that are a type of the IDL's own, or whose fields become those of every event."""
_LISTS: Final = ("accounts", "instructions", "definedTypes", "pdas", "events", "errors")
_PROGRAMS: Final = {"token_program": TOKEN_PROGRAM, "system_program": SYSTEM_PROGRAM}


def codama(interface: Interface, program: Pubkey, version: str) -> Node:
    """Return the IDL as the object to write as JSON.

    Args:
        program: the program's id on the cluster that the IDL is for.
        version: of this release, like 1.2.3.
    """
    inline = {shape.name for shape in interface.accounts}
    types = _Types(interface, inline)
    linked = [
        interface.structs[name]
        for name in interface.structs
        if name not in inline and name in _linked(interface)
    ]
    return {
        "kind": "rootNode",
        "standard": "codama",
        "version": CODAMA_VERSION,
        "program": {
            "kind": "programNode",
            "name": "bettingPlatform",
            "publicKey": str(program),
            "version": version,
            "docs": [
                "Prediction markets with leverage, immutable. All integers are little-endian and unsigned.",
                "Amounts are base units, names in E6 are millionths, slots are the cluster's.",
            ],
            "accounts": [types.account(shape) for shape in interface.accounts],
            "instructions": [types.instruction(shape) for shape in interface.instructions],
            "definedTypes": [types.defined(struct) for struct in linked]
            + [_enum(name, interface.enums[name]) for name in SHOWN_ENUMS],
            "pdas": [_pda(name, seeds) for name, seeds in interface.addresses.items()],
            "events": [types.event(shape) for shape in interface.events],
            "errors": [
                {
                    "kind": "errorNode",
                    "name": camel(refusal.name),
                    "code": refusal.code,
                    "message": refusal.text,
                }
                for refusal in interface.refusals
            ],
        },
        "additionalPrograms": [],
    }


def as_text(idl: Node) -> str:
    """Write an IDL as JSON, one account, instruction, type, event or error a line, so that a change can be read."""
    program = dict(idl["program"])
    lists = {name: program.pop(name) for name in list(program) if name in _LISTS}
    lines = [json.dumps(program, ensure_ascii=False)[:-1]]
    for name, nodes in lists.items():
        rows = ",\n".join("  " + json.dumps(node, ensure_ascii=False) for node in nodes)
        lines.append(f'"{name}": [\n{rows}\n ]')
    others = {name: value for name, value in idl.items() if name != "program"}
    return json.dumps(others)[:-1] + ',\n "program": ' + ",\n ".join(lines) + "}}\n"


def camel(name: str) -> str:
    """Return a name of the headers as the IDL has it: `price_e6` is `priceE6`."""
    first, *others = name.lower().split("_")
    return first + "".join(word.capitalize() for word in others)


def _linked(interface: Interface) -> set[str]:
    """Structs that fields, arguments or records refer to."""
    data: list[AccountShape | EventShape] = [*interface.accounts, *interface.events]
    structs = [shape.struct for shape in data] + [shape.data for shape in interface.instructions]
    fields = {field.type for struct in structs for field in struct.fields}
    return {*fields, *(shape.tail.type for shape in data if shape.tail)} - _BUILT_IN


class _Types:
    """Types by the structs of one interface."""

    def __init__(self, interface: Interface, inline: set[str]) -> None:
        self._interface = interface
        self._inline = inline
        """Structs that are accounts too, and keep that name in generated code to themselves."""

    # -- what the program stores --

    def account(self, shape: AccountShape) -> Node:
        fields = [self._field(field) for field in shape.struct.fields]
        fields[0] |= _constant(shape.kind)
        node: Node = {"kind": "accountNode", "name": camel(shape.name)}
        if shape.tail is None:
            node["size"] = shape.struct.bytes
        else:
            fields.append(self._records(shape.tail))
        if docs := shape.struct.docs:
            node["docs"] = [docs]
        node["data"] = {"kind": "structTypeNode", "fields": fields}
        if shape.name in self._interface.addresses:
            node["pda"] = {"kind": "pdaLinkNode", "name": camel(shape.name)}
        node["discriminators"] = [_discriminator("kind", 0)]
        return node

    def defined(self, struct: Struct) -> Node:
        return {
            "kind": "definedTypeNode",
            "name": camel(struct.name),
            "docs": [struct.docs] if struct.docs else [],
            "type": self._struct(struct),
        }

    # -- what it says --

    def event(self, shape: EventShape) -> Node:
        """With the fields of its head first, so that its kind stands at a fixed offset of it."""
        head = self._interface.structs[shape.struct.fields[0].type].fields
        fields = [self._field(field) for field in (*head, *shape.struct.fields[1:])]
        for node, field in zip(fields, head, strict=False):
            if field.name in _OWN_NAMES:  # the bodies have fields of these names too
                node["name"] = camel(f"event_{field.name}")
            if field.name == "kind":
                node.update(_constant(shape.kind))
        kind = next(field for field in head if field.name == "kind")
        if shape.tail:
            fields.append(self._records(shape.tail))
        return {
            "kind": "eventNode",
            "name": camel(shape.name),
            "docs": [shape.struct.docs] if shape.struct.docs else [],
            "data": {"kind": "structTypeNode", "fields": fields},
            "discriminators": [_discriminator("eventKind", kind.offset)],
        }

    # -- what it accepts --

    def instruction(self, shape: InstructionShape) -> Node:
        node: Node = {"kind": "instructionNode", "name": camel(shape.name)}
        docs = [text for text in (shape.data.docs, shape.data.rest) if text]
        if docs and shape.data.name != "tag_data":
            node["docs"] = docs
        node["optionalAccountStrategy"] = "omitted"
        node["accounts"] = [self._role(role, shape) for role in shape.roles]
        if shape.extra:
            node["accounts"].append(self._role(shape.extra, shape) | {"isOptional": True})
        node["arguments"] = [self._argument(field, shape) for field in shape.data.fields]
        node["arguments"][0] |= _constant(shape.tag)
        if shape.data.rest:
            node["arguments"].append(
                _argument_node("rest", {"kind": "bytesTypeNode"}, shape.data.rest)
            )
        if shape.more:
            node["remainingAccounts"] = [
                {
                    "kind": "instructionRemainingAccountsNode",
                    "isOptional": True,
                    "isWritable": True,
                    "docs": [shape.more],
                    "value": {"kind": "argumentValueNode", "name": "remainingAccounts"},
                }
            ]
        node["discriminators"] = [_discriminator("tag", 0)]
        return node

    def _role(self, role: Role, shape: InstructionShape) -> Node:
        node: Node = {
            "kind": "instructionAccountNode",
            "name": camel(role.name),
            # Where it is written in one case only, a client that always may write is right in both.
            "isWritable": role.is_writable or role.may_be_written,
            "isSigner": role.is_signer,
        }
        if role.docs:
            node["docs"] = [role.docs]
        default = self._default(role, shape)
        if default is not None:
            node["defaultValue"] = default
        if role.rule.lower() in {account.name for account in self._interface.accounts}:
            node["accountLink"] = {"kind": "accountLinkNode", "name": camel(role.rule)}
        return node

    def _default(self, role: Role, shape: InstructionShape) -> Node | None:
        """The address where it follows from the other accounts and the arguments."""
        if role.name in _PROGRAMS:
            return {"kind": "publicKeyValueNode", "publicKey": str(_PROGRAMS[role.name])}
        name = role.rule.lower() if role.rule != "ANY" else role.name
        seeds = self._interface.addresses.get(name)
        if seeds is None:
            return None
        values = [_seed_value(seed, role, shape) for seed in seeds if not seed.literal]
        if any(value is None for value in values):
            return None
        return {
            "kind": "pdaValueNode",
            "pda": {"kind": "pdaLinkNode", "name": camel(name)},
            "seeds": values,
        }

    def _argument(self, field: Field, shape: InstructionShape) -> Node:
        node = _argument_node(field.name, self._type(field), field.docs)
        if field.name in FILLER:
            return node | _zeros(self._type(field))
        account = self._bump_of(field, shape)
        if account:
            node["defaultValue"] = {"kind": "accountBumpValueNode", "name": camel(account)}
        return node

    def _bump_of(self, field: Field, shape: InstructionShape) -> str | None:
        """The account whose bump an argument is: named after it, or after the end of its name, or the only one."""
        derived = [
            role.name
            for role in shape.roles
            if role.rule == "ANY" and (self._default(role, shape) or {}).get("pda")
        ]
        if field.name == "bump":
            return derived[0] if len(derived) == 1 else None
        if not field.name.endswith("_bump"):
            return None
        name = field.name.removesuffix("_bump")
        ends = [account for account in derived if account.endswith(f"_{name}")]
        return name if name in derived else (ends[0] if len(ends) == 1 else None)

    # -- types --

    def _struct(self, struct: Struct) -> Node:
        return {"kind": "structTypeNode", "fields": [self._field(f) for f in struct.fields]}

    def _field(self, field: Field) -> Node:
        node: Node = {"kind": "structFieldTypeNode", "name": camel(field.name)}
        if field.docs:
            node["docs"] = [field.docs]
        node["type"] = self._type(field)
        return node | _zeros(node["type"]) if field.name in FILLER else node

    def _type(self, field: Field) -> Node:
        if field.name in FILLER and field.count is not None:
            size = NUMBERS[field.type] * field.count
            return {"kind": "fixedSizeTypeNode", "size": size, "type": {"kind": "bytesTypeNode"}}
        item = self._single(field.type)
        if field.count is None:
            return item
        count: Node = {"kind": "remainderCountNode"}
        if field.count:
            count = {"kind": "fixedCountNode", "value": field.count}
        return {"kind": "arrayTypeNode", "item": item, "count": count}

    def _single(self, name: str) -> Node:
        if name in NUMBERS:
            return _number(name)
        if name == "address":
            return {"kind": "publicKeyTypeNode"}
        if name == "wide":
            return _number("u128")
        if name in self._inline:
            return self._struct(self._interface.structs[name])
        return {"kind": "definedTypeLinkNode", "name": camel(name)}

    def _records(self, tail: Tail) -> Node:
        """As many as the bytes hold, which is as many as the field says that counts them."""
        is_bitmap = tail.type == "bitmap"
        return {
            "kind": "structFieldTypeNode",
            "name": "bitmap" if is_bitmap else "records",
            "docs": [f"one for each of {camel(tail.count)}"] + ([tail.docs] if tail.docs else []),
            "type": {
                "kind": "arrayTypeNode",
                "item": self._single("u64" if is_bitmap else tail.type),
                "count": {"kind": "remainderCountNode"},
            },
        }


def _number(kind: str) -> Node:
    return {"kind": "numberTypeNode", "format": kind, "endian": "le"}


def _argument_node(name: str, kind: Node, docs: str) -> Node:
    node: Node = {"kind": "instructionArgumentNode", "name": camel(name)}
    if docs:
        node["docs"] = [docs]
    return node | {"type": kind}


def _constant(number: int) -> Node:
    return {
        "defaultValue": {"kind": "numberValueNode", "number": number},
        "defaultValueStrategy": "omitted",
    }


def _zeros(kind: Node) -> Node:
    if kind["kind"] == "numberTypeNode":
        return _constant(0)
    return {
        "defaultValue": {
            "kind": "bytesValueNode",
            "data": bytes(kind["size"]).hex(),
            "encoding": "base16",
        },
        "defaultValueStrategy": "omitted",
    }


def _discriminator(name: str, offset: int) -> Node:
    return {"kind": "fieldDiscriminatorNode", "name": name, "offset": offset}


def _enum(name: str, values: Any) -> Node:  # noqa: ANN401 - a mapping of names to numbers
    prefix = name.split("_", maxsplit=1)[0].upper() + "_"
    return {
        "kind": "definedTypeNode",
        "name": camel(name),
        "docs": [],
        "type": {
            "kind": "enumTypeNode",
            "variants": [
                {
                    "kind": "enumEmptyVariantTypeNode",
                    "name": camel(value.removeprefix(prefix)),
                    "discriminator": number,
                }
                for value, number in values.items()
            ],
            "size": _number("u8"),
        },
    }


def _pda(name: str, seeds: tuple[Seed, ...]) -> Node:
    return {"kind": "pdaNode", "name": camel(name), "seeds": [_seed(seed) for seed in seeds]}


def _seed(seed: Seed) -> Node:
    if seed.literal:
        return {
            "kind": "constantPdaSeedNode",
            "type": {"kind": "stringTypeNode", "encoding": "utf8"},
            "value": {"kind": "stringValueNode", "string": seed.literal},
        }
    is_address = seed.type == "address"
    return {
        "kind": "variablePdaSeedNode",
        "name": camel(seed.name),
        "type": {"kind": "publicKeyTypeNode"} if is_address else _number(seed.type),
    }


def _seed_value(seed: Seed, role: Role, shape: InstructionShape) -> Node | None:
    if seed.type == "address" and any(
        seed.name == other.name for other in shape.roles if other is not role
    ):
        value = {"kind": "accountValueNode", "name": camel(seed.name)}
    elif any(seed.name == field.name and seed.type == field.type for field in shape.data.fields):
        value = {"kind": "argumentValueNode", "name": camel(seed.name)}
    else:
        return None
    return {"kind": "pdaSeedValueNode", "name": camel(seed.name), "value": value}
