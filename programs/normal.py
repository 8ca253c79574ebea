"""The normal distribution in integers: the same as betting_platform/normal.h, bit for bit.

u, g, prices and densities are at e18. The head of normal.h states how they are computed, how far they may be off, and
what is proved of them.
"""

from functools import lru_cache
from typing import Final

from programs.fixed import E18, mul_fraction
from programs.tables import DENSITY_SCALE, PIECES, U_MAX
from programs.units import PRICE_MIN_E6, U64_MAX

P_ERROR: Final = 256
"""Bound on `price_e18`, in quanta of 1e-18; charged against the caller."""
U_ERROR: Final = 100_000
"""Bound on `u_of_price`, likewise."""
_PIECE_BITS: Final = 57
_PRICES_REMEMBERED: Final = 16_384
"""Newton's method takes some 40 us, and the prices asked for are mostly the same thousand: tenths of a cent."""


def g(u: int) -> int:
    """Return u Phi(u) + phi(u) at e18; never falls as u rises."""
    (edge, slope, shift, bends), offset = _piece_of(u)
    slope -= mul_fraction(_fraction(offset), _bend(bends, offset, 0))
    return ((edge - (mul_fraction(offset << 4, slope) >> shift)) >> 5) + max(u, 0)


def price_e18(u: int) -> int:
    """Return Phi(u): the price of the side whose coordinate u is, within P_ERROR."""
    (_, slope, shift, bends), offset = _piece_of(u)
    slope -= mul_fraction(_fraction(offset), _bend(bends, offset, 1))
    tail = ((mul_fraction(slope, E18) >> shift) + 1) >> 1
    return E18 - tail if u > 0 else tail


def price_e6(u: int) -> int:
    """Return Phi(u) to the nearest millionth."""
    return (price_e18(u) + 5 * 10**11) // 10**12


def density_e18(u: int) -> int:
    """Return phi(u), within 1e-12."""
    (_, _, shift, bends), offset = _piece_of(u)
    return mul_fraction(DENSITY_SCALE, _bend(bends, offset, 2)) >> shift


@lru_cache(maxsize=_PRICES_REMEMBERED)
def u_of_price(price_e6: int) -> int:
    """Return the u whose price this is, within U_ERROR; beyond 1_000 to 999_000, that of the nearer end."""
    above = price_e6 > 500_000  # noqa: PLR2004  # one half
    tail_e6 = max(1_000_000 - price_e6, 0) if above else price_e6
    if tail_e6 == 500_000:  # noqa: PLR2004  # one half
        return 0
    if tail_e6 <= PRICE_MIN_E6:
        return U_MAX if above else -U_MAX
    wanted = tail_e6 * 10**12
    wanted_slope = (tail_e6 << 44) // 10**6 << 21
    low = 0
    while low + 1 < len(PIECES) and PIECES[low + 1][1] >> PIECES[low + 1][2] >= wanted_slope:
        low += 1
    v = low << _PIECE_BITS
    if low + 1 < len(PIECES):
        v += 1 << (_PIECE_BITS - 1)
    for _ in range(6):  # pragma: no branch  # three steps are enough; the cap is the program's
        tail = price_e18(-v)
        step = newton_step(abs(tail - wanted), density_e18(v) // 10**9)
        square = (step // 10**9) ** 2
        v += (
            (9 * square + square // 4) * v
        ) >> 64  # v step**2 / 2: Halley's term, as phi' = -v phi
        v = v + step if tail >= wanted else v - step
        if step >> 33 == 0:  # convergence is cubic: less than a quantum is left
            break
    return v if above else -v


def slope_e9(u: int) -> int:
    """Return Phi(u) at e9, within 1e-6: where Newton goes next, never what anything costs."""
    (_, slope, shift, bends), offset = _piece_of(u)
    fraction = offset >> (_PIECE_BITS - 32)
    bend = (bends[3] >> 32) * 5
    bend = (bends[2] >> 32) * 4 + (fraction * bend >> 32)
    bend = (bends[1] >> 32) * 3 + (fraction * bend >> 32)
    bend = (bends[0] >> 32) * 2 + (fraction * bend >> 32)
    tail = ((slope >> 33) - (fraction * bend >> 33)) * 10**9 >> 32 >> shift
    return 10**9 - tail if u > 0 else tail


def newton_step(value: int, slope_e9: int) -> int:
    """Return Newton's step, value * 1e9 / slope; 2**64 - 1 when the program's would not fit."""
    whole, rest = divmod(value, slope_e9)
    if whole > 8 * 10**9:
        return U64_MAX
    return whole * 10**9 + rest * 10**9 // slope_e9


def _piece_of(u: int) -> tuple[tuple[int, int, int, tuple[int, ...]], int]:
    """Return the piece of |u| and the offset into it; the end of the range stands for what lies beyond."""
    v = min(abs(u), U_MAX)
    return PIECES[v >> _PIECE_BITS], v & ((1 << _PIECE_BITS) - 1)


def _fraction(offset: int) -> int:
    """Return how far into a piece an offset is, 2**64."""
    return offset << (64 - _PIECE_BITS)


def _bend(bends: tuple[int, ...], offset: int, order: int) -> int:
    """Horner over the bends, or over those of the first or second derivative of s * S(s)."""
    *most, last = bends
    bend = (
        last * (1, 10, 90)[order] * (_fraction(offset) >> 36)
    ) >> 28  # 28 bits are enough for it
    for power in range(len(most), 1, -1):
        factor = (1, power + 1, power * (power + 1))[order]
        bend = mul_fraction(_fraction(offset), most[power - 1] * factor + bend)
    return most[0] * (1, 2, 2)[order] + bend
