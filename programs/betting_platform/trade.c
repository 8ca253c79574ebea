/* open_position and close_position. */
#include "ledger.h"
#include "payments.h"

#define LEVERAGE_MAX 500
#define REWARDED_TRADES 100
#define TRADE_NOTIONAL_MIN 100000000ULL /* $100: what counts as a trade for rewards */

struct opening {
    const struct open_position_data* d;
    const struct open_position_accounts* a;
    struct loaded in;
    struct pool* p;
    struct event_position_opened e; /* filled as the trade goes */
};

/* Where a loan moves, the vault is written, and its tokens are the account after the listed ones. */
static KEEP u64 require_vault_tokens(const struct context* c, account vault, u64 listed) {
    REQUIRE(c->count > listed, NOT_ENOUGH_ACCOUNTS);
    TRY(require_writable(vault));
    return require_address(c->accounts[listed], &((const struct vault*)data_of(vault))->tokens);
}

static KEEP u64 borrow(const struct context* c, struct opening* o) {
    struct market* m = o->in.market;
    struct vault* v = o->in.vault;
    TRY(require_vault_tokens(c, o->a->vault, sizeof OPEN_POSITION_RULES));
    REQUIRE(m->price_class == PRICE_VALID, PRICE_CLASS);
    REQUIRE(o->in.slot - m->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    REQUIRE(o->e.coverage_e6 >= COVERAGE_MIN_E6, COVERAGE_LOW);
    REQUIRE(o->d->leverage <= leverage_max(o->e.coverage_e6, m->outcomes, vault_equity(v)), LEVERAGE_TOO_HIGH);
    TRY(lend(v, m, o->e.debt));
    u64 after_e6 = vault_coverage_e6(v);
    REQUIRE(after_e6 >= COVERAGE_MIN_E6, COVERAGE_LOW);
    REQUIRE(m->debt <= vault_equity(v) / 10, MARKET_DEBT_CAP);
    o->e.margin_bps = after_e6 > 1000000 ? 500 : 1000; /* judged after the trade, the stricter of the two */
    return 0;
}

/* What the position is worth at the oracle's price, right after its own price impact. */
static KEEP u64 check_margin(struct opening* o) {
    struct pool* p = o->p;
    u64 side = o->d->side, margin = o->d->margin, shares = o->e.shares, value;
    TRY(mul_div_or(shares, side_price(p, o->d->side), PRICE_ONE_E6, false, &value));
    u64 required = required_margin(margin, shares, o->e.margin_bps);
    u64 equity = value > o->e.debt ? value - o->e.debt : 0;
    REQUIRE(equity >= required + (required + 3) / 4, MARGIN_TOO_THIN);
    REQUIRE(equity >= margin - margin / 5, SLIPPAGE_TOO_LARGE);
    REQUIRE(add_to(&p->leveraged[side], shares), ARITHMETIC);
    REQUIRE(p->leveraged[side] <= p->liquidity / 8, SIDE_CAP);
    return 0;
}

static KEEP u64 count_trade(struct opening* o) {
    struct global* g = o->in.global;
    o->e.trade_number = 0;
    if (o->e.notional < TRADE_NOTIONAL_MIN || g->trade_count >= REWARDED_TRADES) return 0;
    REQUIRE(is_writable(o->a->global), GLOBAL_NOT_WRITABLE);
    o->e.trade_number = ++g->trade_count;
    return 0;
}

static KEEP u64 write_position(const struct context* c, const struct opening* o) {
    TRY(create_position(c, o->a->market, o->a->position, o->d->position_id, o->d->bump));
    struct position* s = data_of(o->a->position);
    s->side = o->d->side;
    s->pool = o->d->pool;
    s->margin_bps = (u16)o->e.margin_bps;
    s->shares = o->e.shares;
    s->margin = o->d->margin;
    s->debt = o->e.debt;
    s->notional = o->e.notional;
    s->opened_slot = o->in.slot;
    s->trade_number = (u32)o->e.trade_number;
    return 0;
}

static KEEP u64 emit_opened(struct opening* o) {
    copy_address(&o->e.position, key_of(o->a->position));
    copy_address(&o->e.owner, key_of(o->a->owner));
    o->e.pool = o->d->pool;
    o->e.side = o->d->side;
    o->e.leverage = o->d->leverage;
    o->e.margin = o->d->margin;
    o->e.oracle_e6 = o->p->price_e6;
    o->e.pool_price_e6 = pool_price_e6(o->p);
    return emit_market(&o->e, sizeof o->e, EVENT_POSITION_OPENED, o->in.market, o->in.slot);
}

static KEEP u64 process_open_position(const struct context* c) {
    struct opening o;
    READ_DATA(c, o.d);
    LOAD(c, OPEN_POSITION, o.a, &o.in);
    const struct market* m = o.in.market;
    u64 margin = o.d->margin;
    REQUIRE(!o.in.global->halted, HALTED);
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(o.d->pool < m->pools, BAD_POOL);
    REQUIRE(o.d->side <= SIDE_NO && o.d->leverage >= 1 && o.d->leverage <= LEVERAGE_MAX, BAD_INSTRUCTION_DATA);
    REQUIRE(margin, ZERO_AMOUNT);
    REQUIRE(o.in.slot - m->publish_slot <= SPOT_AGE_MAX_SLOTS, PRICE_STALE);
    o.p = pool_of(o.in.market, o.d->pool);
    TRY(mul_div_or(margin, o.d->leverage, 1, false, &o.e.notional));
    o.e.debt = o.e.notional - margin;
    o.e.coverage_e6 = vault_coverage_e6(o.in.vault);
    o.e.fee_rate_ubp = fee_rate_ubp(o.e.coverage_e6);
    TRY(fee_amount_or(o.e.notional, o.e.fee_rate_ubp, &o.e.fee));
    o.e.margin_bps = 0;

    if (o.e.debt) TRY(borrow(c, &o));
    TRY(buy_for_cash(o.p, o.d->side, o.e.notional, &o.e.shares));
    u64 cost_at_worst;
    TRY(mul_div_or(o.e.shares, o.d->worst_price_e6, PRICE_ONE_E6, false, &cost_at_worst));
    REQUIRE(o.e.notional <= cost_at_worst, SLIPPAGE);
    if (o.e.debt) TRY(check_margin(&o));
    TRY(book_fee(o.in.market, o.p, o.e.fee));
    TRY(count_trade(&o));
    TRY(write_position(c, &o));

    REQUIRE(add_to(&margin, o.e.fee), ARITHMETIC);
    TRY(transfer_tokens(o.a->owner_tokens, o.a->market_tokens, o.a->owner, margin, 0));
    if (o.e.debt) {
        account vault_tokens = c->accounts[sizeof OPEN_POSITION_RULES];
        TRY(transfer_as_vault(o.a->vault, vault_tokens, o.a->market_tokens, o.e.debt));
    }
    return emit_opened(&o);
}

#define ALL_SHARES (~0ULL)

static KEEP u64 repay_all(const struct context* c, struct loaded* in, struct position* s) {
    const struct close_position_accounts* a = (const void*)c->accounts;
    TRY(require_vault_tokens(c, a->vault, sizeof CLOSE_POSITION_RULES));
    TRY(end_loan(in->vault, in->market, s->debt));
    REQUIRE(add_to(&in->vault->cash, s->debt), ARITHMETIC);
    return transfer_as_market(a->market, a->market_tokens, c->accounts[sizeof CLOSE_POSITION_RULES], s->debt);
}

static KEEP u64 process_close_position(const struct context* c) {
    const struct close_position_data* d;
    const struct close_position_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, CLOSE_POSITION, a, &in);
    struct market* m = in.market;
    TRY(require_state(c, a->position, KIND_POSITION, sizeof(struct position)));
    struct position* s = data_of(a->position);
    TRY(require_same(&s->owner, key_of(a->owner), ERR_WRONG_AUTHORITY));
    TRY(require_same(&s->market, key_of(a->market), ERR_WRONG_ADDRESS));
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    struct pool* p = pool_of(m, s->pool);
    u64 shares = d->shares == ALL_SHARES ? s->shares : d->shares;
    REQUIRE(shares <= s->shares, NOT_ENOUGH_SHARES);
    REQUIRE(shares || !s->shares, ZERO_AMOUNT);

    struct event_position_closed e;
    e.proceeds = e.fee = 0;
    e.debt_repaid = s->debt;
    if (shares) {
        u64 least;
        TRY(sell_shares(p, s->side, shares, &e.proceeds));
        TRY(mul_div_or(shares, d->worst_price_e6, PRICE_ONE_E6, true, &least));
        REQUIRE(e.proceeds >= least, SLIPPAGE);
        TRY(fee_amount_or(e.proceeds, fee_rate_ubp(vault_coverage_e6(in.vault)), &e.fee));
        if (e.fee > e.proceeds) e.fee = e.proceeds;
        TRY(book_fee(m, p, e.fee));
    }
    e.payout = e.proceeds - e.fee;
    REQUIRE(e.payout >= s->debt, PROCEEDS_BELOW_DEBT);
    e.payout -= s->debt;
    REQUIRE(s->residual <= m->residual && add_to(&e.payout, s->residual), ARITHMETIC);
    m->residual -= s->residual;
    s->residual = 0;
    if (s->debt) {
        REQUIRE(p->leveraged[s->side] >= s->shares, ARITHMETIC);
        p->leveraged[s->side] -= s->shares; /* what is left of the position has no debt any more */
        TRY(repay_all(c, &in, s));
        s->debt = 0;
    }
    s->shares -= shares;
    TRY(transfer_as_market(a->market, a->market_tokens, a->owner_tokens, e.payout));

    copy_address(&e.position, key_of(a->position));
    copy_address(&e.owner, &s->owner);
    e.pool = s->pool;
    e.side = s->side;
    e.shares = shares;
    e.shares_left = s->shares;
    if (!s->shares) close_account(a->position, a->owner);
    return emit_market(&e, sizeof e, EVENT_POSITION_CLOSED, m, in.slot);
}
