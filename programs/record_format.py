"""One record of a numpy dtype -> a dict of plain values, by one call of `struct`.

Core. numpy is made for many rows: of a single one every field costs a scalar object first, and a market with its pool took
60 us. A test holds this to numpy, field by field, for every dtype of the layout.
"""

import struct
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from solders.pubkey import Pubkey

_ADDRESS_BYTES: Final = 32
_CODES: Final = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q", "i8": "q", "i4": "i"}
_U128: Final = ("low", "high")


class RecordFormat:
    """How the named fields of a dtype lie in its bytes."""

    def __init__(self, dtype: np.dtype[np.void], names: Collection[str]) -> None:
        """Take a packed little-endian dtype of integers, addresses, u128 pairs and arrays of integers.

        Args:
            dtype: of the record.
            names: the fields to read; the others are passed over.
        """
        fields: Mapping[str, tuple[Any, ...]] = dtype.fields or {}
        wanted = sorted((fields[name][1], name) for name in fields if name in names)
        layout, end = "<", 0
        self._plain: list[tuple[str, int]] = []
        self._addresses: list[tuple[str, int]] = []
        self._pairs: list[tuple[str, int]] = []
        self._arrays: list[tuple[str, int, int]] = []
        values = 0
        for offset, name in wanted:
            kind = fields[name][0]
            code, count = _code_of(kind)
            layout += f"{offset - end}x{code}"
            end = offset + kind.itemsize
            if kind.names:
                self._pairs.append((name, values))
            elif kind.subdtype:
                self._arrays.append((name, values, values + count))
            elif kind.kind == "V":
                self._addresses.append((name, values))
            else:
                self._plain.append((name, values))
            values += count
        self._unpack: Final = struct.Struct(layout).unpack_from

    def read(self, data: bytes, offset: int = 0) -> dict[str, Any]:
        """Read a record that begins at an offset; integers as int, addresses as Pubkey, arrays as tuples."""
        values = self._unpack(data, offset)
        found: dict[str, Any] = {name: values[at] for name, at in self._plain}
        for name, at in self._addresses:
            found[name] = Pubkey.from_bytes(values[at])
        for name, at in self._pairs:
            found[name] = values[at] | values[at + 1] << 64
        for name, at, end in self._arrays:
            found[name] = values[at:end]
        return found


def _code_of(kind: "np.dtype[Any]") -> tuple[str, int]:
    """Return how `struct` writes a field, and how many values that are."""
    if kind.names == _U128:
        return "QQ", 2
    if kind.subdtype:
        element, shape = kind.subdtype
        return f"{shape[0]}{_CODES[element.str[1:]]}", shape[0]
    if kind.kind == "V":
        assert kind.itemsize == _ADDRESS_BYTES, f"{kind} is no address"
        return f"{_ADDRESS_BYTES}s", 1
    return _CODES[kind.str[1:]], 1
