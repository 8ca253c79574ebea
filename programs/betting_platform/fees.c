/* Where booked fees go: claim_maker_fees to a maker, withdraw_fees to the treasury, sweep_fees to the vault. */
#include "liquidity.h"
#include "payments.h"
#include "vault.h"

static KEEP u64 process_claim_maker_fees(const struct context* c, struct loaded* in) {
    const struct claim_maker_fees_accounts* a = (const void*)c->accounts;
    struct event_maker_fees_claimed e;
    e.pool = in->maker->pool;
    copy_address(&e.owner, &in->maker->owner);
    TRY(take_maker_fees(in->market, in->maker, pool_of(in->market, e.pool), &e.amount));
    REQUIRE(e.amount, ZERO_AMOUNT);
    TRY(transfer_as_market(a->market, a->market_tokens, a->owner_tokens, e.amount));
    return EMIT(in, e, MAKER_FEES_CLAIMED);
}

static KEEP u64 process_withdraw_fees(const struct context* c, struct loaded* in) {
    const struct withdraw_fees_accounts* a = (const void*)c->accounts;
    struct event_fees_withdrawn e;
    TRY(require_same(key_of(a->authority), &in->global->fee_treasury_owner, ERR_WRONG_AUTHORITY));
    e.amount = in->market->fees_treasury;
    REQUIRE(e.amount, ZERO_AMOUNT);
    in->market->fees_treasury = 0;
    TRY(pay_from_market(c, a->authority_tokens, e.amount));
    return EMIT(in, e, FEES_WITHDRAWN);
}

/* Once the market is resolved, what the vault took over in liquidations pays like any share. */
static KEEP u64 redeem_inventory(struct pool* p, u8 side, struct event_fees_swept* e) {
    u64 paid;
    TRY(redeem_shares(p, side, p->inventory[side], &paid));
    e->inventory_cash += paid; /* tokens that exist: the sums fit */
    e->inventory_cost += p->inventory_cost[side];
    p->inventory[side] = p->inventory_cost[side] = 0;
    return 0;
}

/* Fees become the vault's cash. A sweep may double the vault, or else price a share at up to one unit: fees that come
 * before the stakers wait for them, instead of making a share so dear that every stake loses to rounding. */
static KEEP u64 process_sweep_fees(const struct context* c, struct loaded* in) {
    const struct sweep_fees_accounts* a = (const void*)c->accounts;
    struct event_fees_swept e;
    struct market* m = in->market;
    struct vault* v = in->vault;
    u64 value = vault_value(v);
    e.fees = m->fees_vault;
    e.inventory_cash = e.inventory_cost = 0;
    for (u64 i = m->status == MARKET_RESOLVED ? 2 * m->pools : 0; i-- > 0;) {
        TRY(redeem_inventory(pool_of(m, i / 2), i % 2, &e));
    }
    REQUIRE(e.fees | e.inventory_cash | e.inventory_cost, ZERO_AMOUNT);
    REQUIRE(e.fees <= value || value + e.fees <= v->share_supply + VIRTUAL_SHARES, VAULT_TOO_SMALL);
    m->fees_vault = 0;
    TRY(end_inventory(in, e.inventory_cost, e.inventory_cash));
    TRY(end_inventory(in, 0, e.fees));
    TRY(transfer_as_market(a->market, a->market_tokens, a->vault_tokens, e.fees + e.inventory_cash));
    return EMIT(in, e, FEES_SWEPT);
}
