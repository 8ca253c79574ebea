"""Random inputs on which the C and the Python must agree; the tests run thousands, bench/curve_fuzz.py a million."""

import ctypes
from collections.abc import Callable
from random import Random

from programs import curve, leverage, normal
from programs.curve import STATUS_ERRORS, Curve, CurveError, Side
from programs.tables import U_MAX

STATUS_BY_ERROR = {error: status for status, error in STATUS_ERRORS.items()}
U64_MAX = 2**64 - 1


def draw_u64(rng: Random, bits: int = 64) -> int:
    """Draw with every magnitude equally likely, and the edges more often than chance."""
    if rng.random() < 0.05:
        return rng.choice((0, 1, 2, 2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1))
    return rng.getrandbits(rng.randint(1, bits))


def draw_pool(rng: Random) -> tuple[int, int]:
    """Draw (liquidity, q): mostly a pool that can exist, sometimes any bytes."""
    if rng.random() < 0.1:
        return draw_u64(rng), rng.randint(-(2**63) + 1, 2**63 - 1)
    liquidity = int(10 ** rng.uniform(0, 18))
    u = rng.choice((rng.randint(-U_MAX, U_MAX), normal.u_of_price(rng.randint(1_000, 999_000))))
    return liquidity, u * liquidity // 10**18


def draw_amount(rng: Random, liquidity: int) -> int:
    """Draw an amount that matters to a pool of this size, or any."""
    if rng.random() < 0.1:
        return draw_u64(rng)
    return min(int(10 ** rng.uniform(-1, 0.6) * 10 ** rng.uniform(-12, 0) * liquidity), U64_MAX)


def draw_u(rng: Random) -> int:
    """Draw any i64 now and then, else a u of the range."""
    if rng.random() < 0.02:
        return rng.randint(-(2**63) + 1, 2**63 - 1)
    return rng.randint(-U_MAX - 10, U_MAX + 10)


def _outcome(call: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
    try:
        return (0, *call())
    except CurveError as error:
        return (STATUS_BY_ERROR[type(error)],)


def _pool_case(native, name: str, arguments: tuple[int, int, int, int], python) -> None:
    out = (ctypes.c_uint64 * 4)()
    status = native[name](*arguments, out)
    expected = _outcome(lambda: python(*arguments))
    found = (status, *out[: len(expected) - 1]) if status == 0 else (status,)
    assert found == expected, (name, arguments)


def _buy_shares(liquidity: int, q: int, side: int, shares: int) -> tuple[int, ...]:
    return (curve.buy_shares(Curve(liquidity=liquidity, q=q), Side(side), shares),)


def _sell_shares(liquidity: int, q: int, side: int, shares: int) -> tuple[int, ...]:
    return (curve.sell_shares(Curve(liquidity=liquidity, q=q), Side(side), shares),)


def _buy_cash(liquidity: int, q: int, side: int, cash: int) -> tuple[int, ...]:
    bought = curve.buy_cash(Curve(liquidity=liquidity, q=q), Side(side), cash)
    return bought.shares, bought.iterations


def _shares_to_price(liquidity: int, q: int, side: int, price: int) -> tuple[int, ...]:
    return (curve.shares_to_price(Curve(liquidity=liquidity, q=q), Side(side), price),)


def _add_liquidity(liquidity: int, q: int, price: int, delta: int) -> tuple[int, ...]:
    added = curve.add_liquidity(Curve(liquidity=liquidity, q=q), delta, price)
    return added.cash, added.surplus_yes, added.surplus_no, added.q & U64_MAX


def _remove_liquidity(liquidity: int, q: int, _unused: int, delta: int) -> tuple[int, ...]:
    removed = curve.remove_liquidity(Curve(liquidity=liquidity, q=q), delta)
    return removed.yes, removed.no, removed.q & U64_MAX


def check_pool_case(native, rng: Random) -> None:
    """Compare one random trade and one random change of liquidity."""
    liquidity, q = draw_pool(rng)
    side = rng.randint(0, 1)
    amount = draw_amount(rng, liquidity)
    price = rng.randint(1_000, 999_000) if rng.random() < 0.9 else rng.getrandbits(32)
    name, python, argument = rng.choice(
        (
            ("buy_shares", _buy_shares, amount),
            ("sell_shares", _sell_shares, amount),
            ("buy_cash", _buy_cash, amount),
            ("shares_to_price", _shares_to_price, price),
        )
    )
    _pool_case(native, name, (liquidity, q, side, argument), python)
    if rng.random() < 0.3:
        if rng.random() < 0.3:
            liquidity = 0
        _pool_case(native, "add_liquidity", (liquidity, q, price, amount), _add_liquidity)
        _pool_case(native, "remove_liquidity", (liquidity, q, 0, amount), _remove_liquidity)


def check_function_case(native, rng: Random) -> None:
    """Compare every function of u, and what incentives read."""
    u, liquidity, more = draw_u(rng), draw_u64(rng), draw_u64(rng)
    price = rng.randint(0, 1_000_000)
    assert native["g"](u) == normal.g(u) & U64_MAX, u
    assert native["price_e18"](u) == normal.price_e18(u), u
    assert native["price_e6"](u) == normal.price_e6(u), u
    assert native["density_e18"](u) == normal.density_e18(u), u
    assert native["u_of_price"](price) == normal.u_of_price(price), price
    assert native["liquidity_value"](u, liquidity) == curve.liquidity_value(u, liquidity)
    assert native["impact_e9"](u, liquidity) == curve.impact_e9(u, liquidity)
    assert native["improvement_bps"](u, liquidity, more) == curve.improvement_bps(
        u, liquidity, more
    )


def check_risk_case(native, rng: Random) -> None:
    """Compare every function of risk.h."""
    coverage = rng.choice((draw_u64(rng), rng.randint(0, 8_200_000)))
    outcomes, cash, debt = rng.randint(0, 70), draw_u64(rng), draw_u64(rng)
    weighted = draw_u64(rng, 127)
    shares, margin, mm_bps = draw_u64(rng), draw_u64(rng), rng.randint(0, 10_000)
    price = rng.randint(0, 1_000_000)
    out = (ctypes.c_uint64 * 2)()

    assert native["fee_rate_ubp"](coverage) == leverage.fee_rate_ubp(coverage), coverage
    fitted = native["fee_amount"](cash, 28_000_000, out)
    assert (out[0] if fitted else None) == leverage.fee_amount(cash, 28_000_000)
    assert native["coverage_e6"](cash, weighted >> 64, weighted & U64_MAX) == leverage.coverage_e6(
        cash, weighted
    ), (
        cash,
        weighted,
    )
    assert native["tier_cap"](outcomes) == leverage.tier_cap(outcomes)
    assert native["tail_loss_e6"](outcomes) == leverage.tail_loss_e6(outcomes)
    assert native["leverage_max"](coverage, outcomes, cash) == leverage.leverage_max(
        coverage, outcomes, cash
    )
    required = leverage.required_margin(margin, shares, mm_bps)
    assert native["required_margin"](margin, shares, mm_bps) == required
    assert native["position_equity"](shares, price, debt) == leverage.position_equity(
        shares, price, debt
    )
    for need in (required, 0, cash):
        assert native["health_bps"](shares, price, debt, need) == leverage.health_bps(
            shares, price, debt, need
        ), (
            shares,
            price,
            debt,
            need,
        )
    sigma = rng.randint(0, 1_000_000)
    assert native["liquidation_cap_e6"](sigma) == leverage.liquidation_cap_e6(sigma)
    assert native["liquidation_cap"](shares, sigma) == leverage.liquidation_cap(shares, sigma)
    assert native["sigma_next_e6"](sigma, price, outcomes) == leverage.sigma_next_e6(
        sigma, price, outcomes
    )
    divisor = draw_u64(rng)
    for up in (False, True):
        fitted = native["mul_div"](cash, debt, divisor, up, out)
        assert (out[0] if fitted else None) == leverage.mul_div(cash, debt, divisor, round_up=up), (
            cash,
            debt,
            divisor,
        )
