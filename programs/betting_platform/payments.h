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

/* Where market, its tokens, the vault and its tokens are the third to the sixth account, as keepers pass them. */
static KEEP u64 pay_from_market(const struct context* c, account to, u64 amount) {
    return transfer_as_market(c->accounts[2], c->accounts[3], to, amount);
}

/* An account of ours to be: who pays and owns it, where, of which market (null: of none), and its seeds with the bump
 * last. */
struct birth {
    account owner, target, market;
    const struct slice* seeds;
    u64 n_seeds;
};

/* The head of an account, or of what a chain embeds: kind, version, market and owner. */
static KEEP void write_owned(u8* data, u64 kind, const struct address* market, const struct address* owner) {
    const struct kind_layout* layout = &KINDS[kind];
    data[0] = (u8)kind;
    data[1] = LAYOUT_VERSION;
    if (layout->market) copy_address((void*)(data + layout->market), market);
    copy_address((void*)(data + layout->owner), owner);
}

/* Create an account of a kind, with its bump, market and owner written. */
static KEEP u64 create_state(const struct context* c, u64 kind, const struct birth* b) {
    struct signer signer = {b->seeds, b->n_seeds};
    struct creation creation = {b->owner, b->target, c->program, KINDS[kind].bytes, &signer};
    TRY(create_account(&creation));
    u8* data = data_of(b->target);
    write_owned(data, kind, key_of(b->market), key_of(b->owner)); /* without a market none is read */
    data[2] = *(const u8*)b->seeds[b->n_seeds - 1].start;
    return 0;
}

/* The same unless it is there already; then it must be of this kind, market and owner. */
static KEEP u64 load_or_create(const struct context* c, u64 kind, const struct birth* b) {
    if (same(owner_of(b->target), &SYSTEM_PROGRAM_ID)) return create_state(c, kind, b);
    struct loaded unused;
    const struct kind_layout* layout = &KINDS[kind];
    TRY(load_state(c, b->target, (u8)kind, b->market, &unused));
    return require_same((void*)((u8*)data_of(b->target) + layout->owner), key_of(b->owner), ERR_WRONG_ADDRESS);
}

/* A position or a chain of the signer, who is the first account: `id` with the bump above its 32 bits. */
static KEEP u64 create_numbered(const struct context* c, u64 kind, account market, account target, u64 id) {
    account owner = c->accounts[0];
    struct slice seeds[5] = {{"position", 8}, {key_of(market), 32}, {key_of(owner), 32}, {&id, 4}, {(u8*)&id + 4, 1}};
    if (kind == KIND_CHAIN) seeds[0] = (struct slice){"chain", 5};
    struct birth birth = {owner, target, market, seeds, 5};
    return create_state(c, kind, &birth);
}
static KEEP u64 create_position(const struct context* c, account market, account target, u32 id, u8 bump) {
    TRY(create_numbered(c, KIND_POSITION, market, target, id | (u64)bump << 32));
    ((struct position*)data_of(target))->position_id = id;
    return 0;
}

/* An account of ours or a token account that must exist once for its seeds: at their first address. The first account
 * of the instruction pays. */
struct first {
    account target;
    const struct slice* seeds; /* the bump last */
    u64 n_seeds, bytes;        /* no bytes: nothing is created, the address alone is checked */
    u64 kind;                  /* zero: a token account of this mint and owner */
    account mint;
    const struct address* token_owner;
};

static KEEP u64 create_first(const struct context* c, const struct first* f) {
    const struct slice* bump = &f->seeds[f->n_seeds - 1];
    TRY(require_first_address(c, f->target, f->seeds, f->n_seeds - 1, *(const u8*)bump->start));
    if (!f->bytes) return 0;
    struct signer signer = {f->seeds, f->n_seeds};
    struct creation creation = {c->accounts[0], f->target, f->kind ? c->program : &TOKEN_PROGRAM_ID, f->bytes, &signer};
    if (!f->kind) return create_token_account(&creation, f->mint, f->token_owner);
    TRY(create_account(&creation));
    u8* data = data_of(f->target);
    data[0] = (u8)f->kind;
    data[1] = LAYOUT_VERSION;
    data[2] = *(const u8*)bump->start;
    return 0;
}

#endif
