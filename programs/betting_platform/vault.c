/* stake: cash in, vault shares out. */
#include "ledger.h"

enum {
    STAKE_OWNER,
    STAKE_GLOBAL,
    STAKE_VAULT,
    STAKE_VAULT_TOKENS,
    STAKE_OWNER_TOKENS,
    STAKE_ACCOUNT,
    STAKE_TOKEN_PROGRAM,
    STAKE_SYSTEM,
    STAKE_COUNT
};

struct stake_data {
    u8 tag, bump, padding[6];
    u64 amount, shares_min;
};

static KEEP u64 load_or_create_stake(const struct context* c, const struct stake_data* d, struct stake** out) {
    account owner = c->accounts[STAKE_OWNER], target = c->accounts[STAKE_ACCOUNT];
    if (same(owner_of(target), &SYSTEM_PROGRAM)) {
        struct slice seeds[3] = {{"stake", 5}, {key_of(owner), 32}, {&d->bump, 1}};
        struct signer signer = {seeds, 3};
        struct creation creation = {owner, target, c->program, sizeof(struct stake), &signer};
        TRY(create_account(&creation));
        struct stake* s = data_of(target);
        s->kind = KIND_STAKE;
        s->version = LAYOUT_VERSION;
        s->bump = d->bump;
        s->owner = *key_of(owner);
    }
    TRY(require_state(c, target, KIND_STAKE, sizeof(struct stake)));
    TRY(require_writable(target));
    *out = data_of(target);
    REQUIRE(same(&(*out)->owner, key_of(owner)), WRONG_ADDRESS);
    return 0;
}

static KEEP u64 process_stake(const struct context* c) {
    const struct stake_data* d;
    READ_DATA(c, d);
    TRY(require_accounts(c, STAKE_COUNT));
    struct global* g;
    struct vault* v;
    struct stake* s;
    TRY(load_global(c, c->accounts[STAKE_GLOBAL], &g));
    TRY(load_vault(c, c->accounts[STAKE_VAULT], &v));
    TRY(require_writable(c->accounts[STAKE_VAULT]));
    TRY(require_signer(c->accounts[STAKE_OWNER]));
    TRY(require_address(c->accounts[STAKE_VAULT_TOKENS], &v->tokens));
    TRY(require_token_program(c->accounts[STAKE_TOKEN_PROGRAM]));
    REQUIRE(!g->halted, HALTED);
    /* shares = floor(a * (S + 1_000) / (V + 1)): the virtual shares make inflating the price of the first share a
     * gift to nobody's profit. V is the internal count, never the token balance. */
    u64 shares;
    REQUIRE(v->share_supply <= ~0ULL - 1000 && vault_value(v) < ~0ULL, ARITHMETIC);
    REQUIRE(mul_div(d->amount, v->share_supply + 1000, vault_value(v) + 1, false, &shares), ARITHMETIC);
    REQUIRE(shares, ZERO_AMOUNT);
    REQUIRE(shares >= d->shares_min, SLIPPAGE);
    TRY(load_or_create_stake(c, d, &s));
    TRY(transfer_tokens(c->accounts[STAKE_OWNER_TOKENS], c->accounts[STAKE_VAULT_TOKENS], c->accounts[STAKE_OWNER],
                        d->amount, 0));
    REQUIRE(add_to(&v->cash, d->amount) && add_to(&v->share_supply, shares) && add_to(&s->shares, shares), ARITHMETIC);

    u64 slot;
    TRY(read_slot(&slot));
    struct event_staked e;
    head_vault(&e.head, EVENT_STAKED, v, slot);
    e.owner = *key_of(c->accounts[STAKE_OWNER]);
    e.amount = d->amount;
    e.shares = shares;
    e.share_supply = v->share_supply;
    e.vault_value = vault_value(v);
    return emit(&e, sizeof e);
}
