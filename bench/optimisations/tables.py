"""Precomputed tables, against working the same out at every call; each pair gives the same integers, which is asserted.

The pieces of the curve pay by two orders of magnitude against a library of any precision. Their derivatives' coefficients,
worked out once at import and no longer at every price, pay by half. The table of square roots saves a tenth of a microsecond
off the chain, and is there because the program has no square root: it is the same table.
"""

import math
import random
from typing import Final

import mpmath

from bench.optimisations.timing import compared
from bench.report.figure import Figure, Goal
from programs import leverage, normal
from programs.fixed import E18
from programs.tables import PIECES, SQRT_E6, TAIL_LOSS_E6, U_MAX

_POINTS: Final = 200
_DIGITS: Final = 22
"""Enough for a quantum of 1e-18, and no more."""
_PIECE_BITS: Final = 57


def measured(runs: int) -> list[Figure]:
    """Compare every table with what it stands for."""
    draws = random.Random(1)
    points = [draws.randint(-U_MAX, U_MAX) for _ in range(_POINTS)]
    mpmath.mp.dps = _DIGITS
    assert all(abs(normal.g(u) - _g_computed(u)) <= 3 for u in points)
    assert [normal.g(u) for u in points] == [_g_deriving(u) for u in points]
    for outcomes in range(1, 17):
        assert SQRT_E6[outcomes] == _root_e6(outcomes)
        assert TAIL_LOSS_E6[outcomes] == -(-(outcomes - 1) * 10**6 // outcomes)

    def per_point(name: str, before: tuple[str, object], after: object) -> Figure:
        how, way = before
        return compared(
            name,
            "µs",
            (how, lambda: [way(u) for u in points]),  # type: ignore[operator]  # a function of u
            lambda: [after(u) for u in points],  # type: ignore[operator]  # likewise
            runs=runs,
            calls=5,
            per=_POINTS,
        )

    return [
        per_point(
            "g from the curve's pieces",
            (f"erf and exp to {_DIGITS} digits", _g_computed),
            normal.g,
        ),
        per_point(
            "g from coefficients of its own",
            ("coefficients derived at every call", _g_deriving),
            normal.g,
        ),
        compared(
            "coverage and leverage, with square roots from the table",
            "µs",
            ("integer square root", lambda: _leverage_computed(1_400_000, 5, 2 * 10**12)),
            lambda: leverage.leverage_max(leverage.coverage_e6(10**12, 5 * 10**17), 5, 2 * 10**12),
            runs=runs,
            calls=20_000,
            goal=Goal(value=100, source="origin: leverage calculation under 100 µs"),
            limit=("two calls that divide once", lambda: _divided(_divided(5 * 10**17, 10**12), 5)),
            claim="leverage",
        ),
    ]


def _g_computed(u: int) -> int:
    at = mpmath.mpf(u) / E18
    return int(mpmath.nint((at * mpmath.ncdf(at) + mpmath.npdf(at)) * E18))


def _g_deriving(u: int) -> int:
    """As it was before: factors and slices made for every coefficient of every call."""
    v = min(abs(u), U_MAX)
    edge, slope, shift, bends = PIECES[v >> _PIECE_BITS]
    offset = v & ((1 << _PIECE_BITS) - 1)
    *most, last = bends
    bend = (last * (1, 10, 90)[0] * (_fraction(offset) >> 36)) >> 28
    for power in range(len(most), 1, -1):
        factor = (1, power + 1, power * (power + 1))[0]
        bend = _mul_fraction(_fraction(offset), most[power - 1] * factor + bend)
    slope -= _mul_fraction(_fraction(offset), most[0] * (1, 2, 2)[0] + bend)
    return ((edge - (_mul_fraction(offset << 4, slope) >> shift)) >> 5) + max(u, 0)


def _fraction(offset: int) -> int:
    return offset << (64 - _PIECE_BITS)


def _mul_fraction(fraction: int, x: int) -> int:
    return (fraction * x) >> 64


def _divided(one: int, by: int) -> int:
    return one // by


def _leverage_computed(coverage_e6: int, outcomes: int, equity: int) -> int:
    """The same with the root of N computed at e6."""
    coverage_e6 = leverage.coverage_e6(10**12, 5 * 10**17)
    root_e6 = _root_e6(outcomes)
    most = min(coverage_e6, leverage.COVERAGE_MAX_E6) * 100 // root_e6
    most = min(most, leverage.tier_cap(outcomes))
    if equity < leverage.LADDER_END:
        most = min(most, equity // leverage.LADDER_STEP)
    return max(most, 1)


def _root_e6(outcomes: int) -> int:
    """At e6, rounded up: leverage is rounded down."""
    return math.isqrt(outcomes * 10**12 - 1) + 1
