/* Opening a position, wherever it is kept: in an account of its own, or inside a chain.
 *
 * Nothing here moves tokens: the caller brings margin and fee to the market's tokens, and the loan from the vault's. */
#ifndef OPENING_H
#define OPENING_H

#include "ledger.h"

#define REWARDED_TRADES 100
#define TRADE_NOTIONAL_MIN 100000000ULL /* $100: what counts as a trade for rewards */

/* The caller fills side, leverage, margin, notional and debt of the event. A chain's debt is more than the loan of its
 * OPEN, and its leverage is rounded up. */
struct opening {
    struct loaded* in;
    struct pool* p;
    account global;           /* counted trades write it */
    u64 loan, worst_price_e6; /* what the vault lends now; average cost per share, before the fee */
    struct event_position_opened e;
};

/* The fee is by what coverage was before the trade. */
static KEEP void start_opening(struct opening* o, struct loaded* in, u8 pool, account global) {
    o->in = in;
    o->p = pool_of(in->market, pool);
    o->global = global;
    o->loan = o->e.debt = o->e.margin_bps = o->e.trade_number = 0;
    o->e.pool = pool;
    o->e.holding = 0;
    o->e.coverage_e6 = vault_coverage_e6(in->vault);
    o->e.fee_rate_ubp = fee_rate_ubp(o->e.coverage_e6);
}

/* Lend, if coverage, leverage and the market's debt allow it, before and after. */
static KEEP u64 borrow(struct opening* o) {
    struct market* m = o->in->market;
    struct vault* v = o->in->vault;
    TRY(require_valid_price(o->in));
    REQUIRE(o->e.coverage_e6 >= COVERAGE_MIN_E6, COVERAGE_LOW);
    REQUIRE(o->e.leverage <= leverage_max(o->e.coverage_e6, m->outcomes, vault_equity(v)), LEVERAGE_TOO_HIGH);
    TRY(lend(v, m, o->loan));
    u64 after_e6 = vault_coverage_e6(v);
    REQUIRE(after_e6 >= COVERAGE_MIN_E6, COVERAGE_LOW);
    REQUIRE(m->debt <= vault_equity(v) / 10, MARKET_DEBT_CAP);
    o->e.margin_bps = after_e6 > 1000000 ? 500 : 1000; /* judged after the trade, the stricter of the two */
    return 0;
}

/* What the position is worth at the oracle's price, right after its own price impact. */
static KEEP u64 check_margin(struct opening* o) {
    struct pool* p = o->p;
    u64 side = o->e.side, margin = o->e.margin, shares = o->e.shares;
    u64 value = value_at(shares, side_price(p, side));
    u64 required = required_margin(margin, shares, o->e.margin_bps);
    u64 equity = excess(value, o->e.debt);
    REQUIRE(equity >= required + (required + 3) / 4, MARGIN_TOO_THIN);
    REQUIRE(equity >= margin - margin / 5, SLIPPAGE_TOO_LARGE);
    REQUIRE(add_to(&p->leveraged[side], shares), ARITHMETIC);
    REQUIRE(p->leveraged[side] <= p->liquidity / 8, SIDE_CAP);
    return 0;
}

static KEEP u64 count_trade(struct opening* o) {
    struct global* g = o->in->global;
    if (o->e.notional < TRADE_NOTIONAL_MIN || g->trade_count >= REWARDED_TRADES) return 0;
    REQUIRE(is_writable(o->global), GLOBAL_NOT_WRITABLE);
    o->e.trade_number = ++g->trade_count;
    return 0;
}

static KEEP u64 pay_fee(struct opening* o) {
    TRY(fee_amount_or(o->e.notional, o->e.fee_rate_ubp, &o->e.fee));
    return book_fee(o->in->market, o->p, o->e.fee);
}

/* Borrow, buy, check what came of it, and charge the fee. */
static KEEP u64 open(struct opening* o) {
    if (o->e.debt) TRY(borrow(o));
    TRY(buy_for_cash(o->p, (u8)o->e.side, o->e.notional, &o->e.shares));
    u64 cost_at_worst;
    TRY(mul_div_or(o->e.shares, o->worst_price_e6, PRICE_ONE_E6, false, &cost_at_worst));
    REQUIRE(o->e.notional <= cost_at_worst, SLIPPAGE);
    if (o->e.debt) TRY(check_margin(o));
    TRY(pay_fee(o));
    return count_trade(o);
}

static KEEP void write_opened(const struct opening* o, struct position* s) {
    s->side = (u8)o->e.side;
    s->pool = (u8)o->e.pool;
    s->margin_bps = (u16)o->e.margin_bps;
    s->shares = o->e.shares;
    s->margin = o->e.margin;
    s->debt = o->e.debt;
    s->notional = o->e.notional;
    s->opened_slot = o->in->slot;
    s->trade_number = (u32)o->e.trade_number;
}

static KEEP u64 emit_opened(struct opening* o, account position, const struct address* owner) {
    tell_whose(&o->e.position, position, owner);
    o->e.oracle_e6 = o->p->price_e6;
    o->e.pool_price_e6 = pool_price_e6(o->p);
    return EMIT(o->in, o->e, POSITION_OPENED);
}

#endif
