"""keeper/position_table.py and address_index.py: however a table came to its rows, they are those of one filled afresh."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import position_row

from keeper.address_index import AddressIndex, address_array
from keeper.position_table import PositionColumns, PositionTable
from keeper.snapshot import Unreadable

MARKETS = 5


def columns(cells):
    """One position for each (number, version); every 7th version cannot be read."""
    accounts = []
    for number, version in cells:
        address, data = position_row(number, market=version % MARKETS, debt=version)
        accounts.append((address, data if version % 7 != 6 else b"\0" + data[1:]))
    return PositionColumns.of(accounts)


def shown(table):
    """All that is read of a table: each position by address, and which positions each market has."""
    market_row = np.arange(len(table.market_addresses))
    held = table.holdings(slice(0, table.count), market_row)
    markets = [address.tobytes() for address in table.market_addresses]
    rows = {
        table.addresses[at].tobytes(): (table.rows[at].tobytes(), markets[held.market_row[at]])
        for at in range(table.count)
        if not table.is_blank(slice(0, table.count))[at]
    }
    by_market = {
        address: {
            table.addresses[row].tobytes()
            for row in table.rows_in([number]).tolist()
            if held.market_row[row] == number
        }
        for number, address in enumerate(markets)
    }
    required = {table.addresses[at].tobytes(): int(held.required[at]) for at in range(table.count)}
    return rows, {market: found for market, found in by_market.items() if found}, required


cells = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=12, unique_by=lambda cell: cell[0]
)


@settings(max_examples=150)
@given(st.lists(cells, min_size=1, max_size=4), st.booleans())
def test_a_table_filled_again_and_again_is_as_one_filled_once(scans, keeps_order):
    table = PositionTable()
    for scan in scans:
        wanted = sorted(scan) if keeps_order else scan
        told, fresh = PositionTable(), columns(wanted)
        assert table.refill(fresh) == told.refill(fresh)
        assert shown(table) == shown(told)


@given(st.lists(st.integers(0, 20), min_size=40, max_size=40), st.data())
def test_a_scan_in_which_few_rows_differ_is_taken_in_like_any_other(versions, data):
    table, told = PositionTable(), PositionTable()
    table.refill(columns(list(enumerate(version % 6 for version in versions))))
    touched = data.draw(st.sets(st.integers(0, 39), max_size=10))
    if data.draw(
        st.booleans()
    ):  # something was written between the scans, in another market than before
        table.write([(position_row(3, market=0)[0], position_row(3, market=4, debt=9)[1])])
    again = [(n, v % 6 if n not in touched else v) for n, v in enumerate(versions)]
    assert table.refill(columns(again)) == told.refill(columns(again))
    assert shown(table) == shown(told)


def test_what_cannot_be_read_any_more_is_left_out_and_counted():
    table = PositionTable()
    table.refill(columns([(n, 0) for n in range(10)]))
    assert table.refill(columns([(n, 0 if n else 6) for n in range(10)])) == {
        Unreadable.WRONG_KIND: 1
    }
    assert table.live == 9


@pytest.fixture(scope="module")
def crowded():
    """Addresses of which many share their lowest bits, and some the whole first word."""
    draws = np.random.default_rng(8)
    words = draws.integers(0, 2**63, (600, 4)).astype("<u8")
    words[100:200, 0] = words[:100, 0]
    words[200:400, 0] &= np.uint64(0xFFFF_FFFF_0000_0000)
    return address_array([row.tobytes() for row in words])


def test_guessing_finds_what_searching_finds(crowded):
    known, unknown = crowded[:500], crowded[500:]
    draws = np.random.default_rng(9)
    wanted = crowded[draws.integers(0, len(crowded), 5_000)]
    index = AddressIndex(known)
    one_by_one = np.concatenate(
        [index.rows_of(wanted[at : at + 100]) for at in range(0, 5_000, 100)]
    )
    assert np.array_equal(index.rows_of(wanted), one_by_one)
    assert (known[one_by_one[one_by_one >= 0]] == wanted[one_by_one >= 0]).all()
    assert set(wanted[one_by_one < 0].tolist()) <= set(unknown.tolist())


def test_a_single_address_is_guessed_too():
    index = AddressIndex(address_array([bytes(32)]))
    wanted = address_array([bytes(32), b"\1" + bytes(31)] * 3_000)
    assert index.rows_of(wanted).tolist() == [0, -1] * 3_000


def test_addresses_that_were_chosen_alike_cost_no_more_than_others():
    """A file may have thousands that share their first eight bytes; each lookup looked at all of them."""
    alike = address_array([b"alike..." + at.to_bytes(24, "little") for at in range(8_000)])
    index = AddressIndex(alike)
    started_s = time.process_time()
    assert index.rows_of(alike[::-1]).tolist() == list(range(8_000))[::-1]
    assert index.rows_of(address_array([b"alike..." + b"\xff" * 24])).tolist() == [-1]
    assert time.process_time() - started_s < 0.5
