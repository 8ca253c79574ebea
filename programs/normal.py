"""The normal distribution in integers: the same as betting_platform/normal.h, bit for bit.

u, g, prices and densities are at e18. The head of normal.h states how they are computed, how far they may be off, and
what is proved of them.
"""

from functools import lru_cache
from typing import Final

from programs.fixed import E18
from programs.tables import DENSITY_SCALE, PIECES, U_MAX
from programs.units import PRICE_MIN_E6, U64_MAX

P_ERROR: Final = 256
"""Bound on `price_e18`, in quanta of 1e-18; charged against the caller."""
U_ERROR: Final = 100_000
"""Bound on `u_of_price`, likewise."""
_PIECE_BITS: Final = 57
_PIECE_MASK: Final = (1 << _PIECE_BITS) - 1
_FRACTION_SHIFT: Final = 64 - _PIECE_BITS
_PRICES_REMEMBERED: Final = 16_384
"""Newton's method takes some 40 us, and the prices asked for are mostly the same thousand: tenths of a cent."""

_Bends = tuple[int, tuple[int, ...], int]
"""The coefficient of the highest power, those below it in falling order, and the lowest."""


def _derived(bends: tuple[int, ...], order: int) -> _Bends:
    """Return the coefficients of s * S(s), or of its first or second derivative."""
    first, *middle, last = bends
    rest = tuple(
        coefficient * (1, power + 1, power * (power + 1))[order]
        for power, coefficient in reversed(list(enumerate(middle, 2)))
    )
    return last * (1, 10, 90)[order], rest, first * (1, 2, 2)[order]


_BENDS: Final = tuple(tuple(_derived(piece[3], order) for piece in PIECES) for order in range(3))
"""By order and piece: worked out once, not at every price (`python -m bench.optimisations tables`)."""


def g(u: int) -> int:
    """Return u Phi(u) + phi(u) at e18; never falls as u rises."""
    v = min(abs(u), U_MAX)  # the end of the range stands for what lies beyond
    piece, offset = v >> _PIECE_BITS, v & _PIECE_MASK
    edge, slope, shift, _ = PIECES[piece]
    fraction = offset << _FRACTION_SHIFT
    slope -= fraction * _horner(fraction, _BENDS[0][piece]) >> 64
    tail = edge - ((offset << 4) * slope >> 64 >> shift) >> 5
    return tail + u if u > 0 else tail


def price_e18(u: int) -> int:
    """Return Phi(u): the price of the side whose coordinate u is, within P_ERROR."""
    v = min(abs(u), U_MAX)
    piece = v >> _PIECE_BITS
    _, slope, shift, _ = PIECES[piece]
    fraction = (v & _PIECE_MASK) << _FRACTION_SHIFT
    slope -= fraction * _horner(fraction, _BENDS[1][piece]) >> 64
    tail = (slope * E18 >> 64 >> shift) + 1 >> 1
    return E18 - tail if u > 0 else tail


def price_e6(u: int) -> int:
    """Return Phi(u) to the nearest millionth."""
    return (price_e18(u) + 5 * 10**11) // 10**12


def density_e18(u: int) -> int:
    """Return phi(u), within 1e-12."""
    v = min(abs(u), U_MAX)
    piece = v >> _PIECE_BITS
    bend = _horner((v & _PIECE_MASK) << _FRACTION_SHIFT, _BENDS[2][piece])
    return DENSITY_SCALE * bend >> 64 >> PIECES[piece][2]


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
    v = min(abs(u), U_MAX)
    _, slope, shift, bends = PIECES[v >> _PIECE_BITS]
    fraction = (v & _PIECE_MASK) >> (_PIECE_BITS - 32)
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


def _horner(fraction: int, bends: _Bends) -> int:
    """Evaluate the bends of a piece, or their derivatives, at a fraction of one at 2**64."""
    last, rest, first = bends
    bend = last * (fraction >> 36) >> 28  # 28 bits are enough for it
    for coefficient in rest:
        bend = fraction * (coefficient + bend) >> 64
    return first + bend
