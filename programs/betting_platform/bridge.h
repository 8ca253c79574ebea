#ifndef BRIDGE_H
#define BRIDGE_H
#include "payments.h"
#include "ledger.h"
static KEEP void copy_address(struct address* to, const struct address* from) { *to = *from; }
static KEEP void copy_words(void* to, const void* from, u64 words) {
    for (u64 i = 0; i < words; i++) ((u64*)to)[i] = ((const u64*)from)[i];
}
static KEEP u64 require_same(const struct address* a, const struct address* b, u64 error) {
    if (a->word[0] != b->word[0] || a->word[1] != b->word[1]) return error;
    return a->word[2] == b->word[2] && a->word[3] == b->word[3] ? 0 : error;
}
static KEEP u64 mul_div_or(u64 a, u64 b, u64 d, bool up, u64* out) { return mul_div(a, b, d, up, out) ? 0 : 113; }
#define mul_high_shared mul_high
static KEEP u64 emit_market(void* event, u64 bytes, u8 kind, struct market* m, u64 slot) {
    head_market(event, kind, m, slot);
    return emit(event, bytes);
}
static KEEP u64 emit_vault(void* event, u64 bytes, u8 kind, struct vault* v, u64 slot) {
    head_vault(event, kind, v, slot);
    return emit(event, bytes);
}
static KEEP u64 load_or_create(const struct context* c, u64 kind, const struct birth* b) {
    if (same(owner_of(b->target), &SYSTEM_PROGRAM_ID)) return create_state(c, kind, b);
    struct loaded unused;
    const struct kind_layout* layout = &KINDS[kind];
    TRY(load_state(c, b->target, (u8)kind, b->market, &unused));
    return require_same((void*)((u8*)data_of(b->target) + layout->owner), key_of(b->owner), ERR_WRONG_ADDRESS);
}
static KEEP u64 create_position(const struct context* c, account market, account target, u32 id, u8 bump) {
    account owner = c->accounts[0];
    struct slice seeds[5] = {{"position", 8}, {key_of(market), 32}, {key_of(owner), 32}, {&id, 4}, {&bump, 1}};
    struct birth birth = {owner, target, market, seeds, 5};
    TRY(create_state(c, KIND_POSITION, &birth));
    ((struct position*)data_of(target))->position_id = id;
    return 0;
}
#endif
