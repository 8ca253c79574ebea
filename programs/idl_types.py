"""What the program accepts, stores and says, as nodes of a Codama IDL."""

from typing import Any, Final

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

Node = dict[str, Any]

_OWN_NAMES: Final = ("kind", "version")
"""Of an event's head: `eventKind` and `eventVersion`, because a body may have a kind of its own."""
_PROGRAMS: Final = {"token_program": TOKEN_PROGRAM, "system_program": SYSTEM_PROGRAM}


def camel(name: str) -> str:
    """Return a name of the headers as the IDL has it: `price_e6` is `priceE6`."""
    first, *others = name.lower().split("_")
    return first + "".join(word.capitalize() for word in others)


class Types:
    """Nodes by the structs of one interface."""

    def __init__(self, interface: Interface, inline: set[str]) -> None:
        """Keep what the nodes refer to."""
        self._interface = interface
        self._inline = inline
        """Structs that are accounts too, and keep that name in generated code to themselves."""

    # -- what the program stores --

    def account(self, shape: AccountShape) -> Node:
        """Return the node of an account kind."""
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
        """Return the node of a type that others refer to."""
        return {
            "kind": "definedTypeNode",
            "name": camel(struct.name),
            "docs": [struct.docs] if struct.docs else [],
            "type": self._struct(struct),
        }

    # -- what it says --

    def event(self, shape: EventShape) -> Node:
        """Return the node of an event kind, with the fields of its head first, so that its kind stands at a fixed offset of it."""
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
        """Return the node of an instruction."""
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
            return number(name)
        if name == "address":
            return {"kind": "publicKeyTypeNode"}
        if name == "wide":
            return number("u128")
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


def number(kind: str) -> Node:
    """Return the type of an integer: u8 to u128."""
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
