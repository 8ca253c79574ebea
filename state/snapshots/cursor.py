"""Bytes read one piece after the other, never beyond their end.

Core.
"""

import struct
from typing import Any

from state.snapshots.errors import SnapshotDamaged


class Cursor:
    """What is left of some bytes."""

    def __init__(self, data: bytes | memoryview) -> None:
        """Begin at the front."""
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes have not been taken."""
        return len(self._data) - self._at

    def take(self, count: int) -> memoryview:
        """Take bytes.

        Raises:
            SnapshotDamaged: there are not so many.
        """
        if not 0 <= count <= self.left:
            raise SnapshotDamaged(f"found {self.left} bytes where {count} are told of")
        self._at += count
        return self._data[self._at - count : self._at]

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Take a record of fixed length.

        Raises:
            SnapshotDamaged: there is not so much.
        """
        return layout.unpack(self.take(layout.size))

    def finish(self) -> None:
        """State that everything has been taken.

        Raises:
            SnapshotDamaged: something is left.
        """
        if self.left:
            raise SnapshotDamaged(f"found {self.left} bytes after the end of a section")
