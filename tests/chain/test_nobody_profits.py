"""Whatever the wallets of one owner do together while the oracle's price stays, they take out no more than came in.

Nobody else trades: so there is nothing to earn, and whatever they gained would be the makers' or the stakers'. Every
way in and out is theirs to combine: trades with and without leverage, liquidity, stakes, chains, fees and liquidations.
Attacks that need the price to move are in bench/economics.
"""

import contextlib

import pytest
from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD, Platform
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs.accounts import Position, Side
from programs.chain_account import Step
from programs.errors import ProgramError

AMOUNTS = st.one_of(
    st.integers(1, 100), st.integers(10**6, 10**9), st.integers(10**9, 100_000 * USD)
)
ACTIONS = st.tuples(
    st.sampled_from(
        [
            "open",
            "open",
            "lever",
            "close",
            "add",
            "remove",
            "stake",
            "leave",
            "chain",
            "run",
            "take",
            "liquidate",
        ]
    ),
    st.integers(0, 1),
    st.sampled_from(Side),
    AMOUNTS,
    st.integers(1, 5),
)
LOCK = 150
FALLS_E6 = (8_000, 20_000, 50_000)
"""Of the oracle: what is lent is due, but not under water. Past that the vault lends on a jump: bench/economics."""


class Gang:
    """Two wallets of one owner, on a platform where others make the market and stake, and nobody else trades."""

    def __init__(self, price_e6: int):
        self.platform = platform = Platform(is_audited=False)
        platform.initialize()
        self.price_e6 = price_e6
        self.market = platform.create_market("m", price_e6)
        self.post()
        platform.add_liquidity(platform.user(10_000_000), self.market, 1_000_000 * USD)
        platform.stake(platform.user(10_000_000), 1_000_000 * USD)
        self.wallets = [platform.user(10_000_000) for _ in range(2)]
        self.start = self.held()
        self.positions = []
        self.chains = []

    def held(self) -> int:
        return sum(self.platform.tokens(wallet.tokens) for wallet in self.wallets)

    def post(self) -> None:
        """The oracle says what it always says."""
        self.platform.warp(1)
        self.platform.post(self.market, self.price_e6)

    def act(self, name: str, who: int, side: Side, amount: int, size: int) -> None:
        self.post()
        with contextlib.suppress(ProgramError):
            getattr(self, name)(self.wallets[who], side, amount, size)

    def open(self, user, side, amount, _size) -> None:
        terms = {"side": side}
        self.positions.append((user, self.platform.open(user, self.market, amount, **terms)[0]))

    def lever(self, user, side, amount, size) -> None:
        terms = {"side": side, "leverage": 2 * size}
        self.positions.append((user, self.platform.open(user, self.market, amount, **terms)[0]))

    def close(self, _user, _side, amount, size) -> None:
        if self.positions:
            user, position_id = self.positions[amount % len(self.positions)]
            self.sell(user, position_id, size)

    def sell(self, user, position_id, size) -> None:
        if self.platform.exists(self.platform.position_address(user, self.market, position_id)):
            position = self.platform.position(user, self.market, position_id)
            terms = {"has_debt": position.debt > 0, "shares": position.shares // size}
            self.platform.close(user, self.market, position_id, **terms)

    def add(self, user, _side, amount, size) -> None:
        self.platform.add_liquidity(user, self.market, amount * size)
        self.positions.append((user, user.next_position_id - 1))

    def remove(self, user, _side, _amount, size) -> None:
        self.platform.warp(LOCK)
        self.post()
        if self.platform.exists(self.platform.maker_address(user, self.market)):
            liquidity = self.platform.maker_of(user, self.market).liquidity // size
            self.platform.remove_liquidity(user, self.market, liquidity)
            self.positions.append((user, user.next_position_id - 1))

    def stake(self, user, _side, amount, _size) -> None:
        self.platform.stake(user, amount)

    def leave(self, user, _side, _amount, size) -> None:
        if self.platform.exists(self.platform.stake_address(user)):
            self.platform.request_unstake(user, self.platform.stake_of(user).shares // size)
            self.platform.warp(LOCK)
            self.platform.unstake(user)

    def chain(self, user, side, amount, size) -> None:
        plans: list[list[Step]] = [
            [BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening(2)],
            [ARBITRAGE, opening(3)],
            [BORROW, opening(2)],
            [LIQUIDITY, STAKE],
            [STAKE, BORROW, ARBITRAGE],
        ]
        steps = plans[size % len(plans)]
        chain = self.platform.open_chain(user, self.market, amount, *steps, side=side)
        self.chains.append((user, chain))
        self.platform.execute(self.wallets[size % 2], chain, size)

    def run(self, user, _side, amount, size) -> None:
        if self.chains:
            _, chain = self.chains[amount % len(self.chains)]
            self.platform.execute(user, chain, size)

    def take(self, user, _side, _amount, _size) -> None:
        if self.platform.exists(self.platform.maker_address(user, self.market)):
            with contextlib.suppress(ProgramError):
                self.platform.claim_maker_fees(user, self.market)
        self.platform.sweep_fees(self.market)

    def liquidate(self, user, _side, _amount, _size) -> None:
        found = [self.platform.position_address(w, self.market, i) for w, i in self.positions]
        found += [chain for _, chain in self.chains]
        found = [address for address in found if self.platform.exists(address)]
        self.platform.liquidate(user, self.market, found)

    def owes(self, user) -> list[int]:
        """The debt of each position that he still has."""
        mine = [number for wallet, number in self.positions if wallet is user]
        addresses = [self.platform.position_address(user, self.market, number) for number in mine]
        return [Position.from_bytes(data).debt for data in self.platform.existing(addresses)]

    def leave_everything(self) -> None:
        """Until nothing more comes out."""
        while True:
            before = self.held()
            for user, position_id in list(self.positions):
                self.post()
                with contextlib.suppress(ProgramError):
                    self.sell(user, position_id, 1)
            for user, chain in self.chains:
                for holding in range(3):
                    with contextlib.suppress(ProgramError):
                        self.platform.close_holding(user, chain, holding)
                with contextlib.suppress(ProgramError):
                    self.platform.cancel(user, chain)
            self.chains = [each for each in self.chains if self.platform.exists(each[1])]
            for who in range(2):
                for name in ("take", "remove", "leave"):
                    self.act(name, who, Side.YES, 0, 1)
            if self.held() <= before:
                return


@given(
    price_e6=st.sampled_from([500_000, 500_000, 120_000, 930_000]),
    acts=st.lists(ACTIONS, min_size=4, max_size=16),
)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_at_one_price_no_combination_of_anything_pays(price_e6, acts):
    gang = Gang(price_e6)
    for act in acts:
        gang.act(*act)
    gang.leave_everything()
    assert gang.held() <= gang.start


@pytest.mark.parametrize("fall", FALLS_E6)
@pytest.mark.parametrize("push", [0, 10_000 * USD, 30_000 * USD, 60_000 * USD])
@pytest.mark.parametrize("both", [False, True])
def test_nobody_liquidates_himself_at_a_profit_on_a_pushed_pool_through_a_jump(fall, push, both):
    """One wallet is lent all it can get, on one side or on both, the other pushes the pool under the sale."""
    gang = Gang(500_000)
    for side in Side if both else [Side.YES]:
        for _ in range(6):
            gang.act("lever", 0, side, 1_000 * USD, 5)
            gang.act("open", 1, Side(1 - side), 9_900 * USD, 1)  # bring the pool back
    if push:
        gang.act("open", 1, Side.NO, push, 1)
    assert sum(gang.owes(gang.wallets[0])) > 50_000 * USD
    gang.platform.move_oracle(gang.market, 500_000 - fall)
    gang.price_e6 -= fall
    for _ in range(4):
        gang.act("liquidate", 1, Side.YES, 0, 1)
    gang.leave_everything()
    assert gang.held() < gang.start
