"""One step of a chain, in the program's integers: what it moves, and why the program would refuse it.

Amounts and shares are base units; every rounding is the program's own, against the chain.

Source: SPEC.md section 5; betting_platform/chain_steps.c.
"""

from dataclasses import dataclass
from typing import Final

from programs import curve, errors, leverage, normal
from programs.accounts import Market, Pool, Side, Vault
from programs.chain_account import Chain, ChainStatus, Step, StepKind
from programs.changed import changed
from programs.fixed import ceil_div

BUDGETS_PCT: Final = {StepKind.LIQUIDITY: 20, StepKind.STAKE: 10, StepKind.ARBITRAGE: 5}
"""Percent of the working cash that a step may spend."""
MULTIPLIERS_PCT: Final = {
    StepKind.BORROW: 150,
    StepKind.LIQUIDITY: 120,
    StepKind.STAKE: 110,
    StepKind.ARBITRAGE: 105,
}
"""What a step multiplies the effective leverage by; OPEN by its own leverage."""
ARBITRAGE_GAP_E6: Final = 10_000
_PRICE_ONE_E6: Final = 1_000_000
_COVERAGE_MIN_E6: Final = 500_000
_VIRTUAL_SHARES: Final = 1_000
_SIDE_CAP_DIVISOR: Final = 8
_MARKET_DEBT_DIVISOR: Final = 10
_CURVE_REFUSALS: Final = {
    curve.CurveOverflow: "ARITHMETIC",
    curve.PriceRange: "PRICE_RANGE",
    curve.NoLiquidity: "NO_LIQUIDITY",
    curve.ZeroAmount: "ZERO_AMOUNT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A chain, its market and the vault at one moment."""

    chain: Chain
    market: Market
    vault: Vault

    @property
    def pool(self) -> Pool:
        """The chain's pool."""
        return self.market.pools[self.chain.pool]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepForecast:
    """One step that will run."""

    kind: StepKind
    amount: int
    """Cash that the step borrows or spends beside the fee; 0 is a recorded no-op."""
    shares: int
    """What it becomes: liquidity, vault shares, or shares of a side."""
    bounty: int
    """What the keeper gets for it."""


def run_next_step(stand: Stand, slot: int) -> tuple[Stand, StepForecast]:
    """Return the state after a running chain's next step, and what the step does.

    Raises:
        ProgramError: what the program would refuse it with.
    """
    try:
        return _finished(*_run(stand, slot))
    except curve.CurveError as error:
        raise errors.BY_NAME[_CURVE_REFUSALS[type(error)]] from error


def budget_of(step: Step, working: int) -> int:
    """Return what a step may spend of the working cash."""
    return working * BUDGETS_PCT.get(step.kind, 0) // 100


def side_price_e6(pool: Pool, side: Side) -> int:
    """Return the oracle's price of a side."""
    return pool.price_e6 if side is Side.YES else _PRICE_ONE_E6 - pool.price_e6


def _require(condition: object, name: str) -> None:
    if not condition:
        raise errors.BY_NAME[name]


def _multiplier_pct(step: Step) -> int:
    return step.leverage * 100 if step.kind is StepKind.OPEN else MULTIPLIERS_PCT[step.kind]


def _curve(pool: Pool) -> curve.Curve:
    return curve.Curve(liquidity=pool.liquidity, q=pool.q)


def _pool_price_e6(pool: Pool) -> int:
    return normal.price_e6(curve.u(_curve(pool)))


def _with_pool(stand: Stand, pool: Pool) -> Stand:
    pools = list(stand.market.pools)
    pools[stand.chain.pool] = pool
    return changed(stand, market=changed(stand.market, pools=tuple(pools)))


def _raised(pair: tuple[int, int], side: Side, amount: int) -> tuple[int, int]:
    return (pair[0] + amount, pair[1]) if side is Side.YES else (pair[0], pair[1] + amount)


def _cash_beside_fee(budget: int, times: int, rate_ubp: int) -> int:
    """The most cash whose trade of so many times that much leaves its fee within the budget."""
    return budget * leverage.FEE_WHOLE_UBP // (leverage.FEE_WHOLE_UBP + times * rate_ubp)


def _coverage_e6(vault: Vault) -> int:
    return leverage.coverage_e6(vault.cash, vault.weighted_debt_e6)


def _lent(stand: Stand, loan: int, multiples: int) -> tuple[Stand, int]:
    """The state after a loan, and the maintenance margin that goes with it, bps."""
    vault, market = stand.vault, stand.market
    before_e6 = _coverage_e6(vault)
    _require(before_e6 >= _COVERAGE_MIN_E6, "COVERAGE_LOW")
    most = leverage.leverage_max(before_e6, market.outcomes, vault.equity)
    _require(multiples <= most, "LEVERAGE_TOO_HIGH")
    _require(loan <= vault.cash, "VAULT_CASH")
    market = changed(market, debt=market.debt + loan)
    vault = changed(
        vault,
        cash=vault.cash - loan,
        loans=vault.loans + loan,
        weighted_debt_e6=vault.weighted_debt_e6 + loan * leverage.tail_loss_e6(market.outcomes),
    )
    after_e6 = _coverage_e6(vault)
    _require(after_e6 >= _COVERAGE_MIN_E6, "COVERAGE_LOW")
    _require(market.debt <= vault.equity // _MARKET_DEBT_DIVISOR, "MARKET_DEBT_CAP")
    return changed(stand, market=market, vault=vault), 500 if after_e6 > _PRICE_ONE_E6 else 1_000


def _run(stand: Stand, slot: int) -> tuple[Stand, int, int]:
    """The state after the next step, before it is counted; its amount and shares."""
    step = stand.chain.steps[stand.chain.next_step]
    match step.kind:
        case StepKind.BORROW:
            return _borrow(stand)
        case StepKind.LIQUIDITY:
            return _provide(stand, step, slot)
        case StepKind.STAKE:
            return _stake(stand, step)
        case StepKind.ARBITRAGE:
            return _arbitrage(stand, step)
        case StepKind.OPEN:
            return _open(stand, step, slot)


def _borrow(stand: Stand) -> tuple[Stand, int, int]:
    chain = stand.chain
    loan = chain.working // 2
    _require(loan, "ZERO_AMOUNT")
    chain = changed(chain, working=chain.working + loan, debt=chain.debt + loan)
    own = chain.working - chain.debt
    _require(own > 0, "CHAIN_OVERDRAWN")
    stand, _ = _lent(stand, loan, ceil_div(chain.working, own))
    return changed(stand, chain=chain), loan, 0


def _provide(stand: Stand, step: Step, slot: int) -> tuple[Stand, int, int]:
    chain, pool = stand.chain, stand.pool
    _require(pool.liquidity, "NO_LIQUIDITY")
    liquidity = curve.liquidity_for_cash(_curve(pool), budget_of(step, chain.working))
    added = curve.add_liquidity(_curve(pool), liquidity, pool.price_e6)
    _require(added.cash, "ZERO_AMOUNT")
    _require(abs(_pool_price_e6(pool) - pool.price_e6) <= step.limit_e6, "SLIPPAGE")
    surplus = (added.surplus_yes, added.surplus_no)
    yes, no = chain.holdings
    stand = _with_pool(
        stand,
        changed(
            pool,
            liquidity=pool.liquidity + liquidity,
            cash=pool.cash + added.cash,
            outstanding=(pool.outstanding[0] + surplus[0], pool.outstanding[1] + surplus[1]),
        ),
    )
    chain = changed(
        chain,
        working=chain.working - added.cash,
        maker=changed(chain.maker, liquidity=chain.maker.liquidity + liquidity, last_add_slot=slot),
        holdings=(
            changed(yes, shares=yes.shares + surplus[0]),
            changed(no, shares=no.shares + surplus[1]),
        ),
    )
    return changed(stand, chain=chain), added.cash, liquidity


def _stake(stand: Stand, step: Step) -> tuple[Stand, int, int]:
    chain, vault = stand.chain, stand.vault
    amount = budget_of(step, chain.working)
    value = vault.cash + vault.loans + vault.inventory_cost
    shares = amount * (vault.share_supply + _VIRTUAL_SHARES) // (value + 1)
    _require(shares, "ZERO_AMOUNT")
    vault = changed(vault, cash=vault.cash + amount, share_supply=vault.share_supply + shares)
    chain = changed(
        chain,
        working=chain.working - amount,
        stake=changed(chain.stake, shares=chain.stake.shares + shares),
    )
    return changed(stand, chain=chain, vault=vault), amount, shares


def _arbitrage(stand: Stand, step: Step) -> tuple[Stand, int, int]:
    chain, pool = stand.chain, stand.pool
    rate = leverage.fee_rate_ubp(_coverage_e6(stand.vault))
    bought = _arbitrage_trade(
        pool, step.limit_e6, _cash_beside_fee(budget_of(step, chain.working), 1, rate)
    )
    if bought is None:
        return stand, 0, 0
    side, cost, shares = bought
    fee = leverage.fee_amount(cost, rate)
    assert fee is not None, "a percentage of a deposit fits"
    yes, no = chain.holdings
    held = (yes.shares, no.shares)
    held = _raised(held, side, shares)
    chain = changed(
        chain,
        working=chain.working - cost - fee,
        holdings=(changed(yes, shares=held[0]), changed(no, shares=held[1])),
    )
    return _bought(changed(stand, chain=chain), side, cost, shares), cost, shares


def _arbitrage_trade(pool: Pool, limit_e6: int, most: int) -> tuple[Side, int, int] | None:
    """Side, cost and shares of what an ARBITRAGE buys; None for the recorded no-op."""
    here = _pool_price_e6(pool)
    side = Side.YES if here < pool.price_e6 else Side.NO
    if abs(here - pool.price_e6) < ARBITRAGE_GAP_E6:
        return None
    other = Side(1 - side)
    try:
        room = curve.shares_to_price(_curve(pool), curve.Side(other), side_price_e6(pool, other))
        cost, shares = most, _shares_for(pool, side, most)
        if shares is None or shares > room:
            cost, shares = curve.buy_shares(_curve(pool), curve.Side(side), room), room
    except curve.CurveError:
        return None
    if cost > most:
        return None
    return (side, cost, shares) if cost <= shares * limit_e6 // _PRICE_ONE_E6 else None


def _shares_for(pool: Pool, side: Side, cash: int) -> int | None:
    """The shares that cash buys; None when that is too little, or more than the pool sells."""
    try:
        return curve.buy_cash(_curve(pool), curve.Side(side), cash).shares
    except curve.CurveError:
        return None


def _bought(stand: Stand, side: Side, cash: int, shares: int) -> Stand:
    pool = stand.pool
    outstanding = _raised(pool.outstanding, side, shares)
    return _with_pool(stand, changed(pool, cash=pool.cash + cash, outstanding=outstanding))


def _open(stand: Stand, step: Step, slot: int) -> tuple[Stand, int, int]:
    chain, side = stand.chain, stand.chain.side
    rate = leverage.fee_rate_ubp(_coverage_e6(stand.vault))
    cash = _cash_beside_fee(chain.working, step.leverage, rate)
    _require(cash > chain.debt, "CHAIN_OVERDRAWN")
    margin, notional = cash - chain.debt, cash * step.leverage
    debt = notional - margin
    fee = leverage.fee_amount(notional, rate)
    _require(fee is not None, "ARITHMETIC")
    assert fee is not None
    margin_bps = 0
    if debt:
        stand, margin_bps = _lent(stand, notional - cash, ceil_div(notional, margin))
    shares = curve.buy_cash(_curve(stand.pool), curve.Side(side), notional).shares
    _require(notional <= shares * step.limit_e6 // _PRICE_ONE_E6, "SLIPPAGE")
    stand = _bought(stand, side, notional, shares)
    pool = stand.pool
    if debt:
        value = shares * side_price_e6(pool, side) // _PRICE_ONE_E6
        equity = max(value - debt, 0)
        required = leverage.required_margin(margin, shares, margin_bps)
        _require(equity >= required + (required + 3) // 4, "MARGIN_TOO_THIN")
        _require(equity >= margin - margin // 5, "SLIPPAGE_TOO_LARGE")
        leveraged = _raised(pool.leveraged, side, shares)
        _require(leveraged[side] <= pool.liquidity // _SIDE_CAP_DIVISOR, "SIDE_CAP")
        stand = _with_pool(stand, changed(pool, leveraged=leveraged))
    chain = changed(
        chain,
        working=chain.working - cash - fee,
        debt=0,
        position=changed(
            chain.position,
            side=side,
            margin_bps=margin_bps,
            shares=shares,
            margin=margin,
            debt=debt,
            notional=notional,
            opened_slot=slot,
        ),
    )
    return changed(stand, chain=chain), cash, shares


def _finished(stand: Stand, amount: int, shares: int) -> tuple[Stand, StepForecast]:
    """Count a step: its part of the bounty, its multiplier, and whether it was the last."""
    chain = stand.chain
    step = chain.steps[chain.next_step]
    _require(chain.working >= chain.debt, "CHAIN_OVERDRAWN")
    part = chain.bounty // (len(chain.steps) - chain.next_step)
    is_last = chain.next_step + 1 == len(chain.steps)
    chain = changed(
        chain,
        status=ChainStatus.DONE if is_last else chain.status,
        next_step=chain.next_step + 1,
        bounty=chain.bounty - part,
        leverage_e6=chain.leverage_e6 * _multiplier_pct(step) // 100
        if amount
        else chain.leverage_e6,
    )
    told = StepForecast(kind=step.kind, amount=amount, shares=shares, bounty=part)
    return changed(stand, chain=chain), told
