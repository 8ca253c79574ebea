/* execute_chain: the next steps of a chain, by any keeper. What a step does depends on the chain, the market and the
 * vault alone, never on which transaction it runs in: tokens move once, at the end, by what all steps together owe. */
#include "chain.h"
#include "opening.h"
#include "payments.h"
#include "pledges.h"

#define ARBITRAGE_GAP_E6 10000 /* the pool prices a side at least one point under the oracle */
#define STEEPEST_E6 400000     /* shares / L move the price by at most phi(0) = 0.39894 of that */

struct execution {
    struct loaded* in;
    account chain;
    u64 lent, staked, bounty; /* vault to market, market to vault, market to keeper */
    u64 budget;               /* what the step may spend */
    u64 spent;                /* what it did spend, with its fee */
    struct opening o;         /* what a BORROW borrows and an ARBITRAGE or OPEN buys */
    struct event_chain_stepped e;
};

static KEEP u64 step_borrow(struct execution* x) {
    SECTION(step_borrow);
    struct chain* h = x->in->chain;
    u64 loan = h->working / 2, own = h->working - h->debt; /* a loan leaves it as it is */
    REQUIRE(loan, ZERO_AMOUNT);
    REQUIRE(own, CHAIN_OVERDRAWN);
    h->working += loan;
    h->debt += loan;
    x->lent += loan;
    x->e.amount = x->o.loan = loan;
    x->o.e.leverage = (u32)((h->working - 1) / own + 1);
    return borrow(&x->o);
}

static KEEP u64 step_liquidity(struct execution* x) {
    SECTION(step_liquidity);
    struct provision v;
    start_pledge(x->chain, x->in, &v);
    REQUIRE(v.p->liquidity, NO_LIQUIDITY);
    v.cash = x->budget;
    u64 oracle_e6 = v.price_e6;
    TRY(put_liquidity(&v));
    u64 pool_e6 = v.price_e6;
    REQUIRE((pool_e6 > oracle_e6 ? pool_e6 - oracle_e6 : oracle_e6 - pool_e6) <= x->o.worst_price_e6, SLIPPAGE);
    keep_in_chain(x->in->chain, &v);
    x->spent = x->e.amount = v.cash;
    x->e.shares = v.liquidity;
    return 0;
}

static KEEP u64 step_stake(struct execution* x) {
    SECTION(step_stake);
    struct chain* h = x->in->chain;
    u64 amount = x->budget, before = h->stake.shares;
    TRY(put_stake(x->in, &h->stake, &h->owner, amount));
    x->e.shares = h->stake.shares - before;
    x->spent = x->e.amount = amount;
    x->staked += amount;
    return 0;
}

/* The most cash whose trade, of so many times that much, leaves its fee within the budget. */
static KEEP u64 cash_beside_fee(const struct execution* x, u64 budget, u64 leverage) {
    u64 cash = 0; /* at most the budget: it fits */
    (void)mul_div_or(budget, FEE_WHOLE_UBP, FEE_WHOLE_UBP + leverage * x->o.e.fee_rate_ubp, false, &cash);
    return cash;
}

static KEEP u64 record_bought(struct execution* x, u64 cash) {
    x->e.amount = cash;
    x->e.shares = x->o.e.shares;
    x->spent = cash + x->o.e.fee;
    return emit_opened(&x->o, x->chain, &x->in->chain->owner);
}

/* How much of the side to buy with at most the notional: no further than the oracle's price, within the limit. */
static KEEP u64 fit_arbitrage(struct opening* o, u64 gap_e6) {
    const struct pool* p = o->p;
    struct curve curve = curve_of(p);
    u64 side = o->e.side, other = side ^ 1, most = o->e.notional, room = U64_MAX;
    u32 iterations;
    o->e.shares = U64_MAX; /* what cannot be bought would pass any price */
    (void)curve_buy_cash(&curve, (u32)side, most, &o->e.shares, &iterations);
    /* Only what may pass the oracle's price is worth the 3_000 CU of finding where that lies. Selling the other side
     * down to its own price moves the pool by as much. */
    if (o->e.shares >= p->liquidity / STEEPEST_E6 * gap_e6)
        TRY(curve_shares_to_price(&curve, (u32)other, (u32)side_price(p, other), &room));
    if (o->e.shares > room) {
        o->e.shares = room;
        TRY(curve_buy_shares(&curve, (u32)side, room, &o->e.notional));
    }
    REQUIRE(o->e.notional <= most && o->e.notional <= value_at(o->e.shares, o->worst_price_e6), SLIPPAGE);
    return 0;
}

/* Buy the side that the pool prices a point under the oracle, up to the oracle's price. No such side, or none within
 * the limit: a recorded no-op. */
static KEEP u64 step_arbitrage(struct execution* x) {
    SECTION(step_arbitrage);
    struct opening* o = &x->o;
    struct pool* p = o->p;
    i64 gap_e6 = (i64)p->price_e6 - pool_price_e6(p);
    u8 side = gap_e6 < 0;
    o->e.side = side;
    o->e.notional = cash_beside_fee(x, x->budget, 1);
    if (magnitude(gap_e6) < ARBITRAGE_GAP_E6 || fit_arbitrage(o, magnitude(gap_e6))) return 0;
    u64 cost = o->e.notional;
    o->e.holding = 1 + side;
    o->e.leverage = 1;
    o->e.margin = cost;
    x->in->chain->positions[1 + side].shares += o->e.shares;
    TRY(book_buy(p, side, cost, o->e.shares));
    TRY(pay_fee(o));
    return record_bought(x, cost);
}

/* All that is left buys with leverage; what the chain owes joins the position's debt, and the rest is its margin. */
static KEEP u64 step_open(struct execution* x, u64 leverage) {
    SECTION(step_open);
    struct chain* h = x->in->chain;
    struct opening* o = &x->o;
    u64 cash = cash_beside_fee(x, h->working, leverage), debt = h->debt, notional = cash * leverage;
    REQUIRE(cash > debt, CHAIN_OVERDRAWN);
    o->e.side = h->side;
    o->e.margin = cash - debt;
    o->e.notional = notional;
    o->e.debt = notional - o->e.margin;
    o->loan = o->e.debt - debt;
    o->e.leverage = (u32)((notional - 1) / o->e.margin + 1);
    TRY(open(o));
    write_opened(o, &h->positions[0]);
    h->debt = 0;
    x->lent += o->loan;
    return record_bought(x, cash);
}

static u64 run_step(struct execution* x, const struct chain_step* s) {
    x->o.worst_price_e6 = s->limit_e6;
    switch (s->kind) {
        case STEP_LIQUIDITY: return step_liquidity(x);
        case STEP_STAKE: return step_stake(x);
        default: break;
    }
    start_opening(&x->o, x->in, x->in->chain->pool, x->o.global);
    switch (s->kind) {
        case STEP_BORROW: return step_borrow(x);
        case STEP_ARBITRAGE: return step_arbitrage(x);
        default: return step_open(x, s->leverage);
    }
}

/* Each step pays the keeper an equal part of the bounty that is left, the last one all of it: whoever runs it gets the
 * same. */
static KEEP u64 next_step(struct execution* x) {
    struct chain* h = x->in->chain;
    u64 next = h->next_step, left = h->step_count - next;
    const struct chain_step* s = &h->steps[next];
    x->budget = step_budget(s->kind, h->working);
    x->e.amount = x->e.shares = x->spent = 0;
    TRY(run_step(x, s));
    REQUIRE(h->working >= h->debt + x->spent, CHAIN_OVERDRAWN);
    h->working -= x->spent;
    u64 part = h->bounty / left;
    h->bounty -= part;
    x->bounty += part;
    u64 pct = s->kind == STEP_OPEN ? s->leverage * 100ULL : STEP_MULTIPLIER_PCT[s->kind];
    if (x->e.amount) h->leverage_e6 = (u32)(h->leverage_e6 * pct / 100);
    if (left == 1) h->status = CHAIN_DONE;
    h->next_step = (u8)next + 1;
    x->e.step = (u32)next;
    x->e.kind = s->kind;
    copy_words(&x->e.working, &h->working, 3);
    x->e.leverage_e6 = h->leverage_e6;
    copy_key(&x->e.chain, x->chain);
    return EMIT(x->in, x->e, CHAIN_STEPPED);
}

static u64 check_due(const struct loaded* in, const struct execute_chain_data* d) {
    const struct chain* h = in->chain;
    REQUIRE(h->status == CHAIN_RUNNING, CHAIN_NOT_RUNNING);
    REQUIRE(h->next_step == d->first_step, STEP_OUT_OF_ORDER);
    REQUIRE(d->step_count, ZERO_AMOUNT);
    REQUIRE(in->slot <= h->expiry_slot, CHAIN_EXPIRED);
    TRY(require_valid_price(in));
    u64 price = side_price(pool_of(in->market, h->pool), h->side);
    REQUIRE(price == h->trigger_e6 || price > h->trigger_e6 == h->is_above, NOT_TRIGGERED);
    return 0;
}

static KEEP u64 process_execute_chain(const struct context* c, struct loaded* in) {
    const struct execute_chain_data* d = (const void*)c->data;
    const struct execute_chain_accounts* a = (const void*)c->accounts;
    struct execution x;
    x.in = in;
    TRY(check_due(x.in, d));
    struct chain* h = x.in->chain;
    x.chain = a->chain;
    x.o.global = a->global;
    x.lent = x.staked = x.bounty = 0;
    u64 before = h->working + h->bounty, left = d->step_count;
    do TRY(next_step(&x));
    while (--left && h->status == CHAIN_RUNNING);
    x.in->market->escrow += h->working + h->bounty - before; /* modulo 2^64: what went in less what came out */
    TRY(x.lent > x.staked ? transfer_as_vault(a->vault, a->vault_tokens, a->market_tokens, x.lent - x.staked)
                          : pay_from_market(c, a->vault_tokens, x.staked - x.lent));
    return pay_from_market(c, a->keeper_tokens, x.bounty);
}
