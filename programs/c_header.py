"""Read the C that the program's headers are written in: structs, enums, constants and lists of X-macros.

Only what those headers use is understood, and anything else is an error with its file and line: a declaration that is
passed over in silence would be missing from everything that is generated from here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from programs.c_tokens import Cursor, Token, tokenize

NUMBERS: Final = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
"""Bytes of the integer types; every one is unsigned and aligned to its size."""

FILLER: Final = ("padding", "more_padding", "still_more_padding", "reserved")
"""Names of members that hold nothing."""

_LIST: Final = re.compile(r"#define\s+(\w+)\(([A-Z])\)(.*)", re.DOTALL)
_CONSTANT: Final = re.compile(r"#define\s+(\w+)\s+(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\s*(?:/\*.*\*/)?")
_LARGEST_ALIGNMENT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One member of a struct."""

    name: str
    type: str
    """`u8` to `u64`, or the name of a struct."""
    count: int | None
    """Elements of an array; None: not an array; 0: as many as the data holds (a flexible array)."""
    offset: int
    docs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Struct:
    """A struct without implicit padding: every byte belongs to a field."""

    name: str
    fields: tuple[Field, ...]
    bytes: int
    """Without what follows."""
    docs: str
    rest: str
    """What follows the fields, in words; empty: nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of an X-macro list: X(argument, argument) and the comment after it."""

    arguments: tuple[str, ...]
    docs: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroList:
    """`#define NAME(X)`: the comment before the first entry, and the entries."""

    docs: str
    entries: tuple[Entry, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """What headers declare. Later headers use the names of earlier ones."""

    structs: dict[str, Struct] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    lists: dict[str, MacroList] = field(default_factory=dict)


def parse_headers(texts: Mapping[str, str]) -> Declarations:
    """Parse headers in the order given, which is the order in which they include each other.

    Args:
        texts: file name to content.

    Raises:
        HeaderError: with the file and line of what is not understood.
    """
    found = Declarations()
    for name, text in texts.items():
        _Header(Cursor(name, tokenize(text)), found).parse()
    return found


def _words(comment: str) -> str:
    """The text of a comment on one line."""
    lines = (line.strip().lstrip("*").strip() for line in comment[2:-2].splitlines())
    return " ".join(line for line in lines if line)


def _told(declared: list[Field], words: str) -> list[Field]:
    """The members of one declaration with its comment; one that speaks of several says of which."""
    meant = [field.name for field in declared if field.name not in FILLER]
    if words and len(meant) > 1:
        words = f"{', '.join(meant)}: {words}"
    return [
        replace(field, docs="" if field.name in FILLER and len(declared) > 1 else words)
        for field in declared
    ]


def _number(text: str) -> int:
    return int(text.rstrip("uUlL"), 0)


class _Header:
    """One header being read, and what has been declared so far."""

    def __init__(self, cursor: Cursor, found: Declarations) -> None:
        self._at = cursor
        """Where it stands."""
        self._found = found
        self._comment = ""
        """The comment right before the declaration that is being read."""

    def parse(self) -> None:
        while self._at.peek().kind != "end":
            token = self._at.next("a declaration")
            if token.kind == "comment":
                self._comment = _words(token.text)
                continue
            if token.kind == "directive":
                self._directive(token)
            else:
                self._declaration(token)
            self._comment = ""

    def _declaration(self, token: Token) -> None:
        match token.text:
            case "struct":
                self._struct()
            case "enum":
                self._enum()
            case "typedef":
                while self._at.next("';'").text != ";":
                    pass
            case "static":
                self._skip_body()
            case "_Static_assert":
                self._size_assertion()
            case name if name in self._found.lists:
                self._expansion()
            case name:
                raise self._at.error("a struct, an enum or a macro", token.line, name)

    def _directive(self, token: Token) -> None:
        text = token.text.replace("\\\n", " \n")
        if constant := _CONSTANT.fullmatch(text):
            self._found.constants[constant[1]] = _number(constant[2])
        elif macro := _LIST.fullmatch(text):
            first_line = token.line + text[: macro.start(3)].count("\n")
            parsed = self._list(macro[2], tokenize(macro[3], first_line), token.line)
            if parsed is not None:
                self._found.lists[macro[1]] = parsed
        elif not re.match(r"#(ifndef|define|include|undef|endif)\b", text):
            raise self._at.error("#define, #undef, #include or a guard", token.line, text)

    def _list(self, letter: str, tokens: list[Token], line: int) -> MacroList | None:
        """The entries of a list; None when the macro is no list."""
        docs, entries = "", list[Entry]()
        inner = _Header(Cursor(self._at.name, tokens), self._found)
        while inner._at.peek().kind != "end":
            token = inner._at.next("an entry")
            if token.kind == "comment":
                if entries:
                    entries[-1] = Entry(
                        arguments=entries[-1].arguments,
                        docs=_words(token.text),
                        line=entries[-1].line,
                    )
                else:
                    docs = _words(token.text)
                continue
            if token.text != letter:
                if entries:
                    raise self._at.error(f"{letter}(...)", token.line, token.text)
                return None
            entries.append(Entry(arguments=inner._arguments(), docs="", line=token.line))
        return MacroList(docs=docs, entries=tuple(entries), line=line)

    def _arguments(self) -> tuple[str, ...]:
        self._at.take("(")
        arguments, words = list[str](), list[str]()
        while (token := self._at.next("')'")).text != ")":
            if token.kind == "mark" and token.text == ",":
                arguments.append(" ".join(words))
                words = []
            else:
                words.append(token.text)
        return (*arguments, " ".join(words))

    def _expansion(self) -> None:
        self._at.take("(")
        self._at.word("a macro")
        self._at.take(")")

    def _skip_body(self) -> None:
        """Pass over a function or a table: it declares no layout."""
        depth = 0
        while True:
            text = self._at.next("'}' or ';'").text
            depth += (text == "{") - (text == "}")
            if depth == 0 and text in ("}", ";"):
                break
        self._at.has(";")

    def _size_assertion(self) -> None:
        line = self._at.take("(").line
        for text in ("sizeof", "(", "struct"):
            self._at.take(text)
        struct = self._known(self._at.word("the name of a struct"), line)
        for text in (")", "=", "="):
            self._at.take(text)
        said = self._at.next("a size").text
        self._at.take(",")
        self._at.next("a message")
        self._at.take(")")
        self._at.take(";")
        if not said.isdigit() or int(said) != struct.bytes:
            raise self._at.error(f"{struct.bytes} bytes for struct {struct.name}", line, said)

    def _known(self, name: str, line: int) -> Struct:
        if name not in self._found.structs:
            raise self._at.error("a struct declared above", line, name)
        return self._found.structs[name]

    def _enum(self) -> None:
        name = self._at.word("the name of an enum")
        self._at.take("{")
        values, following = dict[str, int](), 0
        while not self._at.has("}"):
            token = self._at.next("a value's name")
            if token.kind in ("comment", "directive"):
                continue
            if token.text in self._found.lists:
                self._expansion()
                continue
            if token.kind != "word":
                raise self._at.error("a value's name", token.line, token.text)
            if self._at.has("="):
                following = self._value()
            values[token.text] = following
            following += 1
            if (
                not self._at.has(",")
                and self._at.peek().text != "}"
                and self._at.peek().kind != "comment"
            ):
                raise self._at.error("',' or '}'", self._at.peek().line, self._at.peek().text)
        self._at.take(";")
        if values:
            self._found.enums[name] = values
            self._found.constants.update(values)

    def _value(self) -> int:
        token = self._at.next("a number")
        if token.kind == "number":
            return _number(token.text)
        if token.text not in self._found.constants:
            raise self._at.error("a number, or a name declared above", token.line, token.text)
        return self._found.constants[token.text]

    def _struct(self) -> None:
        docs = [self._comment] if self._comment else []
        name = self._at.word("the name of a struct")
        self._at.take("{")
        fields, size, rest, waiting = list[Field](), 0, "", ""
        if self._at.peek().kind == "comment":
            docs.append(_words(self._at.next("a comment").text))
        while not self._at.has("}"):
            token = self._at.peek()
            if token.kind == "comment":
                self._at.next("a token")
                text = _words(token.text)
                if text.startswith("then"):
                    rest = text
                else:
                    waiting = text
                continue
            declared, size = self._members(size)
            trailing = self._at.peek()
            if trailing.kind == "comment" and trailing.line == self._at.line:
                self._at.next("a token")
                waiting = _words(trailing.text)
            fields += _told(declared, waiting)
            waiting = ""
            if any(f.count == 0 for f in fields[:-1]):
                raise self._at.error("a flexible array last", token.line, fields[-1].name)
        self._at.take(";")
        alignment = max((self._alignment(f.type) for f in fields), default=1)
        if size % alignment:
            end = self._at.line
            raise self._at.error(
                f"a size divisible by {alignment}: name the padding", end, str(size)
            )
        self._found.structs[name] = Struct(
            name=name, fields=tuple(fields), bytes=size, docs=" ".join(docs), rest=rest
        )

    def _members(self, size: int) -> tuple[list[Field], int]:
        """Members of one declaration, and the bytes up to its end."""
        line = self._at.peek().line
        kind = self._at.word("a type")
        if kind == "struct":
            kind = self._at.word("the name of a struct")
            self._known(kind, line)
        elif kind not in NUMBERS:
            raise self._at.error(f"one of {', '.join(NUMBERS)}, or a struct", line, kind)
        members = []
        while True:
            name = self._at.word("a member's name")
            count = self._count() if self._at.has("[") else None
            if size % self._alignment(kind):
                raise self._at.error("padding with a name", line, f"{name} at byte {size}")
            members.append(Field(name=name, type=kind, count=count, offset=size, docs=""))
            size += self._bytes(kind) * (1 if count is None else count)
            if not self._at.has(","):
                break
        self._at.take(";")
        return members, size

    def _count(self) -> int:
        if self._at.has("]"):
            return 0
        count = self._value()
        self._at.take("]")
        return count

    def _bytes(self, kind: str) -> int:
        return NUMBERS[kind] if kind in NUMBERS else self._found.structs[kind].bytes

    def _alignment(self, kind: str) -> int:
        if kind in NUMBERS:
            return NUMBERS[kind]
        members = self._found.structs[kind].fields
        return min(_LARGEST_ALIGNMENT, max(self._alignment(member.type) for member in members))
