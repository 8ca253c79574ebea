/* How the numbers in the accounts change: coverage, fees, debts, shares. No I/O, no checks of callers. */
#ifndef LEDGER_H
#define LEDGER_H

#include "curve.h"
#include "events.h"
#include "risk.h"

#define EPOCH_SLOTS 9000
#define LEVERAGE_AGE_MAX_SLOTS 150 /* leveraged opens, liquidations */
#define SPOT_AGE_MAX_SLOTS 750     /* spot opens, a pool's first liquidity */

static inline bool add_to(u64* total, u64 amount) { return (*total += amount) >= amount; }

/* ---- pools ---- */

static inline struct curve curve_of(const struct pool* p) {
    return (struct curve){p->liquidity, (i64)(p->outstanding[SIDE_YES] - p->outstanding[SIDE_NO])};
}

static inline u64 side_price(const struct pool* p, u8 side) {
    return side == SIDE_YES ? p->price_e6 : PRICE_ONE_E6 - p->price_e6;
}

static KEEP u64 curve_error(u32 status) {
    switch (status) {
        case CURVE_OK: return 0;
        case CURVE_PRICE_RANGE: return ERR_PRICE_RANGE;
        case CURVE_NO_LIQUIDITY: return ERR_NO_LIQUIDITY;
        case CURVE_ZERO: return ERR_ZERO_AMOUNT;
        default: return ERR_ARITHMETIC;
    }
}

/* Highest L of this and the previous epoch, brought up to date before L changes: L was constant since its last
 * change, so an epoch without one had this L throughout. */
static inline void roll_high(struct pool* p, const struct global* g, u64 slot) {
    u64 epoch = (slot - g->season_start_slot) / EPOCH_SLOTS + 1; /* 0: never rolled */
    if (epoch == p->high_epoch) return;
    p->high_previous = epoch == p->high_epoch + 1 ? p->high_this : p->liquidity;
    p->high_this = p->liquidity;
    p->high_epoch = epoch;
}

/* ---- fees: 70 % vault, 20 % makers, 10 % treasury; what rounding leaves goes to the vault ---- */

static KEEP u64 book_fee(struct market* m, struct pool* p, u64 fee) {
    u64 treasury = fee / 10, makers = fee / 5;
    if (!p->liquidity) makers = 0;
    if (makers) { /* fee_per_liquidity += makers * 2^64 / L; whole units first, so that 64-bit division serves */
        u64 whole = makers / p->liquidity, rest = makers % p->liquidity, remainder;
        u64 fraction = udiv128_64(rest, 0, p->liquidity, &remainder);
        struct wide* sum = &p->fee_per_liquidity_q64;
        u64 carry = __builtin_add_overflow(sum->low, fraction, &sum->low);
        REQUIRE(add_to(&sum->high, whole) && add_to(&sum->high, carry), ARITHMETIC);
    }
    REQUIRE(add_to(&m->fees_treasury, treasury) && add_to(&m->fees_makers, makers), ARITHMETIC);
    REQUIRE(add_to(&m->fees_vault, fee - treasury - makers), ARITHMETIC);
    return 0;
}

/* ---- the vault ---- */

static inline u64 vault_coverage_e6(const struct vault* v) {
    u128 debt = (u128)v->weighted_debt_e6.high << 64 | v->weighted_debt_e6.low;
    return coverage_e6(v->cash, &debt);
}
/* Cash and loans at book. Inventory counts for stakers (vault_value), not for how much may be lent. */
static inline u64 vault_equity(const struct vault* v) { return v->cash + v->loans; }
static inline u64 vault_value(const struct vault* v) { return v->cash + v->loans + v->inventory_cost; }

static KEEP u64 lend(struct vault* v, struct market* m, u64 amount) {
    REQUIRE(amount <= v->cash, VAULT_CASH);
    v->cash -= amount;
    REQUIRE(add_to(&v->loans, amount) && add_to(&m->debt, amount), ARITHMETIC);
    u128 weighted = umul128(amount, tail_loss_e6(m->outcomes));
    u64 carry = __builtin_add_overflow(v->weighted_debt_e6.low, (u64)weighted, &v->weighted_debt_e6.low);
    u64 high = (u64)(weighted >> 64);
    REQUIRE(add_to(&v->weighted_debt_e6.high, high) && add_to(&v->weighted_debt_e6.high, carry), ARITHMETIC);
    return 0;
}

/* A loan ends: repaid in cash, in inventory, or as bad debt. The caller books the other side. */
static KEEP u64 end_loan(struct vault* v, struct market* m, u64 amount) {
    REQUIRE(amount <= v->loans && amount <= m->debt, ARITHMETIC);
    v->loans -= amount;
    m->debt -= amount;
    u128 weighted = umul128(amount, tail_loss_e6(m->outcomes));
    u64 borrow = __builtin_sub_overflow(v->weighted_debt_e6.low, (u64)weighted, &v->weighted_debt_e6.low);
    u64 high = (u64)(weighted >> 64);
    REQUIRE(v->weighted_debt_e6.high >= high + borrow, ARITHMETIC);
    v->weighted_debt_e6.high -= high + borrow;
    return 0;
}

/* ---- trades against a pool ---- */

static KEEP u64 buy_for_cash(struct pool* p, u8 side, u64 cash, u64* shares) {
    struct curve curve = curve_of(p);
    u32 iterations;
    TRY(curve_error(curve_buy_cash(&curve, side, cash, shares, &iterations)));
    REQUIRE(*shares, ZERO_AMOUNT);
    REQUIRE(add_to(&p->cash, cash) && add_to(&p->outstanding[side], *shares), ARITHMETIC);
    return 0;
}

static KEEP u64 sell_shares(struct pool* p, u8 side, u64 shares, u64* proceeds) {
    struct curve curve = curve_of(p);
    TRY(curve_error(curve_sell_shares(&curve, side, shares, proceeds)));
    REQUIRE(*proceeds <= p->cash && shares <= p->outstanding[side], ARITHMETIC);
    p->cash -= *proceeds;
    p->outstanding[side] -= shares;
    return 0;
}

static inline u32 pool_price_e6(const struct pool* p) {
    struct curve curve = curve_of(p);
    return curve_price_e6(curve_u(&curve));
}

#endif
