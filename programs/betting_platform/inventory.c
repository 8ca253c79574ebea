/* buy_inventory: shares that the vault took over in liquidations, to anybody at the oracle's price. */
#include "positions.h"
#include "vault.h"

static KEEP u64 process_buy_inventory(const struct context* c, struct loaded* in) {
    const struct buy_inventory_data* d = (const void*)c->data;
    const struct buy_inventory_accounts* a = (const void*)c->accounts;
    struct market* m = in->market;
    REQUIRE(d->pool < m->pools, BAD_POOL);
    REQUIRE(d->side <= SIDE_NO, BAD_INSTRUCTION_DATA);
    REQUIRE(d->shares, ZERO_AMOUNT);
    REQUIRE(in->slot - m->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    struct pool* p = pool_of(m, d->pool);
    u64 *held = &p->inventory[d->side], *cost = &p->inventory_cost[d->side];
    REQUIRE(d->shares <= *held, NO_INVENTORY);

    struct event_inventory_bought e;
    e.cash = value_at_up(d->shares, highest_price(m, p, d->side)); /* in doubt against the buyer */
    REQUIRE(e.cash <= d->cost_max, SLIPPAGE);
    /* Their part of the cost, rounded up, so that the vault counts no unit too many; the last share takes the rest. */
    TRY(mul_div_or(*cost, d->shares, *held, true, &e.inventory_cost));
    *held -= d->shares;
    *cost -= e.inventory_cost;
    TRY(end_inventory(in, e.inventory_cost, e.cash));
    TRY(hold_shares(c, a->market, a->position, d, in->slot));
    e.shares = d->shares;
    TRY(take_from_owner(c, e.cash));

    tell_whose(&e.position, a->position, key_of(a->owner));
    e.pool = d->pool;
    e.side = d->side;
    return EMIT(in, e, INVENTORY_BOUGHT);
}
