"""Compute the constants of the curve and the risk rules, and write them for C and for Python.

    python -m programs.betting_platform.make_tables           # write tables.h and programs/tables.py
    python -m programs.betting_platform.make_tables --check   # exit 1 when the committed files differ

Everything is computed with mpmath at 60 digits and rounded once, so the output does not depend on the machine.
Before writing, the generator proves what the head of normal.h claims: piece by piece it bounds, with integers,
how far the computed g can move in one quantum of u (`prove_monotone`), and it refuses tables that fail.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from mpmath import mp, mpf

mp.dps = 60

E18: Final = 10**18
PIECE_BITS: Final = 57
"""A piece is 2**57 quanta of 1e-18 wide (0.144): index and offset are a shift and a mask."""
PIECE: Final = 1 << PIECE_BITS
WIDTH: Final = mpf(PIECE) / E18
DEGREE: Final = 9
"""Of the slope polynomial S: its error, 1e-19, is then below the rounding of g."""
EDGE_BITS: Final = 5
"""The h at an edge carries 5 bits below 1e-18, so that joints are tuned far below one quantum."""
SLOPE_BITS: Final = 65
"""Scale of S in the first pieces: S <= 1/2, so 64 bits hold it. Where S is smaller, its scale is larger."""
LAST_BITS: Final = 28
"""The last coefficient is small: it is multiplied by as many bits of s, in 64 bits."""
SQRT_OUTCOMES_MAX: Final = 16
TANGENTS: Final = (2, 8, 40, 250)
"""Inverse slopes of the tangents that bound Newton's start: the worst search then takes 6 steps, not 9."""
EXP_DEGREE: Final = 8
EXP_BITS: Final = 62

HERE: Final = Path(__file__).parent
C_FILE: Final = HERE / "tables.h"
PYTHON_FILE: Final = HERE.parent / "tables.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """h(v) = g(-v) on one piece: (edge - t * S(s) / 2**(60 + shift)) / 2**5, t = v - left edge, s = t / 2**57."""

    edge: int
    """h at the left edge, e18 * 2**5, rounded so that the final shift rounds to nearest."""
    slope: int
    """Phi(-v) at the left edge, 2**(65 + shift)."""
    shift: int
    """How many more bits S has here: as many as fit, for g cannot fall while t times the last bit of S is below S."""
    bend: tuple[int, ...]
    """Coefficients of s**1 ... s**9 in (slope - S(s)), at the scale of the slope, signed."""


def normal_cdf(x: mpf) -> mpf:
    """The standard normal distribution function."""
    return mp.erfc(-x / mp.sqrt(2)) / 2


def normal_density(x: mpf) -> mpf:
    """Its derivative."""
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def falling_branch(v: mpf) -> mpf:
    """h(v) = g(-v) = phi(v) - v * Phi(-v)."""
    return normal_density(v) - v * normal_cdf(-v)


def largest_u() -> int:
    """Return the largest u at e18 whose price, and that of u + 1, is at most 0.999."""
    return int(mp.floor(mp.sqrt(2) * mp.erfinv(mpf(998) / 1000) * E18)) - 1


def interpolate(function: Callable[[mpf], mpf], degree: int) -> list[mpf]:
    """Return the monomial coefficients of the interpolant at the Chebyshev nodes of [0, 1]."""
    nodes = [(1 + mp.cos(mp.pi * (2 * k + 1) / (2 * degree + 2))) / 2 for k in range(degree + 1)]
    matrix = mp.matrix([[x**k for k in range(degree + 1)] for x in nodes])
    return list(mp.lu_solve(matrix, mp.matrix([function(x) for x in nodes])))


def slope_at(piece: Piece, t: int) -> int:
    """Return S at offset t, in the integers of normal.h; t may be one past the piece, to look at the joint."""
    s = t << (64 - PIECE_BITS)
    *most, last = piece.bend
    bend = (last * (s >> (64 - LAST_BITS))) >> LAST_BITS
    for coefficient in reversed(most):
        bend = (s * (coefficient + bend)) >> 64
    return piece.slope - bend


def fall_at(piece: Piece, t: int) -> int:
    """Return edge - h at offset t, at e18 * 2**5."""
    return (t * slope_at(piece, t)) >> (SLOPE_BITS - EDGE_BITS + piece.shift)


def edge_at(index: int) -> int:
    """Return h at a left edge at e18 * 2**5, plus half a quantum so that the final floor rounds to nearest."""
    exact = falling_branch(WIDTH * index) * E18 * 2**EDGE_BITS
    return int(mp.nint(exact)) + (1 << (EDGE_BITS - 1))


def make_piece(index: int) -> Piece:
    """Fit one piece, then move its slope by a hair until it ends exactly where the next one starts."""
    left = WIDTH * index

    def chord(s: mpf) -> mpf:
        return (falling_branch(left) - falling_branch(left + s * WIDTH)) / (s * WIDTH)

    coefficients = interpolate(chord, DEGREE)
    shift = 0
    while coefficients[0] * 2 ** (SLOPE_BITS + shift + 1) < 2**64:
        shift += 1
    scale = 2 ** (SLOPE_BITS + shift)
    piece = Piece(
        edge=edge_at(index),
        slope=int(mp.nint(coefficients[0] * scale)),
        shift=shift,
        bend=tuple(int(mp.nint(-c * scale)) for c in coefficients[1:]),
    )
    # Ending in the middle of the edge's last bit keeps the joint exact under the floor.
    drop = piece.edge - edge_at(index + 1)
    units_per_edge_bit = 1 << (SLOPE_BITS + shift - EDGE_BITS - PIECE_BITS)
    wanted = drop * units_per_edge_bit + units_per_edge_bit // 2
    slope = piece.slope + wanted - slope_at(piece, PIECE)
    # Phi(0) = 2**64 at this scale: the first piece keeps one unit less and bends that much less.
    excess = max(0, slope - (2**64 - 1))
    first, *rest = piece.bend
    return Piece(
        edge=piece.edge,
        slope=slope - excess,
        shift=shift,
        bend=(first - excess, *rest),
    )


def prove_monotone(piece: Piece, following: Piece, last_offset: int) -> None:
    """Raise unless 0 <= h(v) - h(v + 1) <= 1 quantum for every v of the piece.

    Write x(t) = t * S(t). h falls iff x(t + 1) >= x(t), that is S(t + 1) >= t * (S(t) - S(t + 1)). S falls in
    one step by at most the ceiling of the step of s * B(s), where B is the Horner sum inside; that step is at
    most max|B| / 2**57 plus the largest step of B, and so on inwards. All in integers, rounded up.
    """
    *most, last = piece.bend
    if abs(last) * 90 >= 1 << (63 - LAST_BITS):
        raise ValueError(f"the last bend is too large for {LAST_BITS} bits of s: {last}")
    size = abs(last) + 1
    fall = -(-size >> LAST_BITS)  # whenever another of the few bits is set
    for coefficient in reversed(most):
        size += abs(coefficient) + 1
        fall += -(-size // PIECE)
    least = slope_at(piece, last_offset)
    if least < last_offset * fall:
        raise ValueError(f"h may rise inside a piece: S {least}, offset {last_offset}, fall {fall}")
    # One quantum moves x by at most S + t * (rise of S); g(u) = h + u needs that below one.
    if piece.slope + size + last_offset * fall >= 1 << (SLOPE_BITS + piece.shift):
        raise ValueError("h may fall by more than one quantum inside a piece")
    if last_offset == PIECE and piece.edge - fall_at(piece, PIECE) != following.edge:
        raise ValueError("two pieces do not meet")


@cache
def make_pieces() -> tuple[Piece, ...]:
    """Fit and prove every piece that u can reach."""
    count = (largest_u() >> PIECE_BITS) + 1
    pieces = [make_piece(index) for index in range(count + 1)]
    for index in range(count):
        last_offset = min(PIECE, largest_u() - index * PIECE)
        prove_monotone(pieces[index], pieces[index + 1], last_offset)
    return tuple(pieces[:count])


def g_at_u_max() -> int:
    """The computed g of the dearest price, so that the program need not."""
    index, offset = divmod(largest_u(), PIECE)
    piece = make_piece(index)
    return ((piece.edge - fall_at(piece, offset)) >> EDGE_BITS) + largest_u()


def tangents() -> list[tuple[int, int]]:
    """Return (k, c) with: the tangent of g of slope 1/k reaches a height at u = k * height - c, at e18."""
    result = []
    for k in TANGENTS:
        u = mp.sqrt(2) * mp.erfinv(mpf(2) / k - 1)
        result.append((k, int(mp.floor((k * (falling_branch(-u)) - u) * E18))))
    return result


def exp_coefficients() -> list[int]:
    """2**(-r) for r in [0, 1) as a polynomial at 2**62, rounded up by more than its error."""
    coefficients = interpolate(lambda r: mpf(2) ** -r, EXP_DEGREE)
    raised = [int(mp.nint(c * 2**EXP_BITS)) for c in coefficients]
    raised[0] += 1 << 24  # 3.6e-12, far above the fit (1e-14) and the floors; a micro-bp is 4e-8
    return raised


def constants() -> dict[str, int]:
    """Return the scalars, by name without prefix."""
    return {
        "U_MAX": largest_u(),
        "G_AT_U_MAX": g_at_u_max(),
        # phi = (2**65 value) * 1e36 / 2**122: as a 64-bit fraction.
        "DENSITY_SCALE": int(mp.floor(mpf(10) ** 36 / 2**58)),
        # exp(-3 c) = 2**-(c * 3 / ln 2): the exponent of one millionth of coverage, 2**58.
        "HALVINGS_PER_E6": int(mp.nint(3 / mp.log(2) / 10**6 * 2**58)),
    }


def square_roots() -> list[int]:
    """sqrt(N) at e6, rounded up (leverage is rounded down); index N, 0 unused."""
    return [0] + [int(mp.ceil(mp.sqrt(n) * 10**6)) for n in range(1, SQRT_OUTCOMES_MAX + 1)]


def tail_losses() -> list[int]:
    """1 - 1/N at e6, rounded up (coverage is rounded down); index N, 0 unused."""
    return [0] + [-(-(n - 1) * 10**6 // n) for n in range(1, SQRT_OUTCOMES_MAX + 1)]


def render_c() -> str:
    """Return tables.h."""
    lines = [
        "/* Generated by make_tables.py: do not edit. `make_tables --check` compares. */",
        "#ifndef BETTING_TABLES_H",
        "#define BETTING_TABLES_H",
        "",
        '#include "math.h"',
        "",
    ]
    lines += [f"#define TABLE_{name} {value}ULL" for name, value in constants().items()]
    lines += [
        "",
        "/* One piece of h(v) = g(-v), 2^57 quanta wide; see the head of normal.h. */",
        "struct curve_piece {",
        "    u64 edge;    /* h at the left edge, e18 * 2^5, half a quantum added */",
        "    u64 slope;   /* Phi(-v) at the left edge, 2^(65 + shift) */",
        "    u64 shift;",
        f"    i64 bend[{DEGREE}]; /* how the slope bends: powers 1.. of s = t / 2^57, at the slope's scale */",
        "};",
        "",
    ]
    pieces = make_pieces()
    lines.append(f"static const struct curve_piece CURVE_PIECES[{len(pieces)}] = {{")
    for piece in pieces:
        bend = ", ".join(f"{value}LL" for value in piece.bend)
        lines.append(f"    {{{piece.edge}ULL, {piece.slope}ULL, {piece.shift}, {{{bend}}}}},")
    lines += ["};", ""]
    lines.append("/* A tangent of g: it reaches a height at inverse_slope * height - offset. */")
    lines.append("struct curve_tangent { u64 inverse_slope; i64 offset; };")
    body = ", ".join(f"{{{k}, {c}LL}}" for k, c in tangents())
    lines.append(f"static const struct curve_tangent CURVE_TANGENTS[{len(TANGENTS)}] = {{{body}}};")
    lines.append("")
    for name, kind, values in (
        ("EXP_BEND", "i64", exp_coefficients()),
        ("SQRT_E6", "u32", square_roots()),
        ("TAIL_LOSS_E6", "u32", tail_losses()),
    ):
        body = ", ".join(str(value) + ("LL" if kind == "i64" else "") for value in values)
        lines.append(f"static const {kind} {name}[{len(values)}] = {{{body}}};")
    return "\n".join([*lines, "", "#endif", ""])


def render_python() -> str:
    """Return programs/tables.py."""
    lines = [
        '"""Constants of the curve and the risk rules, generated by betting_platform/make_tables.py: do not edit."""',
        "",
        "from typing import Final",
        "",
    ]
    lines += [f"{name}: Final = {value}" for name, value in constants().items()]
    lines += ["", "# (edge, slope, shift, bend): the columns of struct curve_piece in tables.h."]
    lines.append("PIECES: Final = (")
    for piece in make_pieces():
        lines += ["    (", f"        {piece.edge},", f"        {piece.slope},"]
        lines += [f"        {piece.shift},", "        ("]
        lines += [f"            {value}," for value in piece.bend]
        lines += ["        ),", "    ),"]
    lines += [")", "", "# (k, c): a tangent of g reaches a height at u = k * height - c."]
    lines += ["TANGENTS: Final = (", *(f"    ({k}, {c})," for k, c in tangents()), ")", ""]
    for name, values in (
        ("EXP_BEND", exp_coefficients()),
        ("SQRT_E6", square_roots()),
        ("TAIL_LOSS_E6", tail_losses()),
    ):
        lines += [f"{name}: Final = (", *(f"    {value}," for value in values), ")"]
    return "\n".join([*lines, ""])


def main(
    arguments: list[str] | None = None, *, c_file: Path = C_FILE, python_file: Path = PYTHON_FILE
) -> int:
    """Write the tables, or with --check say which differ.

    Returns:
        The exit code: 1 when --check found a difference.
    """
    parser = argparse.ArgumentParser(description="Compute tables.h and tables.py.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args(arguments).check
    stale = []
    for path, text in ((c_file, render_c()), (python_file, render_python())):
        if not path.exists() or path.read_text("ascii") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, "ascii")
    if check and stale:
        sys.stderr.write(
            f"{' and '.join(stale)} differ from what make_tables.py computes; "
            "run python -m programs.betting_platform.make_tables\n"
        )
        return 1
    return 0


if __name__ == "__main__":  # pragma: no cover  # the tests call main
    raise SystemExit(main())
