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

/* Where market and its tokens are the third and the fourth account, as nearly everybody passes them. */
static KEEP u64 pay_from_market(const struct context* c, account to, u64 amount) {
    return transfer_as_market(c->accounts[2], c->accounts[3], to, amount);
}
/* Where the owner, the first account, pays from the fifth to the fourth: the market's tokens or the vault's. */
static KEEP u64 take_from_owner(const struct context* c, u64 amount) {
    return transfer_tokens(c->accounts[4], c->accounts[3], c->accounts[0], amount, 0);
}

/* The head of an account, or of what a chain embeds: kind, version, market and owner. */
static KEEP void write_owned(u8* data, u64 kind, const struct address* market, const struct address* owner) {
    const struct kind_layout* layout = &KINDS[kind];
    data[0] = (u8)kind;
    data[1] = LAYOUT_VERSION;
    if (layout->market) copy_address((void*)(data + layout->market), market);
    copy_address((void*)(data + layout->owner), owner);
}

/* The seeds of an account that somebody owns: a name, its market, the id before or after the owner, its bump. They are
 * hashed one after the other, so that an empty one is none. */
struct naming {
    char name[9]; /* the longest is "position" */
    u8 name_bytes, market_bytes, id_before, id_after;
};
static const struct naming NAMINGS[] = {
    [KIND_POSITION - KIND_POSITION] = {"position", 8, 32, 0, 4},
    [KIND_MAKER - KIND_POSITION] = {"maker", 5, 32, 1, 0},
    [KIND_STAKE - KIND_POSITION] = {"stake", 5, 0, 0, 0},
    [KIND_CHAIN - KIND_POSITION] = {"chain", 5, 32, 0, 4},
};

/* Create an account of the signer, who is the first account, and write its head: `id` has the bump above its 32 bits. A
 * stake, which has no market, reads none. */
static KEEP u64 create_owned(const struct context* c, u64 kind, account market, account target, u64 id) {
    const struct naming* n = &NAMINGS[kind - KIND_POSITION];
    account owner = c->accounts[0];
    struct slice seeds[6] = {{n->name, n->name_bytes}, {key_of(market), n->market_bytes},
                             {&id, n->id_before},      {key_of(owner), 32},
                             {&id, n->id_after},       {(u8*)&id + 4, 1}};
    struct signer signer = {seeds, 6};
    struct creation creation = {owner, target, c->program, KINDS[kind].bytes, &signer};
    TRY(create_account(&creation));
    u8* data = data_of(target);
    write_owned(data, kind, key_of(market), key_of(owner));
    data[2] = (u8)(id >> 32);
    return 0;
}

/* The same unless it is there already; then it must be of this kind, market and owner. */
static KEEP u64 load_or_create(const struct context* c, u64 kind, account market, account target, u64 id) {
    if (same(owner_of(target), &SYSTEM_PROGRAM_ID)) return create_owned(c, kind, market, target, id);
    struct loaded unused;
    TRY(load_state(c, target, (u8)kind, market, &unused));
    return require_same((void*)((u8*)data_of(target) + KINDS[kind].owner), key_of(c->accounts[0]), ERR_WRONG_ADDRESS);
}

static KEEP u64 create_position(const struct context* c, account market, account target, u32 id, u8 bump) {
    TRY(create_owned(c, KIND_POSITION, market, target, id | (u64)bump << 32));
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
