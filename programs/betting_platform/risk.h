/* Fee, coverage, leverage, margin, health: what one trade pays and what one position or vault may do (SPEC section 4).
 * Coverage and sigma are at e6, fee rates in millionths of a basis point ("ubp"), amounts and shares in base units.
 * Every rounding is against the caller: fees, margins and caps on debt.
 */
#ifndef BETTING_RISK_H
#define BETTING_RISK_H

#include "math.h"
#include "sections.h"
#include "tables.h"

#define COVERAGE_MAX_E6 1000000000ULL   /* 1_000.0 */
#define COVERAGE_MIN_E6 500000ULL       /* 0.5: below it nothing is lent */
#define FEE_BASE_UBP 3000000ULL         /* 3 bp */
#define FEE_SLOPE_UBP 25000000ULL       /* 25 bp */
#define FEE_WHOLE_UBP 10000000000ULL    /* a rate of 100 % */
#define FEE_FLAT_COVERAGE_E6 8000000ULL /* from here on 25e6 exp(-3 c) lies between 0 and 1 */
#define BPS_ONE 10000ULL
#define PRICE_ONE_E6 1000000ULL
#define OUTCOMES_MAX 16U
#define GAP_RESERVE_DIVISOR 50ULL /* 0.02 of the shares */
#define LADDER_STEP 1000000000ULL /* $1_000 of vault equity: one multiple */
#define LADDER_END 10000000000ULL /* $10_000, the minimum viable vault */
#define LIQUIDATION_CAP_MIN_E6 20000ULL
#define LIQUIDATION_CAP_MAX_E6 80000ULL

/* 3 + 25 exp(-3 coverage) bp, rounded up; the error is below 2 ubp. Never rises with coverage. */
MATH_SHARED u64 fee_rate_ubp(u64 coverage_e6) {
    SECTION(fee);
    if (coverage_e6 == 0) return FEE_BASE_UBP + FEE_SLOPE_UBP;
    if (coverage_e6 >= FEE_FLAT_COVERAGE_E6) return FEE_BASE_UBP + 1;
    u64 halvings = coverage_e6 * TABLE_HALVINGS_PER_E6; /* 2^58; below 2^64 under the flat coverage */
    u64 fraction = halvings << 6;                       /* 2^64 */
    i64 power = 0;                                      /* 2^-fraction at 2^62 */
    for (u32 i = sizeof(EXP_BEND) / sizeof(EXP_BEND[0]); i > 0; i--) {
        power = EXP_BEND[i - 1] + mul_fraction(fraction, power);
    }
    return FEE_BASE_UBP + mul_high_shared(FEE_SLOPE_UBP << 2, (u64)power >> (halvings >> 58)) + 1;
}

/* The fee on a notional, rounded up. An error (of mul_div_or) when it does not fit. */
MATH_INLINE u64 fee_amount_or(u64 notional, u64 rate_ubp, u64* out) {
    return mul_div_or(notional, rate_ubp, FEE_WHOLE_UBP, true, out);
}
MATH_INLINE bool fee_amount(u64 notional, u64 rate_ubp, u64* out) {
    return fee_amount_or(notional, rate_ubp, out) == 0;
}

/* tail_loss(N) = 1 - 1/N at e6, rounded up; 1.0 for an N that no market has. The vault sums debt * this. */
MATH_INLINE u32 tail_loss_e6(u32 outcomes) {
    return outcomes >= 1 && outcomes <= OUTCOMES_MAX ? TAIL_LOSS_E6[outcomes] : 1000000;
}

/* Add debt * tail_loss to the vault's running sum of weighted debt (e6), or take it off; never below zero. */
MATH_INLINE void weigh_debt(u128* weighted_e6, u64 debt, u32 outcomes, bool is_repaid) {
    u128 weight = umul128(debt, tail_loss_e6(outcomes));
    if (!is_repaid) *weighted_e6 += weight;
    else *weighted_e6 = *weighted_e6 > weight ? *weighted_e6 - weight : 0;
}

/* Unlent cash over weighted debt, rounded down. 0 without cash; the cap without debt, and never above it.
 * A weighted debt of 2^64 or more ($18M) loses at most one part in 2^63, downwards. */
MATH_SHARED u64 coverage_e6(u64 cash, const u128* weighted_debt_e6) {
    SECTION(coverage);
    u64 top = (u64)(*weighted_debt_e6 >> 64), divisor = (u64)*weighted_debt_e6;
    if (cash == 0) return 0;
    if (top == 0 && divisor == 0) return COVERAGE_MAX_E6;
    /* Debt is at e6 and the result too. */
    u64 high = mul_high_shared(cash, 1000000000000ULL), low = cash * 1000000000000ULL;
    /* Halve both until the divisor fits, it upwards (a u128 shifts inline by constants only). */
    while (top) {
        u64 odd = divisor & 1;
        divisor = (top << 63 | divisor >> 1) + odd;
        top = (top >> 1) + (divisor < odd);
        low = high << 63 | low >> 1;
        high >>= 1;
    }
    if (high >= divisor) return COVERAGE_MAX_E6;
    u64 coverage = udiv128_64(high, low, divisor);
    return coverage < COVERAGE_MAX_E6 ? coverage : COVERAGE_MAX_E6;
}

/* The cap on whole multiples of leverage in a market of N outcomes. */
MATH_INLINE u32 tier_cap(u64 outcomes) {
    if (outcomes <= 1) return 100;
    if (outcomes <= 2) return 70;
    if (outcomes <= 4) return 25;
    if (outcomes <= 8) return 15;
    if (outcomes <= 16) return 12;
    return outcomes <= 64 ? 10 : 5;
}

/* min(coverage * 100 / sqrt(N), tier cap, ladder by vault equity), in whole multiples, down, never below 1.
 * The ladder: below $1k 1, then one multiple per whole $1k, and from $10k on none. 1 for an N that no market has. */
MATH_SHARED u64 leverage_max(u64 coverage_e6_value, u64 outcomes, u64 vault_equity) {
    SECTION(leverage);
    if (outcomes == 0 || outcomes > OUTCOMES_MAX) return 1;
    if (coverage_e6_value > COVERAGE_MAX_E6) coverage_e6_value = COVERAGE_MAX_E6;
    u64 leverage = coverage_e6_value * 100 / SQRT_E6[outcomes];
    if (leverage > tier_cap(outcomes)) leverage = tier_cap(outcomes);
    if (vault_equity < LADDER_END && leverage > vault_equity / LADDER_STEP) leverage = vault_equity / LADDER_STEP;
    return leverage > 1 ? leverage : 1;
}

/* floor(shares * price) at a price of at most 1_000_000: it fits. The 64-bit way serves up to $17M. */
MATH_SHARED u64 value_at(u64 shares, u64 price_e6) {
    u64 value = U64_MAX;
    if (!(shares >> 44)) return shares * price_e6 / PRICE_ONE_E6;
    (void)mul_div(shares, price_e6, PRICE_ONE_E6, false, &value);
    return value;
}
/* The same, rounded up. */
MATH_INLINE u64 value_at_up(u64 shares, u64 price_e6) { return shares - value_at(shares, PRICE_ONE_E6 - price_e6); }

/* ceil(0.02 * shares): what a two-point gap takes. */
MATH_INLINE u64 gap_reserve(u64 shares) { return shares ? (shares - 1) / GAP_RESERVE_DIVISOR + 1 : 0; }

/* max(ceil(mm_bps * margin), gap reserve): maintenance margin, or the reserve. Needs mm_bps <= 10_000: it fits. */
MATH_SHARED u64 required_margin(u64 margin, u64 shares, u64 mm_bps) {
    u64 reserve = gap_reserve(shares), maintenance = margin / BPS_ONE * mm_bps;
    maintenance += (margin % BPS_ONE * mm_bps + BPS_ONE - 1) / BPS_ONE;
    return maintenance > reserve ? maintenance : reserve;
}

/* floor(shares * price) - debt at a price of at most 1_000_000, clamped to an i64. */
MATH_SHARED i64 position_equity(u64 shares, u64 price_e6, u64 debt) {
    u64 value = value_at(shares, price_e6);
    if (value >= debt) return value - debt > (u64)I64_MAX ? I64_MAX : (i64)(value - debt);
    return debt - value > (u64)I64_MAX ? I64_MIN : -(i64)(debt - value);
}

/* floor(10_000 * equity / required), clamped to an i64; below 10_000 the position is liquidatable.
 * Without debt: I64_MAX, never liquidatable. With debt and nothing required (no shares, no margin): I64_MIN below zero
 * equity, else I64_MAX. */
MATH_SHARED i64 health_bps(u64 shares, u64 price_e6, u64 debt, u64 required) {
    u64 health;
    if (debt == 0) return I64_MAX;
    i64 equity = position_equity(shares, price_e6, debt);
    bool is_negative = equity < 0;
    if (!mul_div(magnitude(equity), BPS_ONE, required, is_negative, &health) || health > (u64)I64_MAX) {
        return is_negative ? I64_MIN : I64_MAX;
    }
    return is_negative ? -(i64)health : (i64)health;
}

/* clamp(2 %, 1.5 sigma, 8 %) at e6: the part of a market's open interest that one slot may liquidate. */
MATH_INLINE u64 liquidation_cap_e6(u64 sigma_e6) {
    if (sigma_e6 >= LIQUIDATION_CAP_MAX_E6) return LIQUIDATION_CAP_MAX_E6;
    u64 cap = sigma_e6 * 3 / 2;
    if (cap < LIQUIDATION_CAP_MIN_E6) return LIQUIDATION_CAP_MIN_E6;
    return cap < LIQUIDATION_CAP_MAX_E6 ? cap : LIQUIDATION_CAP_MAX_E6;
}

/* floor(open interest * cap), base units. */
MATH_INLINE u64 liquidation_cap(u64 open_interest, u64 sigma_e6) {
    u64 amount = 0;
    (void)mul_div(open_interest, liquidation_cap_e6(sigma_e6), 1000000, false, &amount); /* cap < 1: it fits */
    return amount;
}

/* sigma after an oracle move: EWMA of absolute moves with alpha = 1/8, rounded down. */
MATH_INLINE u64 sigma_next_e6(u64 sigma_e6, u32 price_before_e6, u32 price_after_e6) {
    u64 move = price_before_e6 > price_after_e6 ? price_before_e6 - price_after_e6 : price_after_e6 - price_before_e6;
    return (7 * sigma_e6 + move) / 8;
}

#endif
