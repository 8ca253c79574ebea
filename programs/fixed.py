"""Integer arithmetic that the program and its Python mirror share: math.h in words of any size.

Python's integers do not overflow, so every function that C would refuse for want of bits refuses here too.
"""

from typing import Final

from programs.units import U64_MAX

E18: Final = 10**18
"""One, for u, g, prices and densities inside the curve."""


def mul_div(a: int, b: int, divisor: int, *, round_up: bool = False) -> int | None:
    """Return a * b / divisor, rounded down or up; None when divisor is 0 or the result needs over 64 bits.

    Args:
        a: a u64.
        b: a u64.
        divisor: a u64.
        round_up: towards plus infinity instead of zero.
    """
    if divisor == 0:
        return None
    quotient = -(-a * b // divisor) if round_up else a * b // divisor
    return quotient if quotient <= U64_MAX else None


def ceil_div(a: int, b: int) -> int:
    """Return a / b rounded up, for b > 0."""
    return -(-a // b)


def mul_fraction(fraction: int, x: int) -> int:
    """Return floor(fraction * x / 2**64): a signed x times a fraction of one at 2**64."""
    return (fraction * x) >> 64
