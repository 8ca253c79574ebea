"""The running chains of a snapshot: columns for arithmetic, and a `Chain` for whoever asks for one.

Core.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from programs.chain_account import STEPS_MAX, Chain, ChainStatus, StepKind
from programs.layout import CHAIN_DTYPE, LAYOUT_VERSION, AccountKind, offset_of

_SIDES: Final = 2
_STATUS_AT: Final = offset_of(CHAIN_DTYPE, "status")
_ENDED: Final = frozenset((ChainStatus.DONE, ChainStatus.CANCELLED))
_COLUMNS: Final = (
    "pool",
    "side",
    "step_count",
    "next_step",
    "market",
    "trigger_e6",
    "is_above",
    "opened_slot",
    "expiry_slot",
    "debt",
    "bounty",
)
_ROW: Final = np.dtype([(name, CHAIN_DTYPE[name]) for name in _COLUMNS])


class ChainBook(Mapping[Pubkey, Chain]):
    """The running chains that the program could have written; one is decoded when it is first asked for."""

    def __init__(
        self, accounts: Mapping[bytes, bytes], previous: "ChainBook | None" = None
    ) -> None:
        """Take whole chain accounts by address.

        Args:
            accounts: data by address, each of a chain's length, kind and version.
            previous: an earlier book; a chain whose bytes are the same is not decoded again.
        """
        # Chains that are done stay on chain for as long as they hold something: most of them, after a while.
        running = {key: data for key, data in accounts.items() if data[_STATUS_AT] not in _ENDED}
        rows = np.frombuffer(b"".join(running.values()), CHAIN_DTYPE)
        is_whole = _are_whole(rows)
        keys = list(running)
        for row in np.flatnonzero(~is_whole).tolist():
            del running[keys[row]]
        self.accounts: Final = accounts
        """What it was made of."""
        self.unreadable: Final = len(rows) - len(running)
        """Accounts left out: a status, side, step or position that no chain has."""
        # An account is 904 bytes: what every look reads lies side by side.
        self.rows: Final = np.empty(len(running), _ROW)
        """What looks are made of, one row a chain."""
        for name in _COLUMNS:
            self.rows[name] = rows[name][is_whole] if self.unreadable else rows[name]
        self._running: Final = running
        self._keys: Final = list(running) if self.unreadable else keys
        self._decoded: dict[Pubkey, Chain] = {} if previous is None else previous.same(running)

    def __getitem__(self, address: Pubkey) -> Chain:
        if address not in self._decoded:
            self._decoded[address] = Chain.from_bytes(self._running[bytes(address)])
        return self._decoded[address]

    def __iter__(self) -> Iterator[Pubkey]:
        return (Pubkey.from_bytes(key) for key in self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def address_of(self, row: int) -> Pubkey:
        """Return the address of a row."""
        return Pubkey.from_bytes(self._keys[row])

    def same(self, running: Mapping[bytes, bytes]) -> dict[Pubkey, Chain]:
        """Return what is decoded here of the chains that `running` holds byte for byte."""
        return {
            address: chain
            for address, chain in self._decoded.items()
            if running.get(bytes(address)) == self._running[bytes(address)]
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
        (rows["status"] == ChainStatus.RUNNING)
        & (rows["side"] < _SIDES)
        & (positions["side"] < _SIDES).all(axis=1)
        & (positions["kind"] == AccountKind.POSITION).all(axis=1)
        & (positions["version"] == LAYOUT_VERSION).all(axis=1)
        & (count <= STEPS_MAX)
        & (rows["next_step"] <= count)
        & are_known.all(axis=1)
    )
    return found
