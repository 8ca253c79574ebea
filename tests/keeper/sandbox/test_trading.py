from collections import Counter
from dataclasses import replace

import pytest
import spl.token.instructions as spl
from harness import USD, Platform
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from spl.token.models import MintToParams

from keeper.sandbox.cast import Role, cast_of
from keeper.sandbox.floor import Close, Floor, Held, Open, Stake
from keeper.sandbox.holders import held_by_market
from keeper.sandbox.trading import (
    ACTIONS_MAX,
    Plan,
    arbitrate,
    invest,
    plan_orders,
    refill_vault,
    take_leverage,
    take_profits,
)
from keeper.sandbox.written_orders import instructions_of
from keeper.snapshot import take_positions
from programs import curve, errors, leverage, normal
from programs.accounts import Market, Pool, Side, Vault
from programs.addresses import TOKEN_PROGRAM

CAST = cast_of(5)
TRADERS = CAST.of(Role.TRADER)
INVESTORS = CAST.of(Role.INVESTOR)
MARKET = Pubkey.from_bytes(bytes([1] * 32))
PLAN = Plan(seed=1, tick=1, positions_per_side=12, stake=2_000_000 * USD)
L = 100_000 * USD
prices = st.integers(30_000, 970_000)


def pool_of(**changes) -> Pool:
    fields = {
        "liquidity": L,
        "cash": 0,
        "outstanding": (0, 0),
        "price_e6": 500_000,
        "band_e6": 0,
        "leveraged": (0, 0),
        "inventory": (0, 0),
        "fee_per_liquidity_q64": 0,
        "high_this": 0,
        "high_previous": 0,
        "inventory_cost": (0, 0),
    }
    return Pool(**fields | changes)


def pool_at(stands_e6, **changes) -> Pool:
    """A pool whose curve stands at this price."""
    q = normal.u_of_price(stands_e6) * L // 10**18
    outstanding = (max(q, 0), max(-q, 0))
    return pool_of(outstanding=outstanding, **changes)


def floor_of(pool, *held, slot=1_000, vault_usd=2_000_000, **changes) -> Floor:
    nobody = Pubkey.default()
    numbers = dict.fromkeys(
        [
            "status",
            "price_class",
            "market_id",
            "sigma_e6",
            "event_sequence",
            "debt",
            "fees_vault",
            "fees_treasury",
            "fees_makers",
            "residual",
            "cap_slot",
            "cap_amount",
            "cap_used",
            "created_slot",
            "escrow",
        ],
        0,
    )
    market = Market(
        **numbers | {"outcomes": 2, "publish_slot": slot, "price_update_slot": slot} | changes,
        condition_id=nobody,
        yes_token_or_hash=nobody,
        no_token=nobody,
        tokens=nobody,
        pools=(pool,),
    )
    vault = Vault(
        event_sequence=0,
        cash=vault_usd * USD,
        loans=0,
        weighted_debt_e6=0,
        share_supply=0,
        bad_debt=0,
        inventory_cost=0,
        locked_shares=0,
        withdraw_slot=0,
        withdrawn=0,
        tokens=nobody,
        unvested=0,
        vest_slot=0,
    )
    return Floor(slot=slot, address=MARKET, market=market, vault=vault, held=held)


def held(owner, position_id=1, side=Side.YES, shares=400 * USD, debt=0, notional=200 * USD):
    return Held(
        owner=owner, position_id=position_id, side=side, shares=shares, debt=debt, notional=notional
    )


def opens_of(orders):
    return [each for order in orders for each in order.actions if isinstance(each, Open)]


# -- leverage --


@given(oracle_e6=prices, gap_e6=st.integers(-20_000, 20_000), leveraged=st.integers(0, L // 8))
def test_no_position_is_proposed_that_the_program_would_refuse(oracle_e6, gap_e6, leveraged):
    pool_e6 = min(max(oracle_e6 + gap_e6, 30_000), 970_000)
    pool = pool_at(pool_e6, price_e6=oracle_e6, leveraged=(leveraged, leveraged))
    floor = floor_of(pool)

    state = curve.Curve(liquidity=L, q=pool.q)
    total = [leveraged, leveraged]
    for each in opens_of(take_leverage(PLAN, TRADERS, floor)):
        notional, debt = each.margin * each.leverage, each.margin * (each.leverage - 1)
        shares = curve.buy_cash(state, curve.Side(each.side), notional).shares
        price_e6 = oracle_e6 if each.side is Side.YES else 1_000_000 - oracle_e6
        equity = shares * price_e6 // 1_000_000 - debt
        required = leverage.required_margin(each.margin, shares, 1_000)
        total[each.side] += shares
        assert 2 <= each.leverage <= 11
        assert equity * 4 >= required * 5
        assert equity * 10 >= each.margin * 8
        assert total[each.side] <= L // 8
        state = replace(state, q=state.q + (shares if each.side is Side.YES else -shares))


def test_both_sides_are_filled_in_turn_and_only_up_to_their_number():
    mine = [held(TRADERS[0], number, debt=150 * USD) for number in range(10)]

    opened = opens_of(take_leverage(PLAN, TRADERS, floor_of(pool_of(), *mine)))

    assert Counter(each.side for each in opened) == {Side.YES: 2, Side.NO: 4}
    assert [each.side for each in opened[:4]] == [Side.YES, Side.NO, Side.YES, Side.NO]
    assert all(each.leverage >= 5 for each in opened)


@pytest.mark.parametrize(
    "changes",
    [{"price_class": 1}, {"publish_slot": 899}, {"vault_usd": 0}, {"debt": 200_000 * USD}],
)
def test_nobody_asks_for_leverage_that_cannot_be_had(changes):
    orders = plan_orders(PLAN, CAST, floor_of(pool_of(), **changes))

    assert not [each for each in opens_of(orders) if each.leverage > 1]


def test_a_resolved_or_empty_market_is_left_alone():
    assert plan_orders(PLAN, CAST, floor_of(pool_of(), status=1)) == []
    assert plan_orders(PLAN, CAST, floor_of(pool_of(liquidity=0))) == []


def test_a_pool_at_the_end_of_its_range_is_left_alone():
    end = floor_of(pool_at(999_000, price_e6=999_000))
    beyond = floor_of(pool_of(outstanding=(4 * L, 0), price_e6=999_000))

    assert {each.side for each in opens_of(take_leverage(PLAN, TRADERS, end))} <= {Side.NO}
    assert opens_of(take_leverage(PLAN, TRADERS, beyond)) == []


# -- after a liquidation, and after a gain --


def test_what_liquidations_leave_is_collected_even_at_a_stale_price():
    left = [held(TRADERS[0], 1, shares=0), held(TRADERS[1], 2), held(TRADERS[0], 3, shares=0)]

    orders = plan_orders(PLAN, CAST, floor_of(pool_of(), *left, publish_slot=1))

    assert {order.purpose for order in orders} == {"collect"}
    assert {
        (order.actor.address, each.position_id) for order in orders for each in order.actions
    } == {(TRADERS[0].address, 1), (TRADERS[1].address, 2), (TRADERS[0].address, 3)}


def test_profits_are_taken_while_the_pool_pays_for_the_debt():
    gained = held(TRADERS[0], 1, shares=400 * USD, debt=180 * USD, notional=200 * USD)

    at_oracle = plan_orders(PLAN, CAST, floor_of(pool_at(650_000, price_e6=650_000), gained))
    behind = plan_orders(PLAN, CAST, floor_of(pool_at(447_000, price_e6=650_000), gained))

    closed = [each for order in at_oracle for each in order.actions if isinstance(each, Close)]
    assert [(each.position_id, each.has_debt) for each in closed] == [(1, True)]
    assert {order.purpose for order in behind} == {"invest", "arbitrage"}


def test_a_profit_is_left_where_the_pool_does_not_pay_for_it():
    too_much_debt = held(TRADERS[0], 1, shares=400 * USD, debt=259 * USD, notional=200 * USD)
    too_many_shares = held(TRADERS[0], 2, shares=10 * L, debt=1, notional=200 * USD)

    floor = floor_of(pool_at(650_000, price_e6=650_000), too_much_debt, too_many_shares)

    assert take_profits(floor) == []


def test_profits_are_taken_a_transaction_at_a_time():
    gained = [
        held(TRADERS[0], number, shares=40 * USD, debt=18 * USD, notional=20 * USD)
        for number in range(ACTIONS_MAX + 1)
    ]

    (order,) = take_profits(floor_of(pool_at(650_000, price_e6=650_000), *gained))

    assert len(order.actions) == ACTIONS_MAX


# -- arbitrage --


@given(pool_e6=prices, oracle_e6=prices, stock=st.integers(0, 50_000 * USD))
def test_an_arbitrage_ends_at_the_oracles_price(pool_e6, oracle_e6, stock):
    (actor,) = CAST.of(Role.ARBITRAGEUR)
    stocks = {side: held(actor, int(side), side, shares=stock) for side in Side}
    pool = pool_at(pool_e6, price_e6=oracle_e6)
    state = curve.Curve(liquidity=L, q=pool.q)

    for order in arbitrate(actor, floor_of(pool, *stocks.values())):
        for each in order.actions:
            if isinstance(each, Open):
                side = each.side
                moved = curve.buy_cash(state, curve.Side(side), each.margin).shares
            else:
                side, moved = Side(each.position_id), -each.shares
                assert each.shares <= stock
            state = replace(state, q=state.q + (moved if side is Side.YES else -moved))

    ended_e6 = normal.price_e18(curve.u(state)) // 10**12
    assert abs(ended_e6 - oracle_e6) < 4_000 + 20


@pytest.mark.parametrize(("pool_e6", "oracle_e6"), [(1_000, 5_000), (997_000, 997_000)])
def test_an_arbitrage_at_the_end_of_the_range_is_left_alone(pool_e6, oracle_e6):
    (actor,) = CAST.of(Role.ARBITRAGEUR)

    assert arbitrate(actor, floor_of(pool_at(pool_e6, price_e6=oracle_e6))) == []


# -- the vault --


@pytest.mark.parametrize(("left_usd", "staked_usd"), [(1_500_000, [500_000]), (1_500_001, [])])
def test_a_vault_that_lost_a_quarter_is_refilled(left_usd, staked_usd):
    (staker,) = CAST.of(Role.STAKER)

    orders = refill_vault(PLAN, staker, floor_of(pool_of(), vault_usd=left_usd))

    assert [each for order in orders for each in order.actions] == [
        Stake(amount=usd * USD) for usd in staked_usd
    ]
    assert refill_vault(replace(PLAN, stake=0), staker, floor_of(pool_of(), vault_usd=0)) == []


def test_investors_buy_a_trade_each_once_and_keep_it():
    empty = floor_of(pool_of())
    bought = invest(PLAN, INVESTORS, empty)
    assert [order.actor for order in bought] == list(INVESTORS)
    assert all(
        each.margin >= 100 * USD and each.leverage == 1 for o in bought for each in o.actions
    )
    mine = [held(one, n, shares=400 * USD) for n, one in enumerate(INVESTORS, 1)]
    assert invest(PLAN, INVESTORS, floor_of(pool_of(), *mine)) == []
    later = [
        order
        for tick in range(30)
        for order in plan_orders(replace(PLAN, tick=tick), CAST, floor_of(pool_of(), *mine))
    ]
    assert not {order.actor for order in later} & set(INVESTORS)


# -- whole plans --


def test_a_plan_is_a_function_of_seed_tick_and_market():
    floor = floor_of(pool_of())

    plans = [plan_orders(replace(PLAN, tick=tick), CAST, floor) for tick in range(30)]

    assert plans == [plan_orders(replace(PLAN, tick=tick), CAST, floor) for tick in range(30)]
    assert plans != [plan_orders(replace(PLAN, seed=2, tick=t), CAST, floor) for t in range(30)]
    assert {order.purpose for plan in plans for order in plan} == {
        "invest",
        "leverage",
        "noise",
    }
    assert all(len(order.actions) <= ACTIONS_MAX for plan in plans for order in plan)


def test_the_program_takes_what_is_planned():
    platform = Platform(admin=CAST.admin.key, quote_mint=CAST.quote_mint, is_audited=False)
    platform.initialize()
    for actor in CAST.actors:
        _fund(platform, actor)
    market = platform.create_market()
    maker = platform.user()
    platform.add_liquidity(maker, market, L)
    platform.stake(maker, 900_000 * USD)
    platform.post(market, 500_000)
    next_id, landed, refused = Counter(), Counter(), Counter()
    for tick in range(24):
        if tick % 8 == 7:
            platform.move_oracle(market, 350_000 if tick % 16 == 7 else 500_000)
        platform.warp(1)
        floor = _look(platform, market)
        refill = refill_vault(PLAN, CAST.of(Role.STAKER)[0], floor)
        for order in refill + plan_orders(replace(PLAN, tick=tick), CAST, floor):
            built = instructions_of(order, platform.program, next_id, counts_trade=True)
            try:
                platform.send(built, [order.actor.key])
            except errors.ProgramError as error:
                refused[f"{order.purpose}: {error}"] += 1
            else:
                landed[order.purpose] += 1

    assert not refused
    assert {"stake", "leverage", "arbitrage", "noise", "take_profit"} <= landed.keys()
    sides = Counter(each.side for each in _look(platform, market).held if each.debt)
    assert min(sides[side] for side in Side) >= 8


def _fund(platform, actor):
    mint = CAST.quote_mint.pubkey()
    platform.svm.airdrop(actor.address, 10**12)
    issue = MintToParams(
        program_id=TOKEN_PROGRAM,
        mint=mint,
        dest=actor.tokens,
        mint_authority=CAST.admin.address,
        amount=10_000_000 * USD,
    )
    made = spl.create_idempotent_associated_token_account(CAST.admin.address, actor.address, mint)
    platform.send([made, spl.mint_to(issue)], [CAST.admin.key])


def _look(platform, market) -> Floor:
    accounts = [
        (bytes(address), account.data)
        for address, account in platform.svm.get_program_accounts(platform.program)
    ]
    rows, _, _ = take_positions(accounts)
    mine = held_by_market(rows, CAST)
    return Floor(
        slot=platform.slot,
        address=market,
        market=platform.market(market),
        vault=platform.vault(),
        held=mine.get(market, ()),
    )
