/* The pm-AMM of one binary pool, in integers (Paradigm, Moallemi & Robinson 2024; SPEC section 4).
 *
 * State: liquidity L and q = y - x, the difference of the reserves, which equals outstanding YES - outstanding NO,
 * both in base units. u = q / L; YES price P = Phi(u); reserves x = L g(-u) of YES and y = L g(u) of NO (normal.h).
 * The NO side is the same pool with q -> -q, and every function below turns into the coordinates of its side first.
 *
 * ROUNDING. u = q 1e18 / L is truncated towards zero: monotone in q, and symmetric under the mirror. That moves g by
 * less than one quantum of 1e-18, always towards the value at zero; g itself is within 0.7. A *difference* of two
 * computed g is therefore within CURVE_G_ERROR = 3 quanta of the true one, and every amount adds or subtracts those 3
 * before it is rounded: at L = $1M that is 3e-6 base units, and it is never in the caller's favour.
 *
 * SAFETY. Let C be the cash (complete sets minted). The pool keeps x = C - outstanding YES >= L g(-u): then both
 * reserves are positive and C >= each outstanding payout. A trade keeps it because its cash is rounded against the
 * trader; liquidity because of the convexity of F(L, q) = L g(-q / L), shown where it is used.
 *
 * Functions are total: a pool outside the range is refused, and no input makes them divide by zero.
 */
#ifndef BETTING_CURVE_H
#define BETTING_CURVE_H

#include "math.h"
#include "normal.h"
#include "sections.h"
#include "tables.h"

#define CURVE_G_ERROR 3ULL
#define CURVE_LIQUIDITY_MAX 1000000000000000000ULL /* q then fits an i64 */
#define CURVE_ITERATIONS_MAX 10U
#define CURVE_IMPACT_MAX_E9 100000000ULL  /* 0.1 */
#define CURVE_IMPACT_ORDER 1000000000ULL  /* $1_000 */
#define CURVE_IMPACT_PER_BPS_E9 100000ULL /* 1 bp = 1e-4 of price */

enum curve_status { /* the program's errors (errors.h): a refusal of the curve is the program's */
                    CURVE_OK = 0,
                    CURVE_OVERFLOW = MATH_OVERFLOW, /* an amount would not fit 64 bits, or liquidity would pass
                                                       CURVE_LIQUIDITY_MAX */
                    CURVE_PRICE_RANGE = 123,        /* the YES price would leave [0.001, 0.999] */
                    CURVE_NO_LIQUIDITY = 130,       /* an empty pool, or more liquidity asked back than there is */
                    CURVE_ZERO = 131,               /* nothing asked, or the amount is too small to move anything */
};

enum curve_side { CURVE_YES = 0, CURVE_NO = 1 };

struct curve {
    u64 liquidity; /* L, base units */
    i64 q;         /* outstanding YES - outstanding NO, base units */
};

struct curve_added {
    u64 cash;        /* complete sets the maker pays for, base units */
    u64 surplus_yes; /* shares the maker keeps; at most one of the two is not zero */
    u64 surplus_no;
    i64 q; /* of the pool afterwards; its liquidity grows by what was asked */
};

struct curve_removed {
    u64 yes; /* shares handed back; min(yes, no) merges to cash, the rest is a position */
    u64 no;
    i64 q; /* of the pool afterwards */
};

/* q in the coordinates of a side (never I64_MIN): buying that side makes it grow. */
MATH_INLINE i64 curve_side_q(const struct curve* c, u32 side) { return side == CURVE_NO ? -c->q : c->q; }

MATH_SHARED i64 curve_u_of(u64 liquidity, i64 q) {
    SECTION(curve);
    u64 v;
    if (!mul_div(magnitude(q), CURVE_ONE, liquidity, false, &v) || v > (u64)I64_MAX) v = liquidity ? I64_MAX : 0;
    return q < 0 ? -(i64)v : (i64)v;
}

/* u at e18, truncated towards zero; 0 for an empty pool. */
MATH_INLINE i64 curve_u(const struct curve* c) { return curve_u_of(c->liquidity, c->q); }

MATH_INLINE bool curve_is_tradable(i64 u) { return magnitude(u) <= TABLE_U_MAX; }

/* u * liquidity, rounded towards plus or minus infinity. */
MATH_SHARED u64 curve_q_of(i64 u, u64 liquidity, bool round_up, i64* q) {
    u64 size;
    if (mul_div_or(magnitude(u), liquidity, CURVE_ONE, round_up == (u > 0), &size)) return CURVE_OVERFLOW;
    if (size > (u64)I64_MAX) return CURVE_OVERFLOW;
    *q = u < 0 ? -(i64)size : (i64)size;
    return CURVE_OK;
}

/* Where u of a side stands, and where `shares` more (bought) or fewer (sold) leave it. */
MATH_SHARED u64 curve_move(const struct curve* c, u32 side, u64 shares, bool is_buy, i64 u[2]) {
    if (c->liquidity == 0) return CURVE_NO_LIQUIDITY;
    if (shares == 0) return CURVE_ZERO;
    i64 q = curve_side_q(c, side);
    if (shares > (u64)I64_MAX - magnitude(q)) return CURVE_PRICE_RANGE;
    u[0] = curve_u_of(c->liquidity, q);
    u[1] = curve_u_of(c->liquidity, is_buy ? q + (i64)shares : q - (i64)shares);
    return curve_is_tradable(u[0]) && curve_is_tradable(u[1]) ? CURVE_OK : CURVE_PRICE_RANGE;
}

/* What `shares` of a side cost, rounded up: at least the curve's amount, and at least shares * the price before. */
MATH_SHARED u64 curve_buy_shares(const struct curve* c, u32 side, u64 shares, u64* cost) {
    SECTION(curve);
    i64 u[2];
    u64 status = curve_move(c, side, shares, true, u);
    if (status != CURVE_OK) return status;
    u64 rise = curve_g(u[1]) - curve_g(u[0]) + CURVE_G_ERROR;
    u64 price = curve_price_e18(u[0]) + CURVE_P_ERROR;
    u64 by_curve, by_price;
    if (mul_div_or(c->liquidity, rise, CURVE_ONE, true, &by_curve)) return CURVE_OVERFLOW;
    if (mul_div_or(shares, price, CURVE_ONE, true, &by_price)) return CURVE_OVERFLOW;
    *cost = by_curve > by_price ? by_curve : by_price;
    return CURVE_OK;
}

/* What `shares` of a side sell for, rounded down: at most the curve's amount, and at most shares * the price
 * before. May be 0. */
MATH_SHARED u64 curve_sell_shares(const struct curve* c, u32 side, u64 shares, u64* proceeds) {
    SECTION(curve);
    i64 u[2];
    u64 status = curve_move(c, side, shares, false, u);
    if (status != CURVE_OK) return status;
    u64 fall = curve_g(u[0]) - curve_g(u[1]);
    fall = fall > CURVE_G_ERROR ? fall - CURVE_G_ERROR : 0;
    u64 price = curve_price_e18(u[0]);
    price = price > CURVE_P_ERROR ? price - CURVE_P_ERROR : 0;
    u64 by_curve, by_price;
    if (mul_div_or(c->liquidity, fall, CURVE_ONE, false, &by_curve)) return CURVE_OVERFLOW;
    if (mul_div_or(shares, price, CURVE_ONE, false, &by_price)) return CURVE_OVERFLOW;
    *proceeds = by_curve < by_price ? by_curve : by_price;
    return CURVE_OK;
}

/* Where Newton starts: every tangent of a convex function crosses a height above its root, so take the lowest
 * crossing of a few. `low` is where the pool stands, `price` the slope there, `climb` the way up to `aim`. */
MATH_INLINE i64 curve_first_guess(i64 low, u64 price, u64 climb, u64 aim) {
    i64 guess = CURVE_U_MAX;
    u64 step = curve_step(climb, price / 1000000000ULL);
    if (step < (u64)(guess - low)) guess = low + (i64)step;
    if (guess > (i64)aim) guess = (i64)aim; /* g(u) > u */
    for (u32 i = 0; i < sizeof(CURVE_TANGENTS) / sizeof(CURVE_TANGENTS[0]); i++) {
        u64 inverse_slope = CURVE_TANGENTS[i].inverse_slope;
        if (aim > 8 * CURVE_ONE / inverse_slope) break; /* steep heights: the later tangents lie far above */
        i64 crossing = (i64)(inverse_slope * aim) - CURVE_TANGENTS[i].offset;
        if (crossing > low && crossing < guess) guess = crossing;
    }
    return guess;
}

/* A u of at least `low` with wanted - tolerance <= g(u) <= wanted, where g(low) <= wanted <= g(CURVE_U_MAX).
 * g is convex, so Newton from above stays above; it aims at the middle of the tolerance, fenced by bisection.
 * At the cap it returns the best u below: g(u) <= wanted always. */
MATH_SHARED i64 curve_u_of_g(i64 low, i64 guess, u64 wanted, u64 tolerance, u32* iterations) {
    u64 aim = wanted - tolerance / 2;
    i64 high = CURVE_U_MAX, u = guess;
    for (*iterations = 1;; ++*iterations) {
        u64 here = curve_g(u);
        if (here <= wanted) low = u;
        else high = u;
        if (here <= wanted && wanted - here <= tolerance) break;
        if (*iterations == CURVE_ITERATIONS_MAX) break;
        bool above = here > aim;
        u64 step = curve_step(above ? here - aim : aim - here, curve_slope_e9(u));
        if (step >= (u64)(above ? u - low : high - u)) u = low + (high - low) / 2;
        else u = above ? u - (i64)step : u + (i64)step;
    }
    return low;
}

/* The shares of a side that `cash` buys: curve_buy_shares of the result costs at most `cash`, and for L <= 1e16 at
 * least cash - 2 base units. The rest is the pool's. */
MATH_SHARED u64 curve_buy_cash(const struct curve* c, u32 side, u64 cash, u64* shares, u32* iterations) {
    SECTION(curve);
    *iterations = 0;
    u64 liquidity = c->liquidity, rise;
    if (liquidity == 0) return CURVE_NO_LIQUIDITY;
    if (cash == 0) return CURVE_ZERO;
    /* Nothing costs more than the whole range, 3.1 L. */
    if (!mul_div(cash, CURVE_ONE, liquidity, false, &rise) || rise > 4 * CURVE_ONE) return CURVE_PRICE_RANGE;
    if (rise <= CURVE_G_ERROR) return CURVE_ZERO;
    i64 q = curve_side_q(c, side);
    i64 u = curve_u_of(liquidity, q);
    if (!curve_is_tradable(u)) return CURVE_PRICE_RANGE;
    u64 price = curve_price_e18(u);
    u64 here = curve_g(u), wanted = here + rise - CURVE_G_ERROR;
    if (wanted > TABLE_G_AT_U_MAX) return CURVE_PRICE_RANGE;
    u64 tolerance = CURVE_ONE / 8 / liquidity + 8; /* an eighth of a base unit of cash is near enough */
    if (tolerance > wanted - here) tolerance = wanted - here;
    u64 aim = wanted - tolerance / 2;
    u = curve_u_of_g(u, curve_first_guess(u, price, aim - here, aim), wanted, tolerance, iterations);
    i64 reached; /* the largest q whose u is at most this one */
    u64 most;
    if (curve_q_of(u, liquidity, false, &reached)) return CURVE_OVERFLOW;
    u64 bought = reached > q ? (u64)reached - (u64)q : 0;
    /* A buy also costs at least shares * the price before. */
    if (mul_div(cash, CURVE_ONE, price + CURVE_P_ERROR, false, &most) && bought > most) bought = most;
    if (bought == 0) return CURVE_ZERO;
    *shares = bought;
    return CURVE_OK;
}

/* How many shares of a side can be sold while its marginal price stays at or above the floor; 0 when it is below
 * already. A floor under 1_000 is 1_000: the pool goes no lower. */
MATH_SHARED u64 curve_shares_to_price(const struct curve* c, u32 side, u32 floor_price_e6, u64* shares) {
    SECTION(curve);
    if (c->liquidity == 0) return CURVE_NO_LIQUIDITY;
    i64 u = curve_u_of_price_e6(floor_price_e6) + CURVE_U_ERROR;
    i64 q = curve_side_q(c, side), lowest;
    if (curve_q_of(u, c->liquidity, true, &lowest)) return CURVE_OVERFLOW;
    *shares = q > lowest ? (u64)q - (u64)lowest : 0;
    return CURVE_OK;
}

/* What liquidity dL is of a pool, against the maker: dL g(|u|) complete sets, and the dL |u| by which one side is more.
 * Added, the sets are rounded up and the rest down; removed, the other way round. No dL: the most that *sets pay for.
 */
MATH_SHARED u64 curve_portion(const struct curve* c, u64* delta_liquidity, bool is_added, u64* sets, u64* rest) {
    u64 g = curve_g((i64)magnitude(curve_u(c))) + (is_added ? CURVE_G_ERROR : 0 - CURVE_G_ERROR);
    if (!*delta_liquidity && mul_div_or(*sets, CURVE_ONE, g, false, delta_liquidity)) return CURVE_OVERFLOW;
    u64 status = mul_div_or(*delta_liquidity, g, CURVE_ONE, is_added, sets);
    return status ? status : mul_div_or(magnitude(c->q), *delta_liquidity, c->liquidity, !is_added, rest);
}

/* A maker adds liquidity dL at the pool's u; an empty pool takes its u from `initial_price_e6`. For no dL it becomes
 * the most that `out->cash` pays for. The maker pays M = ceil(dL g(|u|)) complete sets and keeps the surplus D =
 * floor(dL |u|) of the side the pool needs less of. The reserves grow by M and M - D, q by +-D. Why that is enough: F
 * is convex and homogeneous, so F(L + dL, q + dq) <= F(L, q) + F(dL, dq), and F of the minor side is dL g(D / dL) - D
 * <= dL g(|u|) - D <= M - D. */
MATH_SHARED u64 curve_add_liquidity(const struct curve* c, u64* delta_liquidity, u32 initial_price_e6,
                                    struct curve_added* out) {
    SECTION(curve);
    struct curve at = *c;
    u64 surplus;
    if (!(*delta_liquidity | out->cash)) return CURVE_ZERO;
    i64 before = c->q;
    if (c->liquidity == 0) { /* it is added to as if one unit of liquidity stood at that price */
        if (initial_price_e6 < CURVE_PRICE_MIN_E6 || initial_price_e6 > CURVE_PRICE_MAX_E6) return CURVE_PRICE_RANGE;
        at = (struct curve){CURVE_ONE, curve_u_of_price_e6(initial_price_e6)};
        before = 0;
    }
    u64 status = curve_portion(&at, delta_liquidity, true, &out->cash, &surplus);
    if (status) return status;
    if (*delta_liquidity == 0) return CURVE_ZERO;
    if (*delta_liquidity > CURVE_LIQUIDITY_MAX || c->liquidity > CURVE_LIQUIDITY_MAX - *delta_liquidity) {
        return CURVE_OVERFLOW;
    }
    if (surplus > (u64)I64_MAX - magnitude(before)) return CURVE_OVERFLOW;
    out->surplus_yes = at.q > 0 ? surplus : 0;
    out->surplus_no = at.q > 0 ? 0 : surplus;
    out->q = at.q > 0 ? before + (i64)surplus : before - (i64)surplus;
    return CURVE_OK;
}

/* A maker takes liquidity dL back at the pool's u: floor(dL g(|u|)) of the side the pool holds more of, and
 * ceil(dL |u|) fewer of the other, so that q moves towards zero by exactly their difference.
 * Why the rest is enough, with r = ceil(dL |u|) - dL |u|: F(L - dL, q') = (L - dL) g(-|u| + r / (L - dL))
 * <= (L - dL) g(-|u|) + r, and the minor side gives up at most dL g(-|u|) - r.
 * CURVE_ZERO when dL is too small for that (below $0.004 of liquidity); all of a pool can always leave. */
MATH_SHARED u64 curve_remove_liquidity(const struct curve* c, u64 delta_liquidity, struct curve_removed* out) {
    SECTION(curve);
    u64 major, difference;
    if (delta_liquidity == 0) return CURVE_ZERO;
    if (delta_liquidity > c->liquidity) return CURVE_NO_LIQUIDITY;
    u64 status = curve_portion(c, &delta_liquidity, false, &major, &difference);
    if (status) return status;
    if (difference > major) return CURVE_ZERO;
    u64 minor = major - difference;
    out->yes = c->q > 0 ? minor : major;
    out->no = c->q > 0 ? major : minor;
    out->q = c->q > 0 ? c->q - (i64)difference : c->q + (i64)difference;
    return CURVE_OK;
}

/* Phi and phi where a pool stands, both e18: the price of YES, and what liquidity is worth there. */
struct curve_point {
    u64 price, density;
};

MATH_INLINE void curve_point_of(i64 u, struct curve_point* out) {
    out->price = curve_price_e18(u);
    out->density = curve_density_e18(u);
}

/* floor(dL phi(u)), base units: the value liquidity adds to the pool (V = L phi). */
MATH_INLINE u64 curve_liquidity_value(const struct curve_point* at, u64 delta_liquidity) {
    u64 value = 0;
    (void)mul_div(delta_liquidity, at->density, CURVE_ONE, false, &value); /* phi < 1: it fits */
    return value;
}

/* phi(u) / P at e9, P the YES price: how steep a pool is where it stands. */
MATH_INLINE u64 curve_steepness_e9(const struct curve_point* at) {
    u64 ratio_e9 = U64_MAX;
    (void)mul_div(at->density, 1000000000ULL, at->price, false, &ratio_e9);
    return ratio_e9;
}

/* min(phi(u) $1_000 / (P L), 0.1) at e9: how far a $1_000 order moves the price. 0.1 for no pool. */
MATH_SHARED u64 curve_impact_of(u64 steepness_e9, u64 liquidity) {
    u64 impact = CURVE_IMPACT_MAX_E9;
    (void)mul_div(steepness_e9, CURVE_IMPACT_ORDER, liquidity, false, &impact);
    return impact < CURVE_IMPACT_MAX_E9 ? impact : CURVE_IMPACT_MAX_E9;
}
MATH_INLINE u64 curve_impact_e9(const struct curve_point* at, u64 liquidity) {
    return curve_impact_of(curve_steepness_e9(at), liquidity);
}

/* Fall of the impact from L_before to L_after, in whole bps of price; 0 when it does not fall. */
MATH_INLINE u64 curve_improvement_bps(const struct curve_point* at, u64 liquidity_before, u64 liquidity_after) {
    u64 steepness_e9 = curve_steepness_e9(at);
    u64 before = curve_impact_of(steepness_e9, liquidity_before),
        after = curve_impact_of(steepness_e9, liquidity_after);
    return before > after ? (before - after) / CURVE_IMPACT_PER_BPS_E9 : 0;
}

#endif
