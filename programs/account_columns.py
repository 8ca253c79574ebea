"""The body of a getProgramAccounts reply -> columns of bytes, without an object for each account.

Core. A million positions are 400 MB of JSON; as Python objects they would be gigabytes. Nodes write every account with the
same keys in the same order, so the colons, of which neither base64 nor base58 has any, tell where everything is. All rows
are held against the keys of the first one; a body that differs anywhere is not read here but by a JSON parser.
"""

import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from programs.base58_columns import TEXT_MAX, TEXT_MIN, decode_addresses
from programs.rpc import ProgramRows
from programs.units import Slot

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_VALUE: Final = b'"value":['
_CHUNK_BYTES: Final = 4 << 20
"""What is looked at together: small enough for a processor's cache, and for other threads to get a turn."""
_KEY_CHARS_MAX: Final = 32
_ENCODING: Final = b'","base64"]'
_COLON, _QUOTE, _A = ord(":"), ord('"'), ord("A")


class OtherShape(Exception):  # noqa: N818 - named after what was found
    """The body is not written as expected; it may be good all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How every row of a body is written."""

    keys: tuple[bytes, ...]
    """In order, in their quotes."""
    opening: bytes
    """Up to the first key's colon."""
    data: int
    """Which key's value is the data."""
    address: int
    owner: tuple[int, bytes] | None
    """Which key's value must be these bytes."""


def rows_of_body(
    body: bytes, request_id: int, row_bytes: int, *, owner: str | None = None
) -> ProgramRows:
    """Read a whole reply.

    Args:
        body: the bytes of the reply.
        request_id: the reply must carry it.
        row_bytes: length of the accounts wanted; of others only the number is told.
        owner: every account must say that it belongs to this program, in base58; None asks none.

    Raises:
        OtherShape: it has to be read by a JSON parser, which says what is wrong with it, if anything.
    """
    start = body.find(_VALUE) + len(_VALUE)
    end = body.rfind(b"]")
    if start < len(_VALUE) or end < start:
        raise OtherShape("no list of accounts")
    envelope = _envelope(body[:start] + body[end:], request_id)
    slot = Slot(envelope["context"]["slot"])
    if end == start:
        return _Rows(0, row_bytes).finished(slot)
    shape = _shape_of(body, start, end, owner)
    rows = _Rows(body.count(shape.opening, start, end), row_bytes)
    whole = np.frombuffer(body, np.uint8)
    for at, stop in _chunks(body, start, end, b"," + shape.opening):
        _read_chunk(whole[at:stop], shape, rows)
    return rows.finished(slot)


class _Rows:
    """The columns, as far as they are filled."""

    def __init__(self, count: int, row_bytes: int) -> None:
        self.row_bytes = row_bytes
        self.count = self.other_lengths = self.skipped = 0
        self._addresses = np.zeros((count, 32), np.uint8)
        self._data = np.zeros((count, row_bytes), np.uint8)

    def add(self, addresses: Bytes, data: Bytes) -> None:
        end = self.count + len(addresses)
        if end > len(self._data):
            raise OtherShape("more accounts than beginnings of one")
        self._addresses[self.count : end], self._data[self.count : end] = addresses, data
        self.count = end

    def finished(self, slot: Slot) -> ProgramRows:
        if self.count + self.other_lengths + self.skipped != len(self._data):
            raise OtherShape("fewer accounts than beginnings of one")
        return ProgramRows(
            slot=slot,
            addresses=self._addresses[: self.count].reshape(-1).view("V32"),
            data=self._data[: self.count],
            other_lengths=self.other_lengths,
            skipped=self.skipped,
        )


def _envelope(text: bytes, request_id: int) -> Any:  # noqa: ANN401 - JSON
    """Read what surrounds the accounts."""
    try:
        reply = json.loads(text)
        result = reply["result"]
        slot = result["context"]["slot"]
    except (ValueError, LookupError, TypeError) as error:
        raise OtherShape("an envelope of another kind") from error
    # Whatever else stands there may be the way to the next page: a JSON parser looks at it.
    is_ours = reply.get("id") == request_id and result == {
        "context": result["context"],
        "value": [],
    }
    if not is_ours or type(slot) is not int or slot < 0 or reply.get("error") is not None:
        raise OtherShape("an envelope of another kind")
    return result


def _shape_of(body: bytes, start: int, end: int, owner: str | None) -> _Shape:
    """Learn from the first row how rows are written."""
    try:
        row, _ = json.JSONDecoder().raw_decode(
            body[start : min(end, start + _CHUNK_BYTES)].decode("ascii")
        )
        account = row["account"]
        keys = [*row]
        at = keys.index("account") + 1
        keys[at:at] = account
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise OtherShape("a first row of another kind") from error
    quoted = tuple(f'"{key}"'.encode() for key in keys)
    if max(map(len, quoted)) > _KEY_CHARS_MAX or keys.count("data") != 1 or "pubkey" not in keys:
        raise OtherShape("other keys")
    if owner is not None and keys.count("owner") != 1:
        raise OtherShape("no owners")
    return _Shape(
        keys=quoted,
        opening=b"{" + quoted[0] + b":",
        data=keys.index("data"),
        address=keys.index("pubkey"),
        owner=None if owner is None else (keys.index("owner"), f'"{owner}"'.encode()),
    )


def _chunks(body: bytes, start: int, end: int, separator: bytes) -> Iterator[tuple[int, int]]:
    """Cut the rows into pieces of whole rows."""
    at = start
    while at < end:
        stop = end
        if end - at > _CHUNK_BYTES:
            stop = body.rfind(separator, at, at + _CHUNK_BYTES)
            if stop <= at:
                raise OtherShape("a row without an end")
        yield at, stop
        at = stop + 1 if stop < end else end


def _read_chunk(text: Bytes, shape: _Shape, rows: _Rows) -> None:
    colons = np.flatnonzero(text == _COLON)
    if len(colons) % len(shape.keys):
        raise OtherShape("rows of different keys")
    places = colons.reshape(-1, len(shape.keys))
    for number, key in enumerate(shape.keys):
        if not _stands_at(text, places[:, number] - len(key), key).all():
            raise OtherShape("rows of different keys")
    if shape.owner is not None:
        number, wanted = shape.owner
        if not _stands_at(text, places[:, number] + 1, wanted).all():
            raise OtherShape("an account of another program")
    begin = places[:, shape.data] + 1
    if not _stands_at(text, begin, b'["').all():
        raise OtherShape("data that is no list")
    chars = -(-rows.row_bytes // 3) * 4
    is_of_length = _stands_at(text, begin + 2 + chars, _ENCODING)
    addresses, is_good = _addresses(text, places[:, shape.address] + 1)
    for at in np.flatnonzero(~is_of_length).tolist():
        _check_encoded(text[begin[at] + 2 :])
    rows.skipped += int((~is_good).sum())
    rows.other_lengths += int((is_good & ~is_of_length).sum())
    is_kept = is_good & is_of_length
    data = _decoded(_windows(text, begin[is_of_length] + 2, chars), rows.row_bytes)
    if is_kept.all():
        rows.add(addresses, data)
    else:
        rows.add(addresses[is_kept], data[is_good[is_of_length]])


def _check_encoded(text: Bytes) -> None:
    """Check what an account of another length begins with: base64, and that it says so."""
    whole = text.tobytes()
    end = whole.find(b'"')
    try:
        binascii.a2b_base64(whole[:end], strict_mode=True)
    except binascii.Error as error:
        raise OtherShape("no base64") from error
    if not whole.startswith(_ENCODING, end):
        raise OtherShape("data in another encoding")


def _addresses(text: Bytes, begin: Places) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    if not _stands_at(text, begin, b'"').all():
        raise OtherShape("an address that is no text")
    quoted = _windows(text, begin + 1, TEXT_MAX + 1)
    # Where an address may end; one that ends earlier is none, and is found to hold its quote where a digit should be.
    is_quote = quoted[:, TEXT_MIN:] == _QUOTE
    end = is_quote.argmax(axis=1)
    lengths = np.where(is_quote[np.arange(len(end)), end], TEXT_MIN + end, 0)
    return decode_addresses(quoted, lengths)


def _decoded(encoded: Bytes, row_bytes: int) -> Bytes:
    """Decode rows of base64, all in one go: with the padding written as digits they follow each other without a seam."""
    padding = -row_bytes % 3
    if padding:
        if not (encoded[:, -padding:] == ord("=")).all():
            raise OtherShape("base64 without padding")
        encoded[:, -padding:] = _A
    try:
        data = binascii.a2b_base64(encoded.data, strict_mode=True)
    except binascii.Error as error:
        raise OtherShape("no base64") from error
    if len(data) != len(encoded) * (row_bytes + padding):
        raise OtherShape("accounts of another length")
    return np.frombuffer(data, np.uint8).reshape(-1, row_bytes + padding)[:, :row_bytes]


def _stands_at(text: Bytes, begin: Places, wanted: bytes) -> npt.NDArray[np.bool_]:
    """Tell at which places these bytes stand: each compared whole, a third of the time of byte by byte."""
    kind = f"V{len(wanted)}"
    found = _windows(text, begin, len(wanted)).reshape(-1).view(kind)
    is_same: npt.NDArray[np.bool_] = found == np.frombuffer(wanted, kind)
    return is_same


def _windows(text: Bytes, begin: Places, length: int) -> Bytes:
    """Return so many bytes from each place on, as rows; zeros where the text is over."""
    last = len(text) - length
    if last < 0 or (len(begin) and (begin.max() > last or begin.min() < 0)):
        padded = np.zeros(len(text) + 2 * length, np.uint8)
        padded[length : length + len(text)] = text
        # Places may lie anywhere: a body of another shape has its marks in another order.
        begin = np.clip(begin, -length, len(text)) + length
        text, last = padded, len(text) + length
    every = np.ndarray((last + 1,), f"V{length}", text, strides=(1,))
    return every[begin].view(np.uint8).reshape(len(begin), length)
