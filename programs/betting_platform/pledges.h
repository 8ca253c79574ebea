/* A chain's stake and liquidity answer for its debt: what a position owes at its end takes them before the vault books
 * a loss. */
#ifndef PLEDGES_H
#define PLEDGES_H

#include "chain.h"
#include "liquidity.h"
#include "risk.h"
#include "vault.h"

static KEEP void start_chain_provision(account chain, const struct loaded* in, struct provision* x) {
    struct chain* h = data_of(chain);
    x->g = in->global;
    x->m = in->market;
    x->p = pool_of(in->market, h->pool);
    x->k = &h->maker;
    x->owner = &h->owner;
    x->position = key_of(chain);
    x->slot = in->slot;
    x->liquidity = x->cash = x->fees = x->shares[SIDE_YES] = x->shares[SIDE_NO] = 0;
}

/* What a change of liquidity leaves to its maker becomes a holding of the chain. */
static inline void keep_in_chain(struct chain* h, const struct provision* x) {
    h->positions[1].shares += x->shares[SIDE_YES]; /* at most what is outstanding */
    h->positions[2].shares += x->shares[SIDE_NO];
}

/* Take `most` of a chain's liquidity, or none where that is less than the curve can hand back: then it stays. */
static KEEP u64 take_pledged_liquidity(struct chain* h, struct provision* x, u64 most) {
    x->liquidity = most < h->maker.liquidity ? most : h->maker.liquidity;
    if (take_liquidity(x)) {
        x->k->fees_owed += x->fees;
        x->m->fees_makers += x->fees;
        x->liquidity = x->fees = 0;
        return 0;
    }
    keep_in_chain(h, x);
    return emit_removed(x);
}

/* A chain's own shares go to the vault's inventory for what is left of a debt: at the oracle's price, which is what they
 * pay once resolved. */
static KEEP u64 sell_to_inventory(struct provision* x, struct position* s, u64 debt, struct event_pledges_seized* e) {
    u64 price = side_price(x->p, s->side), shares, credit;
    if (!price) return 0;
    TRY(mul_div_or(debt, PRICE_ONE_E6, price, true, &shares));
    if (shares > x->shares[s->side]) shares = x->shares[s->side];
    TRY(mul_div_or(shares, price, PRICE_ONE_E6, false, &credit));
    if (credit > debt) credit = debt;
    s->shares -= shares;
    x->p->inventory[s->side] += shares; /* both parts of what is outstanding */
    REQUIRE(add_to(&x->p->inventory_cost[s->side], credit), ARITHMETIC);
    e->inventory_shares = shares;
    e->inventory_credit = credit;
    return 0;
}

/* What a chain's position owes at its end. `debt` falls by what the pledges repay, whose loan ends here; `cash` rises by
 * what the caller must move from the market's tokens to the vault's for it. Vault shares first: burned, they move
 * nothing. Then all of the liquidity: its cash repays, its shares become the vault's, and what is more stays the
 * chain's. A liquidation must not fail for what its pledges are, so what cannot be taken stays. */
static KEEP u64 seize_pledges(account chain, struct loaded* in, u64* debt, u64* cash) {
    struct chain* h = data_of(chain);
    if (!*debt || !(h->stake.shares | h->maker.liquidity)) return 0;
    struct vault* v = in->vault;
    struct market* m = in->market;
    struct event_pledges_seized e;
    e.inventory_shares = e.inventory_credit = e.cash = 0;
    u64 left = *debt, by_stake = left;
    e.stake_shares = h->stake.shares;
    TRY(seize_stake(v, &h->stake, in->slot, &by_stake));
    e.stake_shares -= h->stake.shares;
    left -= by_stake;
    if (left && h->maker.liquidity) {
        struct provision x;
        start_chain_provision(chain, in, &x);
        TRY(take_pledged_liquidity(h, &x, ~0ULL));
        u64 freed = x.cash + x.fees; /* parts of the market's tokens */
        e.cash = freed < left ? freed : left;
        h->working += freed - e.cash;
        m->escrow += freed - e.cash;
        left -= e.cash;
        TRY(sell_to_inventory(&x, &h->positions[x.shares[SIDE_YES] ? 1 : 2], left, &e));
        left -= e.inventory_credit;
    }
    e.debt_repaid = *debt - left;
    TRY(end_loan(v, m, e.debt_repaid));
    REQUIRE(add_to(&v->cash, e.cash) && add_to(&v->inventory_cost, e.inventory_credit) && add_to(cash, e.cash),
            ARITHMETIC);
    *debt = left;
    head_market(&e.head, EVENT_PLEDGES_SEIZED, m, in->slot);
    e.chain = *key_of(chain);
    return emit(&e, sizeof e);
}

#endif
