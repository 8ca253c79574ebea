/* The normal distribution in integers: g(u) = u Phi(u) + phi(u), its derivative Phi (a price), and phi (a density).
 *
 * u, g, Phi and phi are at e18 ("quanta"). g is computed from h(v) = g(-v), v = |u|, as g(u) = h(|u|) + max(u, 0).
 * h is 86 pieces, each 2^55 quanta wide: h = edge - t S(s) with t the offset and S a polynomial of degree 6 in
 * s = t / 2^55, fitted at Chebyshev nodes (error of the fit below 0.06 quantum). S has 65 fractional bits, its higher
 * coefficients 69, the edges 5 bits below a quantum; floors inside cost less than 0.1 quantum and the last one is to
 * nearest. So |g computed - g| < 0.7 quantum.
 * g never falls and g(u) - u never rises, over the whole range, proved piece by piece by make_tables.py.
 * Phi is the derivative of the same polynomial: within CURVE_P_ERROR = 256 quanta (2.6e-16). phi is its second
 * derivative: within 1e-12. The tests compare all three with mpmath.
 *
 * Functions are total: a u beyond the range is read as the end of the range.
 */
#ifndef BETTING_NORMAL_H
#define BETTING_NORMAL_H

#include "math.h"
#include "tables.h"

#define CURVE_ONE 1000000000000000000ULL
#define CURVE_U_MAX ((i64)TABLE_U_MAX) /* Phi^-1(0.999); the YES price stays in [0.001, 0.999] */
#define CURVE_P_ERROR 256ULL
#define CURVE_U_ERROR 100000LL /* of curve_u_of_price_e6: 1e-13 */
#define CURVE_PRICE_MIN_E6 1000U
#define CURVE_PRICE_MAX_E6 999000U

/* The piece of v >= 0, and how many quanta into it v lies. */
MATH_INLINE const struct curve_piece *curve_piece_of(u64 v, u64 *offset) {
    if (v > TABLE_U_MAX) v = TABLE_U_MAX;
    *offset = v & ((1ULL << 55) - 1);
    return &CURVE_PIECES[v >> 55];
}

/* Horner over the bends, or over those of the first or second derivative of s S(s): a constant order costs nothing. */
MATH_INLINE i64 curve_bend(const struct curve_piece *piece, u64 fraction, u32 order) {
    i64 bend = 0;
#pragma clang loop unroll(disable) /* unrolled: 50 CU less per evaluation, and 4 kB more of program */
    for (i64 power = 6; power > 0; power--) {
        i64 factor = order == 0 ? 1 : order == 1 ? power + 1 : power * (power + 1);
        bend = piece->bend[power - 1] * factor + mul_fraction(fraction, bend);
    }
    return bend;
}

/* g(u) at e18. */
MATH_SHARED u64 curve_g(i64 u) {
    u64 offset;
    const struct curve_piece *piece = curve_piece_of(magnitude(u), &offset);
    u64 fraction = offset << 9;
    u64 slope = piece->slope - (u64)(mul_fraction(fraction, curve_bend(piece, fraction, 0)) >> 4);
    u64 tail = (piece->edge - mul_high(offset << 4, slope)) >> 5;
    return u > 0 ? tail + (u64)u : tail;
}

/* Phi(u) at e18: the price of the side whose coordinate u is. */
MATH_SHARED u64 curve_price_e18(i64 u) {
    u64 offset;
    const struct curve_piece *piece = curve_piece_of(magnitude(u), &offset);
    u64 fraction = offset << 9;
    u64 slope = piece->slope - (u64)(mul_fraction(fraction, curve_bend(piece, fraction, 1)) >> 4);
    u64 tail = (mul_high(slope, CURVE_ONE) + 1) >> 1;
    return u > 0 ? CURVE_ONE - tail : tail;
}

/* The same, rounded to the nearest millionth. */
MATH_INLINE u32 curve_price_e6(i64 u) {
    return (u32)((curve_price_e18(u) + 500000000000ULL) / 1000000000000ULL);
}

/* phi(u) at e18. */
MATH_SHARED u64 curve_density_e18(i64 u) {
    u64 offset;
    const struct curve_piece *piece = curve_piece_of(magnitude(u), &offset);
    return mul_high((u64)curve_bend(piece, offset << 9, 2), TABLE_DENSITY_SCALE);
}

/* Phi(u) at e9 from the first three bends, within 1e-7: where Newton goes next, never what anything costs. */
MATH_INLINE u64 curve_slope_e9(i64 u) {
    u64 offset;
    const struct curve_piece *piece = curve_piece_of(magnitude(u), &offset);
    i64 fraction = (i64)(offset >> 23); /* 2^32; the bends at 2^37 */
    i64 bend = (piece->bend[2] >> 32) * 4;
    bend = (piece->bend[1] >> 32) * 3 + (fraction * bend >> 32);
    bend = (piece->bend[0] >> 32) * 2 + (fraction * bend >> 32);
    u64 tail = ((piece->slope >> 33) - (u64)(fraction * bend >> 37)) * 1000000000ULL >> 32;
    return u > 0 ? 1000000000ULL - tail : tail;
}

/* value * 1e9 / slope, Newton's next step; U64_MAX when it would not fit. */
MATH_INLINE u64 curve_step(u64 value, u64 slope_e9) {
    u64 whole = value / slope_e9;
    if (whole > 8000000000ULL) return U64_MAX;
    return whole * 1000000000ULL + (value - whole * slope_e9) * 1000000000ULL / slope_e9;
}

/* Phi^-1 at e18, for a price of 1_000 ... 999_000 (beyond that, of the nearer end).
 * Newton on Phi from the left edge of the piece; |Phi(u) - price| <= 3e-16, so u is within CURVE_U_ERROR. */
MATH_SHARED i64 curve_u_of_price_e6(u32 price_e6) {
    bool above = price_e6 > 500000;
    u64 tail_e6 = above ? (price_e6 < 1000000 ? 1000000 - price_e6 : 0) : price_e6;
    if (tail_e6 == 500000) return 0;
    if (tail_e6 <= CURVE_PRICE_MIN_E6) return above ? CURVE_U_MAX : -CURVE_U_MAX;
    u64 wanted = tail_e6 * 1000000000000ULL;
    u64 wanted_slope = (tail_e6 << 44) / 1000000 << 21; /* 2^65 */
    u32 low = 0, high = sizeof(CURVE_PIECES) / sizeof(CURVE_PIECES[0]);
    while (high - low > 1) {
        u32 middle = (low + high) / 2;
        if (CURVE_PIECES[middle].slope >= wanted_slope) low = middle;
        else high = middle;
    }
    u64 v = (u64)low << 55;
    u64 step = U64_MAX;
    /* Convergence is quadratic: a step below 2^29 quanta (5e-10) leaves less than one. */
    for (u32 iteration = 0; iteration < 6 && step >> 29; iteration++) {
        u64 tail = curve_price_e18(-(i64)v);
        bool left = tail >= wanted;
        step = curve_step(left ? tail - wanted : wanted - tail, curve_density_e18((i64)v) / 1000000000ULL);
        v = left ? v + step : v - step;
    }
    return above ? (i64)v : -(i64)v;
}

#endif
