"""Histories of the platform that hypothesis draws: any acts, turned into events that the program could have logged."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from incentives.lines import EpochClose
from incentives.parameters import Parameters, Rules
from incentives.roots import roots_of
from incentives.rules.rulebook import Rulebook
from incentives.unread import ALL, paying_tail, posting_tail
from programs.event_layout import REWARDS_SERIES
from programs.instructions.tags import Tag
from tests.incentives.told_events import Telling, address

PARAMETERS = Parameters(
    epoch_slots=20,
    dwell_slots=7,
    versions=(
        Rules(boosted_trades=5),
        Rules(from_epoch=2, boosted_trades=8, trade_reward_ppm=3_333, mining_rate_ppm=77_777),
        Rules(from_epoch=4, trade_multiplier=3, notional_max=200_000_000),
    ),
)
WALLETS = 4
READ = "oooooobcccssllaaaaarrRepppxxxxxf"
CUT = "OOCCSLLEAAUUVXXPkkkKKqq"
"""The same kinds of acts, and steps of chains, with logs that nobody can read."""
READ = "oooooobcccssllaaaaarrRepppxxxxxf"
CUT = "OOCCSLLEAAUUVXXPkkkKKqq"
"""The same kinds of acts, and steps of chains, with logs that nobody can read."""
SEASON_SLOTS = 170

amounts = st.one_of(
    st.integers(10**8, 10**10),
    st.integers(10**8, 10**10),
    st.sampled_from([1, 99_999_999, 10**8, 10**16, 2**64 - 1]),
)


def acts_of(kinds):
    """Draw acts of some kinds."""
    return st.lists(
        st.tuples(
            st.sampled_from(kinds),
            st.integers(0, 8),
            st.integers(0, WALLETS - 1),
            st.integers(0, 2),
            amounts,
            st.integers(1, 1_000),
        ),
        min_size=20,
        max_size=45,
    )


@dataclass
class Inventing:
    """What the program's accounts would say while the history is made up."""

    told: Telling = field(default_factory=Telling)
    rulebook: Rulebook = field(default_factory=lambda: Rulebook(PARAMETERS))
    events: list = field(default_factory=list)
    positions: dict = field(default_factory=dict)
    """Name -> [wallet, market, shares]."""
    pools: dict = field(default_factory=dict)
    """(market, wallet) -> liquidity."""
    resolved: set = field(default_factory=set)
    roots: list = field(default_factory=list)
    """Trees not posted."""
    posted: list = field(default_factory=list)
    """Leaves not paid: place, number, wallet, amount."""
    chains: list = field(default_factory=list)
    """Name, owner, market of those with liquidity."""

    def tell(self, event):
        self.events.append(event)
        for line in self.rulebook.take(event):
            if isinstance(line, EpochClose):
                self.roots += roots_of(line, PARAMETERS.epoch_slots)

    def act(self, what, wait, wallet, market, amount, size):
        told = self.told.at(self.told.slot + wait)
        match what:
            case "o" | "b" if market not in self.resolved:
                name = f"position {len(self.events)}"
                self.positions[name] = [wallet, market, size]
                holding = {"holding": 1} if what == "b" else {}
                self.tell(
                    told.opened(
                        wallet, name, notional=amount, shares=size, market=market, **holding
                    )
                )
            case "c" | "s" | "l" | "e" if self.positions:
                self._shrink(what, list(self.positions)[size % len(self.positions)], amount)
            case "a" if market not in self.resolved:
                self.pools[market, wallet] = self.pools.get((market, wallet), 0) + size
                self.tell(told.added(wallet, size, amount, amount % 50, market))
            case "r" | "R" if left := self.pools.get((market, wallet)):
                removed = left if what == "R" else amount % left + 1
                self.pools[market, wallet] -= removed
                self.tell(told.removed(wallet, removed, market))
            case "f" if market == 0 and market not in self.resolved:
                self.resolved.add(market)
                self.tell(told.resolved(market))
            case "p" if self.roots:
                self._post(self.roots.pop(0))
            case "x" if self.posted:
                place, leaf, paid, owed = self.posted.pop(size % len(self.posted))
                self.tell(told.paid(*place, [(leaf, paid, owed)]))
            case _:
                self._act_unread(what, wallet, market, amount, size)

    def _act_unread(self, what, wallet, market, amount, size):
        told, owner = self.told, address(wallet)
        match what:
            case "O" if market not in self.resolved:
                opened = address(f"position {len(self.events)}")
                self.tell(
                    told.unread(
                        Tag.OPEN_POSITION, market, signer=owner, account=opened, amount=amount
                    )
                )
            case "C" | "S" | "E" | "L" if self.positions:
                self._shrink_unread(what, list(self.positions)[size % len(self.positions)], amount)
            case "A" if market not in self.resolved:
                self.pools[market, wallet] = self.pools.get((market, wallet), 0) + size
                self.tell(told.unread(Tag.ADD_LIQUIDITY, market, signer=owner, amount=size))
            case "U" | "V" if left := self.pools.get((market, wallet)):
                removed = left if what == "U" else amount % left + 1
                self.pools[market, wallet] -= removed
                named = ALL if what == "U" and size % 2 else removed
                self.tell(told.unread(Tag.REMOVE_LIQUIDITY, market, signer=owner, amount=named))
            case "P" if self.roots:
                self._post(self.roots.pop(0), is_unread=True)
            case "X" if self.posted:
                place, leaf, paid, owed = self.posted.pop(size % len(self.posted))
                tail = paying_tail(*place, [(leaf, paid, owed)])
                self.tell(told.unread(Tag.PAY_REWARDS, REWARDS_SERIES, tail=tail))
            case "k" | "K" | "q":
                self._act_chain(what, wallet, market, amount, size)

    def _act_chain(self, what, wallet, market, amount, size):
        told, owner = self.told, address(wallet)
        match what:
            case "k" if market not in self.resolved:
                name = f"chain {len(self.events)}"
                self.chains.append((name, wallet, market))
                for event in told.chained(wallet, name, size, amount, amount % 50, market):
                    self.tell(event)
            case "K" if self.chains:
                name, _, its = self.chains.pop(size % len(self.chains))
                self.tell(told.unread(Tag.CANCEL_CHAIN, its, account=address(name), signer=owner))
            case "q":
                told.trades += size % 2 and told.trades < 100
                self.tell(told.unread(Tag.EXECUTE_CHAIN, market, account=address("any chain")))

    def _shrink_unread(self, what, name, amount):
        wallet, market, shares = self.positions[name]
        sold = amount % shares + 1 if what in "SL" else shares
        self.positions[name][2] -= sold
        if sold == shares:
            del self.positions[name]
        at, signer = address(name), address(wallet)
        match what:
            case "L":
                stranger = address(wallet if amount % 3 else "stranger")
                self.tell(self.told.unread(Tag.LIQUIDATE, market, signer=stranger, tail=at))
            case "E":
                self.tell(self.told.unread(Tag.REDEEM, market, signer=signer, account=at))
            case _:
                named = ALL if sold == shares and what == "C" else sold
                self.tell(
                    self.told.unread(
                        Tag.CLOSE_POSITION, market, signer=signer, account=at, amount=named
                    )
                )

    def _shrink(self, what, name, amount):
        wallet, market, shares = self.positions[name]
        sold = shares if what in "ce" else amount % shares + 1
        self.positions[name][2] -= sold
        if sold == shares:
            del self.positions[name]
        tell = {
            "c": lambda: self.told.closed(wallet, name, market=market),
            "s": lambda: self.told.closed(wallet, name, shares_left=shares - sold, market=market),
            "l": lambda: self.told.liquidated((name, sold, 0), market=market),
            "e": lambda: self.told.redeemed(wallet, name, market=market),
        }
        self.tell(tell[what]())

    def _post(self, tree, *, is_unread=False):
        place, count = (tree.epoch, tree.index), len(tree.rewards)
        if is_unread:
            tail = posting_tail(*place, count, tree.total, tree.root)
            self.tell(self.told.unread(Tag.POST_EPOCH, REWARDS_SERIES, tail=tail))
        else:
            self.tell(self.told.posted(*place, tree.root, count, tree.total))
        self.posted += [
            (place, leaf, bytes(reward.wallet), reward.amount)
            for leaf, reward in enumerate(tree.rewards)
        ]


def invent(drawn, season_slots=SEASON_SLOTS):
    """Return the events of a history."""
    inventing = Inventing()
    inventing.tell(inventing.told.genesis(season_slots))
    for act in drawn:
        inventing.act(*act)
    return inventing.events


histories = acts_of(READ).map(invent)
cut_histories = acts_of(READ + CUT).map(invent)
