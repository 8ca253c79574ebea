/* stake: cash in, vault shares out. */
#include "ledger.h"
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
    struct vault* v = in.vault;
    REQUIRE(!in.global->halted, HALTED);
    /* shares = floor(a * (S + 1_000) / (V + 1)): the virtual shares make inflating the price of the first share a
     * gift to nobody's profit. V is the internal count, never the token balance. */
    u64 shares;
    REQUIRE(v->share_supply <= ~0ULL - 1000 && vault_value(v) < ~0ULL, ARITHMETIC);
    REQUIRE(mul_div(d->amount, v->share_supply + 1000, vault_value(v) + 1, false, &shares), ARITHMETIC);
    REQUIRE(shares, ZERO_AMOUNT);
    REQUIRE(shares >= d->shares_min, SLIPPAGE);
    struct stake* s;
    TRY(load_or_create_stake(c, a, d->bump, &s));
    TRY(transfer_tokens(a->owner_tokens, a->vault_tokens, a->owner, d->amount, 0));
    REQUIRE(add_to(&v->cash, d->amount) && add_to(&v->share_supply, shares) && add_to(&s->shares, shares), ARITHMETIC);

    struct event_staked e;
    head_vault(&e.head, EVENT_STAKED, v, in.slot);
    e.owner = s->owner;
    e.amount = d->amount;
    e.shares = shares;
    e.share_supply = v->share_supply;
    e.vault_value = vault_value(v);
    return emit(&e, sizeof e);
}
