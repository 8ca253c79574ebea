"""Makers leave: what comes back, when it may, and that nobody gains by coming and going."""

import contextlib
from dataclasses import dataclass, field

import pytest
from harness import USD, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction

from programs import curve, instructions, normal
from programs.accounts import Side
from programs.curve import Curve
from programs.event_layout import EventKind

LOCK = 150
PRICES = [1_000, 50_000, 500_000, 730_000, 999_000]


def state(platform, market, pool=0):
    pool = platform.market(market).pools[pool]
    return Curve(liquidity=pool.liquidity, q=pool.q)


def wait(platform, market, price_e6=500_000, slots=LOCK):
    platform.warp(slots)
    platform.post(market, price_e6)


@pytest.mark.parametrize("price", PRICES)
def test_pairs_come_back_as_cash_and_the_rest_as_a_position(platform, price):
    market, maker = platform.create_market("m", price), platform.user(10_000_000)
    platform.add_liquidity(platform.user(10_000_000), market, 300_000 * USD)
    platform.add_liquidity(maker, market, 100_000 * USD)
    wait(platform, market, price)
    now, before = state(platform, market), platform.tokens(maker.tokens)
    expected = curve.remove_liquidity(now, 40_000 * USD)
    (event,) = platform.remove_liquidity(maker, market, 40_000 * USD).events
    cash = min(expected.yes, expected.no)
    assert event.kind is EventKind.LIQUIDITY_REMOVED
    assert platform.tokens(maker.tokens) == before + cash
    assert state(platform, market) == Curve(liquidity=now.liquidity - 40_000 * USD, q=expected.q)
    assert event.amount("price_e6") == normal.price_e6(curve.u(now))
    assert abs(event.amount("price_e6") - price) <= 1
    assert (event.amount("cash"), event.amount("fees_paid")) == (cash, 0)
    assert platform.maker_of(maker, market).liquidity == 60_000 * USD
    rest = (expected.yes - cash, expected.no - cash)
    assert (event.amount("shares_yes"), event.amount("shares_no")) == rest
    if any(rest):
        position = platform.position(maker, market, maker.next_position_id - 1)
        assert position.side == (Side.YES if rest[0] else Side.NO)
        assert position.shares == sum(rest)
        assert (position.debt, position.margin, position.trade_number) == (0, 0, 0)
        assert event.address("position") == platform.position_address(
            maker, market, maker.next_position_id - 1
        )
    else:
        assert event.address("position").__bytes__() == bytes(32)


def test_all_of_it_pays_the_fees_too_closes_the_account_and_returns_the_rent(platform, market):
    maker = platform.users[0]
    platform.open(platform.user(), market, 100_000 * USD)
    fees = platform.market(market).fees_makers
    wait(platform, market)
    tokens, lamports = platform.tokens(maker.tokens), platform.svm.get_balance(maker.address)
    (event,) = platform.remove_liquidity(maker, market).events
    assert fees - 1 <= event.amount("fees_paid") <= fees
    assert platform.tokens(maker.tokens) == tokens + event.amount("cash") + event.amount(
        "fees_paid"
    )
    assert event.amount("liquidity_after") == platform.market(market).pools[0].liquidity == 0
    assert not platform.exists(platform.maker_address(maker, market))
    rents = [platform.svm.minimum_balance_for_rent_exemption(n) for n in (144, 160)]
    assert platform.svm.get_balance(maker.address) == lamports - 5_000 + rents[0] - rents[1]


def test_an_emptied_pool_leaves_its_holders_their_cash_and_can_be_filled_again(platform, market):
    holder, maker = platform.user(), platform.users[0]
    position, _ = platform.open(holder, market, 100_000 * USD)
    wait(platform, market)
    platform.remove_liquidity(maker, market)
    pool = platform.market(market).pools[0]
    assert pool.outstanding[0] == pool.outstanding[1] <= pool.cash
    with refused("NO_LIQUIDITY"):
        platform.close(holder, market, position)
    platform.add_liquidity(maker, market, 500_000 * USD)
    assert state(platform, market).liquidity == 500_000 * USD
    platform.close(holder, market, position)


def test_liquidity_is_locked_for_150_slots_after_the_last_add(platform, market):
    maker = platform.users[0]
    platform.warp(LOCK - 1)
    platform.add_liquidity(maker, market, USD)
    platform.warp(LOCK - 1)
    with refused("LIQUIDITY_LOCKED"):
        platform.remove_liquidity(maker, market, USD)
    platform.warp(1)
    platform.remove_liquidity(maker, market, USD)


def test_the_lock_is_the_makers_own(platform, market):
    platform.warp(LOCK)
    platform.add_liquidity(platform.user(), market, USD)
    platform.remove_liquidity(platform.users[0], market, USD)


def test_leveraged_shares_keep_eight_times_as_much_liquidity(platform, staked):
    maker = platform.users[0]
    platform.open(platform.user(), staked, 1_000 * USD, leverage=5)
    wait(platform, staked)
    pool = platform.market(staked).pools[0]
    least = 8 * pool.leveraged[0]
    with refused("SIDE_CAP"):
        platform.remove_liquidity(maker, staked, pool.liquidity - least + 1)
    with refused("SIDE_CAP"):
        platform.remove_liquidity(maker, staked)
    platform.remove_liquidity(maker, staked, pool.liquidity - least)
    assert platform.market(staked).pools[0].liquidity == least


def test_the_no_side_keeps_its_liquidity_too(platform, staked):
    platform.open(platform.user(), staked, 1_000 * USD, leverage=5, side=Side.NO)
    wait(platform, staked)
    with refused("SIDE_CAP"):
        platform.remove_liquidity(platform.users[0], staked)


def test_more_than_the_maker_has_is_refused(platform, market):
    late = platform.user()
    platform.add_liquidity(late, market, 1_000 * USD)
    platform.warp(LOCK)
    for amount in (1_000 * USD + 1, 2**63, 2**64 - 2):
        with refused("NOT_ENOUGH_LIQUIDITY"):
            platform.remove_liquidity(late, market, amount)
    platform.remove_liquidity(late, market, 1_000 * USD)


def test_no_liquidity_at_all_is_refused(platform, market):
    platform.warp(LOCK)
    with refused("ZERO_AMOUNT"):
        platform.remove_liquidity(platform.users[0], market, 0)


def test_dust_that_moves_the_pool_by_less_than_it_returns_is_refused(platform):
    market, maker = platform.create_market("m", 900_000), platform.user(10_000_000)
    platform.add_liquidity(maker, market, 100_000 * USD)
    platform.warp(LOCK)
    with refused("ZERO_AMOUNT"):
        platform.remove_liquidity(maker, market, 1)


def test_dust_by_dust_returns_no_more_than_at_once(platform, market):
    maker, start = platform.users[0], state(platform, market)
    platform.open(platform.user(), market, 50_000 * USD)
    platform.warp(LOCK)
    now = state(platform, market)
    at_once = curve.remove_liquidity(now, 40 * 12_345)
    events = [platform.remove_liquidity(maker, market, 12_345).events[0] for _ in range(40)]
    cash = sum(event.amount("cash") for event in events)
    yes = sum(event.amount("shares_yes") for event in events)
    no = sum(event.amount("shares_no") for event in events)
    assert (cash + yes, cash + no) <= (at_once.yes, at_once.no)
    assert cash + no <= at_once.no
    assert start.liquidity - state(platform, market).liquidity == 40 * 12_345


def test_less_cash_than_asked_is_refused(platform, market):
    platform.warp(LOCK)
    expected = curve.remove_liquidity(state(platform, market), 10**9)
    cash = min(expected.yes, expected.no)
    with refused("SLIPPAGE"):
        platform.remove_liquidity(platform.users[0], market, 10**9, cash_min=cash + 1)
    platform.remove_liquidity(platform.users[0], market, 10**9, cash_min=cash)


@pytest.mark.parametrize(
    ("low", "high", "lands"),
    [(500_000, 500_000, True), (500_001, 1_000_000, False), (0, 499_999, False)],
)
def test_the_bounds_on_the_price_include_their_ends(platform, market, low, high, lands):
    platform.warp(LOCK)
    bounds = {"price_min_e6": low, "price_max_e6": high}
    if lands:
        platform.remove_liquidity(platform.users[0], market, USD, **bounds)
        return
    with refused("SLIPPAGE"):
        platform.remove_liquidity(platform.users[0], market, USD, **bounds)


def test_the_highest_liquidity_is_brought_up_to_date_before_it_falls(platform, market):
    maker = platform.users[0]
    platform.warp(9_000)
    platform.remove_liquidity(maker, market, 900_000 * USD)
    pool = platform.market(market).pools[0]
    assert (pool.high_this, pool.high_previous) == (1_000_000 * USD, 1_000_000 * USD)
    (event,) = platform.add_liquidity(maker, market, 900_000 * USD).events
    assert event.amount("liquidity_high") == 1_000_000 * USD
    assert event.amount("improvement_bps") == 0


def test_a_stale_price_keeps_nobody_in(platform, market):
    platform.warp(100_000)
    platform.remove_liquidity(platform.users[0], market)


def test_another_makers_liquidity_cannot_be_taken(platform, market):
    platform.warp(LOCK)
    thief = platform.user()
    maker = platform.maker_address(platform.users[0], market)
    good = instructions.remove_liquidity(
        platform.program, thief.address, thief.tokens, market, pool=0, position_id=0
    )
    accounts = list(good.accounts)
    accounts[5] = AccountMeta(maker, is_signer=False, is_writable=True)
    with refused("WRONG_AUTHORITY"):
        platform.send(Instruction(good.program_id, good.data, accounts), [thief.key])


# ---- after resolution ----


def owed(pool, payout):
    """What a resolved pool owes to the holders of its shares, rounded up."""
    yes, no = pool.outstanding
    return -(-yes * payout // 10**6) - (-no * (10**6 - payout) // 10**6)


@pytest.mark.parametrize("payout", [0, 500_000, 730_000, 1_000_000])
def test_a_resolved_pool_pays_its_makers_in_cash_what_it_owes_to_nobody(platform, market, payout):
    maker, late = platform.users[0], platform.user(10_000_000)
    platform.add_liquidity(late, market, 500_000 * USD)
    platform.open(platform.user(), market, 200_000 * USD, side=Side.YES)
    platform.warp(LOCK)
    platform.resolve(market, payout)
    pool = platform.market(market).pools[0]
    surplus = pool.cash - owed(pool, payout)
    (event,) = platform.remove_liquidity(late, market).events
    assert event.amount("cash") == surplus * 500_000 // 1_500_000
    assert (event.amount("shares_yes"), event.amount("shares_no")) == (0, 0)
    assert event.amount("price_e6") == payout
    (event,) = platform.remove_liquidity(maker, market).events
    left = platform.market(market).pools[0]
    assert (left.liquidity, left.cash) == (0, owed(left, payout))


def test_leveraged_shares_keep_no_liquidity_in_a_resolved_pool(platform, staked):
    platform.open(platform.user(), staked, 1_000 * USD, leverage=5)
    platform.warp(LOCK)
    platform.resolve(staked, 1_000_000)
    platform.remove_liquidity(platform.users[0], staked)


def test_the_lock_holds_in_a_resolved_pool_too(platform, market):
    platform.resolve(market, 1_000_000)
    with refused("LIQUIDITY_LOCKED"):
        platform.remove_liquidity(platform.users[0], market)


def test_the_bounds_on_the_price_are_on_the_payout_of_a_resolved_pool(platform, market):
    platform.warp(LOCK)
    platform.resolve(market, 1_000_000)
    with refused("SLIPPAGE"):
        platform.remove_liquidity(platform.users[0], market, price_max_e6=999_999)


# ---- nobody gains ----


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    price=st.integers(1_000, 999_000),
    there=st.integers(0, 2_000_000 * USD),
    mine=st.integers(10_000, 2_000_000 * USD),
    parts=st.integers(1, 4),
)
def test_adding_and_removing_never_pays(price, there, mine, parts):
    # Exactly: each share of either side that comes back was paid for, so the two balances of complete sets never grow.
    curve_before = Curve(liquidity=0, q=0)
    if there:
        added = curve.add_liquidity(curve_before, there, price)
        curve_before = Curve(liquidity=there, q=added.q)
    added = curve.add_liquidity(curve_before, mine, price)
    spent, yes, no = added.cash, added.surplus_yes, added.surplus_no
    now = Curve(liquidity=there + mine, q=added.q)
    left = mine
    for part in range(parts, 0, -1):
        try:
            removed = curve.remove_liquidity(now, left // part)
        except curve.CurveError:
            continue
        yes, no = yes + removed.yes, no + removed.no
        now = Curve(liquidity=now.liquidity - left // part, q=removed.q)
        left -= left // part
    assert max(yes, no) <= spent


@dataclass
class Actor:
    """A maker and trader against the liquidity of somebody else, by the curve alone: fees only take more."""

    now: Curve
    liquidity: int = 0
    cash: int = 0
    held: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, amount):
        added = curve.add_liquidity(self.now, amount, 500_000)
        self.now = Curve(liquidity=self.now.liquidity + amount, q=added.q)
        self.liquidity += amount
        self.cash -= added.cash
        self.held[0] += added.surplus_yes
        self.held[1] += added.surplus_no

    def remove(self, amount):
        removed = curve.remove_liquidity(self.now, amount)
        self.now = Curve(liquidity=self.now.liquidity - amount, q=removed.q)
        self.liquidity -= amount
        self.held[0] += removed.yes
        self.held[1] += removed.no

    def buy(self, side, cash):
        shares = curve.buy_cash(self.now, side, cash).shares
        self.trade(side, shares, -cash)

    def sell(self, side, shares):
        self.trade(side, -shares, curve.sell_shares(self.now, side, shares))

    def trade(self, side, shares, cash):
        q = self.now.q - shares if side else self.now.q + shares
        self.now = Curve(liquidity=self.now.liquidity, q=q)
        self.held[side] += shares
        self.cash += cash

    def merge(self):
        pairs = min(self.held)
        self.cash += pairs
        self.held = [held - pairs for held in self.held]

    def take_all(self):
        if self.liquidity:
            self.remove(self.liquidity)
        self.merge()
        for side in curve.Side:
            if self.held[side]:
                self.sell(side, self.held[side])


ACTIONS = st.tuples(
    st.sampled_from(["add", "buy", "sell", "remove"]),
    st.sampled_from(curve.Side),
    st.integers(1, 10),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    price=st.integers(20_000, 980_000),
    mine=st.integers(10**6, 10**12),
    acts=st.lists(ACTIONS, max_size=8),
)
def test_who_adds_trades_and_removes_alone_takes_out_no_more_than_came_in(price, mine, acts):
    start = curve.add_liquidity(Curve(liquidity=0, q=0), 10**12, price)
    actor = Actor(Curve(liquidity=10**12, q=start.q))
    actor.add(mine)
    for act, side, size in acts:
        with contextlib.suppress(curve.CurveError):
            if act == "add":
                actor.add(mine * size // 10)
            elif act == "buy":
                actor.buy(side, mine * size // 20 + 1)
            elif act == "sell":
                actor.sell(side, actor.held[side] * size // 10)
            else:
                actor.remove(actor.liquidity * size // 10)
    actor.take_all()
    assert actor.cash <= 0


def test_on_chain_a_maker_who_also_trades_takes_out_less_than_came_in(platform, market):
    platform.stake(platform.user(10_000_000), 1_000_000 * USD)
    user = platform.user(10_000_000)
    start = platform.tokens(user.tokens)
    platform.add_liquidity(user, market, 700_000 * USD)
    bought, _ = platform.open(user, market, 150_000 * USD)
    wait(platform, market)
    platform.remove_liquidity(user, market)
    rest = user.next_position_id - 1
    platform.close(user, market, bought)
    if platform.exists(platform.position_address(user, market, rest)):
        platform.close(user, market, rest)
    assert platform.tokens(user.tokens) < start
