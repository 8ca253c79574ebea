/* open_position and close_position. */
#include "ledger.h"
#include "payments.h"

#define LEVERAGE_MAX 500
#define REWARDED_TRADES 100
#define TRADE_NOTIONAL_MIN 100000000ULL /* $100: what counts as a trade for rewards */

struct opening {
    const struct open_position_data* d;
    const struct open_position_accounts* a;
    struct global* g;
    struct market* m;
    struct pool* p;
    struct vault* v;
    u64 slot, notional, debt, coverage_e6, fee_rate_ubp, fee, shares;
    u64 margin_bps, trade_number;
};

/* Where a loan moves, the vault is written, and its tokens are the account after the listed ones. */
static KEEP u64 require_vault_tokens(const struct context* c, account vault, const struct vault* v, u64 listed) {
    REQUIRE(c->count > listed, NOT_ENOUGH_ACCOUNTS);
    TRY(require_writable(vault));
    return require_address(c->accounts[listed], &v->tokens);
}

static KEEP u64 borrow(const struct context* c, struct opening* o) {
    TRY(require_vault_tokens(c, o->a->vault, o->v, sizeof OPEN_POSITION_RULES));
    REQUIRE(o->m->price_class == PRICE_VALID, PRICE_CLASS);
    REQUIRE(o->slot - o->m->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    REQUIRE(o->coverage_e6 >= 500000, COVERAGE_LOW);
    REQUIRE(o->d->leverage <= leverage_max(o->coverage_e6, o->m->outcomes, vault_equity(o->v)), LEVERAGE_TOO_HIGH);
    TRY(lend(o->v, o->m, o->debt));
    u64 after_e6 = vault_coverage_e6(o->v);
    REQUIRE(after_e6 >= 500000, COVERAGE_LOW);
    REQUIRE(o->m->debt <= vault_equity(o->v) / 10, MARKET_DEBT_CAP);
    o->margin_bps = after_e6 > 1000000 ? 500 : 1000; /* judged after the trade, the stricter of the two */
    return 0;
}

/* What the position is worth at the oracle's price, right after its own price impact. */
static KEEP u64 check_margin(struct opening* o) {
    u64 value;
    REQUIRE(mul_div(o->shares, side_price(o->p, o->d->side), PRICE_ONE_E6, false, &value), ARITHMETIC);
    u64 required = required_margin(o->d->margin, o->shares, (u32)o->margin_bps);
    u64 equity = value > o->debt ? value - o->debt : 0;
    REQUIRE(equity >= required + (required + 3) / 4, MARGIN_TOO_THIN);
    REQUIRE(equity >= o->d->margin - o->d->margin / 5, SLIPPAGE_TOO_LARGE);
    REQUIRE(add_to(&o->p->leveraged[o->d->side], o->shares), ARITHMETIC);
    REQUIRE(o->p->leveraged[o->d->side] <= o->p->liquidity / 8, SIDE_CAP);
    return 0;
}

static KEEP u64 count_trade(struct opening* o) {
    o->trade_number = 0;
    if (o->notional < TRADE_NOTIONAL_MIN || o->g->trade_count >= REWARDED_TRADES) return 0;
    REQUIRE(is_writable(o->a->global), GLOBAL_NOT_WRITABLE);
    o->trade_number = ++o->g->trade_count;
    return 0;
}

static KEEP u64 write_position(const struct context* c, const struct opening* o) {
    struct slice seeds[5] = {{"position", 8},
                             {key_of(o->a->market), 32},
                             {key_of(o->a->owner), 32},
                             {&o->d->position_id, 4},
                             {&o->d->bump, 1}};
    struct birth birth = {o->a->owner, o->a->position, o->a->market, seeds, 5};
    TRY(create_state(c, KIND_POSITION, &birth));
    struct position* s = data_of(o->a->position);
    s->side = o->d->side;
    s->pool = o->d->pool;
    s->margin_bps = (u16)o->margin_bps;
    s->shares = o->shares;
    s->margin = o->d->margin;
    s->debt = o->debt;
    s->notional = o->notional;
    s->opened_slot = o->slot;
    s->position_id = o->d->position_id;
    s->trade_number = (u32)o->trade_number;
    return 0;
}

static KEEP u64 emit_opened(const struct opening* o) {
    struct event_position_opened e;
    head_market(&e.head, EVENT_POSITION_OPENED, o->m, o->slot);
    e.position = *key_of(o->a->position);
    e.owner = *key_of(o->a->owner);
    e.pool = o->d->pool;
    e.side = o->d->side;
    e.leverage = o->d->leverage;
    e.margin_bps = (u32)o->margin_bps;
    e.margin = o->d->margin;
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

static KEEP u64 process_open_position(const struct context* c) {
    struct opening o;
    struct loaded in;
    READ_DATA(c, o.d);
    LOAD(c, OPEN_POSITION, o.a, &in);
    o.g = in.global;
    o.m = in.market;
    o.v = in.vault;
    o.slot = in.slot;
    REQUIRE(!o.g->halted, HALTED);
    REQUIRE(o.m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(o.d->pool < o.m->pools, BAD_POOL);
    REQUIRE(o.d->side <= SIDE_NO && o.d->leverage >= 1 && o.d->leverage <= LEVERAGE_MAX, BAD_INSTRUCTION_DATA);
    REQUIRE(o.d->margin, ZERO_AMOUNT);
    REQUIRE(o.slot - o.m->publish_slot <= SPOT_AGE_MAX_SLOTS, PRICE_STALE);
    o.p = pool_of(o.m, o.d->pool);
    REQUIRE(mul_div(o.d->margin, o.d->leverage, 1, false, &o.notional), ARITHMETIC);
    o.debt = o.notional - o.d->margin;
    o.coverage_e6 = vault_coverage_e6(o.v);
    o.fee_rate_ubp = fee_rate_ubp(o.coverage_e6);
    REQUIRE(fee_amount(o.notional, o.fee_rate_ubp, &o.fee), ARITHMETIC);
    o.margin_bps = 0;

    if (o.debt) TRY(borrow(c, &o));
    TRY(buy_for_cash(o.p, o.d->side, o.notional, &o.shares));
    u64 cost_at_worst;
    REQUIRE(mul_div(o.shares, o.d->worst_price_e6, PRICE_ONE_E6, false, &cost_at_worst), ARITHMETIC);
    REQUIRE(o.notional <= cost_at_worst, SLIPPAGE);
    if (o.debt) TRY(check_margin(&o));
    TRY(book_fee(o.m, o.p, o.fee));
    TRY(count_trade(&o));
    TRY(write_position(c, &o));

    u64 payment = o.d->margin;
    REQUIRE(add_to(&payment, o.fee), ARITHMETIC);
    TRY(transfer_tokens(o.a->owner_tokens, o.a->market_tokens, o.a->owner, payment, 0));
    if (o.debt) {
        account vault_tokens = c->accounts[sizeof OPEN_POSITION_RULES];
        TRY(transfer_as_vault(o.a->vault, vault_tokens, o.a->market_tokens, o.debt));
    }
    return emit_opened(&o);
}

#define ALL_SHARES (~0ULL)

static KEEP u64 repay_all(const struct context* c, struct loaded* in, struct position* s) {
    const struct close_position_accounts* a = (const void*)c->accounts;
    TRY(require_vault_tokens(c, a->vault, in->vault, sizeof CLOSE_POSITION_RULES));
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
    REQUIRE(same(&s->owner, key_of(a->owner)), WRONG_AUTHORITY);
    REQUIRE(same(&s->market, key_of(a->market)), WRONG_ADDRESS);
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    struct pool* p = pool_of(m, s->pool);
    u64 shares = d->shares == ALL_SHARES ? s->shares : d->shares;
    REQUIRE(shares <= s->shares, NOT_ENOUGH_SHARES);
    REQUIRE(shares || !s->shares, ZERO_AMOUNT);

    u64 proceeds = 0, fee = 0, least, debt = s->debt;
    if (shares) {
        TRY(sell_shares(p, s->side, shares, &proceeds));
        REQUIRE(mul_div(shares, d->worst_price_e6, PRICE_ONE_E6, true, &least), ARITHMETIC);
        REQUIRE(proceeds >= least, SLIPPAGE);
        REQUIRE(fee_amount(proceeds, fee_rate_ubp(vault_coverage_e6(in.vault)), &fee), ARITHMETIC);
        if (fee > proceeds) fee = proceeds;
        TRY(book_fee(m, p, fee));
    }
    REQUIRE(proceeds - fee >= debt, PROCEEDS_BELOW_DEBT);
    u64 payout = proceeds - fee - debt;
    REQUIRE(s->residual <= m->residual && add_to(&payout, s->residual), ARITHMETIC);
    if (debt) {
        REQUIRE(p->leveraged[s->side] >= s->shares, ARITHMETIC);
        p->leveraged[s->side] -= s->shares; /* what is left of the position has no debt any more */
        TRY(repay_all(c, &in, s));
        s->debt = 0;
    }
    m->residual -= s->residual;
    s->residual = 0;
    s->shares -= shares;
    TRY(transfer_as_market(a->market, a->market_tokens, a->owner_tokens, payout));

    struct event_position_closed e;
    head_market(&e.head, EVENT_POSITION_CLOSED, m, in.slot);
    e.position = *key_of(a->position);
    e.owner = s->owner;
    e.pool = s->pool;
    e.side = s->side;
    e.shares = shares;
    e.shares_left = s->shares;
    e.proceeds = proceeds;
    e.fee = fee;
    e.debt_repaid = debt;
    e.payout = payout;
    if (!s->shares) close_account(a->position, a->owner);
    return emit(&e, sizeof e);
}
