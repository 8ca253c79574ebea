import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from harness import USD, Platform
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

from keeper.risk import Verdict, assess, health_bps, judge, required_margin
from keeper.sale import floors_e6, rooms
from keeper.snapshot import Markets, take_markets
from programs import instructions, leverage
from programs.accounts import Side
from programs.curve import Curve, shares_to_price
from programs.fixed import ceil_div
from programs.layout import MARKET_DTYPE, POOL_DTYPE, POSITION_DTYPE, VAULT_DTYPE, AccountKind
from programs.units import U64_MAX, Slot

MARKET_OF_ONE_POOL = np.dtype([("market", MARKET_DTYPE), ("pool", POOL_DTYPE)])
NOW = Slot(10_000)
u64 = st.one_of(st.integers(0, U64_MAX), st.integers(0, 10**12), st.just(U64_MAX))


def market_of(**changes):
    row = np.zeros(1, MARKET_OF_ONE_POOL)
    market, pool = row["market"], row["pool"]
    market["kind"], market["version"] = AccountKind.MARKET, 1
    market["pools"], market["outcomes"], market["publish_slot"] = 1, 2, NOW
    pool["price_e6"], pool["liquidity"] = 500_000, 100_000 * USD
    for name, value in changes.items():
        (market if name in MARKET_DTYPE.names else pool)[name] = value
    return row.tobytes()


def positions_of(*rows, market=bytes(32)):
    made = np.zeros(len(rows), POSITION_DTYPE)
    made["kind"], made["version"] = AccountKind.POSITION, 1
    made["market"], made["margin_bps"] = np.frombuffer(market, "V32")[0], 500
    for at, fields in enumerate(rows):
        for name, value in fields.items():
            made[name][at] = value
    return made


def markets_of(**changes) -> Markets:
    return take_markets([(bytes(32), market_of(**changes))])[0]


# -- the same integers as the scalar mirror --


@given(margin=u64, shares=u64, margin_bps=st.integers(0, 10_000))
def test_the_requirement_is_the_scalar_mirrors(margin, shares, margin_bps):
    found = required_margin(
        np.array([margin], np.uint64),
        np.array([shares], np.uint64),
        np.array([margin_bps], np.uint16),
    )

    assert int(found[0]) == leverage.required_margin(margin, shares, margin_bps)


@given(value=u64, debt=st.integers(1, U64_MAX), required=u64)
def test_health_is_the_scalar_mirrors_over_all_of_u64(value, debt, required):
    found = health_bps(*(np.array([each], np.uint64) for each in (value, debt, required)))

    assert int(found[0]) == leverage.health_bps(value, 1_000_000, debt, required)


@given(
    shares=u64,
    debt=st.integers(1, U64_MAX),
    margin=u64,
    price_e6=st.integers(1_000, 999_000),
    band_e6=st.integers(0, 1_000_000),
    price_class=st.integers(0, 1),
    side=st.integers(0, 1),
)
def test_value_requirement_and_verdict_are_exact_over_all_of_u64(
    shares, debt, margin, price_e6, band_e6, price_class, side
):
    markets = markets_of(price_e6=price_e6, band_e6=band_e6, price_class=price_class)
    rows = positions_of({"shares": shares, "debt": debt, "margin": margin, "side": side})

    found = judge(markets, rows, NOW)

    oracle_e6 = price_e6 if side == Side.YES else 1_000_000 - price_e6
    judged_e6 = min(oracle_e6 + (band_e6 if price_class else 0), 1_000_000)
    value = shares * judged_e6 // 1_000_000
    required = leverage.required_margin(margin, shares, 500)
    assert int(found.judged_e6[0]) == judged_e6
    assert int(found.value[0]) == value
    assert int(found.required[0]) == required
    is_due = value <= debt or value - debt < required
    assert (found.verdict[0] == Verdict.DUE) == is_due


# -- gates --


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.DUE),
        ({"publish_slot": NOW - 150}, Verdict.DUE),
        ({"publish_slot": NOW - 151}, Verdict.PRICE_STALE),
        ({"publish_slot": NOW + 3}, Verdict.DUE),
        ({"status": 1}, Verdict.MARKET_NOT_OPEN),
        ({"price_class": 1}, Verdict.DUE),
        ({"price_class": 2}, Verdict.PRICE_CLASS),
        ({"price_class": 1, "band_e6": 400_000}, Verdict.HEALTHY),
    ],
)
def test_a_market_gates_its_positions(changes, verdict):
    rows = positions_of({"shares": 100 * USD, "debt": 60 * USD})

    assert assess(markets_of(**changes), rows, NOW).counts == {verdict: 1}


def test_positions_of_unknown_markets_and_pools_are_counted_not_judged():
    debt = {"shares": 100 * USD, "debt": 60 * USD}
    rows = positions_of(debt, debt | {"pool": 1})
    strangers = positions_of(debt, market=bytes([1] * 32))

    markets = markets_of()

    assert assess(markets, rows, NOW).counts == {Verdict.DUE: 1, Verdict.MARKET_UNKNOWN: 1}
    assert assess(markets, strangers, NOW).counts == {Verdict.MARKET_UNKNOWN: 1}
    assert assess(take_markets([])[0], rows, NOW).counts == {Verdict.MARKET_UNKNOWN: 2}


def test_without_debt_nothing_is_ever_due():
    rows = positions_of({"shares": 100 * USD})

    assert assess(markets_of(), rows, NOW).counts == {Verdict.NO_DEBT: 1}


PARTIAL = {"shares": 1_000 * USD, "debt": 400 * USD, "margin": 1_200 * USD, "margin_bps": 1_000}
"""At .5: equity of $100 under the requirement of $120, above the gap reserve of $20: it waits for the slot's cap."""


def test_a_pool_at_the_floor_lets_a_partial_sale_wait_and_the_inventory_take_the_rest():
    outstanding = [0, 20_000 * USD]  # u = -0.2: YES at .42, below the floor of .45
    rows = positions_of(
        {"shares": 100 * USD, "debt": 49 * USD}, {"shares": 100 * USD, "debt": 50 * USD}, PARTIAL
    )
    leveraged = [[1_000 * USD, 0]]

    found = assess(markets_of(outstanding=[outstanding], leveraged=leveraged), rows, NOW)

    assert found.counts == {Verdict.DUE: 2, Verdict.AT_FLOOR: 1}
    assert sorted(found.index) == [0, 1]
    assert list(found.bounty) == [0, 0]
    assert assess(markets_of(leveraged=leveraged), rows, NOW).counts == {Verdict.DUE: 3}


def test_a_pool_without_liquidity_takes_no_share():
    rows = positions_of({"shares": 100 * USD, "debt": 49 * USD}, PARTIAL)

    found = assess(markets_of(liquidity=0, leveraged=[[1_000 * USD, 0]]), rows, NOW)

    assert found.counts == {Verdict.DUE: 1, Verdict.AT_FLOOR: 1}


@given(shares=st.integers(1, U64_MAX >> 4), data=st.data())
def test_the_floor_of_a_sale_is_the_programs(shares, data):
    oracle = data.draw(st.integers(1_000, 999_000))
    debt = data.draw(st.integers(0, shares))
    is_underwater = shares * oracle // 1_000_000 <= debt
    columns = (np.array([each], np.uint64) for each in (oracle, shares, debt))
    repays = ceil_div(debt * 10**10, shares * 9_995)
    expected = oracle if is_underwater else max(oracle - 50_000, repays)
    assert floors_e6(*columns, np.array([is_underwater])) == expected


@given(
    outstanding=st.integers(-250_000, 250_000),
    floors=st.lists(st.integers(1, 1_010_000), min_size=1, max_size=20),
)
def test_a_pools_room_is_never_overstated_and_zero_only_where_it_is(outstanding, floors):
    held = [max(outstanding, 0) * USD, max(-outstanding, 0) * USD]
    markets = markets_of(outstanding=[held])
    rows = np.zeros(len(floors), np.int64)
    found = rooms(markets, rows, rows.astype(np.uint8), np.array(floors, np.uint64))
    pool = Curve(liquidity=100_000 * USD, q=held[0] - held[1])
    for floor, room in zip(floors, found.tolist(), strict=True):
        exact = shares_to_price(pool, Side.YES, floor)
        assert room <= exact
        assert (room == 0) == (exact == 0)


# -- order and money --


def test_more_money_at_stake_goes_first_then_the_least_healthy():
    rows = positions_of(
        {"shares": 100 * USD, "debt": 49 * USD},
        {"shares": 10_000 * USD, "debt": 4_900 * USD},
        {"shares": 100 * USD, "debt": 60 * USD},
        {"shares": 100 * USD, "debt": 10 * USD},
    )

    found = assess(markets_of(), rows, NOW)

    assert list(found.index) == [2, 1, 0]
    assert list(found.health_bps) == [-50_000, 5_000, 5_000]
    assert list(found.shortfall) == [10 * USD, 0, 0]
    # Nothing under water sells in a pool that stands at the oracle's price; the others go down to what repays, .490245.
    assert list(found.bounty)[::2] == [0, 100 * 490_245 * 5 // 10_000]
    assert found.bounty[1] > 500_000
    assert found.counts == {Verdict.DUE: 3, Verdict.HEALTHY: 1}


def test_a_partial_cap_bounds_the_bounty_expected():
    # Margin asks for more than the gap reserve: such a position waits for the slot's cap, 2 % of the open interest.
    rows = positions_of(
        {"shares": 1_000 * USD, "debt": 470 * USD, "margin": 900 * USD, "margin_bps": 1_000}
    )
    markets = markets_of(leveraged=[[1_000 * USD, 0]])

    found = assess(markets, rows, NOW)

    assert list(found.index) == [0]
    # The cap is $10 of $500: 20 shares, at .470236 or more, 5 bp of it.
    assert list(found.bounty) == [4_702]
    assert assess(markets_of(), rows, NOW).counts == {Verdict.CAP_EMPTY: 1}


# -- the program itself --


@dataclass
class Stage:
    """A platform whose accounts a test rewrites before asking the program."""

    platform: Platform
    market: Pubkey
    position: Pubkey
    vault: Pubkey

    def write(self, address: Pubkey, data: bytes) -> None:
        before = self.platform.svm.get_account(address)
        self.platform.svm.set_account(
            address, Account(before.lamports, data, before.owner, executable=False)
        )


@pytest.fixture(scope="module")
def stage():
    platform = Platform()
    platform.initialize()
    maker, trader = platform.user(), platform.user()
    market = platform.create_market()
    platform.add_liquidity(maker, market, 100_000 * USD)
    platform.stake(maker, 500_000 * USD)
    platform.post(market, 500_000)
    for side in Side:
        platform.open(maker, market, 60_000 * USD, side=side)
    position_id, _ = platform.open(trader, market, 20 * USD, leverage=5)
    position = platform.position_address(trader, market, position_id)
    return Stage(platform, market, position, platform.global_().vault)


def test_the_program_liquidates_exactly_what_is_judged_due(stage):
    platform, draws = stage.platform, random.Random(11)
    keeper = platform.user()
    instruction = instructions.liquidate(
        platform.program, keeper.address, keeper.tokens, stage.market, [stage.position]
    )
    message = Message([set_compute_unit_limit(1_400_000), instruction], keeper.address)
    transaction = Transaction([keeper.key], message, platform.svm.latest_blockhash())
    first_market = np.frombuffer(platform.data(stage.market), MARKET_OF_ONE_POOL)
    first_position = np.frombuffer(platform.data(stage.position), POSITION_DTYPE)
    vault = np.frombuffer(platform.data(stage.vault), VAULT_DTYPE).copy()
    vault["loans"], vault["weighted_debt_e6"]["high"] = 1 << 60, 1 << 40
    stage.write(stage.vault, vault.tobytes())
    seen: Counter[Verdict] = Counter()
    for _ in range(150):
        market, position = first_market.copy(), first_position.copy()
        _draw_market(draws, market, platform.slot)
        _draw_position(draws, position, market)
        stage.write(stage.market, market.tobytes())
        stage.write(stage.position, position.tobytes())

        result = platform.svm.simulate_transaction(transaction)
        markets, _ = take_markets([(bytes(stage.market), market.tobytes())])
        found = assess(markets, position, Slot(platform.slot))

        is_liquidated = not isinstance(result, FailedTransactionMetadata)
        said = result.meta().logs() if isinstance(result, FailedTransactionMetadata) else ()
        assert is_liquidated == (len(found.index) == 1), (found.counts, said, market, position)
        seen += Counter(found.counts)
    assert all(
        seen[verdict] >= 3
        for verdict in (
            Verdict.DUE,
            Verdict.HEALTHY,
            Verdict.PRICE_STALE,
            Verdict.MARKET_NOT_OPEN,
            Verdict.NO_DEBT,
            Verdict.AT_FLOOR,
        )
    ), seen


def _draw_market(draws, rows, slot):
    market, pool = rows["market"], rows["pool"]
    market["debt"] = 1 << 60
    market["status"] = draws.random() < 0.05
    market["price_class"] = draws.randrange(2)
    market["publish_slot"] = slot - draws.choice([0, 10, 150, 151])
    market["sigma_e6"] = draws.randrange(60_000)
    pool["price_e6"] = draws.randrange(350_000, 650_000)
    pool["band_e6"] = draws.choice([0, 1, 20_000])
    pool["leveraged"] = 1 << 40


def _draw_position(draws, position, rows):
    """Near the boundary, where one unit decides."""
    pool = rows["pool"]
    position["shares"] = shares = draws.choice([1, 49, 51, draws.randrange(1, 20_000 * USD)])
    position["side"] = side = draws.randrange(2)
    position["margin_bps"] = bps = draws.choice([500, 1_000])
    position["margin"] = margin = draws.randrange(0, 2 * shares)
    price_e6 = int(pool["price_e6"][0])
    price_e6 = price_e6 if side == Side.YES else 1_000_000 - price_e6
    if rows["market"]["price_class"][0]:
        price_e6 = min(price_e6 + int(pool["band_e6"][0]), 1_000_000)
    value = shares * price_e6 // 1_000_000
    brink = value - leverage.required_margin(margin, shares, bps)
    near = draws.choice([brink - 1, brink, brink + 1, brink, value - 1, value, value + 1])
    position["debt"] = max(0, draws.choice([near, near, near, near, near, 0]))


# -- the partial cap's edges --


@pytest.mark.parametrize(
    ("shares", "debt", "verdict"),
    [
        # Worth $10 or more, and the gap's reserve still there: it waits for room under the cap, which is empty.
        (20 * USD, 9_600_000, Verdict.CAP_EMPTY),
        (20 * USD, 9_600_001, Verdict.DUE),  # the reserve of 2 % of its shares is broken
        (20 * USD - 2, 9_500_000, Verdict.DUE),  # worth less than $10
    ],
)
def test_only_what_is_large_and_above_its_reserve_waits_for_the_cap(shares, debt, verdict):
    rows = positions_of({"shares": shares, "debt": debt, "margin": 20 * USD})

    assert assess(markets_of(), rows, NOW).counts == {verdict: 1}
