"""The pm-AMM of one binary pool: the same integers as betting_platform/curve.h, bit for bit.

The head of curve.h is the account of the roundings and of why they are safe; this module repeats the
arithmetic for whoever plans a trade off chain. Amounts, shares and liquidity are base units; u, g, prices and
densities are at e18; q = outstanding YES - outstanding NO, u = q / L, YES price = Phi(u).

Source: Paradigm, "pm-AMM" (Moallemi & Robinson 2024); SPEC.md section 4.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from programs.fixed import E18, ceil_div, mul_div
from programs.normal import (
    P_ERROR,
    U_ERROR,
    density_e18,
    g,
    newton_step,
    price_e18,
    slope_e9,
    u_of_price,
)
from programs.tables import G_AT_U_MAX, TANGENTS, U_MAX
from programs.units import I64_MAX, PRICE_MAX_E6, PRICE_MIN_E6

G_ERROR: Final = 3
"""Bound, in quanta of 1e-18, on a difference of two g; charged against the caller every time."""
LIQUIDITY_MAX: Final = 10**18
ITERATIONS_MAX: Final = 10
IMPACT_MAX_E9: Final = 100_000_000
"""0.1: the impact of an empty pool."""
IMPACT_ORDER: Final = 1_000_000_000
"""$1_000 in base units."""
IMPACT_PER_BPS_E9: Final = 100_000


class Side(IntEnum):
    """What is traded; the program's own encoding."""

    YES = 0
    NO = 1


class CurveError(Exception):
    """The curve refuses this amount."""


class CurveOverflow(CurveError):  # noqa: N818  # named after the status of the program
    """An amount needs more than 64 bits, or liquidity would exceed the maximum."""


class PriceRange(CurveError):  # noqa: N818  # the same
    """The YES price would leave 0.001 to 0.999."""


class NoLiquidity(CurveError):  # noqa: N818  # the same
    """The pool is empty, or holds less liquidity than was asked back."""


class ZeroAmount(CurveError):  # noqa: N818  # the same
    """Nothing was asked, or too little to move anything."""


STATUS_ERRORS: Final[dict[int, type[CurveError]]] = {
    113: CurveOverflow,
    123: PriceRange,
    130: NoLiquidity,
    131: ZeroAmount,
}
"""By `enum curve_status` of curve.h, which are codes of errors.h."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A pool as the curve sees it."""

    liquidity: int
    """L, base units."""
    q: int
    """Outstanding YES - outstanding NO, base units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What adding liquidity costs, gives and leaves."""

    cash: int
    """Complete sets the maker pays for, base units, rounded up."""
    surplus_yes: int
    """Shares the maker keeps, rounded down; at most one side has any."""
    surplus_no: int
    q: int
    """Of the pool afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What removing liquidity gives and leaves."""

    yes: int
    """Shares handed back, rounded down; min(yes, no) pairs merge to cash."""
    no: int
    q: int
    """Of the pool afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What a buy for an exact amount of cash gives."""

    shares: int
    iterations: int
    """Evaluations of g that the search took, at most ITERATIONS_MAX."""


def u(curve: Curve) -> int:
    """Return the pool's u at e18, truncated towards zero; 0 for an empty pool."""
    return _u_of(curve.liquidity, curve.q)


def buy_shares(curve: Curve, side: Side, shares: int) -> int:
    """Return what exactly these shares cost: rounded up, and at least shares * the price before.

    Raises:
        NoLiquidity: the pool is empty.
        ZeroAmount: no shares.
        PriceRange: the price would leave the tradable range.
        CurveOverflow: the cost needs more than 64 bits.
    """
    before, after = _move(curve, side, shares)
    rise = g(after) - g(before) + G_ERROR
    by_curve = _amount(curve.liquidity, rise, E18, round_up=True)
    by_price = _amount(shares, price_e18(before) + P_ERROR, E18, round_up=True)
    return max(by_curve, by_price)


def sell_shares(curve: Curve, side: Side, shares: int) -> int:
    """Return what exactly these shares sell for: rounded down, and at most shares * the price before.

    Raises:
        NoLiquidity: the pool is empty.
        ZeroAmount: no shares.
        PriceRange: the price would leave the tradable range.
        CurveOverflow: an amount needs more than 64 bits.
    """
    before, after = _move(curve, side, -shares)
    fall = max(g(before) - g(after) - G_ERROR, 0)
    by_curve = _amount(curve.liquidity, fall, E18)
    by_price = _amount(shares, max(price_e18(before) - P_ERROR, 0), E18)
    return min(by_curve, by_price)


def buy_cash(curve: Curve, side: Side, cash: int) -> Bought:
    """Return the shares that cash buys: their exact cost is at most cash, and for L <= 1e16 at least cash - 2.

    Raises:
        NoLiquidity: the pool is empty.
        ZeroAmount: no cash, or too little for one share.
        PriceRange: the price would leave the tradable range.
    """
    liquidity = curve.liquidity
    if liquidity == 0:
        raise NoLiquidity
    if cash == 0:
        raise ZeroAmount
    rise = mul_div(cash, E18, liquidity)
    if rise is None or rise > 4 * E18:
        raise PriceRange
    if rise <= G_ERROR:
        raise ZeroAmount
    q = _side_q(curve, side)
    before = _u_of(liquidity, q)
    if abs(before) > U_MAX:
        raise PriceRange
    price = price_e18(before)
    here = g(before)
    wanted = here + rise - G_ERROR
    if wanted > G_AT_U_MAX:
        raise PriceRange
    tolerance = min(E18 // 8 // liquidity + 8, wanted - here)
    aim = wanted - tolerance // 2
    guess = _first_guess(before, price, aim - here, aim)
    after, iterations = _u_of_g(before, guess, wanted, tolerance)
    bought = max(_q_of(after, liquidity, round_up=False) - q, 0)
    most = mul_div(cash, E18, price + P_ERROR)
    if most is not None:
        bought = min(bought, most)
    if bought == 0:
        raise ZeroAmount
    return Bought(shares=bought, iterations=iterations)


def shares_to_price(curve: Curve, side: Side, floor_price_e6: int) -> int:
    """Return how many shares can be sold while the side's marginal price stays at or above the floor.

    0 when it is below already; a floor under 1_000 is 1_000, for the pool goes no lower.

    Raises:
        NoLiquidity: the pool is empty.
        CurveOverflow: its liquidity is beyond LIQUIDITY_MAX.
    """
    if curve.liquidity == 0:
        raise NoLiquidity
    lowest = _q_of(u_of_price(floor_price_e6) + U_ERROR, curve.liquidity, round_up=True)
    return max(_side_q(curve, side) - lowest, 0)


def add_liquidity(curve: Curve, delta_liquidity: int, initial_price_e6: int) -> Added:
    """Return what a maker pays for liquidity at the pool's u, or at the initial price of an empty pool.

    Raises:
        ZeroAmount: no liquidity asked.
        CurveOverflow: the pool's liquidity would exceed LIQUIDITY_MAX, or an amount 64 bits.
        PriceRange: an empty pool, and an initial price out of range.
    """
    if delta_liquidity == 0:
        raise ZeroAmount
    if curve.liquidity == 0:
        if not PRICE_MIN_E6 <= initial_price_e6 <= PRICE_MAX_E6:
            raise PriceRange
        at = u_of_price(initial_price_e6)
        surplus = _amount(abs(at), delta_liquidity, E18)
        before = 0
    else:
        at = u(curve)
        surplus = _amount(abs(curve.q), delta_liquidity, curve.liquidity)
        before = curve.q
    cash = _amount(delta_liquidity, g(abs(at)) + G_ERROR, E18, round_up=True)
    if curve.liquidity + delta_liquidity > LIQUIDITY_MAX:
        raise CurveOverflow
    if surplus > I64_MAX - abs(before):
        raise CurveOverflow
    if at > 0:
        return Added(cash=cash, surplus_yes=surplus, surplus_no=0, q=before + surplus)
    return Added(cash=cash, surplus_yes=0, surplus_no=surplus, q=before - surplus)


def liquidity_for_cash(curve: Curve, cash: int) -> int:
    """Return the most liquidity that cash pays for in a pool that is not empty, rounded down.

    Raises:
        CurveOverflow: it needs more than 64 bits.
    """
    return _amount(cash, E18, g(abs(u(curve))) + G_ERROR)


def remove_liquidity(curve: Curve, delta_liquidity: int) -> Removed:
    """Return the shares that liquidity hands back at the pool's u.

    Raises:
        ZeroAmount: none asked, or too little to hand back anything.
        NoLiquidity: the pool holds less.
        CurveOverflow: an amount needs more than 64 bits.
    """
    if delta_liquidity == 0:
        raise ZeroAmount
    if delta_liquidity > curve.liquidity:
        raise NoLiquidity
    major = _amount(delta_liquidity, g(abs(u(curve))) - G_ERROR, E18)
    difference = _amount(abs(curve.q), delta_liquidity, curve.liquidity, round_up=True)
    if difference > major:
        raise ZeroAmount
    minor = major - difference
    if curve.q > 0:
        return Removed(yes=minor, no=major, q=curve.q - difference)
    return Removed(yes=major, no=minor, q=curve.q + difference)


def liquidity_value(at_u: int, delta_liquidity: int) -> int:
    """Return floor(dL * phi(u)), base units: the value that liquidity adds to the pool."""
    return delta_liquidity * density_e18(at_u) // E18


def impact_e9(at_u: int, liquidity: int) -> int:
    """Return how far a $1_000 order moves the price, at e9: min(phi $1_000 / (P L), 0.1).

    Source: SPEC.md section 7.
    """
    if liquidity == 0:
        return IMPACT_MAX_E9
    ratio_e9 = density_e18(at_u) * 10**9 // price_e18(at_u)
    return min(ratio_e9 * IMPACT_ORDER // liquidity, IMPACT_MAX_E9)


def improvement_bps(at_u: int, liquidity_before: int, liquidity_after: int) -> int:
    """Return the fall of the impact in whole bps of price; 0 when it does not fall."""
    fall = impact_e9(at_u, liquidity_before) - impact_e9(at_u, liquidity_after)
    return max(fall, 0) // IMPACT_PER_BPS_E9


def _amount(a: int, b: int, divisor: int, *, round_up: bool = False) -> int:
    amount = mul_div(a, b, divisor, round_up=round_up)
    if amount is None:
        raise CurveOverflow
    return amount


def _side_q(curve: Curve, side: Side) -> int:
    return -curve.q if side == Side.NO else curve.q


def _u_of(liquidity: int, q: int) -> int:
    if liquidity == 0:
        return 0
    v = min(abs(q) * E18 // liquidity, I64_MAX)
    return -v if q < 0 else v


def _move(curve: Curve, side: Side, bought: int) -> tuple[int, int]:
    """Return u of a side before and after so many of its shares are bought (or sold, below zero)."""
    if curve.liquidity == 0:
        raise NoLiquidity
    if bought == 0:
        raise ZeroAmount
    q = _side_q(curve, side)
    if abs(bought) > I64_MAX - abs(q):
        raise PriceRange
    before, after = _u_of(curve.liquidity, q), _u_of(curve.liquidity, q + bought)
    if max(abs(before), abs(after)) > U_MAX:
        raise PriceRange
    return before, after


def _q_of(at: int, liquidity: int, *, round_up: bool) -> int:
    """Return u * liquidity, rounded towards plus or minus infinity."""
    q = ceil_div(at * liquidity, E18) if round_up else at * liquidity // E18
    if abs(q) > I64_MAX:
        raise CurveOverflow
    return q


def _first_guess(low: int, price: int, climb: int, aim: int) -> int:
    """The lowest crossing of the aim by a few tangents of g: it is at or above the root."""
    guess = min(U_MAX, low + newton_step(climb, price // 10**9), aim)
    for inverse_slope, offset in TANGENTS:
        if aim > 8 * E18 // inverse_slope:
            break
        crossing = inverse_slope * aim - offset
        if low < crossing < guess:
            guess = crossing
    return guess


def _u_of_g(low: int, guess: int, wanted: int, tolerance: int) -> tuple[int, int]:
    """A u from low up with wanted - tolerance <= g(u) <= wanted, and the evaluations it took."""
    aim = wanted - tolerance // 2
    high, at = U_MAX, guess
    iterations = 1
    while True:
        here = g(at)
        if here <= wanted:
            low = at
        else:
            high = at
        if 0 <= wanted - here <= tolerance or iterations == ITERATIONS_MAX:
            return low, iterations
        above = here > aim
        step = newton_step(abs(here - aim), slope_e9(at))
        if step >= (at - low if above else high - at):
            at = low + (high - low) // 2
        else:
            at = at - step if above else at + step
        iterations += 1
