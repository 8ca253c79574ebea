"""Replies that are no answer, as nodes, providers and proxies in front of them send them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Manner = Literal["whole", "cut", "dripping", "hanging"]

_HTML: Final = b"text/html"
_JSON: Final = b"application/json"
_SHUT: Final = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoiledReply:
    """One HTTP response, and how much of it arrives."""

    body: bytes = b""
    status: int = 200
    media_type: bytes = _JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "whole"


def spoil(spoilage: str, answer: bytes, identity: object, number: int) -> SpoiledReply:
    """Make a spoiled reply.

    Args:
        spoilage: One of the names in `faults.spoilage_bps`.
        answer: The right one, an object or an array of them; empty where it is not needed.
        identity: The request's id, as JSON has it.
        number: Picks among variants.
    """
    return _SPOILAGES[spoilage](answer, identity, number)


def _failure(error: object, identity: object) -> SpoiledReply:
    return SpoiledReply(body=_dumped({"jsonrpc": "2.0", "error": error, "id": identity}))


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _error(_answer: bytes, identity: object, _number: int) -> SpoiledReply:
    return _failure({"code": -32603, "message": "Internal error"}, identity)


def _error_data(_answer: bytes, identity: object, number: int) -> SpoiledReply:
    behind = 43 + number % 400
    return _failure(
        {
            "code": -32005,
            "message": f"Node is behind by {behind} slots",
            "data": {"numSlotsBehind": behind},
        },
        identity,
    )


def _unknown_code(_answer: bytes, identity: object, _number: int) -> SpoiledReply:
    message = "Too many requests for a specific RPC call"
    return _failure({"code": 429, "message": message}, identity)


def _error_text(_answer: bytes, identity: object, _number: int) -> SpoiledReply:
    return _failure("upstream connect error", identity)


def _html(_answer: bytes, _identity: object, _number: int) -> SpoiledReply:
    page = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
    return SpoiledReply(body=page, media_type=_HTML)


def _limited(_answer: bytes, identity: object, _number: int) -> SpoiledReply:
    error = {"code": 429, "message": "Too many requests from your IP"}
    return SpoiledReply(
        status=429,
        headers={"retry-after": "1"},
        body=_dumped({"jsonrpc": "2.0", "error": error, "id": identity}),
    )


def _unavailable(_answer: bytes, _identity: object, number: int) -> SpoiledReply:
    status = _SHUT[number % len(_SHUT)]
    page = f"<html><body><center><h1>{status}</h1></center><hr>nginx</body></html>"
    return SpoiledReply(status=status, body=page.encode(), media_type=_HTML)


def _truncated(answer: bytes, _identity: object, _number: int) -> SpoiledReply:
    return SpoiledReply(body=answer[: len(answer) // 2])


def _cut(answer: bytes, _identity: object, _number: int) -> SpoiledReply:
    return SpoiledReply(body=answer, manner="cut")


def _wrong_id(answer: bytes, _identity: object, number: int) -> SpoiledReply:
    parsed = json.loads(answer) if answer else None
    other = {"id": f"not-yours-{number}"}
    if isinstance(parsed, list):
        return SpoiledReply(body=_dumped([each | other for each in parsed]))
    return SpoiledReply(body=b"" if parsed is None else _dumped(parsed | other))


def _nonsense(_answer: bytes, _identity: object, number: int) -> SpoiledReply:
    return SpoiledReply(body=_dumped([None, {}, {"id": number}, "ok", [[]]]))


def _dripping(answer: bytes, _identity: object, _number: int) -> SpoiledReply:
    return SpoiledReply(body=answer, manner="dripping")


def _hanging(_answer: bytes, _identity: object, _number: int) -> SpoiledReply:
    return SpoiledReply(manner="hanging")


_SPOILAGES: Final[Mapping[str, Callable[[bytes, object, int], SpoiledReply]]] = {
    "error": _error,
    "error_data": _error_data,
    "unknown_code": _unknown_code,
    "error_text": _error_text,
    "html": _html,
    "limited": _limited,
    "unavailable": _unavailable,
    "truncated": _truncated,
    "cut": _cut,
    "wrong_id": _wrong_id,
    "nonsense": _nonsense,
    "dripping": _dripping,
    "hanging": _hanging,
}
SPOILAGES: Final = tuple(_SPOILAGES)
"""Every name."""
