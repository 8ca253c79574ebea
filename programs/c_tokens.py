"""The tokens of a C header, with their lines, and a cursor over them that says where it was disappointed."""

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<comment>/\*.*?\*/)"
    r"|(?P<directive>\#(?:/\*.*?\*/|\\\n|[^\n])*)"
    r"|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r'|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<mark>.)",
    re.DOTALL,
)


class HeaderError(ValueError):
    """A header holds something that is not understood: the file, the line, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: a comment, a directive with all its lines, a number, a word, a string or a mark."""

    kind: str
    text: str
    line: int


def tokenize(text: str, line: int = 1) -> list[Token]:
    """Cut a text into tokens; white space is none.

    Args:
        line: of the text's beginning.
    """
    tokens = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "space":
            tokens.append(Token(kind, match[0], line))
        line += match[0].count("\n")
    return tokens


class Cursor:
    """Where the reading of one header stands."""

    def __init__(self, name: str, tokens: list[Token]) -> None:
        self.name = name
        """Of the file."""
        self._tokens = tokens
        self._at = 0

    @property
    def line(self) -> int:
        """The line of the token that was taken last."""
        return self._tokens[self._at - 1].line

    def error(self, expected: str, line: int, found: str) -> HeaderError:
        """Say what was found where, and what was expected."""
        return HeaderError(f"{self.name}:{line}: found {found!r}, expected {expected}")

    def peek(self) -> Token:
        """Return the next token and stay; of the kind `end` after the last."""
        if self._at == len(self._tokens):
            return Token("end", "the end of the file", self._tokens[-1].line if self._at else 1)
        return self._tokens[self._at]

    def next(self, expected: str) -> Token:
        """Take the next token, whatever it is.

        Raises:
            HeaderError: the file ends; `expected` says what was wanted.
        """
        token = self.peek()
        if token.kind == "end":
            raise self.error(expected, token.line, token.text)
        self._at += 1
        return token

    def take(self, text: str) -> Token:
        """Take a token of this text.

        Raises:
            HeaderError: the next one has another.
        """
        token = self.next(repr(text))
        if token.text != text:
            raise self.error(repr(text), token.line, token.text)
        return token

    def word(self, expected: str) -> str:
        """Take a word.

        Raises:
            HeaderError: the next token is none.
        """
        token = self.next(expected)
        if token.kind != "word":
            raise self.error(expected, token.line, token.text)
        return token.text

    def has(self, text: str) -> bool:
        """Take the next token if it is of this text, and say whether."""
        if self.peek().text != text:
            return False
        self._at += 1
        return True
