"""Shares that the vault took over, bought back at the oracle's price and no lower."""

import pytest
from harness import USD, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs.accounts import Side
from programs.event_layout import EventKind

ORACLE = 400_000


@pytest.fixture
def stocked(platform, staked):
    """A position went under water, and the pool too low to sell on: the vault holds its shares."""
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    platform.open(platform.user(100_000_000), staked, 600_000 * USD, side=Side.NO)
    platform.move_oracle(staked, ORACLE)
    target = platform.position_address(user, staked, position_id)
    platform.liquidate(platform.user(), staked, [target])
    assert platform.market(staked).pools[0].inventory[0] > 1_000 * USD
    return staked


def pool_of(platform, market):
    return platform.market(market).pools[0]


def test_a_buyer_pays_the_oracles_price_and_holds_the_shares(platform, stocked):
    buyer, pool, before = platform.user(), pool_of(platform, stocked), platform.vault()
    shares = 1_234_567
    position_id, receipt = platform.buy_inventory(buyer, stocked, shares)
    (event,) = receipt.events
    cost = -(-shares * ORACLE // 10**6)
    book = -(-pool.inventory_cost[0] * shares // pool.inventory[0])
    assert event.kind is EventKind.INVENTORY_BOUGHT
    assert (event.amount("cash"), event.amount("inventory_cost")) == (cost, book)
    assert platform.tokens(buyer.tokens) == 1_000_000 * USD - cost
    position = platform.position(buyer, stocked, position_id)
    assert (position.shares, position.side, position.pool) == (shares, Side.YES, 0)
    assert (position.debt, position.margin, position.trade_number) == (0, 0, 0)
    assert position.opened_slot == platform.slot
    after, vault = pool_of(platform, stocked), platform.vault()
    assert after.inventory[0] == pool.inventory[0] - shares
    assert after.inventory_cost[0] == pool.inventory_cost[0] - book
    assert after.outstanding == pool.outstanding
    assert vault.cash == before.cash + cost
    assert vault.inventory_cost == before.inventory_cost - book
    assert vault.unvested == max(cost - book, 0)


def test_the_last_share_takes_the_rest_of_the_cost(platform, stocked):
    buyer, held = platform.user(), pool_of(platform, stocked).inventory[0]
    for shares in (held // 3, 1, held - held // 3 - 1):
        platform.buy_inventory(buyer, stocked, shares)
    assert pool_of(platform, stocked).inventory[0] == 0
    assert pool_of(platform, stocked).inventory_cost[0] == platform.vault().inventory_cost == 0


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(parts=st.lists(st.integers(1, 5_000_000_000), min_size=1, max_size=5))
def test_buying_in_parts_costs_no_less_and_the_cost_never_goes_below_zero(platform, stocked, parts):
    buyer, before = platform.user(), pool_of(platform, stocked)
    held, paid, bought = before.inventory[0], 0, 0
    for part in parts:
        shares = min(part, held - bought)
        if shares:
            _, receipt = platform.buy_inventory(buyer, stocked, shares)
            paid, bought = paid + receipt.events[0].amount("cash"), bought + shares
    assert paid * 10**6 >= bought * ORACLE
    left = pool_of(platform, stocked)
    # What is left is counted at no more than its part: the vault never overstates itself.
    assert left.inventory_cost[0] * held <= before.inventory_cost[0] * left.inventory[0]


def test_a_gain_vests_and_a_loss_hits_at_once(platform, stocked):
    buyer, before = platform.user(), platform.vault()
    platform.move_oracle(stocked, ORACLE + 150_000)
    _, receipt = platform.buy_inventory(buyer, stocked, 1_000 * USD)
    (event,) = receipt.events
    gain = event.amount("cash") - event.amount("inventory_cost")
    vault = platform.vault()
    assert gain > 0
    assert (vault.unvested, vault.value) == (gain, before.value + gain)
    platform.warp(9_000)
    platform.move_oracle(stocked, 100_000)
    _, receipt = platform.buy_inventory(buyer, stocked, 1_000 * USD)
    (event,) = receipt.events
    loss = event.amount("inventory_cost") - event.amount("cash")
    assert loss > 0
    assert (platform.vault().unvested, platform.vault().value) == (0, vault.value - loss)


@pytest.mark.parametrize(("band", "price"), [(30_000, 430_000), (700_000, 1_000_000)])
def test_a_degraded_price_costs_the_band_more_but_never_above_one(platform, stocked, band, price):
    platform.warp(1)
    platform.post(stocked, ORACLE, price_class=1, band_e6=band)
    _, receipt = platform.buy_inventory(platform.user(), stocked, 1_000_001)
    assert receipt.events[0].amount("cash") == -(-1_000_001 * price // 10**6)


def test_a_valid_price_costs_no_band(platform, stocked):
    platform.warp(1)
    platform.post(stocked, ORACLE, band_e6=30_000)
    _, receipt = platform.buy_inventory(platform.user(), stocked, USD)
    assert receipt.events[0].amount("cash") == ORACLE


def test_the_oracles_price_may_be_150_slots_old(platform, stocked):
    platform.warp(150)
    platform.buy_inventory(platform.user(), stocked, USD)
    platform.warp(1)
    with refused("PRICE_STALE"):
        platform.buy_inventory(platform.users[-1], stocked, USD)


def test_more_than_the_vault_holds_is_refused(platform, stocked):
    held = pool_of(platform, stocked).inventory[0]
    with refused("NO_INVENTORY"):
        platform.buy_inventory(platform.user(), stocked, held + 1)
    with refused("NO_INVENTORY"):
        platform.buy_inventory(platform.user(), stocked, 1, side=Side.NO)
    with refused("NO_INVENTORY"):
        platform.buy_inventory(platform.user(), stocked, 2**64 - 1)


def test_nothing_is_refused(platform, stocked):
    with refused("ZERO_AMOUNT"):
        platform.buy_inventory(platform.user(), stocked, 0)


def test_a_cost_above_the_most_is_refused(platform, stocked):
    with refused("SLIPPAGE"):
        platform.buy_inventory(platform.user(), stocked, USD, cost_max=ORACLE - 1)
    platform.buy_inventory(platform.user(), stocked, USD, cost_max=ORACLE)


def test_a_pool_or_side_the_market_does_not_have_is_refused(platform, stocked):
    with refused("BAD_POOL"):
        platform.buy_inventory(platform.user(), stocked, USD, pool=1)
    with refused("BAD_INSTRUCTION_DATA"):
        platform.buy_inventory(platform.user(), stocked, USD, side=2)


def test_a_resolved_markets_inventory_is_not_for_sale(platform, stocked):
    platform.resolve(stocked, 1_000_000)
    with refused("MARKET_NOT_OPEN"):
        platform.buy_inventory(platform.user(), stocked, USD)


def test_a_used_position_id_is_refused(platform, stocked):
    buyer = platform.user()
    platform.buy_inventory(buyer, stocked, USD)
    buyer.next_position_id = 0
    with refused("ALREADY_INITIALIZED"):
        platform.buy_inventory(buyer, stocked, USD)


def test_what_is_bought_can_be_sold_like_any_position(platform, stocked):
    buyer = platform.user()
    position_id, _ = platform.buy_inventory(buyer, stocked, 100 * USD)
    platform.close(buyer, stocked, position_id)
    assert platform.tokens(buyer.tokens) < 1_000_000 * USD
