"""A client that knows nothing but an IDL: it encodes instructions and decodes accounts and events by description."""

from collections.abc import Mapping, Sequence
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16}


class Client:
    """Over one parsed IDL."""

    def __init__(self, idl: Mapping[str, Any]) -> None:
        self.program = idl["program"]
        self.id = Pubkey.from_string(self.program["publicKey"])

    def named(self, group: str, name: str) -> Any:
        (node,) = [node for node in self.program[group] if node["name"] == name]
        return node

    # -- types --

    def encode(self, node: Any, value: Any) -> bytes:
        match node["kind"]:
            case "numberTypeNode":
                assert node["endian"] == "le"
                return value.to_bytes(SIZES[node["format"]], "little")
            case "publicKeyTypeNode":
                return bytes(value)
            case "stringTypeNode":
                return value.encode()
            case "bytesTypeNode":
                return value
            case "fixedSizeTypeNode":
                assert len(value) == node["size"]
                return self.encode(node["type"], value)
            case "arrayTypeNode":
                if node["count"]["kind"] == "fixedCountNode":
                    assert len(value) == node["count"]["value"]
                return b"".join(self.encode(node["item"], item) for item in value)
            case "definedTypeLinkNode":
                return self.encode(self.named("definedTypes", node["name"])["type"], value)
            case "structTypeNode":
                return b"".join(
                    self.encode(field["type"], self.value_of(field, value))
                    for field in node["fields"]
                )
        raise AssertionError(node)

    def decode(self, node: Any, data: bytes) -> tuple[Any, bytes]:
        """The value, and the bytes after it."""
        match node["kind"]:
            case "numberTypeNode":
                size = SIZES[node["format"]]
                assert len(data) >= size
                return int.from_bytes(data[:size], "little"), data[size:]
            case "publicKeyTypeNode":
                return Pubkey.from_bytes(data[:32]), data[32:]
            case "bytesTypeNode":
                return data, b""
            case "fixedSizeTypeNode":
                return data[: node["size"]], data[node["size"] :]
            case "arrayTypeNode":
                items = []
                while len(items) < node["count"].get("value", len(data) + len(items)):
                    item, data = self.decode(node["item"], data)
                    items.append(item)
                return items, data
            case "definedTypeLinkNode":
                return self.decode(self.named("definedTypes", node["name"])["type"], data)
            case "structTypeNode":
                fields = {}
                for field in node["fields"]:
                    fields[field["name"]], data = self.decode(field["type"], data)
                return fields, data
        raise AssertionError(node)

    def value_of(self, field: Any, given: Mapping[str, Any]) -> Any:
        if field.get("defaultValueStrategy") != "omitted":
            return given[field["name"]]
        default = field["defaultValue"]
        return default["number"] if "number" in default else bytes.fromhex(default["data"])

    def decoded(self, group: str, data: bytes) -> tuple[str, Any]:
        """The name and the fields of the account or event whose discriminator the bytes have."""
        for node in self.program[group]:
            (discriminator,) = node["discriminators"]
            (field,) = [f for f in node["data"]["fields"] if f["name"] == discriminator["name"]]
            if data[discriminator["offset"]] == field["defaultValue"]["number"]:
                fields, rest = self.decode(node["data"], data)
                assert rest == b""
                return node["name"], fields
        raise AssertionError(data[:8])

    # -- instructions --

    def instruction(
        self,
        name: str,
        accounts: Mapping[str, Pubkey],
        arguments: Mapping[str, Any],
        remaining: Sequence[Pubkey] = (),
        *,
        with_optional: bool = True,
    ) -> Instruction:
        """Everything that is not given follows from the IDL's default values."""
        node = self.named("instructions", name)
        given = _Given(self, node, accounts, arguments)
        metas = [
            AccountMeta(given.account(a["name"])[0], a["isSigner"], a["isWritable"])
            for a in node["accounts"]
            if not a.get("isOptional") or with_optional
        ]
        for more in node.get("remainingAccounts", ()):
            metas += [
                AccountMeta(address, is_signer=False, is_writable=more["isWritable"])
                for address in remaining
            ]
        data = b""
        for argument in node["arguments"]:
            default = argument.get("defaultValue", {})
            if default.get("kind") == "accountBumpValueNode":
                data += bytes([given.account(default["name"])[1]])
            else:
                data += self.encode(argument["type"], self.value_of(argument, arguments))
        return Instruction(self.id, data, metas)


class _Given:
    """What the caller gave, and what follows from it."""

    def __init__(
        self,
        client: Client,
        node: Any,
        accounts: Mapping[str, Pubkey],
        arguments: Mapping[str, Any],
    ) -> None:
        self.client = client
        self.nodes = {account["name"]: account for account in node["accounts"]}
        self.accounts = accounts
        self.arguments = arguments

    def account(self, name: str) -> tuple[Pubkey, int]:
        """Its address, and its bump where it is derived."""
        default = self.nodes[name].get("defaultValue")
        if default is None:
            return self.accounts[name], 0
        if default["kind"] == "publicKeyValueNode":
            return Pubkey.from_string(default["publicKey"]), 0
        pda = self.client.named("pdas", default["pda"]["name"])
        values = {seed["name"]: self.seed(seed["value"]) for seed in default["seeds"]}
        seeds = [
            self.client.encode(
                seed["type"],
                seed["value"]["string"] if "value" in seed else values[seed["name"]],
            )
            for seed in pda["seeds"]
        ]
        return Pubkey.find_program_address(seeds, self.client.id)

    def seed(self, node: Any) -> Any:
        if node["kind"] == "argumentValueNode":
            return self.arguments[node["name"]]
        return self.account(node["name"])[0]
