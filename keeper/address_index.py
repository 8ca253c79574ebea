"""Many addresses -> their rows, looked up together.

Core. Addresses are hashes, so their first eight bytes nearly always tell them apart: those are sorted and searched for,
and all 32 are compared. A million addresses take 12 MB here, where a dict would take 150.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

AddressArray = npt.NDArray[np.void]
"""Rows of 32 bytes ("V32")."""
ADDRESS_BYTES: Final = 32


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
        at = np.searchsorted(self._keys, np.ascontiguousarray(wanted[:, 0]))
        found = np.full(len(wanted), -1, np.int64)
        for step in range(self._run_max):  # more than once only where first words are the same
            rows = self._order[np.minimum(at + step, len(self) - 1)]
            is_same = (self._words[rows] == wanted).all(axis=1)
            np.copyto(found, rows, where=is_same)
        return found


def words_of(addresses: AddressArray) -> npt.NDArray[np.uint64]:
    """Return addresses as rows of four words."""
    return np.ascontiguousarray(addresses).view("<u8").reshape(-1, 4)


def _longest_run(keys: npt.NDArray[np.uint64]) -> int:
    """Return how many equal keys stand side by side at most."""
    if not len(keys):
        return 0
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return int(np.diff(np.append(starts, len(keys))).max())
