"""An answer's bytes as they were before compression, counted before they exist.

Core. A kilobyte of gzip can hold a megabyte of zeros and 64 kB of it 64 MB: a cap on what was received, or one looked at
after each chunk was unpacked, comes too late. Here no step makes more than was still allowed.
"""

import zlib
from typing import Final

from keeper.prices.errors import MalformedReplyError, TooLargeError, TruncatedError

ACCEPTED_ENCODING: Final = "gzip"
"""What requests ask for: the one compression that is undone here."""
_GZIP: Final = zlib.MAX_WBITS | 16
"""Only gzip's own frame: no bare deflate, no guessing. Source: zlib's inflateInit2."""


class BoundedBody:
    """The body of one answer, unpacked as it comes and never past its cap."""

    __slots__ = ("_body", "_bytes_max", "_inflate", "_url")

    def __init__(self, url: str, encoding: str, bytes_max: int) -> None:
        """Begin an empty body.

        Args:
            url: named in errors.
            encoding: the Content-Encoding header; empty for none.
            bytes_max: the most bytes, unpacked.

        Raises:
            MalformedReplyError: an encoding that was not asked for.

        """
        name = encoding.strip().lower()
        if name not in ("", "identity", ACCEPTED_ENCODING):
            raise MalformedReplyError(
                f"{url} sent the content encoding {encoding[:40]!r}, wanted {ACCEPTED_ENCODING} or none"
            )
        self._url = url
        self._bytes_max = bytes_max
        self._body = bytearray()
        self._inflate = zlib.decompressobj(_GZIP) if name == ACCEPTED_ENCODING else None

    def take(self, chunk: bytes) -> None:
        """Add what was received next.

        Raises:
            TooLargeError: the cap is passed; nothing beyond it was unpacked.
            MalformedReplyError: no gzip, or bytes after its end.

        """
        if self._inflate is None:
            self._body += chunk
        else:
            try:
                # One byte more than allowed tells a body that is too large from one that is just full.
                self._body += self._inflate.decompress(chunk, self._bytes_max - len(self._body) + 1)
            except zlib.error as error:
                raise MalformedReplyError(f"{self._url} sent no readable gzip: {error}") from error
            if self._inflate.unused_data:
                raise MalformedReplyError(f"{self._url} sent bytes after the end of its gzip")
        if len(self._body) > self._bytes_max:
            raise TooLargeError(
                f"{self._url} sent more than {self._bytes_max} bytes; not read further"
            )

    def end(self) -> bytes:
        """Return the whole body.

        Raises:
            TruncatedError: the compressed body has no end.

        """
        if self._inflate is not None and not self._inflate.eof:
            raise TruncatedError(f"{self._url} broke off inside its gzip")
        return bytes(self._body)
