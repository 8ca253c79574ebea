/* Integers wider than 64 bits on a machine that has only 64: what the curve and the risk rules share.
 *
 * The target (sBPF v3 from -mcpu=v2) multiplies 64x64 -> 64 and divides unsigned 64/64. A u128 can be added,
 * subtracted and shifted inline; multiplying or dividing one would call __multi3 or __udivti3, which do not
 * exist there. So products and quotients are built from 32-bit halves here, once.
 */
#ifndef BETTING_MATH_H
#define BETTING_MATH_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;
typedef unsigned __int128 u128;

#ifndef __bool_true_false_are_defined
#define bool _Bool
#define true 1
#define false 0
#define __bool_true_false_are_defined 1
#endif

#define U64_MAX 0xffffffffffffffffULL
#define I64_MAX 0x7fffffffffffffffLL
#define I64_MIN (-I64_MAX - 1)

/* A function worth one copy in the program: calls cost little, bytes on chain cost rent. */
#define MATH_SHARED static __attribute__((noinline, unused))
/* A function small enough to disappear into its caller. */
#define MATH_INLINE static inline __attribute__((always_inline, unused))

/* High 64 bits of a * b: floor(a * b / 2^64). Inline where the curve is evaluated. */
MATH_INLINE u64 mul_high(u64 a, u64 b) {
    u64 a0 = (u32)a, a1 = a >> 32, b0 = (u32)b, b1 = b >> 32;
    u64 middle = a1 * b0 + (a0 * b0 >> 32); /* at most (2^32 - 1) * 2^32: cannot wrap */
    /* clang 21+ recognizes this idiom and would "simplify" it into a call of __multi3; it cannot see through this. */
    __asm__("" : "+r"(middle));
    u64 other = a0 * b1 + (u32)middle;
    return a1 * b1 + (middle >> 32) + (other >> 32);
}
/* The same in one place, for everybody else: 30 instructions fewer a use, 6 CU more. */
MATH_SHARED u64 mul_high_shared(u64 a, u64 b) {
    return mul_high(a, b);
}

/* floor(fraction * x / 2^64) for a signed x; floor, not truncation, also below zero: only the upper half is signed. */
MATH_INLINE i64 mul_fraction(u64 fraction, i64 x) {
    u64 f0 = (u32)fraction, f1 = fraction >> 32, x0 = (u32)x;
    i64 x1 = x >> 32;
    u64 middle = f1 * x0 + (f0 * x0 >> 32);
    __asm__("" : "+r"(middle)); /* as above */
    i64 other = x1 * (i64)f0 + (i64)(u32)middle;
    return x1 * (i64)f1 + (i64)(middle >> 32) + (other >> 32);
}

/* a * b in 128 bits. */
MATH_INLINE u128 umul128(u64 a, u64 b) {
    return (u128)mul_high_shared(a, b) << 64 | a * b;
}

/* Quotient of (high:low) / divisor. The remainder is low - quotient * divisor, modulo 2^64.
 * Needs high < divisor (so the quotient fits 64 bits, and divisor is not zero): callers check.
 * Source: Knuth, TAOCP 2, algorithm 4.3.1 D with two 32-bit digits; Hacker's Delight, divlu. */
MATH_SHARED u64 udiv128_64(u64 high, u64 low, u64 divisor) {
    if (high == 0) return low / divisor;
#pragma clang loop unroll(disable)
    for (u32 step = 32; step; step >>= 1) { /* until the divisor's top bit is set */
        if (divisor >> (64 - step)) continue;
        divisor <<= step;
        high = high << step | low >> (64 - step);
        low <<= step;
    }
    u64 d1 = divisor >> 32, d0 = (u32)divisor;
    u64 quotient = 0;
#pragma clang loop unroll(disable)
    for (u32 digit = 0; digit < 2; digit++) {
        u64 next = low >> 32; /* the next 32 bits of the dividend */
        low <<= 32;
        u64 guess = high / d1;
        u64 rest = high - guess * d1;
        /* The guess is at most two too large once the divisor's top bit is set. */
        while (guess >> 32 || guess * d0 > (rest << 32 | next)) {
            guess--;
            rest += d1;
            if (rest >> 32) break;
        }
        high = (high << 32 | next) - guess * divisor; /* modulo 2^64: the true value is below divisor */
        quotient = quotient << 32 | guess;
    }
    return quotient;
}

#define MATH_OVERFLOW 113 /* ERR_ARITHMETIC, for those who have no errors.h */

/* *out = a * b / d, rounded down or up: 0. MATH_OVERFLOW, leaving *out alone, when d is zero or the result needs more
 * than 64 bits. */
MATH_SHARED u64 mul_div_or(u64 a, u64 b, u64 d, bool round_up, u64 *out) {
    u64 high = mul_high_shared(a, b), low = a * b;
    if (high >= d) return MATH_OVERFLOW; /* also refuses d == 0 */
    u64 quotient = udiv128_64(high, low, d);
    if (round_up && low != quotient * d && ++quotient == 0) return MATH_OVERFLOW;
    *out = quotient;
    return 0;
}
MATH_INLINE bool mul_div(u64 a, u64 b, u64 d, bool round_up, u64 *out) {
    return mul_div_or(a, b, d, round_up, out) == 0;
}

MATH_INLINE u64 magnitude(i64 x) {
    return x < 0 ? 0 - (u64)x : (u64)x;
}

#endif
