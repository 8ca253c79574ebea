"""The interface as an IDL in Codama's format, which explorers and TypeScript clients read.

Source: https://github.com/codama-idl/codama, the node types of its version 1.
"""

import json
from typing import Any, Final

from solders.pubkey import Pubkey

from programs.idl_types import Node, Types, camel, number
from programs.interface import AccountShape, EventShape, Interface, Seed

CODAMA_VERSION: Final = "1.0.0"
SHOWN_ENUMS: Final = ("market_status", "price_class", "side", "chain_status", "step_kind")
"""What the numbers of a field of that meaning stand for; the fields themselves are numbers, of several widths."""

_BUILT_IN: Final = {"address", "wide", "event"}
"""Structs that are a type of the IDL's own, or whose fields become those of every event."""
_LISTS: Final = ("accounts", "instructions", "definedTypes", "pdas", "events", "errors")


def codama(interface: Interface, program: Pubkey, version: str) -> Node:
    """Return the IDL as the object to write as JSON.

    Args:
        program: the program's id on the cluster that the IDL is for.
        version: of this release, like 1.2.3.
    """
    inline = {shape.name for shape in interface.accounts}
    types = Types(interface, inline)
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


def _linked(interface: Interface) -> set[str]:
    """Structs that fields, arguments or records refer to."""
    data: list[AccountShape | EventShape] = [*interface.accounts, *interface.events]
    structs = [shape.struct for shape in data] + [shape.data for shape in interface.instructions]
    fields = {field.type for struct in structs for field in struct.fields}
    return {*fields, *(shape.tail.type for shape in data if shape.tail)} - _BUILT_IN


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
            "size": number("u8"),
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
        "type": {"kind": "publicKeyTypeNode"} if is_address else number(seed.type),
    }
