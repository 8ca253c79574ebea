/* A maker's liquidity, wherever the maker is kept: in an account of its own, or inside a chain.
 *
 * Nothing here moves tokens or knows accounts: the caller pays `cash` into or out of the market's tokens, and keeps
 * `shares` for the maker as a position. Every rounding is against the maker. */
#ifndef LIQUIDITY_H
#define LIQUIDITY_H

#include "ledger.h"

#define LIQUIDITY_LOCK_SLOTS 150
#define SIDE_CAP_DIVISOR 8 /* leveraged shares of a side: at most L / 8 */

/* One change of a maker's liquidity: the caller fills the first half, put_liquidity or take_liquidity the rest. */
struct provision {
    const struct loaded* in; /* no global is needed once the market is resolved */
    struct pool* p;
    struct maker* k;                        /* its `pool` is set; a new one is zero otherwise */
    const struct address *owner, *position; /* whom the event names, and where it says that shares went */
    u64 liquidity;                          /* added or removed; added and zero: as much as `cash` pays for */

    u64 cash;      /* added: the price of the complete sets; removed: sets that merged, or what a resolved pool pays */
    u64 shares[2]; /* that the maker keeps beside it, by side: at most one side has any */
    u64 fees;      /* removed: what the maker had earned */
    u32 price_e6;  /* YES: of the pool, which no change of liquidity moves; once resolved, what it pays */
};

/* Fees earned since the last change of this maker's liquidity, rounded down: owed += (per L now - paid) * L. */
static KEEP u64 settle_maker_fees(struct maker* k, const struct pool* p) {
    struct wide *paid = &k->fee_per_liquidity_paid_q64, grown = p->fee_per_liquidity_q64;
    u64 whole;
    TRY(subtract_wide(&grown, paid->high, paid->low));
    TRY(mul_div_or(grown.high, k->liquidity, 1, false, &whole));
    REQUIRE(add_to(&k->fees_owed, whole) && add_to(&k->fees_owed, mul_high_shared(grown.low, k->liquidity)),
            ARITHMETIC);
    *paid = p->fee_per_liquidity_q64;
    return 0;
}

/* Take what a maker has earned out of the market's books, to be paid. */
static KEEP u64 take_maker_fees(struct market* m, struct maker* k, const struct pool* p, u64* fees) {
    TRY(settle_maker_fees(k, p));
    *fees = k->fees_owed;
    REQUIRE(*fees <= m->fees_makers, ARITHMETIC);
    m->fees_makers -= *fees;
    k->fees_owed = 0;
    return 0;
}

/* The shares that go to the maker are outstanding from now on. */
static KEEP u64 hand_out(struct provision* x, u64 yes, u64 no) {
    x->shares[SIDE_YES] = yes;
    x->shares[SIDE_NO] = no;
    REQUIRE(add_to(&x->p->outstanding[SIDE_YES], yes) && add_to(&x->p->outstanding[SIDE_NO], no), ARITHMETIC);
    return 0;
}

/* What both events begin with. */
static KEEP void tell_change(const struct provision* x, struct event_liquidity_removed* e) {
    copy_address(&e->owner, x->owner);
    copy_address(&e->position, x->shares[SIDE_YES] | x->shares[SIDE_NO] ? x->position : &SYSTEM_PROGRAM_ID);
    e->pool = x->k->pool;
    e->price_e6 = x->price_e6;
    e->liquidity_removed = x->liquidity;
}

static KEEP u64 emit_added(struct provision* x, u64 high) {
    const struct pool* p = x->p;
    struct curve after = curve_of(p);
    struct curve_point at;
    struct event_liquidity_added e;
    curve_point_of(curve_u(&after), &at);
    x->price_e6 = curve_nearest_e6(at.price);
    tell_change(x, (struct event_liquidity_removed*)&e);
    e.liquidity_before = p->liquidity - x->liquidity;
    e.liquidity_high = high;
    e.liquidity_after = p->liquidity;
    copy_words(&e.cash, &x->cash, 3);
    e.value = curve_liquidity_value(&at, x->liquidity);
    e.improvement_bps = curve_improvement_bps(&at, high, p->liquidity);
    return EMIT(x->in, e, LIQUIDITY_ADDED);
}

/* Add liquidity: at the pool's price, or at the oracle's into an empty pool, whose age the caller checks. */
static KEEP u64 put_liquidity(struct provision* x) {
    struct pool* p = x->p;
    struct maker* k = x->k;
    struct curve before = curve_of(p);
    struct curve_added added;
    added.cash = x->cash;
    TRY(curve_add_liquidity(&before, &x->liquidity, p->price_e6, &added));
    REQUIRE(added.cash, ZERO_AMOUNT);
    TRY(settle_maker_fees(k, p));
    roll_high(p, x->in);
    u64 high = p->high_this > p->high_previous ? p->high_this : p->high_previous;
    if (high < p->liquidity) high = p->liquidity;
    x->cash = added.cash;
    p->liquidity += x->liquidity; /* the curve keeps it below CURVE_LIQUIDITY_MAX */
    k->liquidity += x->liquidity;
    REQUIRE(add_to(&p->cash, x->cash), ARITHMETIC);
    TRY(hand_out(x, added.surplus_yes, added.surplus_no));
    if (p->high_this < p->liquidity) p->high_this = p->liquidity;
    k->last_add_slot = x->in->slot;
    return emit_added(x, high);
}

/* May this much leave now? Not within the lock, and not while the rest could not carry the leveraged shares. Spot
 * holders need no pool: their shares redeem at resolution, so all of it may leave under them. */
static KEEP u64 require_removable(const struct provision* x) {
    const struct pool* p = x->p;
    REQUIRE(x->in->slot - x->k->last_add_slot >= LIQUIDITY_LOCK_SLOTS, LIQUIDITY_LOCKED);
    if (x->in->market->status == MARKET_RESOLVED) return 0;
    u64 cap =
        (p->liquidity - x->liquidity) / SIDE_CAP_DIVISOR; /* wraps for more than there is: take_liquidity's to say */
    REQUIRE(p->leveraged[SIDE_YES] <= cap && p->leveraged[SIDE_NO] <= cap, SIDE_CAP);
    return 0;
}

/* A resolved pool has no price to hand shares back at, and redeeming has moved its q: what it owes to nobody belongs
 * to its makers, pro rata. Redeeming leaves that amount as it was, but for what rounding adds to it. */
static KEEP u64 share_of_resolved(struct provision* x) {
    const struct pool* p = x->p;
    u64 yes, no;
    x->price_e6 = p->price_e6;
    TRY(mul_div_or(p->outstanding[SIDE_YES], x->price_e6, PRICE_ONE_E6, true, &yes));
    TRY(mul_div_or(p->outstanding[SIDE_NO], PRICE_ONE_E6 - x->price_e6, PRICE_ONE_E6, true, &no));
    REQUIRE(add_to(&yes, no) && yes <= p->cash, ARITHMETIC);
    TRY(mul_div_or(p->cash - yes, x->liquidity, p->liquidity, false, &x->cash));
    return hand_out(x, 0, 0);
}

static KEEP u64 share_of_open(struct provision* x) {
    struct curve before = curve_of(x->p);
    struct curve_removed removed;
    roll_high(x->p, x->in);
    TRY(curve_remove_liquidity(&before, x->liquidity, &removed));
    x->price_e6 = pool_price_e6(x->p);
    x->cash = removed.yes < removed.no ? removed.yes : removed.no;
    return hand_out(x, removed.yes - x->cash, removed.no - x->cash);
}

/* Remove liquidity, with the maker's fees; no lock and no cap: see require_removable. Emits nothing: emit_removed. */
static KEEP u64 take_liquidity(struct provision* x) {
    struct pool* p = x->p;
    struct maker* k = x->k;
    REQUIRE(x->liquidity, ZERO_AMOUNT);
    REQUIRE(x->liquidity <= k->liquidity && x->liquidity <= p->liquidity, NOT_ENOUGH_LIQUIDITY);
    TRY(take_maker_fees(x->in->market, k, p, &x->fees));
    TRY(x->in->market->status == MARKET_RESOLVED ? share_of_resolved(x) : share_of_open(x));
    REQUIRE(x->cash <= p->cash, ARITHMETIC);
    p->cash -= x->cash;
    p->liquidity -= x->liquidity;
    k->liquidity -= x->liquidity;
    return 0;
}

static KEEP u64 emit_removed(const struct provision* x) {
    struct event_liquidity_removed e;
    tell_change(x, &e);
    e.liquidity_after = x->p->liquidity;
    copy_words(&e.cash, &x->cash, 4);
    return EMIT(x->in, e, LIQUIDITY_REMOVED);
}

_Static_assert(__builtin_offsetof(struct event_liquidity_added, liquidity_added) ==
                   __builtin_offsetof(struct event_liquidity_removed, liquidity_removed),
               "both events begin alike");

#endif
