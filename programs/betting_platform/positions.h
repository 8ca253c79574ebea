/* Positions that hold shares and owe nothing: what makers keep, what buyers of inventory get. */
#ifndef POSITIONS_H
#define POSITIONS_H

#include "payments.h"

struct new_position {
    account owner, target, market;
    u32 position_id;
    u8 bump, pool, side;
    u64 shares, slot;
};

static KEEP u64 create_position(const struct context* c, const struct new_position* n) {
    struct slice seeds[5] = {
        {"position", 8}, {key_of(n->market), 32}, {key_of(n->owner), 32}, {&n->position_id, 4}, {&n->bump, 1}};
    struct birth birth = {n->owner, n->target, n->market, seeds, 5};
    TRY(create_state(c, KIND_POSITION, &birth));
    struct position* s = data_of(n->target);
    s->side = n->side;
    s->pool = n->pool;
    s->shares = n->shares;
    s->opened_slot = n->slot;
    s->position_id = n->position_id;
    return 0;
}

#endif
