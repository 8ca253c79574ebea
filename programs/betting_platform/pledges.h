/* A chain's stake and liquidity answer for its debt: what a position owes at its end takes them before the vault books
 * a loss. */
#ifndef PLEDGES_H
#define PLEDGES_H

#include "chain.h"
#include "liquidity.h"
#include "vault.h"

static KEEP void start_pledge(account chain, const struct loaded* in, struct provision* x) {
    struct chain* h = data_of(chain);
    x->g = in->global;
    x->m = in->market;
    x->p = pool_of(in->market, h->pool);
    x->k = &h->maker;
    x->owner = &h->owner;
    x->position = key_of(chain);
    x->slot = in->slot;
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

/* What a chain's position owes at its end. `debt` falls by what the pledges repay, whose loan ends here; `cash` rises by
 * what the caller must move from the market's tokens to the vault's for it. Vault shares first: burned, they move
 * nothing. Then all of the liquidity: its cash repays, its shares go to the vault's inventory at the oracle's price, and
 * what is more stays the chain's. A liquidation must not fail for what its pledges are, so what cannot be taken stays. */
static KEEP u64 seize_pledges(account chain, struct loaded* in, u64* debt, u64* cash) {
    struct chain* h = data_of(chain);
    struct vault* v = in->vault;
    struct market* m = in->market;
    if (!*debt || !(h->stake.shares | h->maker.liquidity)) return 0;
    struct event_pledges_seized e;
    u64 left = *debt, by_stake = left, credit = 0;
    e.inventory_shares = e.cash = 0;
    e.stake_shares = h->stake.shares;
    TRY(seize_stake(v, &h->stake, in->slot, &by_stake));
    e.stake_shares -= h->stake.shares;
    left -= by_stake;
    if (left && h->maker.liquidity) {
        struct provision x;
        TRY(take_pledge(chain, in, ~0ULL, &x));
        u64 freed = x.cash + x.fees; /* parts of the market's tokens */
        e.cash = freed < left ? freed : left;
        left -= e.cash;
        freed -= e.cash;
        h->working += freed;
        m->escrow += freed;
        u64 side = !x.shares[SIDE_YES], price = side_price(x.p, (u8)side), shares = x.shares[side];
        u64 worth = value_at(shares, price);
        credit = worth < left ? worth : left;
        if (credit < worth) TRY(mul_div_or(credit, PRICE_ONE_E6, price, true, &shares)); /* no more than there are */
        if (credit) {
            h->positions[1 + side].shares -= shares;
            x.p->inventory[side] += shares;
            x.p->inventory_cost[side] += credit;
            e.inventory_shares = shares;
        }
        left -= credit;
    }
    e.inventory_credit = credit;
    e.debt_repaid = *debt - left;
    *debt = left;
    *cash += e.cash;
    v->cash += e.cash;
    v->inventory_cost += credit;
    TRY(end_loan(v, m, e.debt_repaid));
    copy_address(&e.chain, key_of(chain));
    return emit_market(&e, sizeof e, EVENT_PLEDGES_SEIZED, m, in->slot);
}

#endif
