"""What changed from one state to the next, and the next state from that.

Core. An account is changed where its address is in both states and its keys are the same; otherwise it is closed, added, or both.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.address_index import AddressIndex
from keeper.saved.accounts import TABLE_DTYPES, Accounts, Order, Table
from keeper.saved.blocks import is_same_keys
from keeper.saved.forecasts import Part, fields_in
from programs.layout import AccountKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChange:
    """What became of one kind's accounts."""

    closed: Order
    """Rows of the base."""
    changed: Order
    """Rows of the base, rising."""
    into: Order
    """Rows of the next state that these became."""
    added: Order
    """Rows of the next state."""

    @property
    def count(self) -> int:
        """How many accounts are concerned."""
        return len(self.closed) + len(self.changed) + len(self.added)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of all accounts."""

    tables: dict[AccountKind, TableChange]
    closed: tuple[bytes, ...]
    """Addresses of accounts in no table that are gone."""
    others: tuple[tuple[bytes, bytes], ...]
    """Accounts in no table that are new or other than before."""

    @property
    def count(self) -> int:
        """How many accounts are concerned."""
        return (
            len(self.closed) + len(self.others) + sum(each.count for each in self.tables.values())
        )


def find_changes(base: Accounts, following: Accounts) -> Changes:
    """Compare two states."""
    before, after = dict(base.others), dict(following.others)
    return Changes(
        tables={
            kind: _compared(base.tables[kind], following.tables[kind]) for kind in TABLE_DTYPES
        },
        closed=tuple(address for address in before if address not in after),
        others=tuple(pair for pair in following.others if before.get(pair[0]) != pair[1]),
    )


def patched(base: Table, closed: Order, changed: Order, replacements: Table) -> Table:
    """Return a table, of accounts without pools, less some rows and with others instead of some."""
    rows = base.rows.copy()
    rows[changed] = replacements.rows
    keep = np.delete(np.arange(len(base)), closed)
    return Table(kind=base.kind, addresses=base.addresses[keep], rows=rows[keep])


def with_others(
    before: Iterable[tuple[bytes, bytes]],
    closed: Iterable[bytes],
    changed: Iterable[tuple[bytes, bytes]],
) -> list[tuple[bytes, bytes]]:
    """Return accounts in no table as they are next."""
    after = dict(before) | dict(changed)
    for address in closed:
        after.pop(address, None)
    return list(after.items())


def _compared(base: Table, following: Table) -> TableChange:
    found = AddressIndex(base.addresses).rows_of(following.addresses)
    into = np.flatnonzero(found >= 0)
    rows = found[into]
    is_same = _same_bytes(base, rows, following, into)
    rows, into = rows[~is_same], into[~is_same]
    alike = _alike(base, rows, following, into)
    order = np.argsort(rows[alike])
    is_kept = np.zeros(len(base), np.bool_)
    is_kept[found[found >= 0]] = True
    is_kept[rows[~alike]] = False
    return TableChange(
        closed=np.flatnonzero(~is_kept),
        changed=rows[alike][order],
        into=into[alike][order],
        added=np.sort(np.concatenate([np.flatnonzero(found < 0), into[~alike]])),
    )


def _same_bytes(base: Table, rows: Order, following: Table, into: Order) -> npt.NDArray[np.bool_]:
    if base.kind is AccountKind.MARKET:
        pairs = zip(_whole(base, rows), _whole(following, into), strict=True)
        return np.array([one == other for one, other in pairs], np.bool_)
    if not len(rows):
        return np.zeros(0, np.bool_)
    one, other = base.rows[rows], following.rows[into]
    shape = (len(rows), -1)
    same: npt.NDArray[np.bool_] = (
        one.view(np.uint8).reshape(shape) == other.view(np.uint8).reshape(shape)
    ).all(axis=1)
    return same


def _whole(markets: Table, rows: Order) -> list[bytes]:
    return markets.taken(rows).joined(0, len(rows))


def _alike(base: Table, rows: Order, following: Table, into: Order) -> npt.NDArray[np.bool_]:
    """Tell which accounts may be told of by their differences."""
    one, other = base.rows[rows], following.rows[into]
    alike = is_same_keys(base.kind, one, other)
    if base.kind is AccountKind.MARKET:
        for each in fields_in(Part.MARKET_NAMES):
            alike &= each.integers(one) == each.integers(other)
    return alike
