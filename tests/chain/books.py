"""A second set of books: what the events say and what the token accounts hold, against what the program wrote.

`Books` knows the platform from its events alone. After every landed transaction `check` compares it with the
accounts, and the accounts with each other and with the tokens behind them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey

from programs import leverage
from programs.accounts import Market, PositionArray, Vault
from programs.events import VAULT_SERIES, Event, EventKind


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
    residuals: dict[Pubkey, int] = field(default_factory=lambda: defaultdict(int))
    shares: dict[Pubkey, int] = field(default_factory=lambda: defaultdict(int))
    """Of every position that was opened with a trade."""

    def apply(self, event: Event, slot: int) -> None:
        """Book one event; its number must be the next of its series."""
        self.sequences[event.series] += 1
        assert event.sequence == self.sequences[event.series], "event numbers have a gap"
        assert event.slot == slot
        kind, amount, market = event.kind, event.amount, self.markets[event.series]
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
            assert amount("vault_value") == self.cash + self.loans + self.inventory_cost
        elif kind is EventKind.PRICES_UPDATED:
            market.prices = event.readings
            market.publish_slot = amount("publish_slot")
        elif kind is EventKind.POSITION_OPENED:
            self._opened(event, market)
        elif kind is EventKind.POSITION_CLOSED:
            self._closed(event, market)
        elif kind is EventKind.POSITIONS_LIQUIDATED:
            self._liquidated(event, market)
        elif kind is EventKind.BAD_DEBT_BOOKED:
            self.bad_debt += amount("amount")
            assert amount("total") == self.bad_debt

    def _opened(self, event: Event, market: MarketBooks) -> None:
        amount = event.amount
        pool, side, debt = market.pools[amount("pool")], amount("side"), amount("debt")
        assert amount("notional") == amount("margin") * amount("leverage")
        assert debt == amount("notional") - amount("margin")
        self.shares[event.address("position")] = amount("shares")
        pool.cash += amount("notional")
        pool.outstanding[side] += amount("shares")
        pool.leveraged[side] += amount("shares") if debt else 0
        market.fees += amount("fee")
        self._lend(market, debt)

    def _closed(self, event: Event, market: MarketBooks) -> None:
        amount = event.amount
        pool, side, debt = market.pools[amount("pool")], amount("side"), amount("debt_repaid")
        pool.cash -= amount("proceeds")
        pool.outstanding[side] -= amount("shares")
        if debt:
            pool.leveraged[side] -= amount("shares") + amount("shares_left")
        market.fees += amount("fee")
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
) -> None:
    """Compare the books with the accounts, and the accounts with each other and their tokens.

    Args:
        markets: address, state and token balance of each.
        positions: every position that exists.
    """
    assert (vault.cash, vault.loans, vault.share_supply, vault.bad_debt, vault.inventory_cost) == (
        books.cash,
        books.loans,
        books.share_supply,
        books.bad_debt,
        books.inventory_cost,
    )
    assert vault.event_sequence == books.sequences[VAULT_SERIES]
    assert vault_tokens == vault.cash
    assert vault.loans == int(positions["debt"].sum())
    debts = weighted = 0
    for address, market, tokens in markets:
        debts += market.debt
        weighted += market.debt * leverage.tail_loss_e6(market.outcomes)
        mine = positions[[row.tobytes() == bytes(address) for row in positions["market"]]]
        check_market(books.markets[market.market_id], market, tokens, mine)
        assert market.event_sequence == books.sequences[market.market_id]
    assert vault.loans == debts
    assert vault.weighted_debt_e6 == weighted


def check_market(books: MarketBooks, market: Market, tokens: int, mine: PositionArray) -> None:
    """Compare one market with its books, its positions and its tokens."""
    fees = market.fees_vault + market.fees_treasury + market.fees_makers
    assert (market.debt, fees, market.residual) == (books.debt, books.fees, books.residual)
    if books.publish_slot is not None:
        assert market.publish_slot == books.publish_slot
        assert tuple((p.price_e6, p.band_e6) for p in market.pools) == books.prices
    assert tokens == sum(pool.cash for pool in market.pools) + fees + market.residual
    assert market.debt == int(mine["debt"].sum())
    assert market.residual == int(mine["residual"].sum())
    assert not mine["is_in_batch"].any()
    for index, pool in enumerate(market.pools):
        folded = books.pools[index]
        assert (pool.liquidity, pool.cash) == (folded.liquidity, folded.cash)
        assert list(pool.outstanding) == folded.outstanding
        assert list(pool.leveraged) == folded.leveraged
        assert list(pool.inventory) == folded.inventory
        assert list(pool.inventory_cost) == folded.inventory_cost
        assert pool.cash >= max(pool.outstanding), "the pool cannot pay one of its outcomes"
        for side in (0, 1):
            held = mine[(mine["pool"] == index) & (mine["side"] == side)]
            shares = int(held["shares"].sum())
            assert pool.outstanding[side] == shares + pool.inventory[side]
            assert pool.leveraged[side] == int(held["shares"][held["debt"] > 0].sum())
