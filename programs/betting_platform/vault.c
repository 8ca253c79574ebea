/* stake, request_unstake, unstake: cash in for vault shares, and out again. */
#include "vault.h"
#include "payments.h"

static KEEP u64 process_stake(const struct context* c, struct loaded* in) {
    const struct stake_data* d = (const void*)c->data;
    const struct stake_accounts* a = (const void*)c->accounts;
    struct slice seeds[3] = {{"stake", 5}, {key_of(a->owner), 32}, {&d->bump, 1}};
    struct birth birth = {a->owner, a->stake, 0, seeds, 3};
    TRY(load_or_create(c, KIND_STAKE, &birth));
    struct stake* s = data_of(a->stake);
    u64 before = s->shares;
    TRY(put_stake(in->vault, s, &s->owner, d->amount, in->slot));
    REQUIRE(s->shares - before >= d->shares_min, SLIPPAGE);
    return transfer_tokens(a->owner_tokens, a->vault_tokens, a->owner, d->amount, 0);
}

static KEEP u64 process_request_unstake(const struct context* c, struct loaded* in) {
    const struct request_unstake_data* d = (const void*)c->data;
    return put_request(in->vault, in->stake, &in->stake->owner, d->shares, in->slot);
}

static KEEP u64 process_unstake(const struct context* c, struct loaded* in) {
    const struct unstake_accounts* a = (const void*)c->accounts;
    u64 amount;
    TRY(pay_request(in->vault, in->stake, &in->stake->owner, in->slot, &amount));
    TRY(transfer_as_vault(a->vault, a->vault_tokens, a->owner_tokens, amount));
    if (!in->stake->shares) close_account(a->stake, a->owner);
    return 0;
}
