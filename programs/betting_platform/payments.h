/* Tokens that leave the platform's own accounts, signed for by the program, and accounts that it creates. */
#ifndef PAYMENTS_H
#define PAYMENTS_H

#include "sdk.h"

static KEEP u64 transfer_as_market(account market, account tokens, account to, u64 amount) {
    const struct market* m = data_of(market);
    struct slice seeds[3] = {{"market", 6}, {&m->condition_id, 32}, {&m->bump, 1}};
    struct signer signer = {seeds, 3};
    return transfer_tokens(tokens, to, market, amount, &signer);
}

static KEEP u64 transfer_as_vault(account vault, account tokens, account to, u64 amount) {
    const struct vault* v = data_of(vault);
    struct slice seeds[2] = {{"vault", 5}, {&v->bump, 1}};
    struct signer signer = {seeds, 2};
    return transfer_tokens(tokens, to, vault, amount, &signer);
}

/* An account of ours to be: who pays and owns it, where, of which market (null: of none), and its seeds with the bump
 * last. */
struct birth {
    account owner, target, market;
    const struct slice* seeds;
    u64 n_seeds;
};

/* Create an account of a kind, with its head, market and owner written. */
static KEEP u64 create_state(const struct context* c, u64 kind, const struct birth* b) {
    const struct kind_layout* layout = &KINDS[kind];
    struct signer signer = {b->seeds, b->n_seeds};
    struct creation creation = {b->owner, b->target, c->program, layout->bytes, &signer};
    TRY(create_account(&creation));
    u8* data = data_of(b->target);
    data[0] = (u8)kind;
    data[1] = LAYOUT_VERSION;
    data[2] = *(const u8*)b->seeds[b->n_seeds - 1].start;
    if (layout->market) *(struct address*)(data + layout->market) = *key_of(b->market);
    *(struct address*)(data + layout->owner) = *key_of(b->owner);
    return 0;
}

#endif
