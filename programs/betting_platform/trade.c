/* open_position and close_position. */
#include "opening.h"
#include "payments.h"

#define LEVERAGE_MAX 500

/* Where a loan moves, the vault is written, and its tokens are the account after the listed ones. */
static KEEP u64 require_vault_tokens(const struct context* c, account vault, const struct vault* v, u64 listed) {
    REQUIRE(c->count > listed, NOT_ENOUGH_ACCOUNTS);
    TRY(require_writable(vault));
    return require_address(c->accounts[listed], &v->tokens);
}

static KEEP u64 create_opened(const struct context* c, const struct opening* o) {
    const struct open_position_data* d = (const void*)c->data;
    const struct open_position_accounts* a = (const void*)c->accounts;
    struct slice seeds[5] = {
        {"position", 8}, {key_of(a->market), 32}, {key_of(a->owner), 32}, {&d->position_id, 4}, {&d->bump, 1}};
    struct birth birth = {a->owner, a->position, a->market, seeds, 5};
    TRY(create_state(c, KIND_POSITION, &birth));
    struct position* s = data_of(a->position);
    write_opened(o, s);
    s->position_id = d->position_id;
    return 0;
}

static KEEP u64 process_open_position(const struct context* c) {
    const struct open_position_data* d;
    const struct open_position_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, OPEN_POSITION, a, &in);
    struct market* m = in.market;
    REQUIRE(!in.global->halted, HALTED);
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(d->pool < m->pools, BAD_POOL);
    REQUIRE(d->side <= SIDE_NO && d->leverage >= 1 && d->leverage <= LEVERAGE_MAX, BAD_INSTRUCTION_DATA);
    REQUIRE(d->margin, ZERO_AMOUNT);
    REQUIRE(in.slot - m->publish_slot <= SPOT_AGE_MAX_SLOTS, PRICE_STALE);
    struct opening o;
    o.in = &in;
    o.p = pool_of(m, d->pool);
    o.global = a->global;
    o.position = key_of(a->position);
    o.owner = key_of(a->owner);
    o.pool = d->pool;
    o.side = d->side;
    o.leverage = d->leverage;
    o.worst_price_e6 = d->worst_price_e6;
    o.margin = d->margin;
    start_opening(&o);
    TRY(mul_div_or(d->margin, d->leverage, 1, false, &o.notional));
    o.loan = o.debt = o.notional - d->margin;
    if (o.debt) TRY(require_vault_tokens(c, a->vault, in.vault, sizeof OPEN_POSITION_RULES));
    TRY(open(&o));
    TRY(create_opened(c, &o));

    u64 payment = d->margin;
    REQUIRE(add_to(&payment, o.fee), ARITHMETIC);
    TRY(transfer_tokens(a->owner_tokens, a->market_tokens, a->owner, payment, 0));
    if (o.loan)
        TRY(transfer_as_vault(a->vault, c->accounts[sizeof OPEN_POSITION_RULES], a->market_tokens, o.loan));
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
    e.holding = 0;
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
