"""A crowd of leveraged positions, and what a jump of the price makes of the vault that lent to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bench.economics.model import ONE_E6, Model, RefusedError
from bench.economics.rules import ALL_RULES, Rules
from bench.economics.twin import POINT_E6, Twin
from programs import leverage
from programs.curve import Side
from programs.fixed import ceil_div

USD: Final = 1_000_000
START_E6: Final = 500_000
STARTS_E6: Final = (100_000, 300_000, 500_000, 700_000, 900_000)
LOWEST_E6: Final = 10_000
"""No jump goes further down than to one point."""
VAULT: Final = 100_000 * USD
LIQUIDITY: Final = (100_000 * USD, 1_000_000 * USD)
POSITIONS: Final = 100
JUMPS_POINTS: Final = (2, 5, 10, 15, 20, 25, 30)
BATCH: Final = 20
"""Positions per transaction: what fits without a lookup table."""
PUSH_POINTS: Final = 20
_SLOTS_MAX: Final = 400


class Crowd(Enum):
    """Which sides the leveraged positions take; the price then falls."""

    MIXED = "mixed"
    """YES and NO in turn."""
    ONE_SIDED = "one-sided"
    """All YES: everybody is wrong."""


class Arbitrage(Enum):
    """Who trades on the pool in each slot after the oracle has moved and before the keeper comes."""

    NONE = "none"
    """Nobody: the pool only moves when the keeper sells."""
    FOLLOW = "to the oracle"
    """The pool is brought to the oracle's price on chain, which is clamped."""
    AHEAD = "to the news"
    """The pool is brought to where the price will be: it knows before the oracle does."""
    PUSH = "pushed beyond"
    """The pool is pushed twenty points beyond the news, so that liquidations sell for nothing."""

    def aim_e6(self, model: Model, news_e6: int) -> int | None:
        """Return the YES price that the pool is brought to, or None."""
        match self:
            case Arbitrage.NONE:
                return None
            case Arbitrage.FOLLOW:
                return model.price_e6
            case Arbitrage.AHEAD:
                return news_e6
            case Arbitrage.PUSH:
                return max(news_e6 - PUSH_POINTS * POINT_E6, LOWEST_E6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A platform with its crowd in place, before anything happens."""

    twin: Twin
    start_e6: int
    liquidity: int
    crowd: Crowd
    numbers: tuple[int, ...]
    leverage_min: int
    leverage_max: int
    debt: int
    shares: int
    fees_vault: int
    """70 % of what the crowd's opens paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one jump left behind. Amounts in base units, prices e6."""

    liquidity: int
    crowd: str
    start_e6: int
    jump_points: int
    arbitrage: str
    positions: int
    leverage_min: int
    leverage_max: int
    debt: int
    """Lent before the jump."""
    fees_vault: int
    liquidated: int
    bad_debt: int
    inventory_shares: int
    inventory_cost: int
    inventory_value: int
    """At the price after the jump."""
    short: int
    """What is still lent beyond what its shares are worth after the jump."""
    loss: int
    """Bad debt, what the inventory cost more than it is worth, and what is still short."""
    loss_bps: int
    """Of the vault's equity before, rounded up."""
    distance_e6: int
    """Of the pool from the oracle, at the end."""
    slots: int
    """From the first move to the last liquidation."""
    capped_sales: int
    """Sales that the partial cap cut short."""
    bounties: int


def open_book(
    liquidity: int,
    crowd: Crowd,
    *,
    has_chain: bool,
    rules: Rules = ALL_RULES,
    start_e6: int = START_E6,
) -> Book:
    """Open a hundred positions, each at the highest leverage allowed and with an equal part of what may be lent.

    After each, an arbitrageur brings the pool back to the oracle: the crowd is not held back by its own slippage.
    """
    twin = Twin(rules, start_e6, has_chain=has_chain)
    twin.stake("staker", VAULT)
    twin.add_liquidity("maker", liquidity)
    sides = [Side(i % 2) if crowd is Crowd.MIXED else Side.YES for i in range(POSITIONS)]
    filled = fill(twin, sides, arbitrageur="arbitrageur")
    twin.audit()
    model = twin.model
    return Book(
        twin=twin,
        start_e6=start_e6,
        liquidity=liquidity,
        crowd=crowd,
        numbers=tuple(number for number, _ in filled),
        leverage_min=min(multiple for _, multiple in filled),
        leverage_max=max(multiple for _, multiple in filled),
        debt=model.loans,
        shares=sum(model.leveraged),
        fees_vault=model.fees_vault,
    )


def fill(twin: Twin, sides: Sequence[Side], *, arbitrageur: str) -> list[tuple[int, int]]:
    """Open a position a side, under the side's name, while anything may be lent: number and leverage of each."""
    filled: list[tuple[int, int]] = []
    for index, side in enumerate(sides):
        rest = sides[index:]
        wanted = _largest(twin.model, side, len(rest), rest.count(side))
        if wanted is None:
            continue
        margin, multiple = wanted
        if not filled:
            twin.expect_refusal(side.name, side, margin, multiple + 1)
        filled.append((twin.open(side.name, side, margin, multiple), multiple))
        twin.trade_to(arbitrageur, twin.model.price_e6)
    return filled


def jump(book: Book, points: int, arbitrage: Arbitrage) -> Result:
    """Let the price fall, the oracle follow, somebody trade first, and the keeper liquidate slot by slot."""
    twin = book.twin.fork()
    model = twin.model
    news_e6 = max(book.start_e6 - points * POINT_E6, LOWEST_E6)
    equity, slots, touched = model.vault_equity, 0, set[int]()
    for slot in range(1, _SLOTS_MAX):
        twin.next_slot()
        if model.price_e6 != news_e6:
            twin.post(news_e6)
        aim_e6 = arbitrage.aim_e6(model, news_e6)
        if aim_e6 is not None:
            twin.trade_to("arbitrageur", aim_e6)
        done = {number for batch in keep(twin) for number in batch}
        touched |= done
        slots = slot if done else slots
        twin.compare()
        if model.price_e6 == news_e6 and not done:
            break
    twin.audit()
    return _result(book, model, arbitrage, equity, slots, len(touched), news_e6)


def keep(twin: Twin, keeper: str = "keeper") -> Iterator[list[int]]:
    """The keeper's slot: batches of what is due, most urgent first, until a batch achieves nothing."""
    model = twin.model
    due = sorted(
        (number for number, each in model.positions.items() if model.is_due(each)),
        key=lambda number: (_equity(model, number), number),
    )
    for first in range(0, len(due), BATCH):
        batch = due[first : first + BATCH]
        try:
            twin.liquidate(keeper, batch)
        except RefusedError:
            continue
        yield batch


def _equity(model: Model, number: int) -> int:
    each = model.positions[number]
    return leverage.position_equity(each.shares, model.side_price_e6(each.side), each.debt)


def _largest(model: Model, side: Side, left: int, left_on_side: int) -> tuple[int, int] | None:
    """The margin and the highest multiple at which an equal part of what is left to lend is lent."""
    found = None
    low, high = 2, leverage.leverage_max(model.coverage_e6, 2, model.vault_equity)
    while low <= high:
        multiple = (low + high) // 2
        margin = _room(model, side, multiple, left, left_on_side)
        try:
            model.quote_open(side.name, side, margin, multiple)
        except RefusedError:
            high = multiple - 1
        else:
            found = margin, multiple
            low = multiple + 1
    return found


def _room(model: Model, side: Side, multiple: int, left: int, left_on_side: int) -> int:
    """The margin with which one of those left takes an equal part of what the rules leave to lend."""
    # Utilisation of four fifths is coverage 0.5 in a market of two; a hair less, for the roundings.
    room = model.vault_equity * 799 // 1_000 - model.loans
    if model.rules.debt_cap:
        room = min(room, model.vault_equity // 10 - model.debt)
    debt = room // left
    if model.rules.side_cap:
        shares = (model.liquidity // 8 - model.leveraged[side]) // left_on_side
        cost = shares * model.side_price_e6(side) // ONE_E6
        debt = min(debt, cost * (multiple - 1) // multiple)
    return max(debt // (multiple - 1), 1)


def _result(
    book: Book,
    model: Model,
    arbitrage: Arbitrage,
    equity: int,
    slots: int,
    liquidated: int,
    news_e6: int,
) -> Result:
    worth = sum(
        shares * model.side_price_e6(side, news_e6) // ONE_E6
        for side, shares in zip(Side, model.inventory, strict=True)
    )
    short = sum(
        max(-leverage.position_equity(p.shares, model.side_price_e6(p.side, news_e6), p.debt), 0)
        for p in model.positions.values()
        if p.debt
    )
    loss = model.bad_debt + model.inventory_cost - worth + short
    return Result(
        liquidity=book.liquidity,
        crowd=book.crowd.value,
        start_e6=book.start_e6,
        jump_points=(book.start_e6 - news_e6) // POINT_E6,
        arbitrage=arbitrage.value,
        positions=len(book.numbers),
        leverage_min=book.leverage_min,
        leverage_max=book.leverage_max,
        debt=book.debt,
        fees_vault=book.fees_vault,
        liquidated=liquidated,
        bad_debt=model.bad_debt,
        inventory_shares=sum(model.inventory),
        inventory_cost=model.inventory_cost,
        inventory_value=worth,
        short=short,
        loss=loss,
        loss_bps=ceil_div(loss * 10_000, equity),
        distance_e6=abs(model.pool_price_e6 - model.price_e6),
        slots=slots,
        capped_sales=model.capped_sales,
        bounties=model.wallets["keeper"],
    )
