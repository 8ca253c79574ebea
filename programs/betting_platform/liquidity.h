/* A maker's liquidity, wherever the maker is kept: in an account of its own, or inside a chain.
 *
 * Nothing here moves tokens or knows accounts: the caller pays `cash` in or out of the market's tokens, and keeps
 * `shares` for the maker as a position. Every rounding is against the maker. */
#ifndef LIQUIDITY_H
#define LIQUIDITY_H

#include "ledger.h"

#define LIQUIDITY_LOCK_SLOTS 150
#define SIDE_CAP_DIVISOR 8 /* leveraged shares of a side: at most L / 8 */

/* One change of a maker's liquidity: the caller fills the first half, put_liquidity or take_liquidity the rest. */
struct provision {
    const struct global* g;
    struct market* m;
    struct pool* p;
    struct maker* k;                        /* of this pool: `pool` is set, a new one is zero otherwise */
    const struct address *owner, *position; /* whom the event names, and where it says that shares go */
    u64 slot, liquidity;                    /* added or removed */

    u64 cash; /* added: the price of the complete sets; removed: the sets that merge, or what a resolved pool pays */
    u64 shares[2]; /* that the maker keeps beside them, by side: at most one side has any */
    u64 fees;      /* removed: what the maker had earned, now out of m->fees_makers */
    u32 price_e6;  /* YES, of the pool, or what it pays once resolved; a change of liquidity leaves it */
};

/* Fees earned since the last change of this maker's liquidity, rounded down: owed += (per L now - paid) * L. */
static KEEP u64 settle_maker_fees(struct maker* k, const struct pool* p) {
    const struct wide* now = &p->fee_per_liquidity_q64;
    struct wide* paid = &k->fee_per_liquidity_paid_q64;
    u64 low, borrow = __builtin_sub_overflow(now->low, paid->low, &low);
    u64 high = now->high - paid->high - borrow;
    u128 whole = umul128(high, k->liquidity);
    u64 fraction = mul_high(low, k->liquidity);
    REQUIRE(!(u64)(whole >> 64) && add_to(&k->fees_owed, (u64)whole) && add_to(&k->fees_owed, fraction), ARITHMETIC);
    *paid = *now;
    return 0;
}

/* Take what a maker has earned out of the market's books, to be paid. */
static KEEP u64 take_maker_fees(struct market* m, struct maker* k, const struct pool* p, u64* fees) {
    TRY(settle_maker_fees(k, p));
    REQUIRE(k->fees_owed <= m->fees_makers, ARITHMETIC);
    m->fees_makers -= k->fees_owed;
    *fees = k->fees_owed;
    k->fees_owed = 0;
    return 0;
}

static KEEP void start_change(struct provision* x) {
    roll_high(x->p, x->g, x->slot);
    x->shares[SIDE_YES] = x->shares[SIDE_NO] = 0;
}

static KEEP u64 emit_added(const struct provision* x, u64 high) {
    const struct pool* p = x->p;
    struct curve after = curve_of(p);
    i64 u = curve_u(&after);
    struct event_liquidity_added e;
    head_market(&e.head, EVENT_LIQUIDITY_ADDED, x->m, x->slot);
    e.owner = *x->owner;
    e.position = x->shares[SIDE_YES] | x->shares[SIDE_NO] ? *x->position : (struct address){{0}};
    e.pool = x->k->pool;
    e.price_e6 = x->price_e6;
    e.liquidity_added = x->liquidity;
    e.liquidity_before = p->liquidity - x->liquidity;
    e.liquidity_high = high;
    e.liquidity_after = p->liquidity;
    e.cash = x->cash;
    e.surplus_yes = x->shares[SIDE_YES];
    e.surplus_no = x->shares[SIDE_NO];
    e.value = curve_liquidity_value(u, x->liquidity);
    e.improvement_bps = curve_improvement_bps(u, high, p->liquidity);
    return emit(&e, sizeof e);
}

/* Add liquidity: at the pool's price, or at the oracle's into an empty pool, whose age the caller checks. */
static KEEP u64 put_liquidity(struct provision* x) {
    struct pool* p = x->p;
    struct maker* k = x->k;
    struct curve before = curve_of(p);
    struct curve_added added;
    TRY(curve_error(curve_add_liquidity(&before, x->liquidity, p->price_e6, &added)));
    REQUIRE(added.cash, ZERO_AMOUNT);
    TRY(settle_maker_fees(k, p));
    start_change(x);
    u64 high = p->high_this > p->high_previous ? p->high_this : p->high_previous;
    if (high < p->liquidity) high = p->liquidity;
    REQUIRE(add_to(&p->liquidity, x->liquidity) && add_to(&k->liquidity, x->liquidity), ARITHMETIC);
    REQUIRE(add_to(&p->cash, added.cash), ARITHMETIC);
    REQUIRE(add_to(&p->outstanding[SIDE_YES], added.surplus_yes) && add_to(&p->outstanding[SIDE_NO], added.surplus_no),
            ARITHMETIC);
    if (p->high_this < p->liquidity) p->high_this = p->liquidity;
    k->last_add_slot = x->slot;
    x->cash = added.cash;
    x->shares[SIDE_YES] = added.surplus_yes;
    x->shares[SIDE_NO] = added.surplus_no;
    x->price_e6 = pool_price_e6(p);
    return emit_added(x, high);
}

/* May this much leave now? Not within the lock, and not while the rest could not carry the leveraged shares. Spot
 * holders need no pool: their shares redeem at resolution, so all of it may leave under them. */
static KEEP u64 require_removable(const struct provision* x) {
    const struct pool* p = x->p;
    REQUIRE(x->slot - x->k->last_add_slot >= LIQUIDITY_LOCK_SLOTS, LIQUIDITY_LOCKED);
    REQUIRE(x->liquidity <= x->k->liquidity, NOT_ENOUGH_LIQUIDITY);
    if (x->m->status == MARKET_RESOLVED) return 0;
    u64 cap = (p->liquidity - x->liquidity) / SIDE_CAP_DIVISOR;
    REQUIRE(p->leveraged[SIDE_YES] <= cap && p->leveraged[SIDE_NO] <= cap, SIDE_CAP);
    return 0;
}

/* A resolved pool has no price to hand shares back at, and redeeming has moved its q: what it owes nobody belongs to
 * its makers, pro rata. Redeeming leaves that amount where it was, but for what rounding adds to it. */
static KEEP u64 share_of_resolved(struct provision* x) {
    const struct pool* p = x->p;
    u64 yes, no;
    x->price_e6 = p->price_e6;
    REQUIRE(mul_div(p->outstanding[SIDE_YES], side_price(p, SIDE_YES), PRICE_ONE_E6, true, &yes) &&
                mul_div(p->outstanding[SIDE_NO], side_price(p, SIDE_NO), PRICE_ONE_E6, true, &no) && add_to(&yes, no) &&
                yes <= p->cash,
            ARITHMETIC);
    REQUIRE(mul_div(p->cash - yes, x->liquidity, p->liquidity, false, &x->cash), ARITHMETIC);
    return 0;
}

static KEEP u64 share_of_open(struct provision* x) {
    struct pool* p = x->p;
    struct curve before = curve_of(p);
    struct curve_removed removed;
    x->price_e6 = pool_price_e6(p);
    TRY(curve_error(curve_remove_liquidity(&before, x->liquidity, &removed)));
    x->cash = removed.yes < removed.no ? removed.yes : removed.no;
    x->shares[SIDE_YES] = removed.yes - x->cash;
    x->shares[SIDE_NO] = removed.no - x->cash;
    REQUIRE(
        add_to(&p->outstanding[SIDE_YES], x->shares[SIDE_YES]) && add_to(&p->outstanding[SIDE_NO], x->shares[SIDE_NO]),
        ARITHMETIC);
    return 0;
}

/* Remove liquidity, with the maker's fees; no lock and no cap: see require_removable. Emits nothing: emit_removed. */
static KEEP u64 take_liquidity(struct provision* x) {
    struct pool* p = x->p;
    struct maker* k = x->k;
    REQUIRE(x->liquidity, ZERO_AMOUNT);
    REQUIRE(x->liquidity <= k->liquidity && x->liquidity <= p->liquidity, NOT_ENOUGH_LIQUIDITY);
    TRY(take_maker_fees(x->m, k, p, &x->fees));
    start_change(x);
    TRY(x->m->status == MARKET_RESOLVED ? share_of_resolved(x) : share_of_open(x));
    REQUIRE(x->cash <= p->cash, ARITHMETIC);
    p->cash -= x->cash;
    p->liquidity -= x->liquidity;
    k->liquidity -= x->liquidity;
    return 0;
}

static KEEP u64 emit_removed(const struct provision* x) {
    struct event_liquidity_removed e;
    head_market(&e.head, EVENT_LIQUIDITY_REMOVED, x->m, x->slot);
    e.owner = *x->owner;
    e.position = x->shares[SIDE_YES] | x->shares[SIDE_NO] ? *x->position : (struct address){{0}};
    e.pool = x->k->pool;
    e.price_e6 = x->price_e6;
    e.liquidity_removed = x->liquidity;
    e.liquidity_after = x->p->liquidity;
    e.cash = x->cash;
    e.shares_yes = x->shares[SIDE_YES];
    e.shares_no = x->shares[SIDE_NO];
    e.fees_paid = x->fees;
    return emit(&e, sizeof e);
}

#endif
