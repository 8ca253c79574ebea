"""Liquidation: who, how much, at what price, for what bounty; and what one bad account does to a batch: nothing."""

import struct
from itertools import pairwise

import pytest
from harness import USD, refused

from programs import curve, leverage, normal
from programs.accounts import Side
from programs.curve import Curve
from programs.event_layout import EventKind

FLOOR_GAP = 50_000


def state(platform, market):
    pool = platform.market(market).pools[0]
    return Curve(liquidity=pool.liquidity, q=pool.q)


def addresses_of(platform, user, market, ids):
    return [platform.position_address(user, market, i) for i in ids]


def only(receipt):
    """The one record of a batch that liquidated one position."""
    event = receipt.events[0]
    assert event.kind is EventKind.POSITIONS_LIQUIDATED
    (record,) = event.records
    return record


def push_pool(platform, market, price_e6):
    """Somebody buys NO until the pool's price is at or under this."""
    user = platform.user(100_000_000)
    now = state(platform, market)
    shares = curve.shares_to_price(now, Side.YES, price_e6)
    cost = curve.buy_shares(now, Side.NO, shares)
    platform.open(user, market, cost, side=Side.NO)


@pytest.fixture
def underwater(platform, staked):
    """A position of $1_000 at ten times, bought at 0.5; the oracle stands at 0.40 and the pool near 0.38."""
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    push_pool(platform, staked, 380_000)
    platform.move_oracle(staked, 400_000)
    return user, position_id


@pytest.fixture
def capped(platform):
    """Five positions at twice, bought at 0.9, whose equity lies between the gap reserve and maintenance."""
    platform.stake(platform.user(100_000_000), 10_000_000 * USD)
    market = platform.create_market("high", 900_000)
    platform.post(market, 900_000)
    platform.add_liquidity(platform.user(100_000_000), market, 50_000_000 * USD)
    user = platform.user()
    ids = [platform.open(user, market, 10_000 * USD, leverage=2)[0] for _ in range(5)]
    push_pool(platform, market, 480_000)
    platform.move_oracle(market, 471_200)
    return user, market, ids


def test_an_unhealthy_position_is_sold_and_pays_debt_bounty_and_owner(platform, staked):
    user, keeper = platform.user(), platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    before = platform.position(user, staked, position_id)
    platform.move_oracle(staked, 466_000)
    expected = curve.sell_shares(state(platform, staked), Side.YES, before.shares)
    tokens = platform.tokens(keeper.tokens)
    receipt = platform.liquidate(
        keeper, staked, addresses_of(platform, user, staked, [position_id])
    )
    (event,) = receipt.events
    record = only(receipt)
    after = platform.position(user, staked, position_id)
    bounty = expected * 5 // 10_000
    assert (record["proceeds"], record["bounty"]) == (expected, bounty)
    assert (event.amount("to_vault"), event.amount("to_keeper")) == (9_000 * USD, bounty)
    assert platform.tokens(keeper.tokens) == tokens + bounty
    assert record["debt_repaid"] == 9_000 * USD
    assert (after.shares, after.debt, after.margin) == (0, 0, 0)
    assert after.residual == expected - bounty - 9_000 * USD
    value = before.shares * 466_000 // 1_000_000
    assert record["equity_before"] == value - 9_000 * USD
    assert record["required_before"] == leverage.required_margin(1_000 * USD, before.shares, 500)


def test_the_owner_collects_the_residual_and_the_rent(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    platform.move_oracle(staked, 466_000)
    platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
    residual = platform.position(user, staked, position_id).residual
    tokens = platform.tokens(user.tokens)
    platform.close(user, staked, position_id)
    assert residual > 0
    assert platform.tokens(user.tokens) == tokens + residual
    assert not platform.exists(platform.position_address(user, staked, position_id))


def test_health_of_exactly_one_is_healthy_and_a_hair_less_is_not(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    target = addresses_of(platform, user, staked, [position_id])
    p = platform.position(user, staked, position_id)
    required = leverage.required_margin(p.margin, p.shares, p.margin_bps)
    edge = -(-(p.debt + required) * 1_000_000 // p.shares)  # the lowest healthy price
    assert leverage.health_bps(p.shares, edge, p.debt, required) >= 10_000
    assert leverage.health_bps(p.shares, edge - 1, p.debt, required) < 10_000
    platform.move_oracle(staked, edge)
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(user, staked, target)
    platform.move_oracle(staked, edge - 1)
    platform.liquidate(user, staked, target)


def test_a_batch_skips_what_cannot_be_liquidated_and_does_the_rest(platform, staked):
    user, keeper = platform.user(), platform.user()
    other = platform.create_market("other")
    platform.post(other, 500_000)
    platform.add_liquidity(platform.users[0], other, 1_000_000 * USD)
    bad, _ = platform.open(user, staked, 100 * USD, leverage=10)
    healthy, _ = platform.open(user, staked, 100 * USD, leverage=2)
    spot, _ = platform.open(user, staked, 100 * USD)
    closed, _ = platform.open(user, staked, 100 * USD)
    foreign, _ = platform.open(user, other, 100 * USD, leverage=10)
    platform.close(user, staked, closed)
    platform.move_oracle(staked, 460_000)
    batch = [
        *addresses_of(platform, user, staked, [healthy, spot, closed]),
        *addresses_of(platform, user, other, [foreign]),
        platform.vault_address,
        staked,
        keeper.tokens,
        keeper.address,
        *addresses_of(platform, user, staked, [bad, bad]),
    ]
    record = only(platform.liquidate(keeper, staked, batch))
    assert record["position"] == platform.position_address(user, staked, bad)
    assert platform.position(user, other, foreign).debt > 0


def test_a_batch_of_nothing_is_refused(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 100 * USD, leverage=2)
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
    with refused("NOT_ENOUGH_ACCOUNTS"):
        platform.liquidate(user, staked, [])


def test_more_than_64_accounts_are_refused(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 100 * USD, leverage=10)
    target = addresses_of(platform, user, staked, [position_id])
    platform.move_oracle(staked, 440_000)
    with refused("TOO_MANY_ACCOUNTS"):
        platform.liquidate(user, staked, target * 57)
    platform.liquidate(user, staked, target * 56)


def test_a_read_only_position_is_skipped(platform, underwater, staked):
    user, position_id = underwater
    instruction = platform.liquidate_instruction(
        user, staked, addresses_of(platform, user, staked, [position_id])
    )
    accounts = list(instruction.accounts)
    accounts[-1] = type(accounts[-1])(accounts[-1].pubkey, is_signer=False, is_writable=False)
    with refused("NOTHING_LIQUIDATED"):
        platform.send(
            type(instruction)(instruction.program_id, instruction.data, accounts), [user.key]
        )


def test_a_position_under_water_is_sold_no_lower_than_the_oracles_price(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    shares = platform.position(user, staked, position_id).shares
    push_pool(platform, staked, 403_000)
    platform.move_oracle(staked, 400_000)
    room = curve.shares_to_price(state(platform, staked), Side.YES, 400_000)
    assert 0 < room < shares
    record = only(
        platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
    )
    assert record["shares_sold"] == room
    assert record["shares_to_inventory"] == shares - room
    assert normal.price_e6(curve.u(state(platform, staked))) >= 400_000


def test_a_sale_with_equity_ends_where_it_no_longer_repays_the_debt_and_the_bounty(
    platform, staked
):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    before = platform.position(user, staked, position_id)
    push_pool(platform, staked, 457_000)
    platform.move_oracle(staked, 463_000)
    repays = -(-before.debt * 10**10 // (before.shares * 9_995))
    assert 463_000 - FLOOR_GAP < repays < 457_000
    room = curve.shares_to_price(state(platform, staked), Side.YES, repays)
    assert 0 < room < before.shares
    record = only(
        platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
    )
    assert record["shares_sold"] == room
    in_cash = record["debt_repaid"] - record["inventory_credit"]
    assert in_cash == record["proceeds"] - record["bounty"]
    # The rest of the debt ends in shares at the oracle's price; what is more stays its owner's.
    rest = before.debt - in_cash
    assert record["inventory_credit"] == rest
    assert record["shares_to_inventory"] == -(-rest * 1_000_000 // 463_000)
    after = platform.position(user, staked, position_id)
    assert after.shares == before.shares - room - record["shares_to_inventory"] > 0
    assert (after.debt, record["bad_debt"], platform.vault().bad_debt) == (0, 0, 0)
    platform.close(user, staked, position_id)


def test_no_share_is_sold_under_the_oracle_less_five_points(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 2_000 * USD, leverage=2)
    target = platform.position_address(user, staked, position_id)
    push_pool(platform, staked, 450_040)
    data = platform.data(target)
    platform.set_data(target, data[:80] + struct.pack("<Q", 2**40) + data[88:])  # of margin
    room = curve.shares_to_price(state(platform, staked), Side.YES, 500_000 - FLOOR_GAP)
    assert room > 0
    record = only(platform.liquidate(user, staked, [target]))
    assert record["shares_sold"] == room


def test_below_the_floor_the_inventory_takes_the_rest_and_bad_debt_is_booked(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    before = platform.position(user, staked, position_id)
    push_pool(platform, staked, 300_000)
    platform.move_oracle(staked, 400_000)
    receipt = platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
    sold, (_, booked) = only(receipt), receipt.events
    credit = before.shares * 400_000 // 1_000_000
    assert sold["shares_sold"] == sold["bounty"] == 0
    assert sold["shares_to_inventory"] == before.shares
    assert sold["inventory_credit"] == credit
    assert sold["bad_debt"] == before.debt - credit
    assert sold["equity_before"] == sold["debt_left"] == 0
    assert booked.kind is EventKind.BAD_DEBT_BOOKED
    assert booked.amount("amount") == booked.amount("total") == before.debt - credit
    assert (booked.amount("positions"), booked.amount("market_id")) == (1, 0)
    vault = platform.vault()
    assert vault.bad_debt == before.debt - credit
    assert vault.inventory_cost == credit
    assert vault.cash == 1_000_000 * USD - before.debt
    assert vault.loans == 0
    pool = platform.market(staked).pools[0]
    assert (pool.inventory, pool.inventory_cost) == ((before.shares, 0), (credit, 0))


def test_inventory_takes_no_more_shares_than_the_debt_needs(platform, staked):
    # Most of the position is sold above the floor; the rest of the debt is small.
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    shares = platform.position(user, staked, position_id).shares
    platform.move_oracle(staked, 445_000)
    push_pool(platform, staked, 400_000)
    record = only(
        platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
    )
    left = platform.position(user, staked, position_id)
    assert record["shares_to_inventory"] + record["shares_sold"] + left.shares == shares
    assert left.debt == 0


def test_a_partial_sale_waits_while_the_pool_is_at_its_floor(platform, capped):
    user, market, ids = capped
    push_pool(platform, market, 400_000)
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(user, market, addresses_of(platform, user, market, ids))


def test_the_bounty_is_five_basis_points_and_two_when_equity_is_gone(platform, staked):
    user = platform.user()
    ids = [platform.open(user, staked, 100 * USD, leverage=lev)[0] for lev in (10, 5)]
    platform.move_oracle(staked, 430_000)
    for position_id, bps in zip(ids, (2, 5), strict=True):
        if bps == 5:
            platform.move_oracle(staked, 405_000)
        record = only(
            platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
        )
        assert record["bounty"] == record["proceeds"] * bps // 10_000


def test_degraded_prices_liquidate_only_beyond_their_band(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    target = addresses_of(platform, user, staked, [position_id])
    platform.move_oracle(staked, 460_000)
    platform.post(staked, 460_000, price_class=1, band_e6=20_000)
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(user, staked, target)
    platform.post(staked, 460_000, price_class=1, band_e6=1_000)
    platform.liquidate(user, staked, target)


def test_a_band_beyond_certainty_is_certainty(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 100 * USD, leverage=2, side=Side.NO)
    platform.post(staked, 500_000, price_class=1, band_e6=1_000_000)
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))


def test_a_price_older_than_150_slots_liquidates_nothing(platform, staked, underwater):
    user, position_id = underwater
    target = addresses_of(platform, user, staked, [position_id])
    platform.warp(151)
    with refused("PRICE_STALE"):
        platform.liquidate(user, staked, target)
    platform.post(staked, 400_000, slot=platform.slot - 150)
    platform.liquidate(user, staked, target)


def test_a_slot_sells_no_more_than_its_cap_in_one_transaction_or_two(platform, capped):
    user, market, ids = capped
    now = platform.market(market)
    interest = now.pools[0].leveraged[0] * 471_200 // 1_000_000
    cap = leverage.liquidation_cap(interest, now.sigma_e6)
    assert interest // 50 <= cap <= interest * 8 // 100
    targets = addresses_of(platform, user, market, ids)
    record = only(platform.liquidate(user, market, targets[:1]))
    assert record["shares_sold"] == cap * 1_000_000 // 471_200
    after = platform.market(market)
    assert (after.cap_slot, after.cap_amount) == (platform.slot, cap)
    assert after.cap_used <= cap
    with refused("NOTHING_LIQUIDATED"):
        platform.liquidate(user, market, targets)
    platform.warp(1)
    platform.liquidate(user, market, targets)
    assert platform.market(market).cap_slot == platform.slot


def test_the_cap_is_shared_by_the_positions_of_a_batch(platform, capped):
    user, market, ids = capped
    debts = [platform.market(market).debt]
    for _ in range(5):
        receipt = platform.liquidate(user, market, addresses_of(platform, user, market, ids))
        after = platform.market(market)
        spent = sum(receipt.events[0].amounts("shares_sold")) * 471_200 / 1_000_000
        assert after.cap_amount - 2 <= after.cap_used <= after.cap_amount
        assert spent <= after.cap_amount
        debts.append(after.debt)
        platform.warp(1)
    assert all(a > b for a, b in pairwise(debts))


def test_a_partial_sale_near_the_oracle_raises_health_and_shrinks_the_margin(platform, capped):
    user, market, ids = capped
    before = platform.position(user, market, ids[0])
    platform.liquidate(user, market, addresses_of(platform, user, market, ids[:1]))
    after = platform.position(user, market, ids[0])
    assert after.margin == -(-before.margin * after.shares // before.shares)

    def health(p):
        required = leverage.required_margin(p.margin, p.shares, p.margin_bps)
        return leverage.health_bps(p.shares, 471_200, p.debt, required)

    assert 0 < after.shares < before.shares
    assert health(after) >= health(before)


def test_a_position_under_ten_dollars_is_outside_the_cap(platform, capped):
    user, market, ids = capped
    platform.liquidate(user, market, addresses_of(platform, user, market, ids[:1]))
    # The cap of this slot is spent; a small one of the same terms goes whole.
    target = platform.position_address(user, market, ids[1])
    old, small = platform.position(user, market, ids[1]), 20 * USD
    scaled = [field * small // old.shares for field in (old.shares, old.margin, old.debt)]
    platform.is_audited = False
    data = platform.data(target)
    platform.set_data(target, data[:72] + struct.pack("<3Q", *scaled) + data[96:])
    record = only(platform.liquidate(user, market, addresses_of(platform, user, market, ids[1:2])))
    assert record["shares_sold"] == small


def test_below_the_gap_reserve_a_position_goes_whole_whatever_the_cap(platform, capped):
    user, market, ids = capped
    platform.move_oracle(market, 469_000)
    platform.liquidate(user, market, addresses_of(platform, user, market, ids[:1]))
    assert platform.position(user, market, ids[0]).shares == 0
    assert platform.market(market).cap_used == 0


def test_tokens_of_the_market_or_the_vault_in_place_of_the_keepers_pay_the_keeper_nothing(
    platform, staked, underwater
):
    user, position_id = underwater
    own = user.tokens
    user.tokens = platform.vault().tokens
    platform.is_audited = False  # the bounty is a gift to the vault that no counter has
    platform.liquidate(user, staked, addresses_of(platform, user, staked, [position_id]))
    user.tokens = own
    assert platform.quote_total() == platform.minted
