/* A chain's stake and liquidity answer for its debt: what a position owes at its end takes them before the vault books
 * a loss. */
#ifndef PLEDGES_H
#define PLEDGES_H

#include "chain.h"
#include "liquidity.h"
#include "vault.h"

static KEEP void start_pledge(account chain, const struct loaded* in, struct provision* x) {
    struct chain* h = data_of(chain);
    x->in = in;
    x->p = pool_of(in->market, h->pool);
    x->k = &h->maker;
    x->owner = &h->owner;
    x->position = key_of(chain);
    x->price_e6 = x->p->price_e6;
    x->liquidity = x->cash = x->fees = x->shares[SIDE_YES] = x->shares[SIDE_NO] = 0;
}

/* What a change of liquidity leaves to its maker becomes a holding of the chain: at most what is outstanding. */
static KEEP void keep_in_chain(struct chain* h, const struct provision* x) {
    h->positions[1].shares += x->shares[SIDE_YES];
    h->positions[2].shares += x->shares[SIDE_NO];
}

/* Take `most` of a chain's liquidity and its fees. Less liquidity than the curve can hand anything back for stays. */
static KEEP u64 take_pledge(account chain, const struct loaded* in, u64 most, struct provision* x) {
    struct chain* h = data_of(chain);
    start_pledge(chain, in, x);
    x->liquidity = most < h->maker.liquidity ? most : h->maker.liquidity;
    if (take_liquidity(x)) x->liquidity = 0;
    keep_in_chain(h, x);
    return emit_removed(x);
}

/* All of a chain's liquidity: its cash repays up to `debt`, its shares go to the vault's inventory for the rest, and
 * what is more stays the chain's. */
static KEEP u64 seize_liquidity(account chain, const struct loaded* in, u64 debt, struct event_pledges_seized* e) {
    struct provision x;
    struct chain* h = data_of(chain);
    TRY(take_pledge(chain, in, ~0ULL, &x));
    u64 freed = x.cash + x.fees; /* parts of the market's tokens */
    e->cash = freed < debt ? freed : debt;
    debt -= e->cash;
    freed -= e->cash;
    h->working += freed;
    in->market->escrow += freed;
    u64 side = !x.shares[SIDE_YES];
    e->inventory_shares = x.shares[side];
    if (!e->inventory_shares) return 0;
    TRY(take_over(x.p, side, debt, &e->inventory_shares));
    h->positions[1 + side].shares -= e->inventory_shares;
    return 0;
}

/* What a chain's position owes at its end. `debt` falls by what the pledges repay, whose loan ends here; `cash` rises
 * by what the caller must move from the market's tokens to the vault's for it. Vault shares first: burned, they move
 * nothing. Then the liquidity. A liquidation must not fail for what its pledges are, so what cannot be taken stays. */
static KEEP u64 seize_pledges(account chain, struct loaded* in, u64* debt, u64* cash) {
    struct chain* h = data_of(chain);
    struct stake* s = &h->stake;
    struct vault* v = in->vault;
    struct event_pledges_seized e;
    if (!*debt || !(s->shares | h->maker.liquidity)) return 0;
    e.cash = e.inventory_shares = e.inventory_credit = 0;
    e.stake_shares = s->shares;
    e.debt_repaid = *debt;
    TRY(seize_stake(in, s, &e.debt_repaid));
    e.stake_shares -= s->shares;
    if (h->maker.liquidity && e.debt_repaid < *debt) TRY(seize_liquidity(chain, in, *debt - e.debt_repaid, &e));
    e.debt_repaid += e.cash + e.inventory_credit;
    *debt -= e.debt_repaid;
    *cash += e.cash;
    v->cash += e.cash;
    v->inventory_cost += e.inventory_credit;
    TRY(end_loan(v, in->market, e.debt_repaid));
    copy_key(&e.chain, chain);
    return EMIT(in, e, PLEDGES_SEIZED);
}

#endif
