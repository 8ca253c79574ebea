"""What no log line may show: keys of accounts, and what lets somebody else use our endpoints.

Core. Nothing is meant to reach a log that has to be hidden there. This is for the day when an error's text, a library's
line or a new event brings one along: every line passes here last, whoever wrote it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from solders.keypair import Keypair

HIDDEN: Final = "[redacted]"
SECRET_CHARS_MIN: Final = 8
"""Shorter parts of a path are names, not keys."""
_DEPTH_MAX: Final = 8
_BASE58: Final = "1-9A-HJ-NP-Za-km-z"
_KEYPAIR_SHAPES: Final = re.compile(
    rf"(?P<base58>(?<![{_BASE58}])[{_BASE58}]{{64,88}}(?![{_BASE58}]))"
    r"|(?P<hex>(?<![0-9a-fA-F])[0-9a-fA-F]{128}(?![0-9a-fA-F]))"
    r"|(?P<list>\[\s*\d{1,3}(?:\s*,\s*\d{1,3}){63}\s*\])"
)
"""How 64 bytes are written; a signature has them too."""
_URL: Final = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)(?P<user>[^\s/?#\"'<>]*@)?(?P<host>[^\s/?#\"'<>@]+)(?P<rest>[^\s\"'<>]*)",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(
    r"(?P<name>[?&;][\w.-]*(?:key|token|secret|pass|auth|sig)[\w.-]*=)[^&;#\s\"']+", re.IGNORECASE
)
_AUTHORIZATION: Final = re.compile(
    r"(?P<kind>\bauthorization\W+\w+\s+|\b(?:bearer|basic)\s+(?=[\w.~+/=-]{16}))[\w.~+/=-]+",
    re.IGNORECASE | re.ASCII,
)
"""Without the header's name, what follows must be longer than words are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """Hides what it was told of, and what is secret whoever tells it: keypairs, user parts of URLs, tokens in headers."""

    words: frozenset[str] = frozenset()
    """Secrets themselves: tokens, parts of URLs."""
    hosts: frozenset[str] = frozenset()
    """Whose URLs carry secrets in their path or query, with ports."""
    _pattern: re.Pattern[str] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Put the words into one pattern, the longest first: one may begin another."""
        ordered = sorted(filter(None, self.words), key=len, reverse=True)
        if ordered:
            object.__setattr__(self, "_pattern", re.compile("|".join(map(re.escape, ordered))))

    def text(self, text: str) -> str:
        """Return a text without secrets; one without any comes back as it is."""
        if "://" in text:
            text = _URL.sub(self._shown_url, text)
        text = _AUTHORIZATION.sub(rf"\g<kind>{HIDDEN}", text)
        text = _KEYPAIR_SHAPES.sub(_shown_bytes, text)
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def value(self, found: object, depth: int = 0) -> object:
        """Return any value of a log line without secrets, as what JSON can say.

        Args:
            found: the value.
            depth: how deep within others; too deep is hidden whole.
        """
        match found:
            case None | bool() | int() | float():
                return found
            case str():
                return self.text(found)
            case Keypair():
                return f"[keypair of {found.pubkey()}]"
            case bytes() | bytearray():
                return HIDDEN if _is_keypair(bytes(found)) else self.text(str(found))
            case _ if depth >= _DEPTH_MAX:
                return HIDDEN
            case Mapping():
                return {
                    self.text(str(key)): self.value(each, depth + 1) for key, each in found.items()
                }
            case list() | tuple() | set() | frozenset():
                if _is_list_of_bytes(found) and _is_keypair(bytes(found)):
                    return HIDDEN
                return [self.value(each, depth + 1) for each in found]
            case _:
                return self.text(str(found))

    def _shown_url(self, match: re.Match[str]) -> str:
        host, rest = match["host"], match["rest"]
        if host.lower() in self.hosts and rest.strip("/"):
            rest = "/…"
        else:
            rest = _PARAMETER.sub(rf"\g<name>{HIDDEN}", rest)
        return f"{match['scheme']}{HIDDEN + '@' if match['user'] else ''}{host}{rest}"


def redaction_for(urls: Iterable[str], tokens: Iterable[str] = ()) -> Redaction:
    """Return what hides the credentials of URLs, and tokens.

    Args:
        urls: as configured; providers put their keys in the path, the query and the user part.
        tokens: secrets that are no URL.

    Returns:
        It hides words of `SECRET_CHARS_MIN` characters and more: shorter ones would hide half of the log.
    """
    words, hosts = set(tokens), set()
    for url in urls:
        parts = urlsplit(url)
        if parts.path.strip("/") or parts.query:
            hosts.add(parts.netloc.rpartition("@")[2].lower())
        words |= credentials(url)
        words |= {form for word in parts.path.split("/") for form in (word, unquote(word))}
    return Redaction(
        words=frozenset(word for word in words if len(word) >= SECRET_CHARS_MIN),
        hosts=frozenset(hosts),
    )


def credentials(*urls: str) -> frozenset[str]:
    """Return what of URLs whose paths are public is secret: passwords and values of the query."""
    found = set()
    for parts in map(urlsplit, urls):
        for word in (parts.password or "", *(value for _name, value in parse_qsl(parts.query))):
            found |= {word, unquote(word)}
    return frozenset(found)


def _shown_bytes(match: re.Match[str]) -> str:
    text = match[0]
    try:
        if match["base58"]:
            Keypair.from_base58_string(text)
            return HIDDEN
        data = bytes.fromhex(text) if match["hex"] else bytes(map(int, text.strip("[]").split(",")))
    except ValueError:
        return text
    return HIDDEN if _is_keypair(data) else text


def _is_keypair(data: bytes) -> bool:
    """Tell whether the second half of 64 bytes is the public key of the first: of a signature it never is."""
    try:
        Keypair.from_bytes(data)
    except ValueError:
        return False
    return True


def _is_list_of_bytes(found: object) -> bool:
    return (
        isinstance(found, list | tuple)
        and len(found) == Keypair.LENGTH
        and all(type(each) is int and 0 <= each <= 255 for each in found)  # noqa: PLR2004 - a byte
    )
