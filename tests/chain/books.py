"""A second set of books: what the events say and what the token accounts hold, against what the program wrote.

`Books` knows the platform from its events alone. After every landed transaction `check` compares it with the
accounts, and the accounts with each other and with the tokens behind them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey

from programs import leverage, vault_shares
from programs.accounts import Maker, Market, PositionArray, Stake, Vault
from programs.chain_account import Chain
from programs.event_layout import REWARDS_SERIES, VAULT_SERIES, EventKind
from programs.events import Event
from tests.chain.chain_books import ChainBooks
from tests.chain.reward_books import RewardBooks


@dataclass
class PoolBooks:
    """One pool, folded from events."""

    liquidity: int = 0
    cash: int = 0
    outstanding: list[int] = field(default_factory=lambda: [0, 0])
    leveraged: list[int] = field(default_factory=lambda: [0, 0])
    inventory: list[int] = field(default_factory=lambda: [0, 0])
    inventory_cost: list[int] = field(default_factory=lambda: [0, 0])


@dataclass
class MarketBooks:
    """One market, folded from events."""

    pools: dict[int, PoolBooks] = field(default_factory=lambda: defaultdict(PoolBooks))
    debt: int = 0
    fees: int = 0
    residual: int = 0
    prices: tuple[tuple[int, int], ...] = ()
    publish_slot: int | None = None
    chains: ChainBooks = field(default_factory=ChainBooks)
    payouts_e6: tuple[int, ...] = ()
    """What YES of each pool pays, once resolved."""


@dataclass
class Books:
    """The platform, folded from events."""

    sequences: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    markets: dict[int, MarketBooks] = field(default_factory=lambda: defaultdict(MarketBooks))
    cash: int = 0
    loans: int = 0
    share_supply: int = 0
    bad_debt: int = 0
    inventory_cost: int = 0
    locked_shares: int = 0
    unvested: int = 0
    vest_slot: int = 0
    withdrawn: int = 0
    withdraw_slot: int = 0
    residuals: dict[Pubkey, int] = field(default_factory=lambda: defaultdict(int))
    shares: dict[Pubkey, int] = field(default_factory=lambda: defaultdict(int))
    """Of every position that was opened with a trade, in an account of its own or by a chain."""
    rewards: RewardBooks = field(default_factory=RewardBooks)

    def apply(self, event: Event, slot: int) -> None:  # noqa: C901, PLR0912, PLR0915  # one branch a kind
        """Book one event; its number must be the next of its series."""
        self.sequences[event.series] += 1
        assert event.sequence == self.sequences[event.series], "event numbers have a gap"
        assert event.slot == slot
        if REWARDS_SERIES <= event.series < VAULT_SERIES:
            self.rewards.apply(event)
            return
        kind, amount, market = event.kind, event.amount, self.markets[event.series]
        if event.series != VAULT_SERIES:
            self._lend(market, market.chains.apply(event))
        if kind is EventKind.LIQUIDITY_ADDED:
            pool = market.pools[amount("pool")]
            assert amount("liquidity_before") == pool.liquidity
            pool.liquidity += amount("liquidity_added")
            assert amount("liquidity_after") == pool.liquidity
            pool.cash += amount("cash")
            pool.outstanding[0] += amount("surplus_yes")
            pool.outstanding[1] += amount("surplus_no")
        elif kind is EventKind.STAKED:
            self.cash += amount("amount")
            self.share_supply += amount("shares")
            assert amount("share_supply") == self.share_supply
            assert amount("vault_value") == self.value
        elif kind is EventKind.LIQUIDITY_REMOVED:
            self._removed(event, market)
        elif kind in (EventKind.MAKER_FEES_CLAIMED, EventKind.FEES_WITHDRAWN):
            market.fees -= amount("amount")
        elif kind is EventKind.FEES_SWEPT:
            self._swept(event, market)
        elif kind is EventKind.UNSTAKE_REQUESTED:
            self.locked_shares = amount("locked_shares")
            self._gain(0, slot)
        elif kind is EventKind.UNSTAKED:
            self._unstaked(event)
        elif kind is EventKind.INVENTORY_BOUGHT:
            pool, side = market.pools[amount("pool")], amount("side")
            pool.inventory[side] -= amount("shares")
            pool.inventory_cost[side] -= amount("inventory_cost")
            self._end_inventory(amount("inventory_cost"), amount("cash"), slot)
        elif kind is EventKind.PRICES_UPDATED:
            market.prices = event.readings
            market.publish_slot = amount("publish_slot")
        elif kind is EventKind.POSITION_OPENED:
            self._opened(event, market)
        elif kind is EventKind.POSITION_CLOSED:
            self._closed(event, market)
        elif kind is EventKind.POSITIONS_LIQUIDATED:
            self._liquidated(event, market)
        elif kind is EventKind.MARKET_RESOLVED:
            assert market.payouts_e6 == (), "a market was resolved twice"
            market.payouts_e6 = tuple(record["payout_e6"] for record in event.records)
        elif kind is EventKind.POSITION_REDEEMED:
            self._redeemed(event, market)
        elif kind is EventKind.PLEDGES_SEIZED:
            self._seized(event, market)
        elif kind is EventKind.CHAIN_CANCELLED and market.chains.is_bucket_empty:
            self._gain(0, slot)
            self._melt(slot)
        elif kind is EventKind.BAD_DEBT_BOOKED:
            self.bad_debt += amount("amount")
            assert amount("total") == self.bad_debt

    @property
    def value(self) -> int:
        """What stakers own, by the events."""
        return self.cash + self.loans + self.inventory_cost

    def _removed(self, event: Event, market: MarketBooks) -> None:
        amount = event.amount
        pool = market.pools[amount("pool")]
        pool.liquidity -= amount("liquidity_removed")
        assert amount("liquidity_after") == pool.liquidity
        pool.cash -= amount("cash")
        pool.outstanding[0] += amount("shares_yes")
        pool.outstanding[1] += amount("shares_no")
        market.fees -= amount("fees_paid")

    def _swept(self, event: Event, market: MarketBooks) -> None:
        cash = cost = 0
        for index, payout in enumerate(market.payouts_e6):
            pool = market.pools[index]
            for side, price in enumerate((payout, 1_000_000 - payout)):
                paid = pool.inventory[side] * price // 1_000_000
                pool.cash -= paid
                pool.outstanding[side] -= pool.inventory[side]
                cash, cost = cash + paid, cost + pool.inventory_cost[side]
                pool.inventory[side] = pool.inventory_cost[side] = 0
        assert (event.amount("inventory_cash"), event.amount("inventory_cost")) == (cash, cost)
        market.fees -= event.amount("fees")
        self._end_inventory(cost, cash, event.slot)
        self.cash += event.amount("fees")
        self._gain(event.amount("fees"), event.slot)

    def _unstaked(self, event: Event) -> None:
        amount, slot = event.amount("amount"), event.slot
        self._gain(0, slot)
        cap = self._melt(slot)
        self.withdrawn += amount
        assert amount == 0 or self.withdrawn <= cap, "the bucket has run over"
        self.cash -= amount
        self.share_supply -= event.amount("shares")
        self.locked_shares -= event.amount("shares")
        assert event.amount("share_supply") == self.share_supply
        assert event.amount("vault_value") == self.value

    def _melt(self, slot: int) -> int:
        """Melt what was withdrawn, as of this slot; return what the bucket holds."""
        cap = (self.cash + self.loans) // vault_shares.WITHDRAWAL_DIVISOR
        since = slot - self.withdraw_slot
        gone = vault_shares.melted(cap, since, vault_shares.UNSTAKE_SLOTS)
        self.withdrawn, self.withdraw_slot = max(self.withdrawn - gone, 0), slot
        return cap

    def _end_inventory(self, cost: int, cash: int, slot: int) -> None:
        self.cash += cash
        self.inventory_cost -= cost
        self._gain(max(cash - cost, 0), slot)

    def _gain(self, gain: int, slot: int) -> None:
        since = slot - self.vest_slot
        self.unvested -= vault_shares.melted(self.unvested, since, vault_shares.VEST_SLOTS)
        self.unvested += gain
        self.vest_slot = slot

    def _opened(self, event: Event, market: MarketBooks) -> None:
        amount = event.amount
        pool, side, debt = market.pools[amount("pool")], amount("side"), amount("debt")
        if amount("holding") == 0:
            self.shares[event.address("position")] = amount("shares")
        short = amount("margin") * amount("leverage") - amount("notional")
        chain = market.chains.open.get(event.address("position"))
        assert 0 <= short < amount("margin") if chain else short == 0
        assert debt == amount("notional") - amount("margin")
        pool.cash += amount("notional")
        pool.outstanding[side] += amount("shares")
        pool.leveraged[side] += amount("shares") if debt else 0
        market.fees += amount("fee")
        owed = chain.debt if chain and amount("holding") == 0 else 0
        self._lend(market, debt - owed)

    def _closed(self, event: Event, market: MarketBooks) -> None:
        amount = event.amount
        pool, side, debt = market.pools[amount("pool")], amount("side"), amount("debt_repaid")
        pool.cash -= amount("proceeds")
        pool.outstanding[side] -= amount("shares")
        if debt:
            pool.leveraged[side] -= amount("shares") + amount("shares_left")
        market.fees += amount("fee")
        residual = 0
        if amount("holding") == 0:
            self.shares[event.address("position")] = amount("shares_left")
            residual = self.residuals.pop(event.address("position"), 0)
        market.residual -= residual
        assert amount("payout") == amount("proceeds") - amount("fee") - debt + residual
        self._lend(market, -debt)

    def _liquidated(self, event: Event, market: MarketBooks) -> None:
        parts = [self._liquidated_one(record, market) for record in event.records]
        to_vault, to_keeper = (sum(part) for part in zip(*parts, strict=True))
        assert (event.amount("to_vault"), event.amount("to_keeper")) == (to_vault, to_keeper)

    def _liquidated_one(self, record: dict[str, Any], market: MarketBooks) -> tuple[int, int]:
        """Book one record; return what it paid to the vault and to the keeper."""
        position, pool, side = record["position"], market.pools[record["pool"]], record["side"]
        gone = record["shares_sold"] + record["shares_to_inventory"]
        self.shares[position] -= gone
        pool.cash -= record["proceeds"]
        pool.outstanding[side] -= record["shares_sold"]
        pool.inventory[side] += record["shares_to_inventory"]
        pool.inventory_cost[side] += record["inventory_credit"]
        pool.leveraged[side] -= gone if record["debt_left"] else gone + self.shares[position]
        assert not record["bad_debt"] or not self.shares[position]
        in_cash = record["debt_repaid"] - record["inventory_credit"]
        residual = record["proceeds"] - record["bounty"] - in_cash
        assert residual >= 0
        self.residuals[position] += residual
        market.residual += residual
        self.inventory_cost += record["inventory_credit"]
        ended = record["inventory_credit"] + record["bad_debt"]
        self._lend(market, -in_cash)
        self.loans -= ended
        market.debt -= ended
        return in_cash, record["bounty"]

    def _redeemed(self, event: Event, market: MarketBooks) -> None:
        amount, side, shares = event.amount, event.amount("side"), event.amount("shares")
        pool, payout_e6 = market.pools[amount("pool")], market.payouts_e6[amount("pool")]
        assert amount("payout_e6") == (1_000_000 - payout_e6 if side else payout_e6)
        assert amount("value") == shares * amount("payout_e6") // 1_000_000
        pool.cash -= amount("value")
        pool.outstanding[side] -= shares
        debt = amount("debt_repaid") + amount("bad_debt")
        if debt:
            pool.leveraged[side] -= shares
        assert not amount("bad_debt") or amount("debt_repaid") == amount("value")
        residual = 0
        if amount("holding") == 0:
            residual = self.residuals.pop(event.address("position"), 0)
        market.residual -= residual
        assert amount("payout") == amount("value") - amount("debt_repaid") + residual
        self._lend(market, -amount("debt_repaid"))
        self.loans -= amount("bad_debt")
        market.debt -= amount("bad_debt")

    def _seized(self, event: Event, market: MarketBooks) -> None:
        amount = event.amount
        self._gain(0, event.slot)
        self.cash += amount("cash")
        self.share_supply -= amount("stake_shares")
        self.inventory_cost += amount("inventory_credit")
        self.loans -= amount("debt_repaid")
        market.debt -= amount("debt_repaid")
        if amount("inventory_shares"):
            pool, side = market.chains.seized
            market.pools[pool].inventory[side] += amount("inventory_shares")
            market.pools[pool].inventory_cost[side] += amount("inventory_credit")

    def _lend(self, market: MarketBooks, debt: int) -> None:
        self.cash -= debt
        self.loans += debt
        market.debt += debt


def check(
    books: Books,
    vault: Vault,
    vault_tokens: int,
    markets: Iterable[tuple[Pubkey, Market, int]],
    positions: PositionArray,
    makers: Iterable[Maker],
    stakes: Iterable[Stake],
    chains: Iterable[Chain] = (),
) -> None:
    """Compare the books with the accounts, and the accounts with each other and their tokens.

    Args:
        markets: address, state and token balance of each.
        positions: every position that exists, in an account of its own or inside a chain; the same of the next two.
        makers: every maker that exists.
        stakes: every stake that exists.
        chains: every chain that exists.
    """
    makers, stakes, chains = list(makers), list(stakes), list(chains)
    assert (vault.cash, vault.loans, vault.share_supply, vault.bad_debt, vault.inventory_cost) == (
        books.cash,
        books.loans,
        books.share_supply,
        books.bad_debt,
        books.inventory_cost,
    )
    assert (vault.unvested, vault.vest_slot) == (books.unvested, books.vest_slot)
    assert (vault.withdrawn, vault.withdraw_slot) == (books.withdrawn, books.withdraw_slot)
    assert vault.share_supply == sum(stake.shares for stake in stakes)
    requested = sum(stake.requested_shares for stake in stakes)
    assert vault.locked_shares == books.locked_shares == requested
    assert vault.event_sequence == books.sequences[VAULT_SERIES]
    assert vault_tokens == vault.cash
    assert vault.loans == int(positions["debt"].sum()) + sum(chain.debt for chain in chains)
    debts = weighted = inventory_cost = 0
    for address, market, tokens in markets:
        debts += market.debt
        weighted += market.debt * leverage.tail_loss_e6(market.outcomes)
        mine = positions[[row.tobytes() == bytes(address) for row in positions["market"]]]
        here = [maker for maker in makers if maker.market == address]
        held = [chain for chain in chains if chain.market == address]
        check_market(books.markets[market.market_id], market, tokens, mine, here, held)
        assert market.event_sequence == books.sequences[market.market_id]
        inventory_cost += sum(sum(pool.inventory_cost) for pool in market.pools)
    assert vault.loans == debts
    assert vault.inventory_cost == inventory_cost
    assert vault.weighted_debt_e6 == weighted


def check_market(
    books: MarketBooks,
    market: Market,
    tokens: int,
    mine: PositionArray,
    makers: list[Maker],
    chains: list[Chain],
) -> None:
    """Compare one market with its books, its positions, its makers, its chains and its tokens."""
    fees = market.fees_vault + market.fees_treasury + market.fees_makers
    assert (market.debt, fees, market.residual) == (books.debt, books.fees, books.residual)
    assert market.status == bool(books.payouts_e6)
    if books.publish_slot is not None:
        assert market.publish_slot == books.publish_slot
        prices = books.payouts_e6 or tuple(price for price, _ in books.prices)
        assert tuple(p.price_e6 for p in market.pools) == prices
        assert tuple(p.band_e6 for p in market.pools) == tuple(band for _, band in books.prices)
    books.chains.check(market, chains)
    cash = sum(pool.cash for pool in market.pools)
    assert tokens == cash + fees + market.residual + market.escrow
    assert market.fees_makers >= sum(maker.fees_owed for maker in makers)
    assert market.debt == int(mine["debt"].sum()) + sum(chain.debt for chain in chains)
    assert market.residual == int(mine["residual"].sum())
    assert not mine["is_in_batch"].any()
    for index, pool in enumerate(market.pools):
        folded = books.pools[index]
        assert (pool.liquidity, pool.cash) == (folded.liquidity, folded.cash)
        assert list(pool.outstanding) == folded.outstanding
        assert list(pool.leveraged) == folded.leveraged
        assert list(pool.inventory) == folded.inventory
        assert list(pool.inventory_cost) == folded.inventory_cost
        assert pool.liquidity == sum(maker.liquidity for maker in makers if maker.pool == index)
        if books.payouts_e6:
            yes_e6 = books.payouts_e6[index]
            due_e6 = pool.outstanding[0] * yes_e6 + pool.outstanding[1] * (1_000_000 - yes_e6)
            assert pool.cash * 1_000_000 >= due_e6, "the pool cannot pay what is left of its shares"
        else:
            assert pool.cash >= max(pool.outstanding), "the pool cannot pay one of its outcomes"
        for side in (0, 1):
            held = mine[(mine["pool"] == index) & (mine["side"] == side)]
            shares = int(held["shares"].sum())
            assert pool.outstanding[side] == shares + pool.inventory[side]
            assert pool.leveraged[side] == int(held["shares"][held["debt"] > 0].sum())
