"""What a websocket server sends, from its bytes: whole messages, and never more of one than allowed.

Core. A frame that announces more than the limit is refused at its header, before any of it is held. Written for the
receiving side of a client alone, where five thousand frames a second must cost little: no masks, no extensions.
Source: RFC 6455, sections 5.2 to 5.5.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from keeper.prices.errors import MalformedError, TooLargeError

_FIN: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_CONTROL_BYTES_MAX: Final = 125
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_FRAGMENT_BYTES_LEAST: Final = 16
"""What a fragment counts at least, so that a message of empty fragments ends too."""


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Received(NamedTuple):
    """A whole message, or a control frame. A tuple, for thousands are made a second."""

    opcode: Opcode
    payload: bytes


_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}


class FrameDecoder:
    """Joins bytes to frames and frames to messages."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._buffer = bytearray()
        self._at = 0
        """Where the next frame begins; what precedes it was returned."""
        self._message = bytearray()
        self._message_opcode: Opcode | None = None
        self._fragments = 0

    def feed(self, chunk: bytes) -> None:
        """Take in bytes as they arrive."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += chunk

    def take(self) -> Received | None:
        """Return the next message or control frame; None when more bytes are needed.

        Raises:
            TooLargeError: a message longer than allowed is announced or under way.
            MalformedError: the bytes are no websocket frames.

        """
        while True:
            frame = self._next_frame()
            if frame is None:
                return None
            is_final, opcode, payload = frame
            if opcode >= Opcode.CLOSE:
                return Received(opcode, payload)
            if is_final and opcode is not Opcode.CONTINUATION and self._message_opcode is None:
                return Received(opcode, payload)
            whole = self._joined(payload, opcode, is_final=is_final)
            if whole is not None:
                return whole

    def _next_frame(self) -> tuple[bool, Opcode, bytes] | None:
        buffer, at = self._buffer, self._at
        held = len(buffer) - at
        if held < 2:  # noqa: PLR2004 - the shortest header
            return None
        first, length = buffer[at], buffer[at + 1]
        opcode = _OPCODES.get(first & 0x0F)
        if opcode is None or first & _RESERVED:
            raise MalformedError(f"found a frame that begins 0x{first:02x}, which is none of ours")
        if length & _MASKED:
            raise MalformedError("found a masked frame: servers do not mask")
        header = 2
        if length == _TWO_BYTES:
            header = 4
        elif length == _EIGHT_BYTES:
            header = 10
        if held < header:
            return None
        if header > 2:  # noqa: PLR2004 - the shortest header
            length = int.from_bytes(buffer[at + 2 : at + header], "big")
        self._check(first, opcode, length)
        if held < header + length:
            return None
        start = at + header
        payload = bytes(memoryview(buffer)[start : start + length])
        self._at = start + length
        return bool(first & _FIN), opcode, payload

    def _check(self, first: int, opcode: Opcode, length: int) -> None:
        if opcode >= Opcode.CLOSE:
            if length > _CONTROL_BYTES_MAX or not first & _FIN:
                raise MalformedError("found a control frame that is long or in parts")
        elif (
            length + len(self._message) + self._fragments * _FRAGMENT_BYTES_LEAST > self._bytes_max
        ):
            raise TooLargeError(
                f"found a message of more than {self._bytes_max} bytes; not read further"
            )

    def _joined(self, payload: bytes, opcode: Opcode, *, is_final: bool) -> Received | None:
        """Add a fragment, and return the message once it is whole."""
        if (opcode is Opcode.CONTINUATION) is (self._message_opcode is None):
            raise MalformedError(f"found a {opcode.name} frame where a message has another order")
        if self._message_opcode is None:
            self._message_opcode = opcode
        self._message += payload
        self._fragments += 1
        if not is_final:
            return None
        whole = Received(self._message_opcode, bytes(self._message))
        self._message = bytearray()
        self._message_opcode = None
        self._fragments = 0
        return whole
