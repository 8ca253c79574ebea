/* Opening a position, wherever it is kept: in an account of its own, or inside a chain.
 *
 * Nothing here moves tokens: the caller brings margin and fee to the market's tokens, and the loan from the vault's. */
#ifndef OPENING_H
#define OPENING_H

#include "chain.h"

#define REWARDED_TRADES 100
#define TRADE_NOTIONAL_MIN 100000000ULL /* $100: what counts as a trade for rewards */

/* The caller fills the first part. A chain's debt is more than the loan of its OPEN, and its leverage is rounded up. */
struct opening {
    struct loaded* in;
    struct pool* p;
    account global; /* counted trades write it */
    const struct address *position, *owner;
    u8 pool, side, holding;
    u32 leverage, worst_price_e6; /* average cost per share, before the fee */
    u64 margin, notional, loan, debt;

    u64 coverage_e6, fee_rate_ubp; /* set by start_opening */
    u64 fee, shares, margin_bps, trade_number;
};

/* The fee is what coverage was before the trade. */
static KEEP void start_opening(struct opening* o) {
    o->coverage_e6 = vault_coverage_e6(o->in->vault);
    o->fee_rate_ubp = fee_rate_ubp(o->coverage_e6);
    o->holding = 0;
    o->loan = o->debt = o->margin_bps = o->trade_number = 0;
}

/* Lend, if coverage, leverage and the market's debt allow it, before and after. */
static KEEP u64 borrow(struct opening* o) {
    struct market* m = o->in->market;
    struct vault* v = o->in->vault;
    REQUIRE(m->price_class == PRICE_VALID, PRICE_CLASS);
    REQUIRE(o->in->slot - m->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    REQUIRE(o->coverage_e6 >= 500000, COVERAGE_LOW);
    REQUIRE(o->leverage <= leverage_max(o->coverage_e6, m->outcomes, vault_equity(v)), LEVERAGE_TOO_HIGH);
    TRY(lend(v, m, o->loan));
    u64 after_e6 = vault_coverage_e6(v);
    REQUIRE(after_e6 >= 500000, COVERAGE_LOW);
    REQUIRE(m->debt <= vault_equity(v) / 10, MARKET_DEBT_CAP);
    o->margin_bps = after_e6 > 1000000 ? 500 : 1000; /* judged after the trade, the stricter of the two */
    return 0;
}

/* What the position is worth at the oracle's price, right after its own price impact. */
static KEEP u64 check_margin(struct opening* o) {
    struct pool* p = o->p;
    u64 value;
    TRY(mul_div_or(o->shares, side_price(p, o->side), PRICE_ONE_E6, false, &value));
    u64 required = required_margin(o->margin, o->shares, (u32)o->margin_bps);
    u64 equity = value > o->debt ? value - o->debt : 0;
    REQUIRE(equity >= required + (required + 3) / 4, MARGIN_TOO_THIN);
    REQUIRE(equity >= o->margin - o->margin / 5, SLIPPAGE_TOO_LARGE);
    REQUIRE(add_to(&p->leveraged[o->side], o->shares), ARITHMETIC);
    REQUIRE(p->leveraged[o->side] <= p->liquidity / 8, SIDE_CAP);
    return 0;
}

static KEEP u64 count_trade(struct opening* o) {
    struct global* g = o->in->global;
    if (o->notional < TRADE_NOTIONAL_MIN || g->trade_count >= REWARDED_TRADES) return 0;
    REQUIRE(is_writable(o->global), GLOBAL_NOT_WRITABLE);
    o->trade_number = ++g->trade_count;
    return 0;
}

static KEEP u64 pay_fee(struct opening* o) {
    REQUIRE(fee_amount(o->notional, o->fee_rate_ubp, &o->fee), ARITHMETIC);
    return book_fee(o->in->market, o->p, o->fee);
}

/* Borrow, buy, check what came of it, and charge the fee. */
static KEEP u64 open(struct opening* o) {
    if (o->debt) TRY(borrow(o));
    TRY(buy_for_cash(o->p, o->side, o->notional, &o->shares));
    u64 cost_at_worst;
    TRY(mul_div_or(o->shares, o->worst_price_e6, PRICE_ONE_E6, false, &cost_at_worst));
    REQUIRE(o->notional <= cost_at_worst, SLIPPAGE);
    if (o->debt) TRY(check_margin(o));
    TRY(pay_fee(o));
    return count_trade(o);
}

static KEEP void write_opened(const struct opening* o, struct position* s) {
    s->side = o->side;
    s->pool = o->pool;
    s->margin_bps = (u16)o->margin_bps;
    s->shares = o->shares;
    s->margin = o->margin;
    s->debt = o->debt;
    s->notional = o->notional;
    s->opened_slot = o->in->slot;
    s->trade_number = (u32)o->trade_number;
}

static KEEP u64 emit_opened(const struct opening* o) {
    struct event_position_opened e;
    head_market(&e.head, EVENT_POSITION_OPENED, o->in->market, o->in->slot);
    e.position = *o->position;
    e.owner = *o->owner;
    e.pool = o->pool;
    e.holding = o->holding;
    e.side = o->side;
    e.leverage = o->leverage;
    e.margin_bps = (u32)o->margin_bps;
    e.margin = o->margin;
    e.notional = o->notional;
    e.shares = o->shares;
    e.debt = o->debt;
    e.fee = o->fee;
    e.fee_rate_ubp = o->fee_rate_ubp;
    e.coverage_e6 = o->coverage_e6;
    e.oracle_e6 = o->p->price_e6;
    e.pool_price_e6 = pool_price_e6(o->p);
    e.trade_number = o->trade_number;
    return emit(&e, sizeof e);
}

#endif
