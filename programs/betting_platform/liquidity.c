/* add_liquidity: a maker pays for complete sets, leaves both reserves, and keeps the surplus side as a position.
 * remove_liquidity: the reserves come back, pairs as cash and the rest as a position, with the maker's fees. */
#include "liquidity.h"
#include "payments.h"

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

/* The shares that a change of liquidity left to its maker become a position: at most one side has any. Both
 * instructions pass their accounts in the same places. */
static KEEP u64 keep_shares(const struct context* c, const struct provision* x, u32 position_id, u8 bump) {
    const struct add_liquidity_accounts* a = (const void*)c->accounts;
    u64 shares = x->shares[SIDE_YES] | x->shares[SIDE_NO];
    if (!shares) return 0;
    u8 side = x->shares[SIDE_YES] ? SIDE_YES : SIDE_NO;
    TRY(create_position(c, a->market, a->position, position_id, bump));
    struct position* s = data_of(a->position);
    s->side = side;
    s->pool = x->k->pool;
    s->shares = shares;
    s->opened_slot = x->slot;
    return 0;
}

static KEEP void start_provision(const struct context* c, const struct loaded* in, struct maker* k,
                                 struct provision* x) {
    const struct add_liquidity_accounts* a = (const void*)c->accounts;
    x->g = in->global;
    x->m = in->market;
    x->p = pool_of(in->market, k->pool);
    x->k = k;
    x->owner = key_of(a->owner);
    x->position = key_of(a->position);
    x->slot = in->slot;
}

static KEEP u64 process_add_liquidity(const struct context* c) {
    const struct add_liquidity_data* d;
    const struct add_liquidity_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, ADD_LIQUIDITY, a, &in);
    REQUIRE(!in.global->halted, HALTED);
    REQUIRE(in.market->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(d->pool < in.market->pools, BAD_POOL);
    REQUIRE(d->liquidity, ZERO_AMOUNT);
    if (!pool_of(in.market, d->pool)->liquidity)
        REQUIRE(in.slot - in.market->publish_slot <= SPOT_AGE_MAX_SLOTS, PRICE_STALE);
    struct maker* k;
    TRY(load_or_create_maker(c, d, &k));
    struct provision x;
    start_provision(c, &in, k, &x);
    x.liquidity = d->liquidity;
    TRY(put_liquidity(&x));
    REQUIRE(x.cash <= d->cash_max, SLIPPAGE);
    REQUIRE(x.price_e6 >= d->price_min_e6 && x.price_e6 <= d->price_max_e6, SLIPPAGE);
    TRY(keep_shares(c, &x, d->position_id, d->position_bump));
    return transfer_tokens(a->owner_tokens, a->market_tokens, a->owner, x.cash, 0);
}

#define ALL_LIQUIDITY (~0ULL)

/* Neither a halt nor a resolution keeps a maker in. */
static KEEP u64 process_remove_liquidity(const struct context* c) {
    const struct remove_liquidity_data* d;
    const struct remove_liquidity_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, REMOVE_LIQUIDITY, a, &in);
    struct provision x;
    start_provision(c, &in, in.maker, &x);
    x.liquidity = d->liquidity == ALL_LIQUIDITY ? x.k->liquidity : d->liquidity;
    TRY(require_removable(&x));
    TRY(take_liquidity(&x));
    REQUIRE(x.cash >= d->cash_min, SLIPPAGE);
    REQUIRE(x.price_e6 >= d->price_min_e6 && x.price_e6 <= d->price_max_e6, SLIPPAGE);
    TRY(keep_shares(c, &x, d->position_id, d->position_bump));
    TRY(transfer_as_market(a->market, a->market_tokens, a->owner_tokens, x.cash + x.fees)); /* parts of its balance */
    TRY(emit_removed(&x));
    if (!x.k->liquidity) close_account(a->maker, a->owner);
    return 0;
}
