"""HTTP/1.1 as it passes a proxy: requests with another Host, and a websocket that can be muted.

Core: bytes in, bytes out. Requests are followed from head to head, for each of a connection names the host; replies are
not looked into, except for the frames of a websocket.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from keeper.prices.websocket_frames import FrameDecoder, Opcode

_HEAD_BYTES_MAX: Final = 65_536
_MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_END: Final = b"\r\n\r\n"
_FIN: Final = 0x80
_SHORT, _TWO_BYTES, _EIGHT_BYTES = 125, 126, 127
_SEVERAL: Final = 0xFFFF
_LEFT_OUT: Final = frozenset({b"host", b"sec-websocket-extensions"})
"""The host is ours to say; compressed frames could not be told apart."""


class PassingError(Exception):
    """What a client sends cannot be passed on; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One request, or more bytes of one."""

    data: bytes
    line: str | None = None
    """The request line; None for bytes that follow."""


@dataclass(slots=True, kw_only=True)
class Requests:
    """What a client sends on one connection."""

    host: str
    """What the upstream host is called."""
    is_upgraded: bool = False
    """A websocket from here on: bytes pass as they are."""
    _buffer: bytearray = field(default_factory=bytearray)
    _body_left: int = 0

    def feed(self, chunk: bytes) -> list[Passed]:
        """Take in bytes, and return what can be passed on, a request at a time.

        Raises:
            PassingError: no HTTP/1.1, or a body of unknown length.
        """
        if self.is_upgraded:
            return [Passed(data=chunk)]
        self._buffer += chunk
        passed: list[Passed] = []
        while self._buffer:
            if self._body_left:
                body = bytes(self._buffer[: self._body_left])
                del self._buffer[: len(body)]
                self._body_left -= len(body)
                passed.append(Passed(data=body))
                continue
            end = self._buffer.find(_END)
            if end < 0:
                if len(self._buffer) > _HEAD_BYTES_MAX:
                    raise PassingError(f"a request's head is longer than {_HEAD_BYTES_MAX} bytes")
                break
            head = bytes(self._buffer[:end])
            del self._buffer[: end + len(_END)]
            passed.append(self._head(head))
            if self.is_upgraded:
                passed.append(Passed(data=bytes(self._buffer)))
                self._buffer.clear()
        return passed

    def _head(self, head: bytes) -> Passed:
        line, *fields = head.split(b"\r\n")
        if re.fullmatch(rb"[A-Z]+ [!-~]+ HTTP/1\.1", line) is None:
            raise PassingError(f"{line[:80]!r} is no request of HTTP/1.1")
        kept = []
        for each in fields:
            name, _, value = each.partition(b":")
            name, value = name.strip().lower(), value.strip().lower()
            if name == b"transfer-encoding":
                raise PassingError("a request's body is chunked: expected a Content-Length")
            if name == b"content-length":
                if re.fullmatch(rb"\d{1,12}", value) is None:
                    raise PassingError(f"{value[:20]!r} is no Content-Length")
                self._body_left = int(value)
            if name == b"upgrade" and value == b"websocket":
                self.is_upgraded = True
            if name not in _LEFT_OUT:
                kept.append(each)
        lines = [line, b"Host: " + self.host.encode("ascii"), *kept]
        return Passed(data=b"\r\n".join(lines) + _END, line=line.decode("ascii"))


@dataclass(slots=True)
class Frames:
    """What a server sends once a websocket was asked for: the handshake's reply, then frames."""

    _head: bytearray | None = field(default_factory=bytearray)
    """None once it is over."""
    _is_plain: bool = False
    """The handshake was refused: an ordinary reply, whatever follows."""
    _decoder: FrameDecoder = field(default_factory=lambda: FrameDecoder(_MESSAGE_BYTES_MAX))

    def feed(self, chunk: bytes, *, is_muted: bool) -> bytes:
        """Take in bytes and return what passes: everything, or while muted only what answers a PING.

        Raises:
            VenueError: these are no frames.
        """
        head = b""
        if self._head is not None:
            self._head += chunk
            end = self._head.find(_END)
            if end < 0:
                return b""
            head = bytes(self._head[: end + len(_END)])
            chunk = bytes(self._head[end + len(_END) :])
            self._head = None
            self._is_plain = not head.startswith(b"HTTP/1.1 101")
        if self._is_plain:
            return head + chunk
        self._decoder.feed(chunk)
        parts = [head]
        while (found := self._decoder.take()) is not None:
            if not is_muted or found.opcode >= Opcode.CLOSE or found.payload == b"PONG":
                parts.append(_frame(found.opcode, found.payload))
        return b"".join(parts)


def _frame(opcode: Opcode, payload: bytes) -> bytes:
    length = len(payload)
    first = bytes([_FIN | opcode])
    if length <= _SHORT:
        return first + bytes([length]) + payload
    if length <= _SEVERAL:
        return first + bytes([_TWO_BYTES]) + length.to_bytes(2, "big") + payload
    return first + bytes([_EIGHT_BYTES]) + length.to_bytes(8, "big") + payload
