/* stake, request_unstake, unstake: cash in for vault shares, and out again. */
#include "vault.h"
#include "payments.h"

static KEEP u64 load_or_create_stake(const struct context* c, const struct stake_accounts* a, u8 bump,
                                     struct stake** out) {
    if (same(owner_of(a->stake), &SYSTEM_PROGRAM_ID)) {
        struct slice seeds[3] = {{"stake", 5}, {key_of(a->owner), 32}, {&bump, 1}};
        struct birth birth = {a->owner, a->stake, 0, seeds, 3};
        TRY(create_state(c, KIND_STAKE, &birth));
    }
    TRY(require_state(c, a->stake, KIND_STAKE, sizeof(struct stake)));
    *out = data_of(a->stake);
    REQUIRE(same(&(*out)->owner, key_of(a->owner)), WRONG_ADDRESS);
    return 0;
}

static KEEP u64 process_stake(const struct context* c) {
    const struct stake_data* d;
    const struct stake_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, STAKE, a, &in);
    REQUIRE(!in.global->halted, HALTED);
    struct stake* s;
    TRY(load_or_create_stake(c, a, d->bump, &s));
    u64 before = s->shares;
    TRY(put_stake(in.vault, s, &s->owner, d->amount, in.slot));
    REQUIRE(s->shares - before >= d->shares_min, SLIPPAGE);
    return transfer_tokens(a->owner_tokens, a->vault_tokens, a->owner, d->amount, 0);
}

static KEEP u64 process_request_unstake(const struct context* c) {
    const struct request_unstake_data* d;
    const struct request_unstake_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, REQUEST_UNSTAKE, a, &in);
    return put_request(in.vault, in.stake, &in.stake->owner, d->shares, in.slot);
}

static KEEP u64 process_unstake(const struct context* c) {
    const struct unstake_accounts* a;
    struct loaded in;
    REQUIRE(c->data_length == sizeof(struct tag_data), BAD_INSTRUCTION_DATA);
    LOAD(c, UNSTAKE, a, &in);
    u64 amount;
    TRY(pay_request(in.vault, in.stake, &in.stake->owner, in.slot, &amount));
    TRY(transfer_as_vault(a->vault, a->vault_tokens, a->owner_tokens, amount));
    if (!in.stake->shares) close_account(a->stake, a->owner);
    return 0;
}
