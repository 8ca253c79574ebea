"""What the chain held at one slot, as arrays: positions in rows, markets and their pools in columns.

Core. An account that cannot be read is left out under a reason, so that one broken account never hides the others.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from keeper.address_index import ADDRESS_BYTES, AddressArray, AddressIndex, address_array
from keeper.assessment import Assessment
from programs.accounts import Global, Market, PositionArray, Vault, positions_from_bytes
from programs.layout import (
    CHAIN_DTYPE,
    LAYOUT_VERSION,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_BYTES,
    POSITION_DTYPE,
    AccountKind,
    market_bytes,
    offset_of,
)
from programs.units import Slot

_POOLS_AT: Final = 5
"""Offset of a market's pool count. Source: layout.h."""
_POOLS_MAX: Final = 16
_EMBEDDED: Final = offset_of(CHAIN_DTYPE, "positions")
_LEVERAGED: Final = slice(_EMBEDDED, _EMBEDDED + POSITION_BYTES)
"""Of a chain's positions, the one with debt."""
_DEBT_AT: Final = _EMBEDDED + offset_of(POSITION_DTYPE, "debt")
_BPS_ONE: Final = 10_000
_SIDES: Final = 2


class Unreadable(StrEnum):
    """Why an account is not in the snapshot."""

    NO_ACCOUNT = "no_account"
    """The node's entry had no address or no data."""
    WRONG_LENGTH = "wrong_length"
    WRONG_KIND = "wrong_kind"
    """Another kind of account, or another layout version."""
    FIELD_OUT_OF_RANGE = "field_out_of_range"
    """A side, pool count or margin that the program never writes."""


class Markets(Mapping[Pubkey, Market]):
    """All markets by address; columns for arithmetic, and a `Market` for whoever asks for one."""

    def __init__(self, accounts: Mapping[bytes, bytes], previous: "Markets | None" = None) -> None:
        """Take the columns from whole market accounts by address, as `take_markets` selects them.

        Args:
            accounts: data by address.
            previous: an earlier reading; a market whose bytes are the same is not decoded again.
        """
        self._data = accounts
        self._decoded: dict[Pubkey, Market] = {} if previous is None else previous.same(accounts)
        by_pools: dict[int, list[bytes]] = {}
        for address, data in accounts.items():
            by_pools.setdefault(data[_POOLS_AT], []).append(address)
        order = [address for count in sorted(by_pools) for address in by_pools[count]]
        markets, pools = [np.zeros(0, MARKET_DTYPE)], [np.zeros(0, POOL_DTYPE)]
        for count in sorted(by_pools):
            joined = b"".join(accounts[address] for address in by_pools[count])
            both = np.dtype([("market", MARKET_DTYPE), ("pools", POOL_DTYPE, (count,))])
            rows = np.frombuffer(joined, both)
            markets.append(rows["market"])
            pools.append(rows["pools"].reshape(-1))
        self.addresses: Final = [Pubkey.from_bytes(address) for address in order]
        """Address of each row."""
        self.address_rows: Final = np.frombuffer(b"".join(order), f"V{ADDRESS_BYTES}")
        """The same, to look up in another reading."""
        self.rows = np.concatenate(markets)
        """One row of MARKET_DTYPE a market."""
        self.pools = np.concatenate(pools)
        """One row of POOL_DTYPE a pool, the pools of a market side by side."""
        counts = self.rows["pools"].astype(np.int64)
        self.first_pool: Final = np.cumsum(counts) - counts
        """Row in `pools` of each market's pool 0."""
        self._index = AddressIndex(self.address_rows)

    def __getitem__(self, address: Pubkey) -> Market:
        if address not in self._decoded:
            self._decoded[address] = Market.from_bytes(self._data[bytes(address)])
        return self._decoded[address]

    def __contains__(self, address: object) -> bool:
        return (
            isinstance(address, Pubkey) and bytes(address) in self._data
        )  # and nothing is decoded for it

    def __iter__(self) -> Iterator[Pubkey]:
        return iter(self.addresses)

    def __len__(self) -> int:
        return len(self.addresses)

    def same(self, accounts: Mapping[bytes, bytes]) -> dict[Pubkey, Market]:
        """Return what is decoded here of the markets that `accounts` holds byte for byte."""
        return {
            address: market
            for address, market in self._decoded.items()
            if accounts.get(bytes(address)) == self._data[bytes(address)]
        }

    def rows_of(self, addresses: AddressArray) -> npt.NDArray[np.int64]:
        """Return the row of each address, -1 where there is no such market."""
        return self._index.rows_of(addresses)

    def changed(self, accounts: Mapping[bytes, bytes], addresses: Iterable[bytes]) -> "Markets":
        """Return another reading, of `accounts`, which differ at these addresses only.

        Where they are the same markets of the same sizes, both readings have the same rows, and `addresses` is the same
        object.
        """
        changed = list(addresses)
        is_same_layout = all(
            len(accounts.get(address, b"")) == len(self._data.get(address, b"-"))
            for address in changed
        )
        if not is_same_layout:
            return Markets(accounts, self)
        other = copy(self)
        other._data = accounts  # noqa: SLF001 - a copy that nobody else has seen
        other._decoded = dict(self._decoded)  # noqa: SLF001 - likewise
        other.rows, other.pools = self.rows.copy(), self.pools.copy()
        for address, row in zip(
            changed, self.rows_of(address_array(changed)).tolist(), strict=True
        ):
            data = accounts[address]
            other._decoded.pop(self.addresses[row], None)  # noqa: SLF001 - likewise
            other.rows[row] = np.frombuffer(data, MARKET_DTYPE, count=1)[0]
            first, count = self.first_pool[row], data[_POOLS_AT]
            pools = np.frombuffer(data, POOL_DTYPE, count=count, offset=MARKET_DTYPE.itemsize)
            other.pools[first : first + count] = pools
        return other


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The platform as one scan saw it."""

    slot: Slot
    """The oldest slot any part was read at."""
    global_: Global
    vault: Vault
    markets: Markets
    positions: PositionArray
    addresses: AddressArray
    """Address of each position's account: its own, or the chain's that holds it."""
    skipped: Mapping[Unreadable, int] = field(default_factory=dict)
    """Accounts left out, by reason."""
    assessed: Assessment | None = None
    """What is due in it, where somebody kept up with that; see `keeper.risk.due_now`."""
    chains: Mapping[bytes, bytes] = field(default_factory=dict)
    """Data of every chain account by address, whether it holds a position or not."""

    def position_address(self, index: int) -> Pubkey:
        """Return the address of a position."""
        return Pubkey.from_bytes(self.addresses[index].tobytes())


def take_chains(
    accounts: Sequence[tuple[bytes, bytes]],
) -> tuple[dict[bytes, bytes], Counter[Unreadable]]:
    """Keep the (address, data) pairs that are chains; what is none is counted and left out."""
    return _kept(accounts, chain_fault)


def chain_fault(data: bytes) -> Unreadable | None:
    """Say why these bytes are no chain; None when they are one."""
    if len(data) != CHAIN_DTYPE.itemsize:
        return Unreadable.WRONG_LENGTH
    if data[0] != AccountKind.CHAIN or data[1] != LAYOUT_VERSION:
        return Unreadable.WRONG_KIND
    return None


def leveraged_position(chain: bytes) -> bytes | None:
    """Return the data of a chain's position with debt; None when it holds none."""
    return chain[_LEVERAGED] if any(chain[_DEBT_AT : _DEBT_AT + 8]) else None


def positions_of_chains(chains: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return (address of the chain, data of its leveraged position) of the chains that hold one."""
    held = ((address, leveraged_position(data)) for address, data in chains.items())
    return [(address, data) for address, data in held if data is not None]


def take_positions(
    accounts: Sequence[tuple[bytes, bytes]],
) -> tuple[PositionArray, AddressArray, Counter[Unreadable]]:
    """Decode (address, data) pairs; what is no position is counted and left out."""
    addresses = np.frombuffer(b"".join([address for address, _ in accounts]), f"V{ADDRESS_BYTES}")
    data = [data for _, data in accounts]
    rows = positions_from_bytes(data)
    is_blank = rows["kind"] == 0
    is_odd = (rows["side"] >= _SIDES) | (rows["margin_bps"] > _BPS_ONE)
    skipped: Counter[Unreadable] = Counter()
    keep = ~(is_blank | is_odd)
    if keep.all():
        return rows, addresses, skipped
    lengths = np.fromiter(map(len, data), np.int64, len(data))
    skipped[Unreadable.WRONG_LENGTH] = int((lengths != POSITION_BYTES).sum())
    skipped[Unreadable.WRONG_KIND] = int((is_blank & (lengths == POSITION_BYTES)).sum())
    skipped[Unreadable.FIELD_OUT_OF_RANGE] = int(is_odd.sum())
    return rows[keep], addresses[keep], +skipped


def take_markets(
    accounts: Sequence[tuple[bytes, bytes]], previous: Markets | None = None
) -> tuple[Markets, Counter[Unreadable]]:
    """Decode (address, data) pairs; what is no market is counted and left out.

    Args:
        accounts: as read.
        previous: an earlier reading, whose decoded markets serve again where nothing changed.
    """
    good, skipped = market_accounts(accounts)
    return Markets(good, previous), skipped


def market_accounts(
    accounts: Sequence[tuple[bytes, bytes]],
) -> tuple[dict[bytes, bytes], Counter[Unreadable]]:
    """Keep the (address, data) pairs that are markets; what is none is counted and left out."""
    return _kept(accounts, market_fault)


def _kept(
    accounts: Sequence[tuple[bytes, bytes]], fault_of: Callable[[bytes], Unreadable | None]
) -> tuple[dict[bytes, bytes], Counter[Unreadable]]:
    skipped: Counter[Unreadable] = Counter()
    good: dict[bytes, bytes] = {}
    for address, data in accounts:
        reason = fault_of(data)
        if reason is None:
            good[address] = data
        else:
            skipped[reason] += 1
    return good, skipped


def market_fault(data: bytes) -> Unreadable | None:
    """Say why these bytes are no market; None when they are one."""
    if len(data) < MARKET_DTYPE.itemsize:
        return Unreadable.WRONG_LENGTH
    if data[0] != AccountKind.MARKET or data[1] != LAYOUT_VERSION:
        return Unreadable.WRONG_KIND
    if not 1 <= data[_POOLS_AT] <= _POOLS_MAX:
        return Unreadable.FIELD_OUT_OF_RANGE
    if len(data) != market_bytes(data[_POOLS_AT]):
        return Unreadable.WRONG_LENGTH
    return None
