/* execute_chain: the next steps of a chain, by any keeper. What a step does depends on the chain, the market and the
 * vault alone, never on which transaction it runs in: tokens move once, at the end, by what all steps together owe. */
#include "chain.h"
#include "opening.h"
#include "payments.h"
#include "pledges.h"

#define ARBITRAGE_GAP_E6 10000 /* the pool prices a side at least one point under the oracle */

struct execution {
    struct loaded in;
    account chain;
    u64 budget;                 /* what the step may spend */
    u64 lent, staked, bounty;   /* by all: vault to market, market to vault, market to keeper */
    struct opening o;           /* what a BORROW borrows and an ARBITRAGE or OPEN buys */
    struct event_chain_stepped e;
};

/* The most cash whose trade, of so many times that much, leaves its fee within the budget. */
static KEEP u64 cash_beside_fee(const struct execution* x, u64 budget, u64 leverage) {
    u64 cash = 0; /* at most the budget: it fits */
    (void)mul_div_or(budget, FEE_WHOLE_UBP, FEE_WHOLE_UBP + leverage * x->o.e.fee_rate_ubp, false, &cash);
    return cash;
}

static KEEP u64 step_borrow(struct execution* x) {
    SECTION(step_borrow);
    struct chain* h = x->in.chain;
    u64 loan = h->working / 2;
    REQUIRE(loan, ZERO_AMOUNT);
    h->working += loan;
    h->debt += loan;
    REQUIRE(h->working > h->debt, CHAIN_OVERDRAWN);
    u64 own = h->working - h->debt;
    x->lent += loan;
    x->e.amount = x->o.loan = loan;
    x->o.e.leverage = (u32)((h->working + own - 1) / own);
    return borrow(&x->o);
}

static KEEP u64 step_liquidity(struct execution* x) {
    SECTION(step_liquidity);
    struct chain* h = x->in.chain;
    struct pool* p = pool_of(x->in.market, h->pool);
    REQUIRE(p->liquidity, NO_LIQUIDITY);
    struct provision v;
    start_chain_provision(x->chain, &x->in, &v);
    struct curve curve = curve_of(p);
    TRY(curve_liquidity_for_cash(&curve, x->budget, &v.liquidity));
    TRY(put_liquidity(&v));
    u64 pool_e6 = v.price_e6, oracle_e6 = p->price_e6;
    REQUIRE((pool_e6 > oracle_e6 ? pool_e6 - oracle_e6 : oracle_e6 - pool_e6) <= x->o.worst_price_e6, SLIPPAGE);
    keep_in_chain(h, &v);
    h->working -= v.cash;
    x->e.amount = v.cash;
    x->e.shares = v.liquidity;
    return 0;
}

static KEEP u64 step_stake(struct execution* x) {
    SECTION(step_stake);
    struct chain* h = x->in.chain;
    x->e.shares = -h->stake.shares;
    TRY(put_stake(x->in.vault, &h->stake, &h->owner, x->budget, x->in.slot));
    x->e.shares += h->stake.shares;
    h->working -= x->budget;
    x->staked += x->budget;
    x->e.amount = x->budget;
    return 0;
}

static u64 record_bought(struct execution* x, u64 amount) {
    x->e.amount = amount;
    x->e.shares = x->o.e.shares;
    x->in.chain->working -= amount + x->o.e.fee;
    return emit_opened(&x->o, key_of(x->chain), &x->in.chain->owner);
}

/* Buy the side that the pool prices a point under the oracle, up to the oracle's price. No such side, or none within
 * the limit: a recorded no-op. */
static KEEP u64 step_arbitrage(struct execution* x) {
    SECTION(step_arbitrage);
    struct opening* o = &x->o;
    struct pool* p = o->p;
    struct curve curve = curve_of(p);
    u64 pool_e6 = pool_price_e6(p), oracle_e6 = p->price_e6;
    u8 side = pool_e6 < oracle_e6 ? SIDE_YES : SIDE_NO;
    if ((side ? pool_e6 - oracle_e6 : oracle_e6 - pool_e6) < ARBITRAGE_GAP_E6) return 0;
    /* Selling the other side down to its own price moves the pool by as much. */
    u64 most = cash_beside_fee(x, x->budget, 1), room, shares, cost = most, worst;
    u32 iterations;
    if (curve_shares_to_price(&curve, !side, (u32)side_price(p, !side), &room)) return 0;
    if (curve_buy_cash(&curve, side, most, &shares, &iterations) || shares > room) {
        shares = room;
        if (curve_buy_shares(&curve, side, shares, &cost) || cost > most) return 0;
    }
    if (mul_div_or(shares, o->worst_price_e6, PRICE_ONE_E6, false, &worst) || cost > worst) return 0;
    o->e.side = side;
    o->e.holding = 1 + side;
    o->e.leverage = 1;
    o->e.margin = o->e.notional = cost;
    o->e.shares = shares;
    TRY(book_buy(p, side, cost, shares));
    TRY(pay_fee(o));
    x->in.chain->positions[1 + side].shares += shares;
    return record_bought(x, cost);
}

/* All that is left buys with leverage; what the chain owes joins the position's debt, and the rest is its margin. */
static KEEP u64 step_open(struct execution* x, u64 leverage) {
    SECTION(step_open);
    struct chain* h = x->in.chain;
    struct opening* o = &x->o;
    u64 cash = cash_beside_fee(x, h->working, leverage);
    REQUIRE(cash > h->debt, CHAIN_OVERDRAWN);
    u64 margin = cash - h->debt;
    o->e.side = h->side;
    o->e.margin = margin;
    TRY(mul_div_or(cash, leverage, 1, false, &o->e.notional));
    o->loan = o->e.notional - cash;
    o->e.debt = o->loan + h->debt;
    o->e.leverage = (u32)((o->e.notional - 1) / margin + 1);
    TRY(open(o));
    write_opened(o, &h->positions[0]);
    h->debt = 0;
    x->lent += o->loan;
    return record_bought(x, cash);
}

static u64 run_step(struct execution* x, const struct chain_step* s) {
    x->o.worst_price_e6 = s->limit_e6;
    switch (s->kind) {
        case STEP_BORROW: return step_borrow(x);
        case STEP_LIQUIDITY: return step_liquidity(x);
        case STEP_STAKE: return step_stake(x);
        case STEP_ARBITRAGE: return step_arbitrage(x);
        default: return step_open(x, s->leverage);
    }
}

/* Each step pays the keeper an equal part of the bounty that is left, the last one all of it: whoever runs it gets the
 * same. */
static KEEP u64 next_step(struct execution* x, account global) {
    struct chain* h = x->in.chain;
    const struct chain_step* s = &h->steps[h->next_step];
    x->budget = step_budget(s->kind, h->working);
    x->e.amount = x->e.shares = 0;
    if (s->kind != STEP_LIQUIDITY && s->kind != STEP_STAKE) start_opening(&x->o, &x->in, h->pool, global);
    TRY(run_step(x, s));
    REQUIRE(h->working >= h->debt, CHAIN_OVERDRAWN);
    u64 part = h->bounty / (u64)(h->step_count - h->next_step);
    h->bounty -= part;
    x->bounty += part;
    if (x->e.amount) h->leverage_e6 = (u32)(h->leverage_e6 * step_multiplier_pct(s) / 100);
    copy_address(&x->e.chain, key_of(x->chain));
    x->e.step = h->next_step++;
    x->e.kind = s->kind;
    x->e.working = h->working;
    x->e.debt = h->debt;
    x->e.bounty = h->bounty;
    x->e.leverage_e6 = h->leverage_e6;
    if (h->next_step == h->step_count) h->status = CHAIN_DONE;
    return emit_market(&x->e, sizeof x->e, EVENT_CHAIN_STEPPED, x->in.market, x->in.slot);
}

static KEEP u64 check_due(const struct loaded* in, const struct execute_chain_data* d) {
    const struct market* m = in->market;
    const struct chain* h = in->chain;
    REQUIRE(!in->global->halted, HALTED);
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(h->status == CHAIN_RUNNING, CHAIN_NOT_RUNNING);
    REQUIRE(h->next_step == d->first_step, STEP_OUT_OF_ORDER);
    REQUIRE(d->step_count, ZERO_AMOUNT);
    REQUIRE(in->slot <= h->expiry_slot, CHAIN_EXPIRED);
    REQUIRE(m->price_class == PRICE_VALID, PRICE_CLASS);
    REQUIRE(in->slot - m->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    u64 price = side_price(pool_of(in->market, h->pool), h->side);
    REQUIRE(h->is_above ? price >= h->trigger_e6 : price <= h->trigger_e6, NOT_TRIGGERED);
    return 0;
}

static KEEP u64 process_execute_chain(const struct context* c) {
    const struct execute_chain_data* d;
    const struct execute_chain_accounts* a;
    struct execution x;
    READ_DATA(c, d);
    LOAD(c, EXECUTE_CHAIN, a, &x.in);
    TRY(check_due(&x.in, d));
    struct chain* h = x.in.chain;
    x.chain = a->chain;
    x.lent = x.staked = x.bounty = 0;
    u64 before = h->working + h->bounty;
    for (u64 i = 0; i < d->step_count && h->status == CHAIN_RUNNING; i++) TRY(next_step(&x, a->global));
    x.in.market->escrow += h->working + h->bounty - before; /* modulo 2^64: what went in less what came out */
    TRY(x.lent > x.staked ? transfer_as_vault(a->vault, a->vault_tokens, a->market_tokens, x.lent - x.staked)
                          : transfer_as_market(a->market, a->market_tokens, a->vault_tokens, x.staked - x.lent));
    return transfer_as_market(a->market, a->market_tokens, a->keeper_tokens, x.bounty);
}
