"""What each technique is worth: the bytes that are left of a snapshot after one more of them, whole and of changes.

The techniques are added one after the other, in the order in which a writer applies them, so a step is worth what the ones before left
to it. The last one is general compression, and what is left is the file.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from bench.report.figure import Beside, Figure
from keeper.address_index import ADDRESS_BYTES, AddressArray
from keeper.saved.accounts import TABLE_DTYPES, Accounts, Order, Table
from keeper.saved.blocks import amounts_apart, integers_of, key_fields
from keeper.saved.change_content import write_changes
from keeper.saved.changes import Changes, find_changes
from keeper.saved.content import HOLDERS, dictionary_of, holdings_of
from keeper.saved.dictionary import Dictionary
from keeper.saved.fields import Integers, Role, fields_of, pool_fields, role_of
from keeper.saved.files import Saved
from keeper.saved.forecasts import PARTS_OF, Known, Part, differences_from_forecasts, fields_in
from keeper.saved.holdings import Holdings
from programs.layout import AccountKind
from state.snapshots.columns import Choice, Coding, encode, fold_signs
from state.snapshots.planes import width_of

_MARKET: Final = AccountKind.MARKET
_PLAIN: Final = frozenset({Coding.PLAIN})
_CODINGS: Final = (
    ("runs", _PLAIN | {Coding.CONSTANT, Coding.RUNS}),
    ("differences", _PLAIN | {Coding.CONSTANT, Coding.RUNS, Coding.DIFFERENCES}),
    ("rare exceptions and dictionaries of values", frozenset(Coding)),
)
"""Added one after the other, nothing compressed yet."""
_UNCOMPRESSED: Final = Choice(is_compressed=False)

Step = tuple[str, int]


def split_of_whole(accounts: Accounts, file_bytes: int) -> list[Figure]:
    """Return a figure for each technique of a whole snapshot."""
    dictionary = dictionary_of(accounts)
    tables = [accounts.tables[kind] for kind in TABLE_DTYPES]
    derived = ADDRESS_BYTES * (sum(map(len, tables)) + len(accounts.tables[_MARKET]))
    left = accounts.raw_bytes - derived
    steps = [("derived keys", left)]
    places, refs = _places(accounts.tables, dictionary)
    narrow = _narrow(places)
    left += narrow + dictionary.wallets.nbytes - refs
    steps.append(("a dictionary of keys", left))
    plain = [*_columns(tables), *places]
    rest = left - sum(map(_integer_bytes, tables)) - narrow
    steps.append(("integers as narrow columns", rest + _encoded(plain, _PLAIN)))
    steps += [(name, rest + _encoded(plain, codings)) for name, codings in _CODINGS]
    apart = [*_columns_apart(accounts), *places]
    steps.append(("forecasts from the program's books", rest + _encoded(apart)))
    steps.append(("general compression: the file", file_bytes))
    return _figures("left after", accounts.raw_bytes, steps)


def split_of_next(base: Saved, following: Accounts, file_bytes: int) -> list[Figure]:
    """Return a figure for each technique of a snapshot of changes.

    Args:
        base: the snapshot before.
        following: all accounts as they are next.
        file_bytes: of the changes, written.
    """
    changes = find_changes(base.accounts, following)
    dictionary = dictionary_of(following, base.dictionary.wallets)
    added_keys: AddressArray = dictionary.wallets[len(base.dictionary.wallets) :]
    added = {
        kind: following.tables[kind].taken(each.added) for kind, each in changes.tables.items()
    }
    new = {kind: following.tables[kind].taken(each.into) for kind, each in changes.tables.items()}
    left = touched_bytes(base.accounts, following)
    steps = [("telling only of the accounts concerned", left)]
    concerned = [*added.values(), *new.values()]
    left -= ADDRESS_BYTES * (sum(map(len, concerned)) + len(added[_MARKET]) + len(new[_MARKET]))
    steps.append(("derived keys, and rows instead of addresses", left))
    places, refs = _places(added, dictionary)
    places += [
        rows.astype(np.uint64)
        for each in changes.tables.values()
        for rows in (each.closed, each.changed)
    ]
    _, known = _places(new, dictionary)
    known += ADDRESS_BYTES * len(new[_MARKET]) * len(key_fields(_MARKET, Role.PLAIN))
    left += _narrow(places) + added_keys.nbytes - refs - known
    steps.append(("a dictionary of keys, and those that the base has", left))
    # What is no column of integers, and stays as it is until general compression.
    written = write_changes(
        base.accounts,
        base.dictionary.wallets,
        changes,
        following,
        base.header.program,
        _UNCOMPRESSED,
    )
    before, after = (
        holdings_of(each, dictionary_of(each, base.dictionary.wallets))
        for each in (base.accounts, following)
    )
    apart = [*_changes_apart(base.accounts, changes, following, before, after), *places]
    whole = sum(len(each.data) for each in written)
    rest = whole - _encoded(apart)
    plain = [*_columns(concerned), *places]
    steps.append(("integers as narrow columns", rest + _encoded(plain, _PLAIN)))
    old = {
        kind: base.accounts.tables[kind].taken(each.changed)
        for kind, each in changes.tables.items()
    }
    paired = [(list(_columns([new[kind]])), list(_columns([old[kind]]))) for kind in new]
    told = [
        *_columns(added.values()),
        *(fold_signs(one - other) for pair in paired for one, other in zip(*pair, strict=True)),
        *places,
    ]
    steps.append(("differences to the base", rest + _encoded(told, _PLAIN)))
    steps += [(name, rest + _encoded(told, codings)) for name, codings in _CODINGS]
    steps.append(("forecasts from the program's books", whole))
    steps.append(("general compression: the file", file_bytes))
    return _figures("next snapshot: left after", following.raw_bytes, steps)


def touched_bytes(first: Accounts, following: Accounts) -> int:
    """Return what accounts take, address and data, that are new or other than before."""
    before = dict(first.pairs())
    return sum(
        len(address) + len(data)
        for address, data in following.pairs()
        if before.get(address) != data
    )


def _figures(name: str, raw_bytes: int, steps: Iterable[Step]) -> list[Figure]:
    found, before = [], raw_bytes
    for step, size in steps:
        beside = Beside(name="before", value=before)
        found.append(Figure(name=f"{name} {step}", unit="bytes", runs=(size,), baseline=beside))
        before = size
    return found


def _places(tables: dict[AccountKind, Table], dictionary: Dictionary) -> tuple[list[Integers], int]:
    """Return the places of all keys that accounts refer to, and how many bytes these keys take."""
    places, refs = [], 0
    for kind in HOLDERS:
        for each in key_fields(kind, Role.MARKET, Role.WALLET):
            keys = each.keys(tables[kind].rows)
            places.append(dictionary.places_of(keys, role_of(each)))
            refs += ADDRESS_BYTES * len(keys)
    return places, refs


def _narrow(columns: Iterable[Integers]) -> int:
    return sum(len(each) * width_of(each) for each in columns if len(each))


def _integer_bytes(table: Table) -> int:
    """Return what the integers of accounts take, pools included."""
    width = sum(each.size for each in fields_of(table.kind) if not each.is_key)
    return width * len(table) + table.pools.nbytes


def _columns(tables: Iterable[Table]) -> list[Integers]:
    columns: list[Integers] = []
    for table in tables:
        integers = [each for each in fields_of(table.kind) if not each.is_key]
        columns += integers_of(integers, table.rows).values()
        if table.kind is _MARKET:
            columns += integers_of(pool_fields(), table.pools).values()
    return columns


def _columns_apart(accounts: Accounts) -> list[Integers]:
    """Return all columns less their forecasts."""
    holdings = holdings_of(accounts, dictionary_of(accounts))
    markets = accounts.tables[_MARKET]
    columns = list(integers_of(fields_in(Part.MARKET_NAMES), markets.rows).values())
    columns += amounts_apart(markets, np.arange(len(markets)), holdings)
    for kind in HOLDERS:
        columns += _apart(accounts.tables[kind], holdings)
    return columns


def _changes_apart(
    base: Accounts, changes: Changes, following: Accounts, before: Holdings, after: Holdings
) -> list[Integers]:
    """Return the columns of changes as they are written: what differs from forecasts, and of accounts of the base that less what did."""
    found: list[Integers] = []
    for kind, change in changes.tables.items():
        one, other = following.tables[kind], base.tables[kind]
        if kind is _MARKET:
            order: Order = np.argsort(change.into)
            new = amounts_apart(one, change.into[order], after)
            old = amounts_apart(other, change.changed[order], before)
            names = fields_in(Part.MARKET_NAMES)
            found += integers_of(names, one.taken(change.added).rows).values()
            found += amounts_apart(one, change.added, after)
        else:
            # Both under the forecasts of the next state: a forecast of these kinds reads their own columns only.
            new, old = (
                _apart(one.taken(change.into), after),
                _apart(other.taken(change.changed), after),
            )
            found += _apart(one.taken(change.added), after)
        found += [fold_signs(now - then) for now, then in zip(new, old, strict=True)]
    return found


def _apart(table: Table, holdings: Holdings) -> list[Integers]:
    part = PARTS_OF[table.kind]
    columns = integers_of(fields_in(part), table.rows)
    return differences_from_forecasts(part, columns, Known(holdings=holdings))


def _encoded(columns: Sequence[Integers], codings: frozenset[Coding] = frozenset(Coding)) -> int:
    choice = Choice(codings=codings, is_compressed=False)
    return sum(len(encode(each, choice)) for each in columns)
