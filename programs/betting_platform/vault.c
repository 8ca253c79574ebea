/* stake, request_unstake, unstake: cash in for vault shares, and out again. */
#include "vault.h"
#include "payments.h"

static KEEP u64 process_stake(const struct context* c, struct loaded* in) {
    const struct stake_data* d = (const void*)c->data;
    const struct stake_accounts* a = (const void*)c->accounts;
    TRY(load_or_create(c, KIND_STAKE, a->stake, a->stake, (u64)d->bump << 32));
    struct stake* s = data_of(a->stake);
    u64 before = s->shares;
    TRY(put_stake(in, s, &s->owner, d->amount));
    REQUIRE(s->shares - before >= d->shares_min, SLIPPAGE);
    return take_from_owner(c, d->amount);
}

static KEEP u64 process_request_unstake(const struct context* c, struct loaded* in) {
    const struct request_unstake_data* d = (const void*)c->data;
    return put_request(in, in->stake, &in->stake->owner, d->shares);
}

static KEEP u64 process_unstake(const struct context* c, struct loaded* in) {
    const struct unstake_accounts* a = (const void*)c->accounts;
    u64 amount;
    TRY(pay_request(in, in->stake, &in->stake->owner, &amount));
    TRY(transfer_as_vault(a->vault, a->vault_tokens, a->owner_tokens, amount));
    if (!in->stake->shares) close_account(a->stake, a->owner);
    return 0;
}
