"""What each actor does about a market it looks at: pure decisions, sized by the program's own arithmetic.

Core. Trades that the program would refuse are not proposed, as far as one view can tell: other transactions land in
between, and their refusals are the shell's to count. Draws are hashes of seed, tick and market: the same seed tries the
same things.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from keeper.sandbox.cast import Actor, Cast, Role
from keeper.sandbox.floor import Action, Close, Floor, Held, Open, Order, Orders, Stake
from keeper.sandbox.venue.draws import draw_below
from programs import curve, leverage
from programs.accounts import MarketStatus, Pool, Side
from programs.curve import Curve, CurveError
from programs.fixed import E18
from programs.instructions import ALL_SHARES
from programs.normal import price_e18, u_of_price
from programs.units import PRICE_ONE_E6

USD: Final = 1_000_000
ACTIONS_MAX: Final = 8
"""Of one transaction: ten opens are 1_232 bytes."""
_PRICE_AGE_MAX_SLOTS: Final = 100
"""Leverage needs at most 150; the rest is for the way there."""
_SPOT_AGE_MAX_SLOTS: Final = 600
_OPENS_PER_SIDE: Final = 4
"""At one look: more would move the pool away from the oracle by more than leverage bears."""
_POSITION_PART: Final = 256
"""A position's shares are L over this: an eighth of L holds 32 of them on a side."""
_LEVERAGE_LEAST: Final = 5
_LEVERAGE_SPREAD: Final = 7
_EQUITY_E6: Final = 38_000
"""Equity a share at the open, in points: twice the gap reserve, so that noise alone liquidates few."""
_PROFIT_BPS: Final = 1_200
"""A position worth so much more than it cost is closed."""
_GAP_E6: Final = 4_000
"""Pool and oracle this far apart are worth an arbitrage."""
_DUST: Final = USD
_SLIPPAGE_E6: Final = 20_000
_NOISE_ONE_IN: Final = 6
_NOISE_HELD_MAX: Final = 3
_VALID: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides the draws, and how much of everything there should be."""

    seed: int
    tick: int
    positions_per_side: int
    stake: int
    """What the vault should hold, base units."""


def plan_orders(plan: Plan, cast: Cast, floor: Floor) -> Orders:
    """Decide what the actors do in one market; the arbitrageur goes first, and others wait for its price."""
    if floor.market.status != MarketStatus.OPEN or not floor.market.pools[0].liquidity:
        return []
    collected = collect(floor)
    age_slots = floor.slot - floor.market.publish_slot
    if age_slots > _SPOT_AGE_MAX_SLOTS:
        return collected
    collected += invest(plan, cast.of(Role.INVESTOR), floor)
    arbitrage = arbitrate(cast.of(Role.ARBITRAGEUR)[0], floor)
    if arbitrage:
        return collected + arbitrage
    orders = collected + take_profits(floor)
    if floor.market.price_class == _VALID and age_slots <= _PRICE_AGE_MAX_SLOTS:
        orders += take_leverage(plan, cast.of(Role.TRADER), floor)
    return orders + make_noise(plan, cast.of(Role.NOISE), floor)


def refill_vault(plan: Plan, staker: Actor, floor: Floor) -> Orders:
    """Stake again when jumps have cost the vault a quarter: a sandbox may run for days."""
    missing = plan.stake - floor.vault.equity
    if missing * 4 < plan.stake or not plan.stake:
        return []
    return [_order(staker, floor, "stake", [Stake(amount=missing)])]


def collect(floor: Floor) -> Orders:
    """Close what liquidations left to traders: residual cash, and shares that no longer carry debt."""
    left = [held for held in floor.held if held.owner.role is Role.TRADER and not held.debt]
    return _closes(floor, "collect", left)


def take_profits(floor: Floor) -> Orders:
    """Close leveraged positions that have gained enough, as long as the pool pays for their debt."""
    pool = floor.market.pools[0]
    state = _curve_of(pool)
    gained = []
    for held in floor.held:
        value = held.shares * _oracle_e6(pool, held.side) // PRICE_ONE_E6
        if not held.debt or value * 10_000 < held.notional * (10_000 + _PROFIT_BPS):
            continue
        try:
            proceeds = curve.sell_shares(state, _curve_side(held.side), held.shares)
        except CurveError:
            continue
        if proceeds * 99 > held.debt * 100:
            state = _after(state, held.side, -held.shares)
            gained.append(held)
        if len(gained) == ACTIONS_MAX:
            break
    return _closes(floor, "take_profit", gained)


def arbitrate(actor: Actor, floor: Floor) -> Orders:
    """Trade the pool to the oracle's price: sell what is held of the dear side, then buy the cheap one."""
    pool = floor.market.pools[0]
    state = _curve_of(pool)
    at = curve.u(state)
    if abs(pool.price_e6 - price_e18(at) // 10**12) < _GAP_E6:
        return []
    distance = u_of_price(pool.price_e6) - at
    cheap = Side.YES if distance > 0 else Side.NO
    wanted = abs(distance) * pool.liquidity // E18
    actions: list[Action] = []
    for held in floor.held:
        if held.owner.address != actor.address or held.side is cheap:
            continue
        shares = min(held.shares, wanted)
        if shares < _DUST or len(actions) == ACTIONS_MAX - 1:
            break
        actions.append(Close(position_id=held.position_id, shares=shares, has_debt=False))
        state = _after(state, held.side, -shares)
        wanted -= shares
    if wanted >= _DUST:
        try:
            cost = curve.buy_shares(state, _curve_side(cheap), wanted)
        except CurveError:  # at the very end of the curve's range
            cost = 0
        if cost >= _DUST:
            worst_e6 = _oracle_e6(pool, cheap) + _SLIPPAGE_E6
            actions.append(Open(side=cheap, margin=cost, leverage=1, worst_price_e6=worst_e6))
    return [_order(actor, floor, "arbitrage", actions)] if actions else []


def take_leverage(plan: Plan, traders: Sequence[Actor], floor: Floor) -> Orders:
    """Open leveraged positions until each side has its number, both sides in turn to keep the price."""
    missing = {
        side: plan.positions_per_side
        - sum(1 for held in floor.held if held.debt and held.side is side)
        for side in Side
    }
    table = _Table.of(floor)
    opens: list[Open] = []
    for number in range(min(_OPENS_PER_SIDE, max(missing.values()))):
        for side in Side:
            if number < missing[side]:
                drawn = draw_below(
                    _LEVERAGE_SPREAD, plan.seed, plan.tick, floor.market.market_id, number, side
                )
                found = table.open(side, _LEVERAGE_LEAST + drawn)
                opens += [] if found is None else [found]
    trader = traders[draw_below(len(traders), plan.seed, plan.tick, floor.market.market_id, "who")]
    return [_order(trader, floor, "leverage", opens)] if opens else []


def make_noise(plan: Plan, noisy: Sequence[Actor], floor: Floor) -> Orders:
    """Buy a little of either side now and then, and close the oldest when holding a few."""
    names = (plan.seed, plan.tick, floor.market.market_id, "noise")
    if draw_below(_NOISE_ONE_IN, *names) != 0:
        return []
    actor = noisy[draw_below(len(noisy), *names, "who")]
    mine = [held for held in floor.held if held.owner.address == actor.address]
    if len(mine) >= _NOISE_HELD_MAX:
        return _closes(floor, "noise", mine[:1])
    side = Side(draw_below(2, *names, "side"))
    worst_e6 = _oracle_e6(floor.market.pools[0], side) + _SLIPPAGE_E6
    margin = (20 + draw_below(180, *names, "usd")) * USD
    bought = Open(side=side, margin=margin, leverage=1, worst_price_e6=worst_e6)
    return [_order(actor, floor, "noise", [bought])]


def invest(plan: Plan, investors: Sequence[Actor], floor: Floor) -> Orders:
    """Buy some of one side for each investor who holds nothing here: enough to be a trade, little enough for the pool."""
    holders = {held.owner.address for held in floor.held}
    orders = []
    for number, investor in enumerate(investors):
        if investor.address in holders:
            continue
        names = (plan.seed, floor.market.market_id, number, "invest")
        side = Side(draw_below(2, *names, "side"))
        margin = (120 + draw_below(200, *names, "usd")) * USD
        worst_e6 = min(_oracle_e6(floor.market.pools[0], side) + _SLIPPAGE_E6, PRICE_ONE_E6)
        bought = Open(side=side, margin=margin, leverage=1, worst_price_e6=worst_e6)
        orders.append(_order(investor, floor, "invest", [bought]))
    return orders


@dataclass(slots=True)
class _Table:
    """A market while positions are being opened in it: what the program will check, before it does."""

    pool: Pool
    state: Curve
    leveraged: list[int]
    debt_room: int
    leverage_max: int

    @classmethod
    def of(cls, floor: Floor) -> "_Table":
        pool, vault = floor.market.pools[0], floor.vault
        coverage_e6 = leverage.coverage_e6(vault.cash, vault.weighted_debt_e6)
        outcomes = floor.market.outcomes
        return cls(
            pool=pool,
            state=_curve_of(pool),
            leveraged=list(pool.leveraged),
            debt_room=vault.equity // 10 - floor.market.debt,
            leverage_max=leverage.leverage_max(coverage_e6, outcomes, vault.equity),
        )

    def open(self, side: Side, wanted_leverage: int) -> Open | None:
        """Size one position; None when the program would refuse it."""
        price_e6 = _oracle_e6(self.pool, side)
        multiple = min(wanted_leverage, price_e6 // _EQUITY_E6, self.leverage_max)
        margin = (
            self.pool.liquidity // _POSITION_PART * price_e6 // PRICE_ONE_E6 // max(multiple, 1)
        )
        notional = margin * multiple
        debt = notional - margin
        if multiple <= 1 or debt > self.debt_room:
            return None
        try:
            shares = curve.buy_cash(self.state, _curve_side(side), notional).shares
        except CurveError:
            return None
        equity = shares * price_e6 // PRICE_ONE_E6 - debt
        required = leverage.required_margin(margin, shares, 1_000)
        fits = self.leveraged[side] + shares <= self.pool.liquidity // 8
        # The program asks for 125 % of the requirement and 80 % of the margin; the pool may move before we land.
        if not fits or equity * 100 < required * 130 or equity * 100 < margin * 85:
            return None
        self.leveraged[side] += shares
        self.debt_room -= debt
        self.state = _after(self.state, side, shares)
        worst_e6 = min(price_e6 + _SLIPPAGE_E6, PRICE_ONE_E6)
        return Open(side=side, margin=margin, leverage=multiple, worst_price_e6=worst_e6)


def _closes(floor: Floor, purpose: str, held: Iterable[Held]) -> Orders:
    """Close whole positions, each owner's in one transaction; what does not fit waits for the next look."""
    by_owner = sorted(held, key=lambda each: bytes(each.owner.address))
    orders = []
    for _, group in groupby(by_owner, key=lambda each: each.owner.address):
        mine = list(group)[:ACTIONS_MAX]
        closes = [
            Close(position_id=each.position_id, shares=ALL_SHARES, has_debt=each.debt > 0)
            for each in mine
        ]
        orders.append(_order(mine[0].owner, floor, purpose, closes))
    return orders


def _order(actor: Actor, floor: Floor, purpose: str, actions: Sequence[Action]) -> Order:
    return Order(actor=actor, market=floor.address, purpose=purpose, actions=tuple(actions))


def _oracle_e6(pool: Pool, side: Side) -> int:
    return pool.price_e6 if side is Side.YES else PRICE_ONE_E6 - pool.price_e6


def _curve_of(pool: Pool) -> Curve:
    return Curve(liquidity=pool.liquidity, q=pool.q)


def _curve_side(side: Side) -> curve.Side:
    return curve.Side(side)


def _after(state: Curve, side: Side, bought: int) -> Curve:
    return replace(state, q=state.q + (bought if side is Side.YES else -bought))
