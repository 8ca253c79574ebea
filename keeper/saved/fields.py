"""The fields of an account's dtype, one after the other: integers as columns, keys by what becomes of them.

Core. Every byte of an account is in one field, padding and reserved bytes too: nothing is lost, whatever an account holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.address_index import ADDRESS_BYTES, AddressArray
from programs.layout import (
    CHAIN_DTYPE,
    MAKER_DTYPE,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_DTYPE,
    STAKE_DTYPE,
    AccountKind,
)

Rows = npt.NDArray[np.void]
Integers = npt.NDArray[np.uint64]


class Role(Enum):
    """What becomes of a key."""

    PLAIN = auto()
    """Kept as it is: there is nothing that it follows from."""
    DERIVED = auto()
    """Follows from seeds: not kept."""
    MARKET = auto()
    """The address of a market: its row is kept."""
    WALLET = auto()
    """Kept once, in a dictionary; its place there is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Some bytes of every row."""

    name: str
    """With dots where it lies inside another one."""
    offset: int
    size: int

    @property
    def is_key(self) -> bool:
        """Whether it is 32 bytes that are no integer."""
        return self.size == ADDRESS_BYTES

    def integers(self, rows: Rows) -> Integers:
        """Return the column of an integer."""
        return self._view(rows, f"<u{self.size}").astype(np.uint64)

    def keys(self, rows: Rows) -> AddressArray:
        """Return the column of a key."""
        return np.ascontiguousarray(self._view(rows, f"V{ADDRESS_BYTES}"))

    def write(self, rows: Rows, values: npt.NDArray[Any]) -> None:
        """Write the column; of integers the low bytes."""
        dtype = f"V{ADDRESS_BYTES}" if self.is_key else f"<u{self.size}"
        self._view(rows, dtype)[:] = values

    def _view(self, rows: Rows, dtype: str) -> npt.NDArray[Any]:
        return (
            np.ndarray(
                len(rows),
                dtype,
                rows.view(np.uint8).data if len(rows) else None,
                self.offset,
                rows.strides,
            )
            if len(rows)
            else np.zeros(0, dtype)
        )


_ROLES: Final = {
    "condition_id": Role.PLAIN,
    "yes_token_or_hash": Role.PLAIN,
    "no_token": Role.PLAIN,
    "tokens": Role.DERIVED,
    "market": Role.MARKET,
    "owner": Role.WALLET,
}
_DTYPES: Final = {
    AccountKind.MARKET: MARKET_DTYPE,
    AccountKind.POSITION: POSITION_DTYPE,
    AccountKind.MAKER: MAKER_DTYPE,
    AccountKind.STAKE: STAKE_DTYPE,
    AccountKind.CHAIN: CHAIN_DTYPE,
}


def role_of(field: Field) -> Role:
    """Return what becomes of a key."""
    return _ROLES[field.name.rpartition(".")[2]]


@cache
def fields_of(kind: AccountKind) -> tuple[Field, ...]:
    """Return the fields of a kind's accounts, in order; of markets without their pools."""
    return tuple(_flat(_DTYPES[kind], "", 0))


@cache
def pool_fields() -> tuple[Field, ...]:
    """Return the fields of a pool, in order."""
    return tuple(_flat(POOL_DTYPE, "", 0))


def _flat(dtype: np.dtype[Any], name: str, offset: int) -> Iterator[Field]:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        for at in range(int(np.prod(shape))):
            yield from _flat(base, f"{name}.{at}", offset + at * base.itemsize)
    elif dtype.names:
        for part in dtype.names:
            assert dtype.fields is not None, "it has names"
            inner, at = dtype.fields[part][:2]
            yield from _flat(inner, f"{name}.{part}" if name else part, offset + at)
    else:
        yield Field(name=name, offset=offset, size=dtype.itemsize)
