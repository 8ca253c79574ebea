/* liquidate: one market's positions in a batch. Healthy or foreign accounts are skipped, so one that was closed or
 * topped up a slot ago fails nobody else. */
#include "ledger.h"
#include "payments.h"

#define GAP_POINTS_E6 50000        /* sales go no lower than the oracle less five points */
#define SMALL_POSITION 10000000ULL /* $10: outside the partial cap */
#define BOUNTY_BPS 5
#define BOUNTY_UNDERWATER_BPS 2

struct liquidation {
    struct market* m;
    struct vault* v;
    u64 slot, to_vault, to_keeper, done, bad_debt, ruined; /* ruined: positions that left bad debt */
};

/* Value of all leveraged shares at the oracle's price; the base of the cap, taken at a slot's first liquidation. */
static KEEP u64 open_interest(struct market* m, u64* total) {
    *total = 0;
    for (u64 i = 0; i < m->pools; i++) {
        const struct pool* p = pool_of(m, i);
        for (u8 side = SIDE_YES; side <= SIDE_NO; side++) {
            u64 value;
            REQUIRE(mul_div(p->leveraged[side], side_price(p, side), PRICE_ONE_E6, false, &value), ARITHMETIC);
            REQUIRE(add_to(total, value), ARITHMETIC);
        }
    }
    return 0;
}

static KEEP u64 start_slot(struct liquidation* l) {
    struct market* m = l->m;
    if (m->cap_slot == l->slot) return 0;
    u64 interest;
    TRY(open_interest(m, &interest));
    m->cap_slot = l->slot;
    m->cap_used = 0;
    m->cap_amount = liquidation_cap(interest, m->sigma_e6);
    return 0;
}

struct sale {
    u64 judged_e6, value, equity_plus, required; /* equity is value - debt, zero when negative */
    u64 want, sold, proceeds, inventory, credit, repaid, bounty, bad_debt;
    bool underwater, capped;
};

/* Decide how many shares must go. Zero: healthy, or the slot's cap is used up. */
static KEEP u64 judge(struct liquidation* l, const struct position* s, struct sale* x) {
    const struct pool* p = pool_of(l->m, s->pool);
    u64 price = side_price(p, s->side);
    if (l->m->price_class == PRICE_DEGRADED) price += p->band_e6; /* unhealthy even in the trader's favour */
    x->judged_e6 = price > PRICE_ONE_E6 ? PRICE_ONE_E6 : price;
    x->want = 0;
    x->capped = false;
    REQUIRE(mul_div(s->shares, x->judged_e6, PRICE_ONE_E6, false, &x->value), ARITHMETIC);
    x->required = required_margin(s->margin, s->shares, s->margin_bps);
    x->underwater = x->value <= s->debt;
    x->equity_plus = x->underwater ? 0 : x->value - s->debt;
    if (!x->underwater && x->equity_plus >= x->required) return 0;
    u64 reserve = required_margin(0, s->shares, 0); /* the gap reserve alone */
    if (x->underwater || x->equity_plus < reserve || x->value < SMALL_POSITION) {
        x->want = s->shares;
        return 0;
    }
    TRY(start_slot(l));
    u64 room = l->m->cap_amount > l->m->cap_used ? l->m->cap_amount - l->m->cap_used : 0;
    u64 shares;
    REQUIRE(mul_div(room, PRICE_ONE_E6, x->judged_e6, false, &shares), ARITHMETIC);
    x->want = shares < s->shares ? shares : s->shares;
    x->capped = true;
    return 0;
}

/* Sell on the pool down to the floor; below it the vault's inventory takes over, if equity is negative. */
static KEEP u64 sell(struct liquidation* l, struct position* s, struct sale* x) {
    struct pool* p = pool_of(l->m, s->pool);
    u64 oracle = side_price(p, s->side);
    u32 floor_e6 = oracle > GAP_POINTS_E6 + 1000 ? (u32)(oracle - GAP_POINTS_E6) : 1000;
    struct curve curve = curve_of(p);
    u64 room = 0;
    if (p->liquidity) TRY(curve_error(curve_shares_to_price(&curve, s->side, floor_e6, &room)));
    x->sold = x->want < room ? x->want : room;
    x->proceeds = x->inventory = x->credit = 0;
    if (x->sold) TRY(sell_shares(p, s->side, x->sold, &x->proceeds));
    u64 bps = x->underwater ? BOUNTY_UNDERWATER_BPS : BOUNTY_BPS;
    REQUIRE(mul_div(x->proceeds, bps, 10000, false, &x->bounty), ARITHMETIC);
    u64 cash = x->proceeds - x->bounty, rest = x->want - x->sold;
    u64 debt_left = s->debt > cash ? s->debt - cash : 0;
    if (x->underwater && rest && debt_left) {
        u64 shares;
        REQUIRE(mul_div(debt_left, PRICE_ONE_E6, floor_e6, true, &shares), ARITHMETIC);
        x->inventory = shares < rest ? shares : rest;
        REQUIRE(mul_div(x->inventory, floor_e6, PRICE_ONE_E6, false, &x->credit), ARITHMETIC);
        if (x->credit > debt_left) x->credit = debt_left;
        REQUIRE(add_to(&p->inventory[s->side], x->inventory), ARITHMETIC);
    }
    u64 used = 0;
    if (x->capped) REQUIRE(mul_div(x->sold, x->judged_e6, PRICE_ONE_E6, true, &used), ARITHMETIC);
    REQUIRE(add_to(&l->m->cap_used, used), ARITHMETIC);
    return 0;
}

static KEEP u64 settle(struct liquidation* l, struct position* s, struct sale* x) {
    struct pool* p = pool_of(l->m, s->pool);
    u64 gone = x->sold + x->inventory, cash = x->proceeds - x->bounty;
    u64 repaid_cash = cash < s->debt ? cash : s->debt;
    u64 left = s->shares - gone;
    x->repaid = repaid_cash + x->credit; /* credit never exceeds the debt that cash leaves */
    s->debt -= x->repaid;
    x->bad_debt = left ? 0 : s->debt;
    TRY(end_loan(l->v, l->m, x->repaid + x->bad_debt));
    s->debt -= x->bad_debt;
    l->bad_debt += x->bad_debt; /* a part of what v->bad_debt adds up without overflow */
    l->ruined += x->bad_debt != 0;
    REQUIRE(add_to(&l->v->inventory_cost, x->credit) && add_to(&l->v->bad_debt, x->bad_debt), ARITHMETIC);
    REQUIRE(add_to(&l->v->cash, repaid_cash) && add_to(&l->to_vault, repaid_cash) && add_to(&l->to_keeper, x->bounty),
            ARITHMETIC);
    REQUIRE(add_to(&s->residual, cash - repaid_cash) && add_to(&l->m->residual, cash - repaid_cash), ARITHMETIC);
    /* Margin shrinks with the shares, rounded up: the requirement never falls faster than the position. */
    REQUIRE(mul_div(s->margin, left, s->shares, true, &s->margin), ARITHMETIC);
    u64 freed = s->debt ? gone : s->shares; /* without debt the rest is no longer leveraged */
    REQUIRE(p->leveraged[s->side] >= freed, ARITHMETIC);
    p->leveraged[s->side] -= freed;
    s->shares = left;
    return 0;
}

static KEEP u64 emit_liquidated(struct liquidation* l, account target, const struct position* s, const struct sale* x) {
    const struct pool* p = pool_of(l->m, s->pool);
    struct event_position_liquidated e;
    head_market(&e.head, EVENT_POSITION_LIQUIDATED, l->m, l->slot);
    e.position = *key_of(target);
    e.owner = s->owner;
    e.pool = s->pool;
    e.side = s->side;
    e.oracle_e6 = p->price_e6;
    e.pool_price_e6 = p->liquidity ? pool_price_e6(p) : p->price_e6;
    e.shares_sold = x->sold;
    e.proceeds = x->proceeds;
    e.shares_to_inventory = x->inventory;
    e.inventory_credit = x->credit;
    e.shares_left = s->shares;
    e.debt_repaid = x->repaid;
    e.debt_left = s->debt;
    e.bounty = x->bounty;
    e.residual = s->residual;
    e.bad_debt = x->bad_debt;
    e.equity_before = x->equity_plus;
    e.required_before = x->required;
    return emit(&e, sizeof e);
}

/* One a batch: a transaction's logs are cut at 10_000 bytes, and the positions' own events say how much each left. */
static KEEP u64 emit_bad_debt(struct liquidation* l) {
    if (!l->bad_debt) return 0;
    struct event_bad_debt e;
    head_vault(&e.head, EVENT_BAD_DEBT_BOOKED, l->v, l->slot);
    e.amount = l->bad_debt;
    e.positions = l->ruined;
    e.market_id = l->m->market_id;
    e.total = l->v->bad_debt;
    return emit(&e, sizeof e);
}

static KEEP u64 liquidate_one(const struct context* c, struct liquidation* l, account target) {
    if (require_state(c, target, KIND_POSITION, sizeof(struct position)) || !is_writable(target)) return 0;
    struct position* s = data_of(target);
    if (!same(&s->market, key_of(((const struct liquidate_accounts*)c->accounts)->market)) || !s->debt) return 0;
    struct sale x;
    TRY(judge(l, s, &x));
    if (!x.want) return 0;
    TRY(sell(l, s, &x));
    if (!x.sold && !x.inventory) return 0; /* the pool is at the floor already, and equity is not negative */
    TRY(settle(l, s, &x));
    l->done++;
    return emit_liquidated(l, target, s, &x);
}

static KEEP u64 process_liquidate(const struct context* c) {
    const struct liquidate_accounts* a;
    struct loaded in;
    REQUIRE(c->data_length == sizeof(struct tag_data), BAD_INSTRUCTION_DATA);
    LOAD(c, LIQUIDATE, a, &in);
    REQUIRE(c->count > sizeof LIQUIDATE_RULES, NOT_ENOUGH_ACCOUNTS);
    struct liquidation l = {.m = in.market, .v = in.vault, .slot = in.slot};
    REQUIRE(l.m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(l.slot - l.m->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    for (u64 i = sizeof LIQUIDATE_RULES; i < c->count; i++) TRY(liquidate_one(c, &l, c->accounts[i]));
    REQUIRE(l.done, NOTHING_LIQUIDATED);
    TRY(emit_bad_debt(&l));
    TRY(transfer_as_market(a->market, a->market_tokens, a->vault_tokens, l.to_vault));
    return transfer_as_market(a->market, a->market_tokens, a->keeper_tokens, l.to_keeper);
}
