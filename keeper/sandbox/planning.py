"""What planners do about chains: open some that will run, some that get stuck and some that expire; clear away the rest.

Core. Triggers lie near the oracle's price, so that the market's own moves bring chains due. Draws are hashes, as in
trading.py.
"""

from collections.abc import Sequence
from typing import Final

from keeper.sandbox.cast import Actor
from keeper.sandbox.floor import (
    Action,
    CancelChain,
    CloseHolding,
    Floor,
    OpenChain,
    Order,
    Orders,
    PlannedChain,
)
from keeper.sandbox.trading import USD, Plan
from keeper.sandbox.venue.draws import draw_below
from programs.accounts import MarketStatus, Side
from programs.chain_account import ChainStatus, Step, StepKind
from programs.units import PRICE_ONE_E6

CHAINS_PER_MARKET: Final = 4
"""Open at once, the finished ones included."""
_OPEN_ONE_IN: Final = 6
_TIDY_ONE_IN: Final = 5
_DEPOSIT_LEAST_USD: Final = 150
_DEPOSIT_SPREAD_USD: Final = 250
_TRIGGER_NEAR_E6: Final = 4_000
_TRIGGER_FAR_E6: Final = 250_000
_TRIGGER_RANGE_E6: Final = (1_000, 999_000)
_SLIPPAGE_E6: Final = 40_000
_LIFE_SLOTS: Final = 600
_SHORT_LIFE_SLOTS: Final = 120
_LOCK_SLOTS: Final = 160
"""Liquidity and stake are locked for 150; the rest is for the way there."""
_HOLD_SLOTS: Final = 300
"""How long what OPEN bought is kept."""
_IMPOSSIBLE_LEVERAGE: Final = 90
_KINDS: Final = 5
"""Three of them run, one gets stuck, and one waits for a price that does not come."""
_STUCK, _WAITING = 3, 4


def plan_chains(plan: Plan, planners: Sequence[Actor], floor: Floor) -> Orders:
    """Decide what the planners do in one market."""
    names = (plan.seed, plan.tick, floor.market.market_id, "chain")
    tidied = _tidy(floor) if draw_below(_TIDY_ONE_IN, *names, "tidy") == 0 else []
    pool = floor.market.pools[0]
    if (
        floor.market.status != MarketStatus.OPEN
        or not pool.liquidity
        or len(floor.chains) >= CHAINS_PER_MARKET
        or draw_below(_OPEN_ONE_IN, *names) != 0
    ):
        return tidied
    planner = planners[draw_below(len(planners), *names, "who")]
    side = Side(draw_below(2, *names, "side"))
    kind = draw_below(_KINDS, *names, "kind")
    price_e6 = pool.price_e6 if side is Side.YES else PRICE_ONE_E6 - pool.price_e6
    is_above = bool(draw_below(2, *names, "above"))
    off_e6 = _TRIGGER_FAR_E6 if kind == _WAITING else draw_below(_TRIGGER_NEAR_E6, *names, "off")
    trigger_e6 = price_e6 + off_e6 if is_above else price_e6 - off_e6
    least_e6, most_e6 = _TRIGGER_RANGE_E6
    life_slots = _SHORT_LIFE_SLOTS if kind in {_STUCK, _WAITING} else _LIFE_SLOTS
    opened = OpenChain(
        side=side,
        deposit=(_DEPOSIT_LEAST_USD + draw_below(_DEPOSIT_SPREAD_USD, *names, "usd")) * USD,
        trigger_e6=min(max(trigger_e6, least_e6), most_e6),
        is_above=is_above,
        expiry_slot=floor.slot + life_slots,
        steps=_steps(kind, price_e6),
    )
    return [*tidied, _order(planner, floor, "chain", opened)]


def _steps(kind: int, price_e6: int) -> tuple[Step, ...]:
    limit_e6 = min(price_e6 + _SLIPPAGE_E6, PRICE_ONE_E6)
    stake = Step(kind=StepKind.STAKE)
    provide = Step(kind=StepKind.LIQUIDITY, limit_e6=_SLIPPAGE_E6)
    if kind == _STUCK:
        hopeless = Step(kind=StepKind.OPEN, leverage=_IMPOSSIBLE_LEVERAGE, limit_e6=limit_e6)
        return stake, provide, hopeless
    arbitrage = Step(kind=StepKind.ARBITRAGE, limit_e6=limit_e6)
    spot = Step(kind=StepKind.OPEN, leverage=1, limit_e6=limit_e6)
    if kind == 0:
        return stake, provide, spot
    return Step(kind=StepKind.BORROW), provide, stake, arbitrage, spot


def _tidy(floor: Floor) -> Orders:
    """Sell what finished chains hold, then take back what they pledged, so that their accounts close."""
    orders = []
    for planned in floor.chains:
        action = _next_tidying(planned, floor)
        if action is not None:
            orders.append(_order(planned.owner, floor, "tidy", action))
    return orders


def _order(actor: Actor, floor: Floor, purpose: str, action: Action) -> Order:
    return Order(actor=actor, market=floor.address, purpose=purpose, actions=(action,))


def _next_tidying(planned: PlannedChain, floor: Floor) -> CloseHolding | CancelChain | None:
    chain = planned.chain
    if chain.status is ChainStatus.RUNNING:
        return None
    bought = chain.position
    for number, holding in enumerate((bought, *chain.holdings)):
        if holding.shares or holding.residual:
            is_kept = floor.slot - bought.opened_slot < _HOLD_SLOTS and number == 0
            if is_kept:
                return None
            return CloseHolding(address=planned.address, holding=number, has_debt=holding.debt > 0)
    since_slot = max(chain.maker.last_add_slot, chain.stake.request_slot, chain.opened_slot)
    if floor.slot - since_slot < _LOCK_SLOTS:
        return None
    return CancelChain(address=planned.address)
