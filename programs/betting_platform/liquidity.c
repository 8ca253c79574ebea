/* add_liquidity: a maker pays for complete sets, leaves both reserves, and keeps the surplus side as a position. */
#include "ledger.h"
#include "payments.h"

static KEEP u64 open_surplus_position(const struct context* c, const struct add_liquidity_data* d, u8 side, u64 shares,
                                      u64 slot) {
    const struct add_liquidity_accounts* a = (const void*)c->accounts;
    struct slice seeds[5] = {
        {"position", 8}, {key_of(a->market), 32}, {key_of(a->owner), 32}, {&d->position_id, 4}, {&d->position_bump, 1}};
    struct birth birth = {a->owner, a->position, a->market, seeds, 5};
    TRY(create_state(c, KIND_POSITION, &birth));
    struct position* s = data_of(a->position);
    s->side = side;
    s->pool = d->pool;
    s->shares = shares;
    s->opened_slot = slot;
    s->position_id = d->position_id;
    return 0;
}

static KEEP u64 load_or_create_maker(const struct context* c, const struct add_liquidity_data* d, struct maker** out) {
    const struct add_liquidity_accounts* a = (const void*)c->accounts;
    struct maker* k = data_of(a->maker);
    if (same(owner_of(a->maker), &SYSTEM_PROGRAM_ID)) {
        struct slice seeds[5] = {
            {"maker", 5}, {key_of(a->market), 32}, {&d->pool, 1}, {key_of(a->owner), 32}, {&d->maker_bump, 1}};
        struct birth birth = {a->owner, a->maker, a->market, seeds, 5};
        TRY(create_state(c, KIND_MAKER, &birth));
        k->pool = d->pool;
    }
    TRY(require_state(c, a->maker, KIND_MAKER, sizeof(struct maker)));
    REQUIRE(same(&k->market, key_of(a->market)) && same(&k->owner, key_of(a->owner)) && k->pool == d->pool,
            WRONG_ADDRESS);
    *out = k;
    return 0;
}

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

static KEEP u64 process_add_liquidity(const struct context* c) {
    const struct add_liquidity_data* d;
    const struct add_liquidity_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, ADD_LIQUIDITY, a, &in);
    struct market* m = in.market;
    u64 slot = in.slot;
    REQUIRE(!in.global->halted, HALTED);
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(d->pool < m->pools, BAD_POOL);
    REQUIRE(d->liquidity, ZERO_AMOUNT);
    struct pool* p = pool_of(m, d->pool);
    if (!p->liquidity) REQUIRE(slot - m->publish_slot <= SPOT_AGE_MAX_SLOTS, PRICE_STALE);

    struct curve before = curve_of(p);
    struct curve_added added;
    TRY(curve_error(curve_add_liquidity(&before, d->liquidity, p->price_e6, &added)));
    REQUIRE(added.cash, ZERO_AMOUNT);
    REQUIRE(added.cash <= d->cash_max, SLIPPAGE);
    struct maker* k;
    TRY(load_or_create_maker(c, d, &k));
    TRY(settle_maker_fees(k, p));
    roll_high(p, in.global, slot);
    u64 liquidity_before = p->liquidity;
    u64 high = p->high_this > p->high_previous ? p->high_this : p->high_previous;
    if (high < liquidity_before) high = liquidity_before;
    REQUIRE(add_to(&p->liquidity, d->liquidity) && add_to(&k->liquidity, d->liquidity), ARITHMETIC);
    REQUIRE(add_to(&p->cash, added.cash), ARITHMETIC);
    REQUIRE(add_to(&p->outstanding[SIDE_YES], added.surplus_yes) && add_to(&p->outstanding[SIDE_NO], added.surplus_no),
            ARITHMETIC);
    if (p->high_this < p->liquidity) p->high_this = p->liquidity;
    k->last_add_slot = slot;
    u64 surplus = added.surplus_yes | added.surplus_no; /* at most one side has any */
    if (surplus) TRY(open_surplus_position(c, d, added.surplus_yes ? SIDE_YES : SIDE_NO, surplus, slot));
    TRY(transfer_tokens(a->owner_tokens, a->market_tokens, a->owner, added.cash, 0));

    struct curve after = curve_of(p);
    i64 u = curve_u(&after);
    u32 price_e6 = curve_price_e6(u); /* liquidity leaves it where it was */
    REQUIRE(price_e6 >= d->price_min_e6 && price_e6 <= d->price_max_e6, SLIPPAGE);
    struct event_liquidity_added e;
    head_market(&e.head, EVENT_LIQUIDITY_ADDED, m, slot);
    e.owner = *key_of(a->owner);
    e.position = surplus ? *key_of(a->position) : (struct address){{0}};
    e.pool = d->pool;
    e.price_e6 = price_e6;
    e.liquidity_added = d->liquidity;
    e.liquidity_before = liquidity_before;
    e.liquidity_high = high;
    e.liquidity_after = p->liquidity;
    e.cash = added.cash;
    e.surplus_yes = added.surplus_yes;
    e.surplus_no = added.surplus_no;
    e.value = curve_liquidity_value(u, d->liquidity);
    e.improvement_bps = curve_improvement_bps(u, high, p->liquidity);
    return emit(&e, sizeof e);
}
