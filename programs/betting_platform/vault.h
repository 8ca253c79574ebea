/* The vault and its stakers, wherever a stake is kept: in an account of its own, or inside a chain.
 *
 * Nothing here moves tokens or knows accounts. A share costs V / S and pays (V - unvested) / S, with V = cash + loans
 * + inventory at cost, by internal counts, and 1_000 virtual shares on one virtual unit: so inflating the price of the
 * first share is a gift to nobody's profit.
 *
 * VESTING. Fees that are swept and gains on inventory are cash at once, but those who leave share them only as they
 * vest: otherwise whoever stakes just before a sweep leaves with a part of it just after. Losses hit at once.
 * `unvested` melts by its part dt / VEST_SLOTS each time it is touched: linearly when nothing happens, slower when
 * touched often, never faster. */
#ifndef VAULT_H
#define VAULT_H

#include "ledger.h"

#define VEST_SLOTS 9000
#define UNSTAKE_SLOTS 150    /* from a request to its payment; the leaky bucket's period too */
#define WITHDRAWAL_DIVISOR 5 /* the bucket holds a fifth of cash and loans */
#define VIRTUAL_SHARES 1000

/* The part of an amount that has melted since a slot, rounded down. */
static KEEP u64 melted(u64 amount, u64 slots, u64 period) {
    u64 part = amount;
    if (slots < period) (void)mul_div_or(amount, slots, period, false, &part); /* below `amount`: it fits */
    return part;
}

/* A gain that the caller has booked already, or none: those who leave share it as it vests. */
static KEEP u64 book_gain(const struct loaded* in, u64 gain) {
    struct vault* v = in->vault;
    v->unvested -= melted(v->unvested, in->slot - v->vest_slot, VEST_SLOTS);
    v->vest_slot = in->slot;
    REQUIRE(add_to(&v->unvested, gain), ARITHMETIC);
    return 0;
}

/* Inventory leaves for cash: a gain vests, a loss hits at once. */
static KEEP u64 end_inventory(const struct loaded* in, u64 cost, u64 cash) {
    struct vault* v = in->vault;
    REQUIRE(cost <= v->inventory_cost && add_to(&v->cash, cash), ARITHMETIC);
    v->inventory_cost -= cost;
    return book_gain(in, excess(cash, cost));
}

/* What shares would pay to who leaves now, rounded down: floor(shares * (V - unvested + 1) / (S + 1_000)). */
static KEEP u64 stake_value(const struct loaded* in, u64 shares, u64* value) {
    const struct vault* v = in->vault;
    TRY(book_gain(in, 0));
    return mul_div_or(shares, excess(vault_value(v), v->unvested) + 1, v->share_supply + VIRTUAL_SHARES, false, value);
}

/* Cash becomes shares, at the price of those who come: floor(amount * (S + 1_000) / (V + 1)). Emits STAKED. */
static KEEP u64 put_stake(const struct loaded* in, struct stake* s, const struct address* owner, u64 amount) {
    struct vault* v = in->vault;
    struct event_staked e;
    u64 supply = VIRTUAL_SHARES;
    REQUIRE(add_to(&supply, v->share_supply), ARITHMETIC);
    TRY(mul_div_or(amount, supply, vault_value(v) + 1, false, &e.shares));
    REQUIRE(e.shares, ZERO_AMOUNT);
    REQUIRE(add_to(&v->cash, amount) && add_to(&v->share_supply, e.shares), ARITHMETIC);
    s->shares += e.shares; /* a part of the supply */
    copy_address(&e.owner, owner);
    e.amount = amount;
    e.share_supply = v->share_supply;
    e.vault_value = vault_value(v);
    return EMIT_IN_VAULT(in, e, STAKED);
}

/* Ask for shares to be paid out, in place of an earlier request; zero takes that back. Emits UNSTAKE_REQUESTED. */
static KEEP u64 put_request(const struct loaded* in, struct stake* s, const struct address* owner, u64 shares) {
    struct vault* v = in->vault;
    REQUIRE(shares <= s->shares, NOT_ENOUGH_STAKE);
    struct event_unstake_requested e;
    TRY(stake_value(in, shares, &e.value));
    v->locked_shares += shares - s->requested_shares; /* a part of the supply */
    s->requested_shares = e.shares = shares;
    s->request_slot = in->slot;
    s->request_value = e.value;
    copy_address(&e.owner, owner);
    e.locked_shares = v->locked_shares;
    return EMIT_IN_VAULT(in, e, UNSTAKE_REQUESTED);
}

/* Shares that are worth `value` together cease as far as it takes to pay `most`: the shares are rounded up, requested
 * ones go first, and what the rest of a request may pay falls with it. *paid is what they paid. */
static KEEP u64 burn_stake(struct vault* v, struct stake* s, u64 shares, u64 value, u64* paid) {
    if (*paid < value) TRY(mul_div_or(shares, *paid, value, true, &shares));
    else *paid = value;
    u64 requested = s->requested_shares, gone = shares < requested ? shares : requested;
    if (gone) TRY(mul_div_or(s->request_value, requested - gone, requested, false, &s->request_value));
    s->requested_shares = requested - gone;
    v->locked_shares -= gone;
    s->shares -= shares;
    v->share_supply -= shares;
    return 0;
}

/* A pledged stake repays up to *repaid of a debt at the price of those who leave, and *repaid becomes what it did: no
 * cash moves, the caller ends the loan. Emits nothing. */
static KEEP u64 seize_stake(const struct loaded* in, struct stake* s, u64* repaid) {
    u64 value;
    TRY(stake_value(in, s->shares, &value));
    return burn_stake(in->vault, s, s->shares, value, repaid);
}

/* What the bucket still lets out: a fifth of cash and loans, less what was paid out and has not melted since. */
static KEEP u64 withdrawable(const struct loaded* in) {
    struct vault* v = in->vault;
    u64 cap = vault_equity(v) / WITHDRAWAL_DIVISOR, gone = melted(cap, in->slot - v->withdraw_slot, UNSTAKE_SLOTS);
    v->withdrawn = excess(v->withdrawn, gone);
    v->withdraw_slot = in->slot;
    u64 room = excess(cap, v->withdrawn);
    return room < v->cash ? room : v->cash;
}

/* Pay a request, at the lower of the prices then and now, as far as the bucket and the cash reach: the caller moves
 * *amount out of the vault's tokens. Less than a unit's worth of shares ceases for nothing, but not while a loss leaves
 * those who leave nothing at all: it may pass as gains vest. Emits UNSTAKED. */
static KEEP u64 pay_request(const struct loaded* in, struct stake* s, const struct address* owner, u64* amount) {
    struct vault* v = in->vault;
    struct event_unstaked e;
    u64 value;
    e.shares = s->shares;
    REQUIRE(s->requested_shares, NO_REQUEST);
    REQUIRE(in->slot - s->request_slot >= UNSTAKE_SLOTS, STAKE_LOCKED);
    TRY(stake_value(in, s->requested_shares, &value));
    REQUIRE(value ? s->request_value : vault_value(v) > v->unvested, ZERO_AMOUNT);
    if (value > s->request_value) value = s->request_value;
    *amount = withdrawable(in);
    REQUIRE(*amount || !value, WITHDRAWAL_LIMIT);
    TRY(burn_stake(v, s, s->requested_shares, value, amount));
    v->cash -= *amount;
    v->withdrawn += *amount; /* at most a fifth of the vault */
    copy_address(&e.owner, owner);
    e.shares -= s->shares;
    e.amount = *amount;
    e.shares_left = s->requested_shares;
    e.share_supply = v->share_supply;
    e.vault_value = vault_value(v);
    return EMIT_IN_VAULT(in, e, UNSTAKED);
}

#endif
