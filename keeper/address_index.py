"""Many addresses -> their rows, looked up together.

Core. Addresses are hashes, so their first eight bytes nearly always tell them apart: those are sorted and searched for,
and all 32 are compared. A million addresses take 12 MB here, where a dict would take 150.

Where many ask for few, as a million positions for their thousand markets, a guess by the lowest bits comes first, and only
what it misses is searched for: a quarter of the time (`python -m bench.optimisations scan`).
"""

from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

AddressArray = npt.NDArray[np.void]
"""Rows of 32 bytes ("V32")."""
ADDRESS_BYTES: Final = 32
_RUN_MAX: Final = 8
"""Of hashes and keys never so many share their first word. Where somebody chose them, each lookup would look at all of these."""
_GUESSED_FROM: Final = 4
"""So many times as many lookups as addresses pay for a table to guess from."""
_GUESSED_MIN: Final = 4_096
_SPARSENESS: Final = 16
"""Places of that table for each address: about one address in 32 is missed, for another has its place."""


def address_array(addresses: list[bytes]) -> AddressArray:
    """Return addresses as rows."""
    return np.frombuffer(b"".join(addresses), f"V{ADDRESS_BYTES}")


class AddressIndex:
    """Rows by address, of addresses that do not change."""

    def __init__(self, addresses: AddressArray) -> None:
        """Take the addresses as they lie; of one that occurs twice, either row may be found."""
        self._words = words_of(addresses)
        first = np.ascontiguousarray(self._words[:, 0])
        self._order = np.argsort(first).astype(np.int32)
        self._keys = first[self._order]
        self._run_max = _longest_run(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def rows_of(self, addresses: AddressArray) -> npt.NDArray[np.int64]:
        """Return the row of each address, -1 where there is none."""
        if not len(self):
            return np.full(len(addresses), -1, np.int64)
        wanted = words_of(addresses)
        if len(wanted) >= max(_GUESSED_MIN, _GUESSED_FROM * len(self)):
            found = self._guesses.rows_of(wanted)
            missed = np.flatnonzero(found < 0)
            found[missed] = self._searched(wanted[missed])
            return found
        return self._searched(wanted)

    @cached_property
    def _guesses(self) -> "_Guesses":
        return _Guesses(self._words)

    @cached_property
    def _rows_by_address(self) -> dict[bytes, int]:
        listed = self._words.view(f"V{ADDRESS_BYTES}").reshape(-1).tolist()
        return {address: row for row, address in enumerate(listed)}

    def _searched(self, wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        if self._run_max > _RUN_MAX:
            listed = np.ascontiguousarray(wanted).view(f"V{ADDRESS_BYTES}").reshape(-1).tolist()
            return np.array([self._rows_by_address.get(each, -1) for each in listed], np.int64)
        at = np.searchsorted(self._keys, np.ascontiguousarray(wanted[:, 0]))
        found = np.full(len(wanted), -1, np.int64)
        for step in range(self._run_max):  # more than once only where first words are the same
            rows = self._order[np.minimum(at + step, len(self) - 1)]
            is_same = (self._words[rows] == wanted).all(axis=1)
            np.copyto(found, rows, where=is_same)
        return found


class _Guesses:
    """The row of the address that has the same lowest bits, where no other one took its place."""

    def __init__(self, words: npt.NDArray[np.uint64]) -> None:
        bits = (_SPARSENESS * len(words) - 1).bit_length()
        self._mask: Final = np.uint64((1 << bits) - 1)
        self._columns: Final = [np.ascontiguousarray(words[:, at]) for at in range(words.shape[1])]
        self._rows: Final = np.full(1 << bits, -1, np.int32)
        self._rows[self._places_of(words)] = np.arange(len(words))

    def rows_of(self, wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        rows = self._rows[self._places_of(wanted)]
        is_same = rows >= 0
        for at, column in enumerate(self._columns):
            is_same &= column.take(rows, mode="wrap") == wanted[:, at]
        return np.where(is_same, rows, np.int64(-1))

    def _places_of(self, words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        return (words[:, 0] & self._mask).astype(np.int64)


def words_of(addresses: AddressArray) -> npt.NDArray[np.uint64]:
    """Return addresses as rows of four words."""
    return np.ascontiguousarray(addresses).view("<u8").reshape(-1, 4)


def _longest_run(keys: npt.NDArray[np.uint64]) -> int:
    """Return how many equal keys stand side by side at most."""
    if not len(keys):
        return 0
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return int(np.diff(np.append(starts, len(keys))).max())
