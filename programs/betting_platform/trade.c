/* open_position and close_position. */
#include "holdings.h"
#include "opening.h"
#include "payments.h"

#define LEVERAGE_MAX 500

/* Where a loan moves, the vault is written, and its tokens are the account after the listed ones. */
static KEEP u64 require_vault_tokens(const struct context* c, account vault, u64 listed) {
    REQUIRE(c->count > listed, NOT_ENOUGH_ACCOUNTS);
    TRY(require_writable(vault));
    return require_address(c->accounts[listed], &((const struct vault*)data_of(vault))->tokens);
}

static KEEP u64 process_open_position(const struct context* c, struct loaded* in) {
    const struct open_position_data* d = (const void*)c->data;
    const struct open_position_accounts* a = (const void*)c->accounts;
    const struct market* m = in->market;
    u64 margin = d->margin;
    REQUIRE(d->pool < m->pools, BAD_POOL);
    REQUIRE(d->side <= SIDE_NO && d->leverage >= 1 && d->leverage <= LEVERAGE_MAX, BAD_INSTRUCTION_DATA);
    REQUIRE(margin, ZERO_AMOUNT);
    REQUIRE(in->slot - m->publish_slot <= SPOT_AGE_MAX_SLOTS, PRICE_STALE);
    struct opening o;
    start_opening(&o, in, d->pool, a->global);
    o.e.side = d->side;
    o.e.leverage = d->leverage;
    o.worst_price_e6 = d->worst_price_e6;
    o.e.margin = margin;
    TRY(mul_div_or(margin, d->leverage, 1, false, &o.e.notional));
    o.loan = o.e.debt = o.e.notional - margin;
    if (o.loan) TRY(require_vault_tokens(c, a->vault, sizeof OPEN_POSITION_RULES));
    TRY(open(&o));
    TRY(create_position(c, a->market, a->position, d->position_id, d->bump));
    write_opened(&o, data_of(a->position));

    REQUIRE(add_to(&margin, o.e.fee), ARITHMETIC);
    TRY(take_from_owner(c, margin));
    if (o.loan) {
        account vault_tokens = c->accounts[sizeof OPEN_POSITION_RULES];
        TRY(transfer_as_vault(a->vault, vault_tokens, a->market_tokens, o.loan));
    }
    return emit_opened(&o, a->position, key_of(a->owner));
}

#define ALL_SHARES (~0ULL)

static KEEP u64 repay_all(const struct context* c, struct loaded* in, struct position* s) {
    account vault = ((const struct close_position_accounts*)c->accounts)->vault;
    TRY(require_vault_tokens(c, vault, sizeof CLOSE_POSITION_RULES));
    TRY(end_loan(in->vault, in->market, s->debt));
    REQUIRE(add_to(&in->vault->cash, s->debt), ARITHMETIC);
    return pay_from_market(c, c->accounts[sizeof CLOSE_POSITION_RULES], s->debt);
}

static KEEP u64 process_close_position(const struct context* c, struct loaded* in) {
    const struct close_position_data* d = (const void*)c->data;
    const struct close_position_accounts* a = (const void*)c->accounts;
    struct market* m = in->market;
    struct position* s;
    TRY(holding_of(c, a->position, d->holding, a->market, &s));
    TRY(require_same(&s->owner, key_of(a->owner), ERR_WRONG_AUTHORITY));
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
        TRY(fee_amount_or(e.proceeds, fee_rate_ubp(vault_coverage_e6(in->vault)), &e.fee));
        TRY(book_fee(m, p, e.fee));
    }
    e.payout = e.proceeds - e.fee;
    REQUIRE(e.payout >= s->debt, PROCEEDS_BELOW_DEBT);
    e.payout -= s->debt;
    TRY(pay_residual(m, s, &e.payout));
    if (s->debt) {
        TRY(unlever(p, s->side, s->shares)); /* what is left of the position has no debt any more */
        TRY(repay_all(c, in, s));
        s->debt = 0;
    }
    s->shares -= shares;
    TRY(pay_from_market(c, a->owner_tokens, e.payout));

    tell_whose(&e.position, a->position, &s->owner);
    e.pool = s->pool;
    e.holding = d->holding;
    e.side = s->side;
    e.shares = shares;
    e.shares_left = s->shares;
    if (!s->shares && !is_embedded(s, a->position)) close_account(a->position, a->owner);
    return EMIT(in, e, POSITION_CLOSED);
}
