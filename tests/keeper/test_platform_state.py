"""keeper/platform_state.py: whatever is told in whatever order, the newest truth stands, and what is due follows from it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import USD, market_row, position_row

from keeper.platform_state import Notice, PlatformState, Reading
from keeper.position_table import PositionColumns
from keeper.risk import assess
from keeper.snapshot import Unreadable, positions_of_chains
from programs.layout import (
    CHAIN_DTYPE,
    GLOBAL_DTYPE,
    MARKET_DTYPE,
    POOL_DTYPE,
    POSITION_DTYPE,
    VAULT_DTYPE,
    AccountKind,
)

POSITION, CHAIN, MARKET = AccountKind.POSITION, AccountKind.CHAIN, AccountKind.MARKET
KINDS = (POSITION, CHAIN, MARKET)
GENESIS, VAULT = bytes([1] * 32), bytes([2] * 32)
AGE_BASE = 1_000
"""Slot at which prices are published: old enough for some to pass 150 slots during a test."""


def singleton(dtype, kind, **fields):
    row = np.zeros(1, dtype)
    row["kind"], row["version"] = kind, 1
    for name, value in fields.items():
        row[name] = value
    return row.tobytes()


def chain_row(number, *, debt):
    row = np.zeros(1, CHAIN_DTYPE)
    row["kind"], row["version"] = CHAIN, 1
    data = np.frombuffer(position_row(number, market=number % 3, debt=debt)[1], POSITION_DTYPE)
    row["positions"][0][0] = data[0]
    return bytes([201, number]) + bytes(30), row.tobytes()


def account(kind, number, version):
    """One account in one of many states."""
    if kind is POSITION:
        debt = (0, 40, 55, 47, 48)[version % 5] * USD
        market, margin = (number + version // 5) % 4, (10, 100)[version % 2] * USD
        return position_row(number, market=market, debt=debt, margin=margin)
    if kind is CHAIN:
        return chain_row(number, debt=(0, 60, 45)[version % 3] * USD)
    pools = 1 if number else 1 + version % 2
    address, data = market_row(
        number,
        slot=AGE_BASE - 100 * (version % 2),
        prices_e6=[300_000 + 100_000 * (version // 2 % 4)] * pools,
        price_class=version // 8 % 2,
    )
    pool = np.frombuffer(data, POOL_DTYPE, offset=MARKET_DTYPE.itemsize).copy()
    pool["leveraged"] = (0, 10_000 * USD)[version % 3 % 2]
    pool["liquidity"] = (0, 100_000 * USD)[version % 5 > 0]
    return address, data[: MARKET_DTYPE.itemsize] + pool.tobytes()


def reading(slot, states):
    held = {kind: [] for kind in KINDS}
    for (kind, number), version in states.items():
        held[kind].append(account(kind, number, version))
    return Reading(
        positions=PositionColumns.of(held[POSITION]),
        positions_slot=slot,
        chains=held[CHAIN],
        chains_slot=slot,
        markets=held[MARKET],
        markets_slot=slot,
        global_=(GENESIS, singleton(GLOBAL_DTYPE, AccountKind.GLOBAL, market_count=slot)),
        vault=(VAULT, singleton(VAULT_DTYPE, AccountKind.VAULT, cash=slot)),
        singletons_slot=slot,
        skipped=Counter(),
    )


def notice(slot, kind, number, version):
    address, data = account(kind, number, 0 if version is None else version)
    return Notice(kind, address, None if version is None else data, slot)


def take(state, found, *, meanwhile=()):
    filling = state.begin(found)
    if filling is None:
        state.tell(meanwhile)
        return
    half = len(meanwhile) // 2
    state.tell(meanwhile[:half])
    filling.run()
    state.tell(meanwhile[half:])
    state.adopt(filling)


def held_by(snapshot):
    """What a snapshot holds, by address; blank rows are none."""
    is_blank = snapshot.positions["kind"] == 0
    positions = {
        snapshot.addresses[row].tobytes(): snapshot.positions[row].tobytes()
        for row in np.flatnonzero(~is_blank)
    }
    return (
        positions,
        dict(snapshot.chains),
        {bytes(key): value for key, value in snapshot.markets.items()},
    )


def check_assessment(snapshot):
    """Compare what was kept up with against judging everything, on rows without gaps."""
    live = np.flatnonzero(snapshot.positions["kind"] != 0)
    full = assess(snapshot.markets, snapshot.positions[live], snapshot.slot)
    kept = snapshot.assessed
    assert kept.counts == full.counts
    assert kept.slot == full.slot
    assert kept.index.tolist() == live[full.index].tolist()
    for name in ("market_row", "health_bps", "bounty", "shortfall"):
        assert getattr(kept, name).tolist() == getattr(full, name).tolist(), name


slots = st.integers(AGE_BASE, AGE_BASE + 60)
keys = st.tuples(st.sampled_from(KINDS), st.integers(0, 5))
notices = st.lists(st.tuples(slots, keys, st.one_of(st.none(), st.integers(0, 29))), max_size=8)
scans = st.tuples(slots, st.dictionaries(keys, st.integers(0, 29), max_size=14), notices)


@given(events=st.lists(st.one_of(scans, notices), max_size=12), first=scans)
@settings(max_examples=150, deadline=None)
def test_any_interleaving_ends_with_the_newest_truth_and_what_follows_from_it(events, first):
    state = PlatformState()
    facts = {}
    """(kind, number) -> (slot, is notice, order), version"""
    scans_told, order = [], 0

    def note(told):
        nonlocal order
        for slot, key, version in told:
            order += 1
            facts.setdefault(key, []).append(((slot, 1, order), version))
        return [notice(slot, *key, version) for slot, key, version in told]

    for number, event in enumerate([first, *events]):
        if isinstance(event, list):
            for one in note(event):
                state.tell([one])
        else:
            slot, states, meanwhile = event
            if state.scan_slot is None or slot >= state.scan_slot:
                order += 1
                scans_told.append(((slot, 0, order), states))
            take(state, reading(slot, states), meanwhile=note(meanwhile))
        snapshot = state.snapshot(AGE_BASE + 45 + number)  # some prices turn stale on the way
        check_assessment(snapshot)
    every = {key for _, states in scans_told for key in states} | set(facts)
    expected = {kind: {} for kind in KINDS}
    for key in every:
        told = [(when, states.get(key)) for when, states in scans_told] + facts.get(key, [])
        version = max(told, key=lambda fact: fact[0])[1]
        if version is not None:
            address, data = account(*key, version)
            expected[key[0]][address] = data
    positions, chains, markets = held_by(snapshot)
    assert chains == expected[CHAIN]
    assert positions == expected[POSITION] | dict(positions_of_chains(expected[CHAIN]))
    assert set(markets) == set(expected[MARKET])
    for address, data in expected[MARKET].items():
        row = int(snapshot.markets.rows_of(np.frombuffer(address, "V32"))[0])
        found = snapshot.markets.rows[row].tobytes()
        first_pool, count = snapshot.markets.first_pool[row], data[5]
        assert found + snapshot.markets.pools[first_pool : first_pool + count].tobytes() == data
    assert state.positions == len(positions)


def test_a_fork_is_mended_by_the_first_scan_of_a_later_slot():
    state = PlatformState()
    take(state, reading(10, {(POSITION, 1): 0, (POSITION, 2): 0}))
    state.tell(
        [notice(13, POSITION, 1, 2), notice(13, POSITION, 3, 2)]
    )  # of a block that is taken back

    take(state, reading(12, {(POSITION, 1): 0, (POSITION, 2): 0}))
    assert len(held_by(state.snapshot(12))[0]) == 3

    take(state, reading(14, {(POSITION, 1): 0, (POSITION, 2): 0}))
    assert held_by(state.snapshot(14))[0] == dict(account(POSITION, n, 0) for n in (1, 2))


def test_what_is_published_of_markets_and_chains_never_changes():
    state = PlatformState()
    take(state, reading(10, {(MARKET, 0): 0, (CHAIN, 1): 1}))
    before = state.snapshot(10)
    rows, chains, due = before.markets.rows.tobytes(), dict(before.chains), before.assessed

    state.tell([notice(11, MARKET, 0, 2), notice(11, CHAIN, 1, None)])
    after = state.snapshot(11)

    assert (before.markets.rows.tobytes(), before.chains, before.assessed) == (rows, chains, due)
    assert not after.chains
    market = next(iter(before.markets))
    assert before.markets[market].pools[0].price_e6 == 300_000
    assert after.markets[market].pools[0].price_e6 == 400_000


def test_notifications_that_cannot_be_read_are_counted_and_change_nothing():
    state = PlatformState()
    take(state, reading(10, {(POSITION, 1): 0, (MARKET, 1): 0, (CHAIN, 1): 0}))
    before = held_by(state.snapshot(10))

    counts = state.tell(
        [notice(11, kind, 1, 1)._replace(data=b"\x04\x01short") for kind in KINDS]
        + [
            notice(11, POSITION, 1, 1)._replace(data=bytes(160)),
            Notice(AccountKind.VAULT, VAULT, None, 11),
            Notice(AccountKind.VAULT, VAULT, bytes(1_000), 11),
            Notice(AccountKind.GLOBAL, GENESIS, b"", 11),
            Notice(AccountKind.STAKE, GENESIS, b"", 11),
        ]
    )

    assert counts == {
        Unreadable.WRONG_LENGTH: 4,
        Unreadable.WRONG_KIND: 3,
        Unreadable.NO_ACCOUNT: 1,
    }
    assert held_by(state.snapshot(11)) == before


def test_the_vault_is_the_newest_one_told():
    state = PlatformState()
    take(state, reading(10, {}))
    state.tell(
        [Notice(AccountKind.VAULT, VAULT, singleton(VAULT_DTYPE, AccountKind.VAULT, cash=77), 12)]
    )
    assert state.snapshot(12).vault.cash == 77
    take(state, reading(11, {}))
    assert (state.snapshot(12).vault.cash, state.snapshot(12).global_.market_count) == (77, 11)


def test_a_kind_read_from_a_node_that_lags_keeps_what_is_known_of_it():
    state = PlatformState()
    take(state, reading(10, {(POSITION, 1): 0, (CHAIN, 1): 1}))
    known = held_by(state.snapshot(10))
    old = reading(11, {})
    take(state, replace(old, positions_slot=9, chains_slot=10, markets_slot=9))
    assert held_by(state.snapshot(10)) == known


@pytest.mark.parametrize("count", [1, 5_000])
def test_rows_freed_are_used_again_and_the_table_grows_as_needed(count):
    state = PlatformState()
    take(state, reading(10, {(MARKET, 0): 2}))
    rows = [position_row(number % 60_000, debt=55 * USD) for number in range(count)]
    state.tell([Notice(POSITION, address, data, 11) for address, data in rows])
    state.tell([Notice(POSITION, address, None, 12) for address, _ in rows[::2]])
    snapshot = state.snapshot(12)
    check_assessment(snapshot)
    assert held_by(snapshot)[0] == dict(rows[1::2])

    state.tell([Notice(POSITION, address, data, 13) for address, data in rows[::2]])
    state.tell([Notice(POSITION, rows[0][0], None, 9)])  # late: it is known better
    snapshot = state.snapshot(13)
    check_assessment(snapshot)
    assert held_by(snapshot)[0] == dict(rows)
    assert len(snapshot.positions) == count
