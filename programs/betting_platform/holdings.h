/* The position that an instruction works on: an account of its own, or one of the three that a chain embeds. */
#ifndef HOLDINGS_H
#define HOLDINGS_H

#include "sdk.h"

static inline bool is_chain(account a) { return length_of(a) && *(u8*)data_of(a) == KIND_CHAIN; }

/* Is it part of a chain? A position account begins with its position. */
static inline bool is_embedded(const struct position* s, account a) { return (const void*)s != data_of(a); }

/* `index` is which of a chain's, and zero for a position account. Either must be of this market. */
static KEEP u64 holding_of(const struct context* c, account a, u64 index, account market, struct position** out) {
    bool embedded = is_chain(a);
    struct loaded found;
    REQUIRE(index <= (embedded ? 2 : 0), BAD_INSTRUCTION_DATA);
    TRY(load_state(c, a, embedded ? KIND_CHAIN : KIND_POSITION, market, &found));
    *out = embedded ? &found.chain->positions[index] : found.position;
    return 0;
}

#endif
