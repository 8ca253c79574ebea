"""Every chain account of a snapshot: columns for arithmetic, and a `Chain` for whoever asks for one.

Core.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from programs.chain_account import STEPS_MAX, Chain, ChainStatus, StepKind
from programs.layout import CHAIN_DTYPE, LAYOUT_VERSION, AccountKind

_SIDES: Final = 2


class ChainBook(Mapping[Pubkey, Chain]):
    """The chains that the program could have written; one is decoded when it is first asked for."""

    def __init__(
        self, accounts: Mapping[bytes, bytes], previous: "ChainBook | None" = None
    ) -> None:
        """Take whole chain accounts by address.

        Args:
            accounts: data by address, each of a chain's length, kind and version.
            previous: an earlier book; a chain whose bytes are the same is not decoded again.
        """
        rows = np.frombuffer(b"".join(accounts.values()), CHAIN_DTYPE)
        is_whole = _are_whole(rows)
        keys = list(accounts)
        broken = {keys[row] for row in np.flatnonzero(~is_whole).tolist()}
        self.accounts: Final = accounts
        self.rows: Final = rows[is_whole] if broken else rows
        """One row of CHAIN_DTYPE a chain."""
        self.unreadable: Final = len(broken)
        """Accounts left out: a status, side, step or position that no chain has."""
        self._keys: Final = [key for key in keys if key not in broken] if broken else keys
        self._broken: Final = broken
        self._decoded: dict[Pubkey, Chain] = {} if previous is None else previous.same(accounts)

    def __getitem__(self, address: Pubkey) -> Chain:
        if address not in self._decoded:
            key = bytes(address)
            if key in self._broken:
                raise KeyError(address)
            self._decoded[address] = Chain.from_bytes(self.accounts[key])
        return self._decoded[address]

    def __iter__(self) -> Iterator[Pubkey]:
        return (Pubkey.from_bytes(key) for key in self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def address_of(self, row: int) -> Pubkey:
        """Return the address of a row."""
        return Pubkey.from_bytes(self._keys[row])

    def same(self, accounts: Mapping[bytes, bytes]) -> dict[Pubkey, Chain]:
        """Return what is decoded here of the chains that `accounts` holds byte for byte."""
        return {
            address: chain
            for address, chain in self._decoded.items()
            if accounts.get(bytes(address)) == self.accounts[bytes(address)]
        }


def next_book(accounts: Mapping[bytes, bytes], previous: ChainBook | None) -> ChainBook:
    """Return the book of these accounts: the previous one, if they are the very same mapping."""
    if previous is not None and previous.accounts is accounts:
        return previous
    return ChainBook(accounts, previous)


def _are_whole(rows: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Tell which rows hold only values that the program writes, so that decoding them cannot fail."""
    count = rows["step_count"]
    is_listed = np.arange(STEPS_MAX) < count[:, None]
    are_known = (rows["steps"]["kind"] <= max(StepKind)) | ~is_listed
    positions = rows["positions"]
    found: npt.NDArray[np.bool_] = (
        (rows["status"] <= max(ChainStatus))
        & (rows["side"] < _SIDES)
        & (positions["side"] < _SIDES).all(axis=1)
        & (positions["kind"] == AccountKind.POSITION).all(axis=1)
        & (positions["version"] == LAYOUT_VERSION).all(axis=1)
        & (count <= STEPS_MAX)
        & (rows["next_step"] <= count)
        & are_known.all(axis=1)
    )
    return found
