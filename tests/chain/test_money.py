"""Any sequence of instructions, by anybody: tokens are conserved and all books agree after every one.

The harness audits each landed transaction (books.py); the machine below only has to wander. A refusal must leave
everything as it was, which the next audit shows.
"""

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD, Platform, refused
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from programs.accounts import Side
from programs.chain_account import ChainStatus
from programs.errors import ProgramError

AMOUNTS = st.one_of(
    st.integers(1, 1_000), st.integers(10**6, 10**9), st.integers(10**9, 200_000 * USD)
)
MARKETS = st.integers(0, 1)
USERS = st.integers(0, 3)


class Wandering(RuleBasedStateMachine):
    """Four users, a binary market and one of three outcomes, an oracle that jumps."""

    @initialize()
    def start(self):
        self.platform = platform = Platform()
        platform.initialize()
        self.markets = [
            platform.create_market("two", 600_000),
            platform.create_market("three", 500_000, 300_000, 200_000),
        ]
        self.people = [platform.user(20_000_000) for _ in range(4)]
        self.opened, self.chains = [], []
        platform.stake(self.people[0], 500_000 * USD)
        for market, prices in zip(
            self.markets, ([600_000], [500_000, 300_000, 200_000]), strict=True
        ):
            platform.post(market, *prices)
            for pool in range(len(prices)):
                platform.add_liquidity(self.people[1], market, 300_000 * USD, pool)

    def attempt(self, action, *args, **kwargs):
        """Do it, or be refused with a reason; both are fine, a crash is not."""
        try:
            return action(*args, **kwargs)
        except ProgramError:
            return None

    @rule(who=USERS, amount=AMOUNTS)
    def stake(self, who, amount):
        self.attempt(self.platform.stake, self.people[who], amount)

    @rule(who=USERS, market=MARKETS, pool=st.integers(0, 2), amount=AMOUNTS)
    def add_liquidity(self, who, market, pool, amount):
        self.attempt(
            self.platform.add_liquidity,
            self.people[who],
            self.markets[market],
            amount,
            pool if market else 0,
        )

    @rule(who=USERS, market=MARKETS, pool=st.integers(0, 2), part=st.integers(1, 3))
    def remove_liquidity(self, who, market, pool, part):
        address, pool = self.markets[market], pool if market else 0
        user = self.maker(who, address, pool)
        self.platform.warp(150)
        amount = self.platform.maker_of(user, address, pool).liquidity // part
        if self.attempt(self.platform.remove_liquidity, user, address, amount, pool):
            self.opened.append((user, address, user.next_position_id - 1))

    @rule(who=USERS, market=MARKETS, pool=st.integers(0, 2))
    def take_fees(self, who, market, pool):
        address, pool = self.markets[market], pool if market else 0
        user = self.maker(who, address, pool)
        self.attempt(self.platform.claim_maker_fees, user, address, pool)
        self.attempt(self.platform.withdraw_fees, address, user.tokens)
        self.attempt(self.platform.sweep_fees, address)

    def maker(self, who, market, pool):
        """Somebody with liquidity in a pool, this user if any; a new maker when nobody has."""
        for user in (self.people[who], *self.people):
            if self.platform.exists(self.platform.maker_address(user, market, pool)):
                return user
        self.attempt(
            self.platform.post, market, *[p.price_e6 for p in self.platform.market(market).pools]
        )
        self.platform.add_liquidity(self.people[who], market, 300_000 * USD, pool)
        return self.people[who]

    @rule(who=USERS, part=st.integers(1, 4), slots=st.integers(0, 400))
    def unstake(self, who, part, slots):
        user = self.people[who]
        if not self.platform.exists(self.platform.stake_address(user)):
            return
        shares = self.platform.stake_of(user).shares // part
        self.attempt(self.platform.request_unstake, user, shares)
        self.platform.warp(slots)
        self.attempt(self.platform.unstake, user)

    @rule(who=USERS, market=MARKETS, part=st.integers(1, 3))
    def buy_inventory(self, who, market, part):
        user, address = self.people[who], self.markets[market]
        for pool, state in enumerate(self.platform.market(address).pools):
            for side in Side:
                if shares := state.inventory[side] // part:
                    terms = {"pool": pool, "side": side}
                    done = self.attempt(self.platform.buy_inventory, user, address, shares, **terms)
                    if done:
                        self.opened.append((user, address, done[0]))

    @rule(
        who=USERS,
        market=MARKETS,
        pool=st.integers(0, 2),
        side=st.sampled_from(Side),
        amount=AMOUNTS,
        leverage=st.integers(1, 12),
    )
    def open(self, who, market, pool, side, amount, leverage):
        user = self.people[who]
        done = self.attempt(
            self.platform.open,
            user,
            self.markets[market],
            max(amount // leverage, 1),
            pool=pool if market else 0,
            side=side,
            leverage=leverage,
        )
        if done:
            self.opened.append((user, self.markets[market], done[0]))

    @rule(which=st.integers(0, 63), part=st.sampled_from([1, 2, 3, 1_000]))
    def close(self, which, part):
        if not self.opened:
            return
        user, market, position_id = self.opened[which % len(self.opened)]
        if not self.platform.exists(self.platform.position_address(user, market, position_id)):
            return
        position = self.platform.position(user, market, position_id)
        self.attempt(
            self.platform.close,
            user,
            market,
            position_id,
            has_debt=position.debt > 0,
            shares=position.shares // part,
        )

    @rule(
        who=USERS,
        market=MARKETS,
        pool=st.integers(0, 2),
        side=st.sampled_from(Side),
        deposit=AMOUNTS,
        steps=st.lists(
            st.sampled_from([BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening(2), opening(5)]),
            min_size=1,
            max_size=5,
        ),
    )
    def open_chain(self, who, market, pool, side, deposit, steps):
        chain = self.attempt(
            self.platform.open_chain,
            self.people[who],
            self.markets[market],
            deposit,
            *steps,
            pool=pool if market else 0,
            side=side,
        )
        if chain:
            self.chains.append((self.people[who], chain))

    @rule(who=USERS, which=st.integers(0, 63), count=st.integers(1, 5), holding=st.integers(0, 2))
    def use_chain(self, who, which, count, holding):
        """Execute; and when nothing more runs, sell what it holds, cancel, or liquidate what it owes."""
        if not self.chains:
            return
        owner, chain = self.chains[which % len(self.chains)]
        platform, keeper = self.platform, self.people[who]
        if not platform.exists(chain):
            return
        if platform.chain(chain).status is ChainStatus.RUNNING and which % 4:
            self.attempt(platform.execute, keeper, chain, count)
            return
        self.attempt(platform.liquidate, keeper, platform.chain(chain).market, [chain])
        self.attempt(platform.close_holding, owner, chain, holding)
        self.attempt(platform.cancel, owner, chain)
        if which % 2:
            platform.warp(150)

    @rule(
        market=MARKETS,
        first=st.integers(20_000, 980_000),
        share=st.integers(10, 90),
        slots=st.integers(0, 12),
        price_class=st.sampled_from([0, 0, 0, 1]),
    )
    def post(self, market, first, share, slots, price_class):
        self.platform.warp(slots)
        prices = [first]
        if market:
            rest = 1_000_000 - first
            prices = [first, rest * share // 100, rest - rest * share // 100]
        for _ in range(1 + slots // 4):
            self.platform.warp(slots)
            self.attempt(self.platform.post, self.markets[market], *prices, price_class=price_class)

    @rule(
        who=USERS,
        which=st.integers(0, 63),
        extent=st.sampled_from([80, 95, 99, 102, 104, 106]),
        push=st.sampled_from([0, 0, 20_000 * USD, 150_000 * USD]),
        batches=st.integers(1, 3),
    )
    def crash(self, who, which, extent, push, batches):
        """The oracle goes where one leveraged position is worth this part of its debt; keepers come."""
        if not (lent := self.lent()):
            self.open(who, which % 2, which % 3, Side.YES, 10_000 * USD, 9)
        if not (lent := self.lent()):
            return
        user, market, position_id = lent[which % len(lent)]
        platform, position = self.platform, self.platform.position(user, market, position_id)
        if push:
            self.attempt(
                platform.open,
                self.people[who],
                market,
                push,
                pool=position.pool,
                side=Side(1 - position.side),
            )
        price = min(max(position.debt * extent * 10_000 // position.shares, 10_000), 990_000)
        price = 1_000_000 - price if position.side else price
        pools = len(platform.market(market).pools)
        prices = [(1_000_000 - price) // 2] * pools
        prices[position.pool] = price
        for _ in range(8):
            platform.warp(5)
            self.attempt(platform.post, market, *prices)
        targets = [platform.position_address(*opened) for opened in self.opened[-20:]]
        targets.append(platform.position_address(user, market, position_id))
        targets += [chain for _, chain in self.chains[-5:]]
        for _ in range(batches):
            self.attempt(platform.liquidate, self.people[who], market, targets)
        if push:  # the vault may have taken shares over
            self.buy_inventory(who, self.markets.index(market), batches)

    def lent(self):
        return [opened for opened in self.opened if self.debt(*opened)]

    def debt(self, user, market, position_id):
        if not self.platform.exists(self.platform.position_address(user, market, position_id)):
            return 0
        return self.platform.position(user, market, position_id).debt

    @invariant()
    def all_books_agree(self):
        if hasattr(self, "platform"):
            self.platform.audit()


TestWandering = Wandering.TestCase
TestWandering.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def balances(platform):
    """Every quote token account, by what it is."""
    users = {f"user {i}": platform.tokens(u.tokens) for i, u in enumerate(platform.users)}
    markets = {f"market {i}": platform.market_tokens(m) for i, m in enumerate(platform.markets)}
    return {"vault": platform.vault_tokens()} | users | markets


def moved(platform, act):
    """Run one instruction: by how much every token account changed; the sum must be nothing."""
    before = balances(platform)
    act()
    after = balances(platform)
    change = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert sum(after.values()) == sum(before.values()) == platform.minted
    return change


def test_create_market_and_update_prices_move_no_token(platform, staked):
    platform.warp(1)
    assert moved(platform, lambda: platform.post(staked, 510_000)) == {}
    before = platform.quote_total()
    platform.create_market("another")
    assert platform.quote_total() == before


def test_initialize_creates_no_quote_token(platform):
    assert (platform.vault_tokens(), platform.minted) == (0, 0)


def test_add_liquidity_moves_the_makers_cash_to_the_market(platform, staked):
    change = moved(platform, lambda: platform.add_liquidity(platform.users[0], staked, 10**9))
    cash = -change["user 0"]
    assert change == {"user 0": -cash, "market 0": cash}
    assert cash > 0


def test_stake_moves_cash_to_the_vault(platform, staked):
    change = moved(platform, lambda: platform.stake(platform.users[0], 12_345))
    assert change == {"user 0": -12_345, "vault": 12_345}


def test_remove_liquidity_moves_cash_and_fees_to_the_maker(platform, staked):
    maker = platform.users[0]
    platform.open(platform.user(), staked, 10_000 * USD)
    platform.warp(150)
    receipts = []
    change = moved(
        platform, lambda: receipts.append(platform.remove_liquidity(maker, staked, 10**9))
    )
    (event,) = receipts[0].events
    cash = event.amount("cash") + event.amount("fees_paid")
    assert change == {"user 0": cash, "market 0": -cash}


def test_fees_move_to_the_maker_the_treasury_and_the_vault(platform, staked):
    platform.open(platform.user(), staked, 10_000 * USD)
    maker, treasury = platform.users[0], platform.user()
    fees = platform.market(staked)
    change = moved(platform, lambda: platform.claim_maker_fees(maker, staked))
    assert change == {"user 0": -change["market 0"], "market 0": change["market 0"]}
    assert fees.fees_makers - 1 <= change["user 0"] <= fees.fees_makers
    due = fees.fees_treasury
    change = moved(platform, lambda: platform.withdraw_fees(staked, treasury.tokens))
    assert change == {"user 3": due, "market 0": -due}
    change = moved(platform, lambda: platform.sweep_fees(staked))
    assert change == {"vault": fees.fees_vault, "market 0": -fees.fees_vault}


def test_unstake_moves_cash_from_the_vault_and_a_request_moves_none(platform, staked):
    user = platform.user()
    platform.stake(user, 1_000 * USD)
    assert moved(platform, lambda: platform.request_unstake(user)) == {}
    platform.warp(150)
    change = moved(platform, lambda: platform.unstake(user))
    assert change == {"user 2": change["user 2"], "vault": -change["user 2"]}
    assert 1_000 * USD - 1 <= change["user 2"] <= 1_000 * USD


def test_a_spot_open_moves_margin_and_fee_to_the_market(platform, staked):
    user = platform.user()
    fee = -(-10_000 * USD * 3_000_001 // 10**10)
    change = moved(platform, lambda: platform.open(user, staked, 10_000 * USD))
    assert change == {"user 2": -10_000 * USD - fee, "market 0": 10_000 * USD + fee}


def test_a_leveraged_open_moves_the_loan_too(platform, staked):
    user = platform.user()
    fee = -(-5_000 * USD * 3_000_001 // 10**10)
    change = moved(platform, lambda: platform.open(user, staked, 1_000 * USD, leverage=5))
    assert change == {
        "user 2": -1_000 * USD - fee,
        "vault": -4_000 * USD,
        "market 0": 5_000 * USD + fee,
    }


def test_a_close_moves_the_loan_back_and_the_rest_to_the_owner(platform, staked):
    user = platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=5)
    change = moved(platform, lambda: platform.close(user, staked, position_id, has_debt=True))
    assert change["vault"] == 4_000 * USD
    assert 990 * USD < change["user 2"] < 1_000 * USD
    assert change["market 0"] == -change["vault"] - change["user 2"]


def test_a_liquidation_moves_the_loan_back_and_the_bounty_to_the_keeper(platform, staked):
    user, keeper = platform.user(), platform.user()
    position_id, _ = platform.open(user, staked, 1_000 * USD, leverage=10)
    target = [platform.position_address(user, staked, position_id)]
    platform.move_oracle(staked, 465_000)
    change = moved(platform, lambda: platform.liquidate(keeper, staked, target))
    assert change.keys() == {"vault", "market 0", "user 3"}
    assert change["vault"] == 9_000 * USD
    assert change["market 0"] == -9_000 * USD - change["user 3"]


def test_a_refused_instruction_moves_nothing(platform, staked):
    user = platform.user()

    def attempt():
        with refused("SLIPPAGE"):
            platform.open(user, staked, 1_000 * USD, worst_price_e6=100_000)

    assert moved(platform, attempt) == {}


@pytest.mark.parametrize("leverage", [1, 5])
@pytest.mark.parametrize("side", Side)
def test_nobody_profits_from_opening_and_closing_at_one_price(platform, staked, side, leverage):
    user = platform.user()
    start = platform.tokens(user.tokens)
    for _ in range(3):
        position_id, _ = platform.open(user, staked, 777 * USD, side=side, leverage=leverage)
        platform.close(user, staked, position_id, has_debt=leverage > 1)
        assert platform.tokens(user.tokens) < start


def test_both_sides_at_once_are_worth_no_more_than_they_cost(platform, staked):
    user = platform.user()
    start = platform.tokens(user.tokens)
    ids = [platform.open(user, staked, 50_000 * USD, side=side)[0] for side in Side]
    for position_id in ids:
        platform.close(user, staked, position_id)
    assert platform.tokens(user.tokens) < start


def test_the_dust_of_many_tiny_trades_stays_with_the_pool(platform, staked):
    user = platform.user()
    start = platform.tokens(user.tokens)
    for amount in range(1, 40):
        try:
            position_id, _ = platform.open(user, staked, amount)
        except ProgramError:
            continue
        platform.close(user, staked, position_id)
        assert platform.tokens(user.tokens) <= start
        start = platform.tokens(user.tokens)
