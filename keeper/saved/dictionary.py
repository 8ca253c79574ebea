"""Keys that nothing can be derived from, each kept once: rows hold their places.

Core. A market's place is its row and one, a wallet's its number in the dictionary and one; place 0 is the key of 32 zero bytes. A
key that should be a market's and is none goes to the dictionary too, and its place lies behind the markets'.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from keeper.address_index import ADDRESS_BYTES, AddressArray, AddressIndex, address_array, words_of
from keeper.saved.fields import Integers, Role

_ZERO = address_array([bytes(ADDRESS_BYTES)])


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """Markets and wallets, by place."""

    markets: AddressArray
    wallets: AddressArray

    def places_of(self, keys: AddressArray, role: Role) -> Integers:
        """Return the place of each key; all of them must be in it."""
        is_zero = ~words_of(keys).any(axis=1)
        if role is Role.MARKET:
            places = self._market_index.rows_of(keys)
            is_unknown = (places < 0) & ~is_zero
            if is_unknown.any():
                behind = self._wallet_index.rows_of(keys[is_unknown]) + len(self.markets)
                places[is_unknown] = behind
        else:
            places = self._wallet_index.rows_of(keys)
        places += 1
        places[is_zero] = 0
        return places.astype(np.uint64)

    def market_rows(self, places: Integers) -> npt.NDArray[np.int64]:
        """Return the row of the market at each place; -1 where there is none."""
        rows = places.astype(np.int64) - 1
        return np.where(rows < len(self.markets), rows, -1)

    def keys_at(self, places: Integers, role: Role) -> AddressArray | None:
        """Return the key at each place; None where there is no such place."""
        listed = self._market_keys if role is Role.MARKET else self._wallet_keys
        if len(places) and int(places.max()) >= len(listed):
            return None
        return listed[places.astype(np.int64)]

    def with_wallets(self, columns: Iterable[tuple[AddressArray, Role]]) -> "Dictionary":
        """Return it with the keys of these columns that it lacks, in the order in which they first occur."""
        lacking = [np.zeros(0, f"V{ADDRESS_BYTES}")]
        for keys, role in columns:
            is_lacking = (self._wallet_index.rows_of(keys) < 0) & words_of(keys).any(axis=1)
            if role is Role.MARKET:
                is_lacking &= self._market_index.rows_of(keys) < 0
            lacking.append(keys[is_lacking])
        added = first_occurrences(np.concatenate(lacking))
        return Dictionary(markets=self.markets, wallets=np.concatenate([self.wallets, added]))

    @cached_property
    def _market_index(self) -> AddressIndex:
        return AddressIndex(self.markets)

    @cached_property
    def _wallet_index(self) -> AddressIndex:
        return AddressIndex(self.wallets)

    @cached_property
    def _wallet_keys(self) -> AddressArray:
        return np.concatenate([_ZERO, self.wallets])

    @cached_property
    def _market_keys(self) -> AddressArray:
        return np.concatenate([_ZERO, self.markets, self.wallets])


def first_occurrences(keys: AddressArray) -> AddressArray:
    """Return every key once, in the order of its first occurrence."""
    words = words_of(keys)
    # The first words of hashes tell them apart nearly always, and are sorted four times as fast.
    _, first, place = np.unique(words[:, 0], return_index=True, return_inverse=True)
    if not (words[first][place] == words).all():
        _, first = np.unique(words, axis=0, return_index=True)
    order: npt.NDArray[np.int64] = np.sort(first)
    return keys[order]
