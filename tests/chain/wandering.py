"""Anybody does anything, in any order: four users, a binary market and one of three outcomes, an oracle that jumps.

The platform audits every landed transaction and every refusal (watched.py, books.py): the machine only has to wander,
and to wander far. What must be refused in every state is attempted too, and must be.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from chain_terms import ARBITRAGE, BORROW, LIQUIDITY, STAKE, opening
from harness import USD, User, refused
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reward_desk import RewardDesk
from solders.pubkey import Pubkey
from watched import WatchedPlatform

from incentives.emission import emitted_by
from programs.accounts import Position, Side
from programs.betting_platform.build import PROGRAM_SO
from programs.errors import ProgramError
from programs.event_layout import EventKind
from programs.instructions.tags import Tag
from programs.merkle import Reward, RewardTree, build_tree
from programs.units import BaseUnits

BINARY, THREE = (600_000,), (500_000, 300_000, 200_000)
AMOUNTS = st.one_of(
    st.integers(1, 1_000), st.integers(10**6, 10**9), st.integers(10**9, 200_000 * USD)
)
MARKETS = st.integers(0, 1)
POOLS = st.integers(0, 2)
USERS = st.integers(0, 3)
ANY = st.integers(0, 63)
"""Which of what there is by then."""
PARTS = st.sampled_from([1, 1, 2, 3, 1_000])
SIDES = st.sampled_from(Side)
PLEDGING = [LIQUIDITY, STAKE, opening(5)]
STEPS = st.one_of(
    st.sampled_from([PLEDGING, [BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening(2)]]),
    st.lists(
        st.sampled_from([BORROW, LIQUIDITY, STAKE, ARBITRAGE, opening(2), opening(5)]),
        min_size=1,
        max_size=5,
    ),
)


class Wandering(RuleBasedStateMachine):
    """Lists what was made so far; what is gone since is passed over."""

    so: ClassVar[bytes] = PROGRAM_SO.read_bytes()
    landed: ClassVar[Counter[Tag]] = Counter()
    said: ClassVar[Counter[EventKind]] = Counter()
    platform_type: ClassVar[type[WatchedPlatform]] = WatchedPlatform

    @initialize()
    def start(self) -> None:
        self.platform = self.platform_type(so=self.so, landed=self.landed, said=self.said)
        self.platform.initialize()
        self.people = [self.platform.user(20_000_000) for _ in range(4)]
        self.platform.stake(self.people[0], 500_000 * USD)
        self.opened: list[tuple[User, Pubkey, int]] = []
        self.chains: list[tuple[User, Pubkey]] = []
        self.resolved: list[Pubkey] = []
        self.markets = [self.new_market(prices) for prices in (BINARY, THREE)]
        self.desk = RewardDesk(self.platform)
        self.trees: list[RewardTree] = []
        self.steps = 0

    def new_market(self, prices: tuple[int, ...]) -> Pubkey:
        market = self.platform.create_market(f"market {len(self.platform.markets)}", *prices)
        self.platform.post(market, *prices)
        for pool in range(len(prices)):
            self.attempt(self.platform.add_liquidity, self.people[1], market, 300_000 * USD, pool)
        return market

    def attempt(
        self, action: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:  # whatever it says
        """Do it, or be refused with a reason; both are fine, a crash is not."""
        try:
            return action(*args, **kwargs)
        except ProgramError:
            return None

    def pick(self, market: int, pool: int) -> tuple[Pubkey, int]:
        return self.markets[market], pool if market else 0

    # -- the vault and the makers --

    @rule(who=USERS, amount=AMOUNTS)
    def stake(self, who: int, amount: int) -> None:
        self.attempt(self.platform.stake, self.people[who], amount)

    @rule(who=USERS, part=st.integers(1, 4), slots=st.sampled_from([0, 149, 150, 400]))
    def unstake(self, who: int, part: int, slots: int) -> None:
        user = self.people[who]
        if not self.platform.exists(self.platform.stake_address(user)):
            return
        shares = self.platform.stake_of(user).shares // part
        self.attempt(self.platform.request_unstake, user, shares)
        self.platform.warp(slots)
        self.attempt(self.platform.unstake, user)

    @rule(who=USERS, market=MARKETS, pool=POOLS, amount=AMOUNTS)
    def add_liquidity(self, who: int, market: int, pool: int, amount: int) -> None:
        user, (address, pool) = self.people[who], self.pick(market, pool)
        if self.attempt(self.platform.add_liquidity, user, address, amount, pool):
            self.opened.append((user, address, user.next_position_id - 1))

    @rule(who=USERS, which=ANY, pool=POOLS, part=st.integers(1, 3), slots=st.sampled_from([0, 150]))
    def remove_liquidity(self, who: int, which: int, pool: int, part: int, slots: int) -> None:
        market = self.platform.markets[which % len(self.platform.markets)]
        if not (user := self.maker(who, market, pool)):
            return
        self.platform.warp(slots)
        amount = self.platform.maker_of(user, market, pool).liquidity // part
        if self.attempt(self.platform.remove_liquidity, user, market, amount, pool):
            self.opened.append((user, market, user.next_position_id - 1))

    @rule(who=USERS, which=ANY, pool=POOLS)
    def take_fees(self, who: int, which: int, pool: int) -> None:
        market = self.platform.markets[which % len(self.platform.markets)]
        if market in self.markets:
            self.open(who, self.markets.index(market), pool, Side(which % 2), 10_000 * USD, 1)
        if user := self.maker(who, market, pool):
            self.attempt(self.platform.claim_maker_fees, user, market, pool)
        self.attempt(self.platform.withdraw_fees, market, self.people[who].tokens)
        self.attempt(self.platform.sweep_fees, market)

    def maker(self, who: int, market: Pubkey, pool: int) -> User | None:
        """Somebody with liquidity in the pool, this user if he has any."""
        for user in (self.people[who], *self.people):
            if self.platform.exists(self.platform.maker_address(user, market, pool)):
                return user
        return None

    @rule(who=USERS, market=MARKETS, part=st.integers(1, 3))
    def buy_inventory(self, who: int, market: int, part: int) -> None:
        user, address = self.people[who], self.markets[market]
        for pool, state in enumerate(self.platform.market(address).pools):
            for side in Side:
                if shares := state.inventory[side] // part:
                    terms = {"pool": pool, "side": side}
                    done = self.attempt(self.platform.buy_inventory, user, address, shares, **terms)
                    if done:
                        self.opened.append((user, address, done[0]))

    # -- positions --

    @rule(
        who=USERS,
        market=MARKETS,
        pool=POOLS,
        side=SIDES,
        amount=AMOUNTS,
        leverage=st.sampled_from([1, 1, 2, 5, 9, 10, 12]),
    )
    def open(
        self, who: int, market: int, pool: int, side: Side, amount: int, leverage: int
    ) -> None:
        user, (address, pool) = self.people[who], self.pick(market, pool)
        self.confirm(address)
        margin, terms = max(amount // leverage, 1), {"pool": pool, "side": side}
        done = self.attempt(self.platform.open, user, address, margin, leverage=leverage, **terms)
        if done:
            self.opened.append((user, address, done[0]))

    @rule(which=ANY, part=PARTS)
    def close(self, which: int, part: int) -> None:
        if not self.opened:
            return
        user, market, position_id = self.opened[which % len(self.opened)]
        if not (position := self.position(user, market, position_id)):
            return
        terms = {"has_debt": position.debt > 0, "shares": position.shares // part}
        self.attempt(self.platform.close, user, market, position_id, **terms)

    def position(self, user: User, market: Pubkey, position_id: int) -> Position | None:
        address = self.platform.position_address(user, market, position_id)
        if not self.platform.exists(address):
            return None
        return Position.from_bytes(self.platform.data(address))

    # -- chains --

    @rule(
        who=USERS,
        market=MARKETS,
        pool=POOLS,
        side=SIDES,
        deposit=st.one_of(AMOUNTS, st.integers(10**9, 20_000 * USD)),
        steps=STEPS,
        count=st.integers(0, 5),
    )
    def open_chain(
        self, who: int, market: int, pool: int, side: Side, deposit: int, steps: list, count: int
    ) -> None:
        user, (address, pool) = self.people[who], self.pick(market, pool)
        terms = {"pool": pool, "side": side}
        chain = self.attempt(self.platform.open_chain, user, address, deposit, *steps, **terms)
        if chain:
            self.chains.append((user, chain))
            if count:
                self.confirm(address)
                self.attempt(self.platform.execute, user, chain, count)

    @rule(who=USERS, which=ANY, count=st.integers(1, 5))
    def execute_chain(self, who: int, which: int, count: int) -> None:
        """Run its next steps, of which no other can be taken for the first."""
        if not (found := self.find_chain(which)):
            return
        _, chain = found
        state = self.platform.chain(chain)
        for step in {state.next_step - 1, state.next_step + 1} & set(range(256)):
            try:
                self.platform.execute(self.people[who], chain, count, first_step=step)
            except ProgramError:
                continue
            raise AssertionError(f"step {step} ran, where {state.next_step} was next")
        self.confirm(state.market)
        self.attempt(self.platform.execute, self.people[who], chain, count)

    @rule(who=USERS, which=ANY, holding=POOLS, slots=st.sampled_from([0, 150]))
    def leave_chain(self, who: int, which: int, holding: int, slots: int) -> None:
        """Sell what it holds, liquidate what it owes, and take back what is not locked."""
        if not (found := self.find_chain(which)):
            return
        owner, chain = found
        keeper, market = self.people[who], self.platform.chain(chain).market
        self.attempt(self.platform.liquidate, keeper, market, [chain])
        self.attempt(self.platform.close_holding, owner, chain, holding)
        self.platform.warp(slots)
        self.attempt(self.platform.cancel, owner, chain)

    def find_chain(self, which: int) -> tuple[User, Pubkey] | None:
        found = [(user, chain) for user, chain in self.chains if self.platform.exists(chain)]
        return found[which % len(found)] if found else None

    # -- the oracle, and who comes when it moves --

    @rule(
        market=MARKETS,
        first=st.integers(20_000, 980_000),
        share=st.integers(10, 90),
        slots=st.integers(0, 12),
        price_class=st.sampled_from([0, 0, 0, 1]),
    )
    def post(self, market: int, first: int, share: int, slots: int, price_class: int) -> None:
        prices = [first]
        if market:
            rest = 1_000_000 - first
            prices = [first, rest * share // 100, rest - rest * share // 100]
        for _ in range(1 + slots // 4):
            self.platform.warp(slots)
            self.attempt(self.platform.post, self.markets[market], *prices, price_class=price_class)

    @rule(slots=st.sampled_from([1, 20, 150, 9_000]))
    def wait(self, slots: int) -> None:
        """Time passes; the oracle is there again afterwards, and its prices are what they were."""
        self.platform.warp(slots)
        for market in self.markets:
            self.confirm(market)

    def confirm(self, market: Pubkey) -> None:
        """The oracle says again what it said, if it is not too late."""
        prices = [pool.price_e6 for pool in self.platform.market(market).pools]
        self.attempt(self.platform.post, market, *prices)

    @rule(
        who=USERS,
        which=ANY,
        extent=st.sampled_from([60, 80, 95, 99, 102, 104, 106]),
        push=st.sampled_from([0, 0, 20_000 * USD, 150_000 * USD]),
        batches=st.integers(1, 3),
    )
    def crash(self, who: int, which: int, extent: int, push: int, batches: int) -> None:
        """The oracle goes where one position is worth this part of its debt, in %; keepers come."""
        if not (lent := self.lent()):
            where = {"market": which % 2, "pool": which % 3, "side": Side(which % 2)}
            self.open(who, **where, amount=10_000 * USD, leverage=9)
            self.open_chain(who, **where, deposit=5_000 * USD, steps=PLEDGING, count=5)
        if not (lent := self.lent()):
            return
        market, target, position = lent[which % len(lent)]
        platform, keeper = self.platform, self.people[who]
        if push:
            terms = {"pool": position.pool, "side": Side(1 - position.side)}
            self.attempt(platform.open, keeper, market, push, **terms)
        price = min(max(position.debt * extent * 10_000 // position.shares, 10_000), 990_000)
        price = 1_000_000 - price if position.side else price
        prices = [(1_000_000 - price) // 2] * len(platform.market(market).pools)
        prices[position.pool] = price
        for _ in range(8):
            platform.warp(5)
            self.attempt(platform.post, market, *prices)
        targets = [address for _, address, _ in lent[:8]]
        for _ in range(batches):
            self.attempt(platform.liquidate, keeper, market, [*targets, target, target])
        if push:  # the vault may have taken shares over
            self.buy_inventory(who, self.markets.index(market), batches)

    def lent(self) -> list[tuple[Pubkey, Pubkey, Position]]:
        """What owes something in an open market: the market, the account, and the position in it."""
        found = [
            (market, self.platform.position_address(user, market, position_id), position)
            for user, market, position_id in self.opened
            if (position := self.position(user, market, position_id))
        ]
        chains = [chain for _, chain in self.chains if self.platform.exists(chain)]
        for chain in chains:
            state = self.platform.chain(chain)
            found.append((state.market, chain, state.position))
        return [each for each in reversed(found) if each[2].debt and each[0] in self.markets]

    # -- the end of a market --

    @precondition(lambda self: self.steps > 10)  # there is something to pay by then
    @rule(
        who=USERS,
        market=MARKETS,
        first=st.sampled_from([0, 1, 333_333, 1_000_000]),
        part=st.integers(1, 3),
    )
    def resolve(self, who: int, market: int, first: int, part: int) -> None:
        """Once; another market takes its place, and the first holders come."""
        address, rest = self.markets[market], 1_000_000 - first
        payouts = [first, rest // 3, rest - rest // 3] if market else [first]
        terms = {"pool": 0, "side": Side.YES, "deposit": 5_000 * USD, "steps": PLEDGING}
        self.open_chain(who, market, **terms, count=5)
        self.platform.resolve(address, *payouts)
        with refused("MARKET_NOT_OPEN"):
            self.platform.resolve(address, *payouts)
        self.resolved.append(address)
        self.markets[market] = self.new_market(THREE if market else BINARY)
        self.redeem(who, part)

    @precondition(lambda self: self.resolved)
    @rule(who=USERS, part=st.integers(1, 3))
    def redeem(self, who: int, part: int) -> None:
        """Some or all of what the resolved markets still owe, by anybody."""
        caller, platform = self.people[who], self.platform
        for user, market, position_id in self.opened[::part]:
            if market in self.resolved and self.position(user, market, position_id):
                self.attempt(platform.redeem, user, market, position_id, caller)
        for _, chain in self.chains:
            if platform.exists(chain) and platform.chain(chain).market in self.resolved:
                for holding in range(0, 3, part):
                    self.attempt(platform.redeem_holding, caller, chain, holding)
                self.attempt(platform.cancel, caller, chain)

    @precondition(lambda self: self.steps > 40)  # most of the way is without it
    @rule()
    def halt(self) -> None:
        self.attempt(self.platform.halt)
        with refused("HALTED"):
            self.platform.stake(self.people[0], USD)

    # -- rewards --

    @rule(
        epoch=st.sampled_from([0, 0, 0, 1]),
        parts=st.lists(st.integers(1, 30), min_size=1, max_size=6),
        extent=st.sampled_from([1, 20, 100, 101]),
    )
    def post_epoch(self, epoch: int, parts: list[int], extent: int) -> None:
        """A root over this part of what is emitted and not posted yet, in %; nothing beyond all of it."""
        platform = self.platform
        now = platform.global_()
        free = emitted_by(platform.slot, now.season_start_slot) - now.posted_mmt
        amounts = [free * extent * part // (100 * sum(parts)) for part in parts]
        rewards = [
            Reward(wallet=self.people[i % 4].address, amount=BaseUnits(amount))
            for i, amount in enumerate(amounts)
        ]
        tree = build_tree(epoch, len(self.trees), rewards)
        if self.attempt(self.desk.post, tree):
            assert tree.total <= free
            self.trees.append(tree)
            self.pay_rewards(extent - 1, len(parts) % 3)

    @rule(which=ANY, height=st.integers(0, 3))
    def pay_rewards(self, which: int, height: int) -> None:
        """Any batch of any root, paid before in part, in whole, or not at all; then it is paid, and never again."""
        if not self.trees:
            return
        tree = self.trees[which % len(self.trees)]
        height = min(height, tree.depth)
        batches = -(-len(tree.rewards) >> height)
        batch = tree.batch((which % max(batches, 1)) << height, height)
        self.attempt(self.desk.pay, batch)
        with refused("NOTHING_PAID"):
            self.desk.pay(batch)

    # -- what holds after every step, beside what the platform audits --

    @invariant()
    def everybody_has_what_was_paid(self) -> None:
        if not hasattr(self, "trees"):
            return
        self.steps += 1
        paid: Counter[Pubkey] = Counter()
        for root in self.platform.books.rewards.roots.values():
            for wallet, amount in root.paid.values():
                paid[wallet] += amount
        for wallet, tokens in self.desk.accounts.items():
            assert self.platform.tokens(tokens) == paid[wallet]
        assert self.platform.global_().trade_count <= 100  # SPEC.md section 7
