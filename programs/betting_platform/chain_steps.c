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
    struct pool* p;
    struct opening o; /* of an OPEN or ARBITRAGE */
    const struct chain_step* step;
    u64 budget, amount, shares;   /* of this step: what it may spend; cash, and what it became */
    u64 lent, staked, bounty; /* by all: vault to market, market to vault, market to keeper */
};

/* The most cash whose trade, of so many times that much, leaves its fee within the budget. */
static KEEP u64 cash_beside_fee(const struct execution* x, u64 budget, u64 leverage) {
    u64 cash = 0; /* at most the budget: it fits */
    (void)mul_div(budget, FEE_WHOLE_UBP, FEE_WHOLE_UBP + leverage * x->o.fee_rate_ubp, false, &cash);
    return cash;
}

static KEEP u64 step_borrow(struct execution* x) {
    struct chain* h = x->in.chain;
    u64 loan = h->working / 2;
    REQUIRE(loan, ZERO_AMOUNT);
    h->working += loan;
    h->debt += loan;
    REQUIRE(h->working > h->debt, CHAIN_OVERDRAWN);
    u64 own = h->working - h->debt;
    x->o.loan = loan;
    x->o.leverage = (u32)((h->working + own - 1) / own);
    x->lent += loan;
    x->amount = loan;
    return borrow(&x->o);
}

static KEEP u64 step_liquidity(struct execution* x) {
    struct chain* h = x->in.chain;
    struct pool* p = x->p;
    REQUIRE(p->liquidity, NO_LIQUIDITY);
    u64 pool_e6 = pool_price_e6(p), oracle_e6 = p->price_e6;
    REQUIRE((pool_e6 > oracle_e6 ? pool_e6 - oracle_e6 : oracle_e6 - pool_e6) <= x->step->limit_e6, SLIPPAGE);
    struct provision v;
    start_chain_provision(x->chain, &x->in, &v);
    struct curve curve = curve_of(p);
    TRY(curve_error(curve_liquidity_for_cash(&curve, x->budget, &v.liquidity)));
    TRY(put_liquidity(&v));
    hold_shares(h, &v);
    h->working -= v.cash;
    x->amount = v.cash;
    x->shares = v.liquidity;
    return 0;
}

static KEEP u64 step_stake(struct execution* x) {
    struct chain* h = x->in.chain;
    u64 before = h->stake.shares;
    TRY(put_stake(x->in.vault, &h->stake, &h->owner, x->budget, x->in.slot));
    h->working -= x->budget;
    x->staked += x->budget;
    x->amount = x->budget;
    x->shares = h->stake.shares - before;
    return 0;
}

/* Buy the side that the pool prices a point under the oracle, up to the oracle's price. No such side, or none at the
 * limit: a recorded no-op. */
static KEEP u64 step_arbitrage(struct execution* x) {
    struct chain* h = x->in.chain;
    struct pool* p = x->p;
    struct opening* o = &x->o;
    struct curve curve = curve_of(p);
    u64 pool_e6 = pool_price_e6(p), oracle_e6 = p->price_e6;
    u8 side = pool_e6 < oracle_e6 ? SIDE_YES : SIDE_NO;
    if ((side ? pool_e6 - oracle_e6 : oracle_e6 - pool_e6) < ARBITRAGE_GAP_E6) return 0;
    /* Selling the other side down to its own price moves the pool by as much. */
    u64 shares, cost, most = cash_beside_fee(x, x->budget, 1), worst;
    if (curve_shares_to_price(&curve, !side, (u32)side_price(p, !side), &shares)) return 0;
    if (curve_buy_shares(&curve, side, shares, &cost)) return 0;
    if (cost > most) {
        u32 iterations;
        cost = most;
        if (curve_buy_cash(&curve, side, cost, &shares, &iterations)) return 0;
    }
    if (!mul_div(shares, x->step->limit_e6, PRICE_ONE_E6, false, &worst) || cost > worst) return 0;
    struct position* s = &h->positions[1 + side];
    o->side = side;
    o->holding = 1 + side;
    o->leverage = 1;
    o->margin = o->notional = cost;
    o->shares = shares;
    TRY(book_buy(p, side, cost, shares));
    TRY(pay_fee(o));
    s->shares += shares;
    h->working -= cost + o->fee;
    x->amount = cost;
    x->shares = shares;
    return emit_opened(o);
}

/* All that is left buys with leverage; what the chain owes joins the position's debt, and the rest is its margin. */
static KEEP u64 step_open(struct execution* x) {
    struct chain* h = x->in.chain;
    struct opening* o = &x->o;
    u64 cash = cash_beside_fee(x, h->working, x->step->leverage);
    REQUIRE(cash > h->debt, CHAIN_OVERDRAWN);
    o->side = h->side;
    o->margin = cash - h->debt;
    o->notional = cash * x->step->leverage;
    o->loan = o->notional - cash;
    o->debt = o->loan + h->debt;
    o->leverage = (u32)((o->notional + o->margin - 1) / o->margin);
    o->worst_price_e6 = x->step->limit_e6;
    TRY(open(o));
    write_opened(o, &h->positions[0]);
    h->working -= cash + o->fee;
    h->debt = 0;
    x->lent += o->loan;
    x->amount = cash;
    x->shares = o->shares;
    return emit_opened(o);
}

static KEEP u64 run_step(struct execution* x) {
    struct chain* h = x->in.chain;
    x->step = &h->steps[h->next_step];
    x->budget = step_budget(x->step->kind, h->working);
    x->amount = x->shares = 0;
    start_opening(&x->o);
    switch (x->step->kind) {
        case STEP_BORROW: return step_borrow(x);
        case STEP_LIQUIDITY: return step_liquidity(x);
        case STEP_STAKE: return step_stake(x);
        case STEP_ARBITRAGE: return step_arbitrage(x);
        default: return step_open(x);
    }
}

/* Each step pays the keeper an equal part of the bounty that is left, the last one all of it. */
static KEEP u64 finish_step(struct execution* x) {
    struct chain* h = x->in.chain;
    REQUIRE(h->working >= h->debt, CHAIN_OVERDRAWN);
    u64 part = h->bounty / (u64)(h->step_count - h->next_step);
    h->bounty -= part;
    x->bounty += part;
    if (x->amount) h->leverage_e6 = (u32)(h->leverage_e6 * step_multiplier_pct(x->step) / 100);
    struct event_chain_stepped e;
    head_market(&e.head, EVENT_CHAIN_STEPPED, x->in.market, x->in.slot);
    e.chain = *x->o.position;
    e.step = h->next_step++;
    e.kind = x->step->kind;
    e.amount = x->amount;
    e.shares = x->shares;
    e.working = h->working;
    e.debt = h->debt;
    e.bounty = h->bounty;
    e.leverage_e6 = h->leverage_e6;
    if (h->next_step == h->step_count) h->status = CHAIN_DONE;
    return emit(&e, sizeof e);
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
    x.p = x.o.p = pool_of(x.in.market, h->pool);
    x.o.in = &x.in;
    x.o.global = a->global;
    x.o.position = key_of(a->chain);
    x.o.owner = &h->owner;
    x.o.pool = h->pool;
    x.lent = x.staked = x.bounty = 0;
    u64 before = h->working + h->bounty;
    for (u64 i = 0; i < d->step_count && h->status == CHAIN_RUNNING; i++) {
        TRY(run_step(&x));
        TRY(finish_step(&x));
    }
    x.in.market->escrow += h->working + h->bounty - before; /* modulo 2^64: what went in less what came out */
    TRY(x.lent > x.staked ? transfer_as_vault(a->vault, a->vault_tokens, a->market_tokens, x.lent - x.staked)
                          : transfer_as_market(a->market, a->market_tokens, a->vault_tokens, x.staked - x.lent));
    return transfer_as_market(a->market, a->market_tokens, a->keeper_tokens, x.bounty);
}
