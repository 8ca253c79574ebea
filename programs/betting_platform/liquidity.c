/* add_liquidity: a maker pays for complete sets, leaves both reserves, and keeps the surplus side as a position.
 * remove_liquidity: the reserves come back, pairs as cash and the rest as a position, with the maker's fees. */
#include "liquidity.h"
#include "positions.h"

/* Accounts and data lie in the same places in both instructions, but for the pool and the bumps. */
static KEEP void start_change(const struct context* c, const struct loaded* in, u64 liquidity, struct provision* x) {
    const struct add_liquidity_accounts* a = (const void*)c->accounts;
    x->in = in;
    x->k = in->maker;
    x->p = pool_of(in->market, in->maker->pool);
    x->owner = key_of(a->owner);
    x->position = key_of(a->position);
    x->liquidity = liquidity;
    x->cash = 0;
}

/* Within the bounds on the price, the shares that the maker keeps become a position. */
static KEEP u64 keep_shares(const struct context* c, const struct provision* x, u8 bump) {
    const struct add_liquidity_accounts* a = (const void*)c->accounts;
    const struct add_liquidity_data* d = (const void*)c->data;
    REQUIRE(x->price_e6 >= d->price_min_e6 && x->price_e6 <= d->price_max_e6, SLIPPAGE);
    u64 shares = x->shares[SIDE_YES] | x->shares[SIDE_NO];
    if (!shares) return 0;
    struct buy_inventory_data holding = {.pool = x->k->pool,
                                         .side = x->shares[SIDE_NO] != 0,
                                         .bump = bump,
                                         .position_id = d->position_id,
                                         .shares = shares};
    return hold_shares(c, a->market, a->position, &holding, x->in->slot);
}

static KEEP u64 process_add_liquidity(const struct context* c, struct loaded* in) {
    const struct add_liquidity_data* d = (const void*)c->data;
    const struct add_liquidity_accounts* a = (const void*)c->accounts;
    REQUIRE(d->pool < in->market->pools, BAD_POOL);
    REQUIRE(d->liquidity, ZERO_AMOUNT);
    if (!pool_of(in->market, d->pool)->liquidity)
        REQUIRE(in->slot - in->market->publish_slot <= SPOT_AGE_MAX_SLOTS, PRICE_STALE);
    TRY(load_or_create(c, KIND_MAKER, a->market, a->maker, d->pool | (u64)d->maker_bump << 32));
    in->maker = data_of(a->maker);
    if (!in->maker->liquidity) in->maker->pool = d->pool; /* it is new: one that loses its liquidity closes */
    REQUIRE(in->maker->pool == d->pool, WRONG_ADDRESS);
    struct provision x;
    start_change(c, in, d->liquidity, &x);
    TRY(put_liquidity(&x));
    REQUIRE(x.cash <= d->cash_max, SLIPPAGE);
    TRY(keep_shares(c, &x, d->position_bump));
    return take_from_owner(c, x.cash);
}

#define ALL_LIQUIDITY (~0ULL)

/* Neither a halt nor a resolution keeps a maker in. */
static KEEP u64 process_remove_liquidity(const struct context* c, struct loaded* in) {
    const struct remove_liquidity_data* d = (const void*)c->data;
    const struct remove_liquidity_accounts* a = (const void*)c->accounts;
    struct provision x;
    start_change(c, in, d->liquidity == ALL_LIQUIDITY ? in->maker->liquidity : d->liquidity, &x);
    TRY(require_removable(&x));
    TRY(take_liquidity(&x));
    REQUIRE(x.cash >= d->cash_min, SLIPPAGE);
    TRY(keep_shares(c, &x, d->position_bump));
    TRY(pay_from_market(c, a->owner_tokens, x.cash + x.fees)); /* parts of its balance */
    TRY(emit_removed(&x));
    if (!in->maker->liquidity) close_account(a->maker, a->owner);
    return 0;
}

#define SAME_PLACE(field)                                                       \
    _Static_assert(__builtin_offsetof(struct add_liquidity_data, field) ==      \
                       __builtin_offsetof(struct remove_liquidity_data, field), \
                   "see start_change")
SAME_PLACE(position_id);
SAME_PLACE(price_min_e6);
SAME_PLACE(price_max_e6);
_Static_assert(sizeof ADD_LIQUIDITY_RULES == sizeof REMOVE_LIQUIDITY_RULES, "see start_change");
