"""What the program accepts, stores and says, read from its headers: the one source of the IDL and of `keeper decode`.

`instructions.h`, `layout.h`, `events.h` and `errors.h` are what the program is compiled from, so nothing here can differ
from it. Comments count where they say what C cannot: the seeds of an address, and what follows a struct.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from programs.c_header import (
    NUMBERS,
    Declarations,
    Entry,
    MacroList,
    Struct,
    parse_headers,
)
from programs.c_tokens import HeaderError

HEADERS: Final = ("layout.h", "instructions.h", "events.h", "errors.h")
"""In the order in which they include each other."""

_RULES_BESIDE_KINDS: Final = ("ANY", "MARKET_TOKENS", "VAULT_TOKENS", "QUOTE_MINT", "TOKEN_PROGRAM")
_FLAGS: Final = ("SIGNS", "WRITES", "OWNED")
_PDA: Final = re.compile(r"PDA \[(.*?)\]")
_SEED: Final = re.compile(r'"(\w+)"|([a-z_ ]+?)(?: u\d+)?')
_BITMAP: Final = re.compile(r"followed by a bitmap of `(\w+)` bits in whole u64 words")
_RECORDS: Final = re.compile(r"followed by `(\w+)` (?:struct (\w+)|(u\d+) (\w+))(?:: (.*))?")
_ONE_MORE: Final = re.compile(r"then, (.*): (\w+), writable")
_MANY_MORE: Final = re.compile(r"then, writable: (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One account of an instruction."""

    name: str
    rule: str
    """What it must be: an account kind, a rule of `enum rule`, or ANY."""
    is_signer: bool
    is_writable: bool
    may_be_written: bool
    """Writable in the case that `docs` names, else read."""
    is_owned: bool
    """Belongs to the instruction's first account."""
    docs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionShape:
    """One instruction: its tag, its accounts in order, and its data."""

    tag: int
    name: str
    roles: tuple[Role, ...]
    extra: Role | None
    """One more account after the others, in the case that its `docs` name."""
    more: str
    """What any number of writable accounts after the others are, in words; empty: none may follow."""
    data: Struct

    def role(self, name: str) -> Role:
        """Return an account by its name."""
        return next(role for role in self.roles if role.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What follows a struct: as many records as one of its fields says."""

    count: str
    type: str
    """A struct, an integer type, or `bitmap`: u64 words with a bit for each of the count."""
    name: str
    """Of the integer; of a struct, its own."""
    docs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One seed of a program-derived address."""

    literal: str
    """Empty where the seed is a value."""
    name: str
    """Of the value: a field of the account there, or a neighbouring account's address."""
    type: str
    """An integer type, or `address`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountShape:
    """One kind of account."""

    kind: int
    name: str
    struct: Struct
    tail: Tail | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShape:
    """One kind of event."""

    kind: int
    name: str
    struct: Struct
    """With the head that every event has as its first field."""
    tail: Tail | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One error code."""

    code: int
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """The whole of it."""

    layout_version: int
    instructions: tuple[InstructionShape, ...]
    accounts: tuple[AccountShape, ...]
    events: tuple[EventShape, ...]
    refusals: tuple[Refusal, ...]
    structs: Mapping[str, Struct]
    enums: Mapping[str, Mapping[str, int]]
    addresses: Mapping[str, tuple[Seed, ...]]
    """Seeds by the name of what is derived from them: an account kind, a token account, the sink's owner."""

    def instruction(self, name: str) -> InstructionShape:
        """Return an instruction by its name."""
        return next(shape for shape in self.instructions if shape.name == name)

    def account(self, name: str) -> AccountShape:
        """Return an account kind by its name."""
        return next(shape for shape in self.accounts if shape.name == name)

    def event(self, name: str) -> EventShape:
        """Return an event kind by its name."""
        return next(shape for shape in self.events if shape.name == name)


def read_interface(texts: Mapping[str, str]) -> Interface:
    """Read the interface from the texts of the HEADERS.

    Raises:
        HeaderError: something is not understood, with its file and line; nothing is passed over.
    """
    found = parse_headers({name: texts[name] for name in HEADERS})
    accounts = tuple(_accounts(found))
    return Interface(
        layout_version=found.constants["LAYOUT_VERSION"],
        instructions=tuple(_instructions(found)),
        accounts=accounts,
        events=tuple(_events(found)),
        refusals=tuple(_refusals(found)),
        structs=found.structs,
        enums=found.enums,
        addresses=_addresses(found, accounts),
    )


# -- instructions --


def _instructions(found: Declarations) -> list[InstructionShape]:
    shapes = []
    for entry in found.lists["INSTRUCTIONS"].entries:
        tag, upper, name = entry.arguments
        listed = found.lists.get(f"{upper}_ACCOUNTS")
        if listed is None or upper != name.upper():
            raise _error(entry, f"{upper}_ACCOUNTS and a name {upper.lower()}", name)
        many, one = _MANY_MORE.fullmatch(listed.docs), _ONE_MORE.fullmatch(listed.docs)
        if listed.docs and not many and not one:
            raise _error(
                listed, "`then, writable: ...` or `then, CASE: NAME, writable`", listed.docs
            )
        shapes.append(
            InstructionShape(
                tag=int(tag),
                name=name,
                roles=tuple(_role(role, found) for role in listed.entries),
                extra=_extra(one[2], one[1], found, entry) if one and not many else None,
                more=many[1] if many else "",
                data=_data(name, found, entry),
            )
        )
    return shapes


def _data(name: str, found: Declarations, entry: Entry) -> Struct:
    """Its own struct, or the tag alone when the comment of `struct tag_data` names the instruction."""
    if name in found.structs["tag_data"].docs.replace(",", " ").split():
        return found.structs["tag_data"]
    if f"{name}_data" not in found.structs:
        raise _error(entry, f"struct {name}_data, or its name at struct tag_data", name)
    return found.structs[f"{name}_data"]


def _role(entry: Entry, found: Declarations) -> Role:
    name, rule = entry.arguments
    words = rule.split(" | ")
    kinds = [kind.removeprefix("KIND_") for kind in found.enums["account_kind"]]
    if words[0] not in (*kinds, *_RULES_BESIDE_KINDS) or set(words[1:]) - set(_FLAGS):
        raise _error(entry, f"a rule of enum rule, with {', '.join(_FLAGS)}", rule)
    return Role(
        name=name,
        rule=words[0],
        is_signer="SIGNS" in words,
        is_writable="WRITES" in words,
        may_be_written=entry.docs.startswith("written"),
        is_owned="OWNED" in words,
        docs=entry.docs,
    )


def _extra(name: str, case: str, found: Declarations, entry: Entry) -> Role:
    written = Entry(arguments=(name, f"{name.upper()} | WRITES"), docs=case, line=entry.line)
    return _role(written, found)


# -- accounts and their addresses --


def _accounts(found: Declarations) -> list[AccountShape]:
    return [
        AccountShape(
            kind=number,
            name=(name := kind.removeprefix("KIND_").lower()),
            struct=found.structs[name],
            tail=_tail(found.structs[name], found),
        )
        for kind, number in found.enums["account_kind"].items()
    ]


def _tail(struct: Struct, found: Declarations) -> Tail | None:
    if "followed by" not in struct.docs:
        return None
    if bits := _BITMAP.search(struct.docs):
        tail = Tail(count=bits[1], type="bitmap", name="bitmap", docs="")
    elif records := _RECORDS.search(struct.docs):
        count, record, integer, name, docs = records.groups()
        tail = Tail(count=count, type=record or integer, name=name or record, docs=docs or "")
    else:
        raise HeaderError(f"struct {struct.name}: found {struct.docs!r}, expected `count` and what")
    if tail.count not in {field.name for field in struct.fields}:
        raise HeaderError(f"struct {struct.name}: found `{tail.count}`, expected one of its fields")
    if tail.type not in {"bitmap", *NUMBERS, *found.structs}:
        raise HeaderError(f"struct {struct.name}: found struct {tail.type}, expected one declared")
    return tail


def _addresses(
    found: Declarations, accounts: tuple[AccountShape, ...]
) -> dict[str, tuple[Seed, ...]]:
    derived = {}
    for shape in accounts:
        if pda := _PDA.search(shape.struct.docs):
            derived[shape.name] = _seeds(pda[1], shape.struct)
        for field in shape.struct.fields:
            if pda := _PDA.search(field.docs):
                derived[f"{shape.name}_{field.name}"] = _seeds(pda[1], shape.struct)
    for listed in found.lists.values():
        for entry in listed.entries:
            if pda := _PDA.search(entry.docs):
                derived[entry.arguments[0]] = _seeds(pda[1], None)
    return derived


def _seeds(text: str, struct: Struct | None) -> tuple[Seed, ...]:
    seeds = []
    for part in text.split(", "):
        match = _SEED.fullmatch(part)
        if match is None:
            raise HeaderError(f'found the seed {part!r}, expected "literal" or the name of a field')
        if match[1]:
            seeds.append(Seed(literal=match[1], name="", type=""))
            continue
        name = match[2].replace(" ", "_")
        types = {field.name: field.type for field in struct.fields} if struct else {}
        seeds.append(Seed(literal="", name=name, type=types.get(name, "address")))
    return tuple(seeds)


# -- events and errors --


def _events(found: Declarations) -> list[EventShape]:
    shapes = []
    for kind, number in found.enums["event_kind"].items():
        name = kind.removeprefix("EVENT_").lower()
        struct = _event_struct(name, found)
        if struct.fields[0].type != "event":
            raise HeaderError(f"struct {struct.name}: expected the head of an event first")
        shapes.append(EventShape(kind=number, name=name, struct=struct, tail=_tail(struct, found)))
    return shapes


def _event_struct(name: str, found: Declarations) -> Struct:
    """Named after its kind, or after its kind's first words."""
    words = name.split("_")
    for count in range(len(words), 0, -1):
        struct = found.structs.get("event_" + "_".join(words[:count]))
        if struct:
            return struct
    raise HeaderError(f"events.h: found EVENT_{name.upper()}, expected struct event_{name}")


def _refusals(found: Declarations) -> list[Refusal]:
    return [
        Refusal(code=int(code), name=name, text=text.strip('"'))
        for code, name, text in (entry.arguments for entry in found.lists["PROGRAM_ERRORS"].entries)
    ]


def _error(where: Entry | MacroList, expected: str, found: str) -> HeaderError:
    return HeaderError(f"instructions.h:{where.line}: found {found!r}, expected {expected}")
