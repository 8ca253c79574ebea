"""Whether a request may be answered, judged by its head alone, before any server code sees it.

Core. Only looking is possible here: GET and HEAD, no body, one request a connection. Where no token is asked for, the name in
the Host header has to be this machine's own: a page of a stranger, whose name was made to point at 127.0.0.1 after it was
loaded, would otherwise read everything through its reader's browser.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Final

import h11

HEAD_BYTES_MAX: Final = 8 * 1024
"""Of a request line and all headers."""
TARGET_BYTES_MAX: Final = 1_024
HEADERS_MAX: Final = 64
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
"""As h11 reads it, which forgives a missing carriage return."""
_METHODS: Final = frozenset({b"GET", b"HEAD"})
_PROBES: Final = frozenset({b"/live", b"/ready"})
"""What a supervisor asks, who restarts what does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str
    """For counting: one of a few words."""
    words: str
    """For whoever asked: what was found, and what is expected."""
    headers: tuple[tuple[str, str], ...] = ()


SLOW: Final = Refusal(
    status=408, reason="slow", words="the request did not come within its time: send it at once"
)
LONG: Final = Refusal(
    status=431,
    reason="long_head",
    words=f"the request's head is longer than {HEAD_BYTES_MAX} bytes: send fewer headers",
)
CROWDED: Final = Refusal(
    status=503,
    reason="crowded",
    words="too many connections are open: close some, or ask again later",
    headers=(("retry-after", "5"),),
)
_MALFORMED: Final = Refusal(
    status=400, reason="malformed", words="this is no HTTP/1.1 request: send GET or HEAD"
)
_METHOD: Final = Refusal(
    status=405,
    reason="method",
    words="nothing can be changed through this port: GET and HEAD are answered",
    headers=(("allow", "GET, HEAD"),),
)
_BODY: Final = Refusal(
    status=413, reason="body", words="a request with a body is not answered: send none"
)
_TARGET: Final = Refusal(
    status=414, reason="long_target", words=f"the path is longer than {TARGET_BYTES_MAX} bytes"
)
_UPGRADE: Final = Refusal(
    status=400, reason="upgrade", words="HTTP/1.1 is spoken here and nothing else: do not upgrade"
)
_HOST: Final = Refusal(
    status=421,
    reason="host",
    words="this port answers to localhost, 127.0.0.1 and [::1] only: to be asked by another name, it needs monitor.token_file",
)
_TOKEN: Final = Refusal(
    status=401,
    reason="token",
    words="the token of monitor.token_file is needed: send it as `Authorization: Bearer …`, or as a browser's password",
    headers=(("www-authenticate", 'Basic realm="keeper", charset="UTF-8"'),),
)


def end_of(received: bytes | bytearray) -> int:
    """Return where a request's head ends, behind its empty line; 0 while that has not come."""
    found = _EMPTY_LINE.search(received)
    return 0 if found is None else found.end()


def judge(head: bytes, token: str | None) -> Refusal | None:
    """Say why a request is refused; None when it is to be answered.

    Args:
        head: everything received up to and with the empty line.
        token: what whoever asks has to know; None on loopback.
    """
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
    try:
        parser.receive_data(head)
        request = parser.next_event()
    except h11.RemoteProtocolError:
        return _MALFORMED
    if not isinstance(request, h11.Request):
        return _MALFORMED
    headers = {bytes(name): bytes(value) for name, value in request.headers}
    if len(request.headers) > HEADERS_MAX:
        return LONG
    if request.method not in _METHODS:
        return _METHOD
    if len(request.target) > TARGET_BYTES_MAX:
        return _TARGET
    if not request.target.startswith(b"/"):
        return _MALFORMED
    if headers.get(b"content-length", b"0").strip(b"0") or b"transfer-encoding" in headers:
        return _BODY
    if b"upgrade" in headers or b"http2-settings" in headers:
        return _UPGRADE
    if token is None:
        return None if _is_ours(headers.get(b"host", b"")) else _HOST
    return None if knows(token, headers.get(b"authorization", b"")) else _TOKEN


def is_probe(head: bytes) -> bool:
    """Tell whether a request that `judge` lets pass is one of a supervisor's, answered in one small reply."""
    return head.split(b" ", 2)[1].partition(b"?")[0] in _PROBES


def _is_ours(host: bytes) -> bool:
    name = host.decode("latin-1").lower()
    before, colon, port = name.rpartition(":")
    if colon and port.isdecimal():
        name = before
    return name in LOOPBACK_NAMES


def knows(token: str, authorization: bytes) -> bool:
    """Tell whether an Authorization header has the token, in a time that says nothing of how nearly."""
    scheme, _, value = authorization.partition(b" ")
    offered = value.strip()
    if scheme.lower() == b"basic":
        try:
            offered = base64.b64decode(offered, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return False
    elif scheme.lower() != b"bearer":
        return False
    return hmac.compare_digest(offered, token.encode())


def answer(refusal: Refusal) -> bytes:
    """Write the refusal as a whole reply, after which the connection ends."""
    body = f"{refusal.words}\n".encode()
    lines = [
        f"HTTP/1.1 {refusal.status} Refused",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(body)}",
        "connection: close",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        *(f"{name}: {value}" for name, value in refusal.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
