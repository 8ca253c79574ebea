/* resolve_market and redeem: what an outcome pays, and paying it. */
#include "holdings.h"
#include "ledger.h"
#include "payments.h"
#include "pledges.h"

static KEEP u64 process_resolve_market(const struct context* c, struct loaded* in) {
    const struct resolve_market_data* d = (const void*)c->data;
    const struct resolve_market_accounts* a = (const void*)c->accounts;
    struct market* m = in->market;
    TRY(require_same(key_of(a->authority), &in->global->oracle_authority, ERR_WRONG_AUTHORITY));
    REQUIRE(d->pools == m->pools && c->data_length == sizeof *d + d->pools * sizeof(u32), BAD_INSTRUCTION_DATA);

    struct {
        struct event_market_resolved fixed;
        u64 payout_e6[OUTCOMES_MAX];
    } e;
    const u32* payout_e6 = d->payout_e6;
    u64 sum = 0;
    for (u64 i = 0; i < d->pools; i++) {
        REQUIRE(payout_e6[i] <= PRICE_ONE_E6, PAYOUT_SUM); /* or NO would pay less than nothing */
        sum += e.payout_e6[i] = pool_of(m, i)->price_e6 = payout_e6[i];
    }
    REQUIRE(d->pools == 1 || sum == PRICE_ONE_E6, PAYOUT_SUM);
    m->status = MARKET_RESOLVED;

    e.fixed.pools = d->pools;
    return emit_in(in, &e, EVENT_MARKET_RESOLVED | (sizeof e.fixed + d->pools * sizeof(u64)) << 8);
}

/* The position is worth what its shares pay: the vault's loan first, then a chain's pledges, bad debt for what those
 * lack; the rest and what liquidations left over to the owner, whoever calls. */
static KEEP u64 process_redeem(const struct context* c, struct loaded* in) {
    const struct redeem_data* d = (const void*)c->data;
    const struct redeem_accounts* a = (const void*)c->accounts;
    struct market* m = in->market;
    struct position* s;
    TRY(holding_of(c, a->position, d->holding, a->market, &s));
    TRY(require_address(a->owner, &s->owner));
    REQUIRE(m->status == MARKET_RESOLVED, NOT_RESOLVED);
    bool embedded = is_embedded(s, a->position);
    REQUIRE(!embedded || s->shares || s->residual, ZERO_AMOUNT);
    struct pool* p = pool_of(m, s->pool);

    struct event_position_redeemed e;
    TRY(redeem_shares(p, s->side, s->shares, &e.value));
    u64 repaid = e.value < s->debt ? e.value : s->debt, pledged = 0;
    e.payout = e.value - repaid; /* parts of the market's tokens, like what is repaid of the vault's */
    TRY(pay_residual(m, s, &e.payout));
    e.debt_repaid = repaid;
    e.bad_debt = s->debt - repaid;
    if (s->debt) {
        TRY(unlever(p, s->side, s->shares));
        if (embedded) TRY(seize_pledges(a->position, in, &e.bad_debt, &pledged));
        TRY(end_loan(in->vault, m, repaid + e.bad_debt));
        in->vault->cash += repaid;
    }
    if (e.payout) TRY(require_tokens_of(a->owner_tokens, &s->owner)); /* a worthless position needs none */
    TRY(transfer_as_market(a->market, a->market_tokens, a->vault_tokens, repaid + pledged));
    TRY(transfer_as_market(a->market, a->market_tokens, a->owner_tokens, e.payout));

    tell_whose(&e.position, a->position, &s->owner);
    e.pool = s->pool;
    e.side = s->side;
    e.payout_e6 = (u32)side_price(p, s->side);
    e.holding = d->holding;
    e.shares = s->shares;
    s->shares = s->debt = 0;
    if (!embedded) close_account(a->position, a->owner);
    TRY(EMIT(in, e, POSITION_REDEEMED));
    return book_bad_debt(in, e.bad_debt, 1);
}
