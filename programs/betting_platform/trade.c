/* open_position and close_position. */
#include "ledger.h"

#define LEVERAGE_MAX 500
#define REWARDED_TRADES 100
#define TRADE_NOTIONAL_MIN 100000000ULL /* $100: what counts as a trade for rewards */

struct market_signer {
    struct slice seeds[3];
    struct signer signer;
};

static inline void sign_as_market(struct market_signer* s, const struct market* m) {
    s->seeds[0] = (struct slice){"market", 6};
    s->seeds[1] = (struct slice){&m->condition_id, 32};
    s->seeds[2] = (struct slice){&m->bump, 1};
    s->signer = (struct signer){s->seeds, 3};
}

static KEEP u64 transfer_as_vault(const struct vault* v, account tokens, account to, account authority, u64 amount) {
    struct slice seeds[2] = {{"vault", 5}, {&v->bump, 1}};
    struct signer signer = {seeds, 2};
    return transfer_tokens(tokens, to, authority, amount, &signer);
}

enum {
    OPEN_OWNER,
    OPEN_GLOBAL,
    OPEN_MARKET,
    OPEN_MARKET_TOKENS,
    OPEN_OWNER_TOKENS,
    OPEN_POSITION,
    OPEN_VAULT,
    OPEN_TOKEN_PROGRAM,
    OPEN_SYSTEM,
    OPEN_COUNT,
    OPEN_VAULT_TOKENS = OPEN_COUNT /* with leverage only */
};

struct open_position_data {
    u8 tag, pool, side, bump;
    u32 position_id;
    u64 margin;
    u32 leverage, worst_price_e6; /* whole multiples; average cost per share before the fee */
};

struct opening {
    const struct open_position_data* d;
    struct global* g;
    struct market* m;
    struct pool* p;
    struct vault* v;
    u64 slot, notional, debt, coverage_e6, fee_rate_ubp, fee, shares;
    u64 margin_bps, trade_number;
};

static KEEP u64 borrow(const struct context* c, struct opening* o) {
    TRY(require_accounts(c, OPEN_COUNT + 1));
    TRY(require_writable(c->accounts[OPEN_VAULT]));
    TRY(require_address(c->accounts[OPEN_VAULT_TOKENS], &o->v->tokens));
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

static KEEP u64 count_trade(const struct context* c, struct opening* o) {
    o->trade_number = 0;
    if (o->notional < TRADE_NOTIONAL_MIN || o->g->trade_count >= REWARDED_TRADES) return 0;
    REQUIRE(is_writable(c->accounts[OPEN_GLOBAL]), GLOBAL_NOT_WRITABLE);
    o->trade_number = ++o->g->trade_count;
    return 0;
}

static KEEP u64 write_position(const struct context* c, const struct opening* o) {
    account owner = c->accounts[OPEN_OWNER], market = c->accounts[OPEN_MARKET], target = c->accounts[OPEN_POSITION];
    struct slice seeds[5] = {
        {"position", 8}, {key_of(market), 32}, {key_of(owner), 32}, {&o->d->position_id, 4}, {&o->d->bump, 1}};
    struct signer signer = {seeds, 5};
    struct creation creation = {owner, target, c->program, sizeof(struct position), &signer};
    TRY(create_account(&creation));
    struct position* s = data_of(target);
    s->kind = KIND_POSITION;
    s->version = LAYOUT_VERSION;
    s->bump = o->d->bump;
    s->side = o->d->side;
    s->pool = o->d->pool;
    s->margin_bps = (u16)o->margin_bps;
    s->market = *key_of(market);
    s->owner = *key_of(owner);
    s->shares = o->shares;
    s->margin = o->d->margin;
    s->debt = o->debt;
    s->notional = o->notional;
    s->opened_slot = o->slot;
    s->position_id = o->d->position_id;
    s->trade_number = (u32)o->trade_number;
    return 0;
}

static KEEP u64 emit_opened(const struct context* c, const struct opening* o) {
    struct event_position_opened e;
    head_market(&e.head, EVENT_POSITION_OPENED, o->m, o->slot);
    e.position = *key_of(c->accounts[OPEN_POSITION]);
    e.owner = *key_of(c->accounts[OPEN_OWNER]);
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
    READ_DATA(c, o.d);
    TRY(require_accounts(c, OPEN_COUNT));
    account owner = c->accounts[OPEN_OWNER];
    TRY(load_global(c, c->accounts[OPEN_GLOBAL], &o.g));
    TRY(load_market(c, c->accounts[OPEN_MARKET], &o.m));
    TRY(load_vault(c, c->accounts[OPEN_VAULT], &o.v));
    TRY(require_signer(owner));
    TRY(require_address(c->accounts[OPEN_MARKET_TOKENS], &o.m->tokens));
    TRY(require_token_program(c->accounts[OPEN_TOKEN_PROGRAM]));
    REQUIRE(!o.g->halted, HALTED);
    REQUIRE(o.m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(o.d->pool < o.m->pools, BAD_POOL);
    REQUIRE(o.d->side <= SIDE_NO && o.d->leverage >= 1 && o.d->leverage <= LEVERAGE_MAX, BAD_INSTRUCTION_DATA);
    REQUIRE(o.d->margin, ZERO_AMOUNT);
    TRY(read_slot(&o.slot));
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
    TRY(count_trade(c, &o));
    TRY(write_position(c, &o));

    u64 payment = o.d->margin;
    REQUIRE(add_to(&payment, o.fee), ARITHMETIC);
    account market_tokens = c->accounts[OPEN_MARKET_TOKENS];
    TRY(transfer_tokens(c->accounts[OPEN_OWNER_TOKENS], market_tokens, owner, payment, 0));
    if (o.debt)
        TRY(transfer_as_vault(o.v, c->accounts[OPEN_VAULT_TOKENS], market_tokens, c->accounts[OPEN_VAULT], o.debt));
    return emit_opened(c, &o);
}

enum {
    CLOSE_OWNER,
    CLOSE_GLOBAL,
    CLOSE_MARKET,
    CLOSE_MARKET_TOKENS,
    CLOSE_OWNER_TOKENS,
    CLOSE_POSITION,
    CLOSE_VAULT,
    CLOSE_TOKEN_PROGRAM,
    CLOSE_COUNT,
    CLOSE_VAULT_TOKENS = CLOSE_COUNT /* with debt only */
};

#define ALL_SHARES (~0ULL)

struct close_position_data {
    u8 tag, padding[3];
    u32 worst_price_e6;
    u64 shares; /* ALL_SHARES, or how many to sell */
};

static KEEP u64 repay_all(const struct context* c, struct vault* v, struct market* m, struct position* s,
                          const struct signer* as_market) {
    TRY(require_accounts(c, CLOSE_COUNT + 1));
    TRY(require_writable(c->accounts[CLOSE_VAULT]));
    TRY(require_address(c->accounts[CLOSE_VAULT_TOKENS], &v->tokens));
    TRY(end_loan(v, m, s->debt));
    REQUIRE(add_to(&v->cash, s->debt), ARITHMETIC);
    return transfer_tokens(c->accounts[CLOSE_MARKET_TOKENS], c->accounts[CLOSE_VAULT_TOKENS], c->accounts[CLOSE_MARKET],
                           s->debt, as_market);
}

static KEEP u64 process_close_position(const struct context* c) {
    const struct close_position_data* d;
    READ_DATA(c, d);
    TRY(require_accounts(c, CLOSE_COUNT));
    account owner = c->accounts[CLOSE_OWNER], target = c->accounts[CLOSE_POSITION];
    struct global* g;
    struct market* m;
    struct vault* v;
    TRY(load_global(c, c->accounts[CLOSE_GLOBAL], &g));
    TRY(load_market(c, c->accounts[CLOSE_MARKET], &m));
    TRY(load_vault(c, c->accounts[CLOSE_VAULT], &v));
    TRY(require_state(c, target, KIND_POSITION, sizeof(struct position)));
    TRY(require_writable(target));
    TRY(require_signer(owner));
    TRY(require_writable(owner));
    struct position* s = data_of(target);
    REQUIRE(same(&s->owner, key_of(owner)), WRONG_AUTHORITY);
    REQUIRE(same(&s->market, key_of(c->accounts[CLOSE_MARKET])), WRONG_ADDRESS);
    TRY(require_address(c->accounts[CLOSE_MARKET_TOKENS], &m->tokens));
    TRY(require_token_program(c->accounts[CLOSE_TOKEN_PROGRAM]));
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    struct pool* p = pool_of(m, s->pool);
    u64 shares = d->shares == ALL_SHARES ? s->shares : d->shares;
    REQUIRE(shares <= s->shares, NOT_ENOUGH_SHARES);
    REQUIRE(shares || !s->shares, ZERO_AMOUNT);

    u64 slot, proceeds = 0, fee = 0, least, debt = s->debt;
    TRY(read_slot(&slot));
    if (shares) {
        TRY(sell_shares(p, s->side, shares, &proceeds));
        REQUIRE(mul_div(shares, d->worst_price_e6, PRICE_ONE_E6, true, &least), ARITHMETIC);
        REQUIRE(proceeds >= least, SLIPPAGE);
        REQUIRE(fee_amount(proceeds, fee_rate_ubp(vault_coverage_e6(v)), &fee), ARITHMETIC);
        if (fee > proceeds) fee = proceeds;
        TRY(book_fee(m, p, fee));
    }
    REQUIRE(proceeds - fee >= debt, PROCEEDS_BELOW_DEBT);
    u64 payout = proceeds - fee - debt;
    REQUIRE(s->residual <= m->residual && add_to(&payout, s->residual), ARITHMETIC);
    struct market_signer as_market;
    sign_as_market(&as_market, m);
    if (debt) {
        REQUIRE(p->leveraged[s->side] >= s->shares, ARITHMETIC);
        p->leveraged[s->side] -= s->shares; /* what is left of the position has no debt any more */
        TRY(repay_all(c, v, m, s, &as_market.signer));
        s->debt = 0;
    }
    m->residual -= s->residual;
    s->residual = 0;
    s->shares -= shares;
    TRY(transfer_tokens(c->accounts[CLOSE_MARKET_TOKENS], c->accounts[CLOSE_OWNER_TOKENS], c->accounts[CLOSE_MARKET],
                        payout, &as_market.signer));

    struct event_position_closed e;
    head_market(&e.head, EVENT_POSITION_CLOSED, m, slot);
    e.position = *key_of(target);
    e.owner = s->owner;
    e.pool = s->pool;
    e.side = s->side;
    e.shares = shares;
    e.shares_left = s->shares;
    e.proceeds = proceeds;
    e.fee = fee;
    e.debt_repaid = debt;
    e.payout = payout;
    if (!s->shares) close_account(target, owner);
    return emit(&e, sizeof e);
}
