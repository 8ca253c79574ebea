/* Positions that hold shares and owe nothing: what makers keep, what buyers of inventory get. */
#ifndef POSITIONS_H
#define POSITIONS_H

#include "payments.h"

/* Create a position account, as buy_inventory's data describes one. */
static KEEP u64 hold_shares(const struct context* c, account market, account target, const struct buy_inventory_data* d,
                            u64 slot) {
    TRY(create_position(c, market, target, d->position_id, d->bump));
    struct position* s = data_of(target);
    s->side = d->side;
    s->pool = d->pool;
    s->shares = d->shares;
    s->opened_slot = slot;
    return 0;
}

#endif
