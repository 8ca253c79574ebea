/* Where a position lies: in an account of its own, or among the three that a chain holds. */
#ifndef HOLDINGS_H
#define HOLDINGS_H

#include "sdk.h"

#define CHAIN_POSITIONS 3

/* Null: the account is a position. Both kinds of account have been told apart by holding_of. */
static inline struct chain* chain_of(account a) {
    struct chain* chain = data_of(a);
    return chain->kind == KIND_CHAIN ? chain : 0;
}

/* The position of a market that an account holds: its only one (index 0), or one of a chain's. */
static KEEP u64 holding_of(const struct context* c, account a, u64 index, account market, struct position** out) {
    struct loaded in;
    bool is_chain = length_of(a) == sizeof(struct chain);
    REQUIRE(index < (is_chain ? CHAIN_POSITIONS : 1), BAD_INSTRUCTION_DATA);
    TRY(load_state(c, a, is_chain ? CHAIN : POSITION, market, &in));
    *out = is_chain ? &in.chain->positions[index] : in.position;
    return 0;
}

/* Who owns an account of ours that has an owner. */
static inline const struct address* holder_of(account a) {
    const u8* data = data_of(a);
    return (const void*)(data + KINDS[data[0]].owner);
}

#endif
