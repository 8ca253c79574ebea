"""Whether accounts that were read are a state that a writer could have saved: each once, in its place, of its table's kind.

Core. The root does not say so: whoever made the file made its root as well. Without this an account could be counted twice, or lie
among those whose amounts are not counted, and one state would have many roots.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from keeper.address_index import AddressArray, address_array, words_of
from keeper.saved.accounts import Accounts, Order, Table, is_in_order, table_of
from programs.layout import AccountKind
from state.snapshots.errors import SnapshotDamaged

Others = Sequence[tuple[bytes, bytes]]
Row = tuple[Table, Order | None]
"""One account, and the row of its market."""


class Soundness:
    """What a reader of blocks remembers of those that came."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._addresses: list[AddressArray] = []
        self._last: Row | None = None

    def take_markets(self, names: Table) -> None:
        """Take the names of all markets.

        Raises:
            SnapshotDamaged: they are not in their order, or one stands there twice.
        """
        _check_order(names, None)
        check_unique([names.addresses], "a market")
        self._addresses.append(names.addresses)

    def take(self, table: Table, market_rows: Order | None) -> None:
        """Take a block of accounts that refer to markets and wallets.

        Args:
            table: the block.
            market_rows: the row of each one's market, as `is_in_order` takes them.

        Raises:
            SnapshotDamaged: it is not in order, or does not belong behind the last block.
        """
        check_kind(table)
        self._addresses.append(table.addresses)
        _check_order(table, market_rows)
        before, self._last = self._last, _row(table, market_rows, len(table) - 1)
        if before is not None and before[0].kind is table.kind:
            _check_order(*_side_by_side(before, _row(table, market_rows, 0)))

    def take_others(self, others: Others) -> None:
        """Take the accounts that are in no table.

        Raises:
            SnapshotDamaged: they are not in order, or one belongs into a table.
        """
        check_others(others)
        self._addresses.append(address_array([address for address, _ in others]))

    def finish(self) -> None:
        """State that everything was taken.

        Raises:
            SnapshotDamaged: an account stands there twice.
        """
        check_unique(self._addresses, "an account")


def check_accounts(accounts: Accounts) -> None:
    """State the same of accounts that were put in order.

    Raises:
        SnapshotDamaged: one is of another kind than its table, or there twice.
    """
    for table in accounts.tables.values():
        check_kind(table)
    check_others(accounts.others)
    others = address_array([address for address, _ in accounts.others])
    check_unique([*(table.addresses for table in accounts.tables.values()), others], "an account")


def check_kind(table: Table) -> None:
    """State that accounts say that they are of their table's kind.

    Raises:
        SnapshotDamaged: one does not.
    """
    if (table.rows["kind"] != table.kind).any():
        raise SnapshotDamaged(f"found an account of another kind in a block of {_name(table.kind)}")


def check_unique(parts: Iterable[AddressArray], what: str) -> None:
    """State that no key stands in these parts twice.

    Raises:
        SnapshotDamaged: one does.
    """
    words = np.concatenate([words_of(each) for each in parts])
    firsts = np.sort(words[:, 0])
    twice = firsts[1:][firsts[1:] == firsts[:-1]]
    if not len(twice):
        return
    suspects = words[np.isin(words[:, 0], twice)]
    if len(np.unique(suspects, axis=0)) != len(suspects):
        raise SnapshotDamaged(f"found {what} twice")


def check_others(others: Others) -> None:
    """State that accounts in no table belong there, in their order.

    Raises:
        SnapshotDamaged: one does not.
    """
    for _, data in others:
        kind = table_of(data)
        if kind is not None:
            raise SnapshotDamaged(f"found one of {_name(kind)} among accounts that are in no table")
    keys = [(data[:1], address) for address, data in others]
    if any(one > other for one, other in pairwise(keys)):
        raise SnapshotDamaged("found accounts in no table in another order than theirs")


def _row(table: Table, market_rows: Order | None, row: int) -> Row:
    at = np.array([row])
    return table.taken(at), None if market_rows is None else market_rows[at]


def _side_by_side(one: Row, other: Row) -> Row:
    (before, its_market), (after, market) = one, other
    table = Table(
        kind=after.kind,
        addresses=np.concatenate([before.addresses, after.addresses]),
        rows=np.concatenate([before.rows, after.rows]),
    )
    is_apart = its_market is None or market is None
    return table, None if is_apart else np.concatenate([its_market, market])


def _check_order(table: Table, market_rows: Order | None) -> None:
    if not is_in_order(table, market_rows):
        raise SnapshotDamaged(f"found {_name(table.kind)} in another order than theirs")


def _name(kind: AccountKind) -> str:
    return f"{kind.name.lower()}s"
