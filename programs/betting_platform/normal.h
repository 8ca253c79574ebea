/* The normal distribution in integers: g(u) = u Phi(u) + phi(u), its derivative Phi (a price), and phi (a density).
 *
 * u, g, Phi and phi are at e18 ("quanta"). g is computed from h(v) = g(-v), v = |u|, as g(u) = h(|u|) + max(u, 0).
 * h is 22 pieces, each 2^57 quanta wide: h = edge - t S(s) with t the offset and S a polynomial of degree 9 in
 * s = t / 2^57, fitted at Chebyshev nodes (error of the fit below 0.06 quantum). S has 65 fractional bits, and more
 * where it is small; the edges 5 bits below a quantum; floors inside cost less than 0.1 quantum and the last one is to
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
#define CURVE_PIECE_BITS 57
#define CURVE_P_ERROR 256ULL
#define CURVE_U_ERROR 100000LL /* of curve_u_of_price_e6: 1e-13 */
#define CURVE_PRICE_MIN_E6 1000U
#define CURVE_PRICE_MAX_E6 999000U

/* At v >= 0: h at e18 (order 0), Phi(-v) at e18 (order 1), or phi(v) at e18 (order 2): one Horner for all three. */
MATH_SHARED u64 curve_tail(u64 v, u64 order) {
    if (v > TABLE_U_MAX) v = TABLE_U_MAX;
    const struct curve_piece* piece = &CURVE_PIECES[v >> CURVE_PIECE_BITS];
    u64 offset = v & ((1ULL << CURVE_PIECE_BITS) - 1), fraction = offset << (64 - CURVE_PIECE_BITS);
    /* The last bend is below 2^28: as many bits of the fraction are enough for it, and 64 for the product. */
    i64 bend = piece->bend[8] * (order == 0 ? 1 : order == 1 ? 10 : 90) * (i64)(fraction >> 36) >> 28;
#pragma clang loop unroll(disable) /* unrolled: 50 CU less per evaluation, and 4 kB more of program */
    for (i64 power = 8; power > 0; power--) {
        i64 factor = 1;
        if (order) factor = order == 1 ? power + 1 : power * (power + 1);
        bend = piece->bend[power - 1] * factor + bend;
        if (order == 2 && power == 1) return mul_high_shared((u64)bend, TABLE_DENSITY_SCALE) >> piece->shift;
        bend = mul_fraction(fraction, bend);
    }
    u64 slope = piece->slope - (u64)bend; /* 2^(65 + shift) */
    if (order) return ((mul_high_shared(slope, CURVE_ONE) >> piece->shift) + 1) >> 1;
    return (piece->edge - (mul_high_shared(offset << 4, slope) >> piece->shift)) >> 5;
}

/* g(u) at e18. */
MATH_SHARED u64 curve_g(i64 u) {
    u64 tail = curve_tail(magnitude(u), 0);
    return u > 0 ? tail + (u64)u : tail;
}

/* Phi(u) at e18: the price of the side whose coordinate u is. */
MATH_SHARED u64 curve_price_e18(i64 u) {
    u64 tail = curve_tail(magnitude(u), 1);
    return u > 0 ? CURVE_ONE - tail : tail;
}

/* The same, rounded to the nearest millionth. */
MATH_SHARED u32 curve_nearest_e6(u64 price_e18) { return (u32)((price_e18 + 500000000000ULL) / 1000000000000ULL); }
MATH_INLINE u32 curve_price_e6(i64 u) { return curve_nearest_e6(curve_price_e18(u)); }

/* phi(u) at e18. */
MATH_INLINE u64 curve_density_e18(i64 u) { return curve_tail(magnitude(u), 2); }

/* Phi(u) at e9 from the first four bends, within 1e-6: where Newton goes next, never what anything costs. */
MATH_INLINE u64 curve_slope_e9(i64 u) {
    u64 v = magnitude(u) > TABLE_U_MAX ? TABLE_U_MAX : magnitude(u);
    const struct curve_piece* piece = &CURVE_PIECES[v >> CURVE_PIECE_BITS];
    i64 fraction = (i64)((v & ((1ULL << CURVE_PIECE_BITS) - 1)) >>
                         (CURVE_PIECE_BITS - 32)); /* 2^32; the bends at 2^(33 + shift) */
    i64 bend = (piece->bend[3] >> 32) * 5;
    bend = (piece->bend[2] >> 32) * 4 + (fraction * bend >> 32);
    bend = (piece->bend[1] >> 32) * 3 + (fraction * bend >> 32);
    bend = (piece->bend[0] >> 32) * 2 + (fraction * bend >> 32);
    u64 tail = ((piece->slope >> 33) - (u64)(fraction * bend >> 33)) * 1000000000ULL >> 32 >> piece->shift;
    return u > 0 ? 1000000000ULL - tail : tail;
}

/* value * 1e9 / slope, Newton's next step; U64_MAX when it would not fit. */
MATH_SHARED u64 curve_step(u64 value, u64 slope_e9) {
    u64 whole = value / slope_e9;
    if (whole > 8000000000ULL) return U64_MAX;
    return whole * 1000000000ULL + (value - whole * slope_e9) * 1000000000ULL / slope_e9;
}

/* Phi^-1 at e18, for a price of 1_000 ... 999_000 (beyond that, of the nearer end).
 * Halley's method on Phi from the middle of the piece, as phi' = -v phi; |Phi(u) - price| <= 3e-16, so u is within
 * CURVE_U_ERROR. */
MATH_SHARED i64 curve_u_of_price_e6(u64 price_e6) {
    bool above = price_e6 > 500000;
    u64 tail_e6 = above ? (price_e6 < 1000000 ? 1000000 - price_e6 : 0) : price_e6;
    if (tail_e6 == 500000) return 0;
    if (tail_e6 <= CURVE_PRICE_MIN_E6) return above ? CURVE_U_MAX : -CURVE_U_MAX;
    u64 wanted = tail_e6 * 1000000000000ULL;
    u64 wanted_slope = (tail_e6 << 44) / 1000000 << 21; /* Phi at 2^65 */
    u64 low = 0;
    const u64 count = sizeof(CURVE_PIECES) / sizeof(CURVE_PIECES[0]);
    while (low + 1 < count && CURVE_PIECES[low + 1].slope >> CURVE_PIECES[low + 1].shift >= wanted_slope) low++;
    u64 v = (low << CURVE_PIECE_BITS) + (low + 1 < count ? 1ULL << (CURVE_PIECE_BITS - 1) : 0);
    u64 step = U64_MAX;
    /* Convergence is cubic: a step below 2^33 quanta (9e-9) leaves less than one. */
    for (u32 iteration = 0; iteration < 6 && step >> 33; iteration++) {
        u64 tail = curve_price_e18(-(i64)v);
        bool left = tail >= wanted;
        step = curve_step(left ? tail - wanted : wanted - tail, curve_density_e18((i64)v) / 1000000000ULL);
        u64 square = step / 1000000000ULL * (step / 1000000000ULL);
        v += mul_high_shared(9 * square + square / 4, v); /* v step^2 / 2 */
        v = left ? v + step : v - step;
    }
    return above ? (i64)v : -(i64)v;
}

#endif
