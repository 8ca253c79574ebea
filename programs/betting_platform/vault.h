/* The vault and its stakers, wherever a stake is kept: in an account of its own, or inside a chain.
 *
 * Nothing here moves tokens or knows accounts. A share costs V / S and pays (V - unvested) / S, with V = cash + loans
 * + inventory at cost, by internal counts, and 1_000 virtual shares on one virtual unit: so inflating the price of the
 * first share is a gift to nobody's profit.
 *
 * VESTING. Fees that are swept and gains on inventory are cash at once, but those who leave share them only as they
 * vest: whoever stakes just before a sweep pays the price before it and could leave at the price after it otherwise.
 * Losses hit at once. `unvested` melts by its part dt / VEST_SLOTS each time it is touched: linearly when nothing
 * happens, slower when touched often, never faster. */
#ifndef VAULT_H
#define VAULT_H

#include "ledger.h"

#define VEST_SLOTS 9000
#define UNSTAKE_SLOTS 150    /* from a request to its payment; and the leaky bucket's period */
#define WITHDRAWAL_DIVISOR 5 /* the bucket holds a fifth of cash and loans */
#define VIRTUAL_SHARES 1000

static KEEP u64 melted(u64 amount, u64 slots, u64 period) {
    u64 part = amount;
    if (slots < period) (void)mul_div(amount, slots, period, false, &part); /* at most `amount`: it fits */
    return part;
}

static KEEP void vest(struct vault* v, u64 slot) {
    v->unvested -= melted(v->unvested, slot - v->vest_slot, VEST_SLOTS);
    v->vest_slot = slot;
}

/* A gain that the caller has booked already: those who leave share it as it vests. */
static KEEP u64 book_gain(struct vault* v, u64 gain, u64 slot) {
    vest(v, slot);
    REQUIRE(add_to(&v->unvested, gain), ARITHMETIC);
    return 0;
}

/* What shares would pay to who leaves now, rounded down: floor(shares * (V - unvested + 1) / (S + 1_000)). */
static KEEP u64 stake_value(struct vault* v, u64 shares, u64 slot, u64* value) {
    vest(v, slot);
    u64 worth = vault_value(v);
    worth = worth > v->unvested ? worth - v->unvested : 0;
    REQUIRE(mul_div(shares, worth + 1, v->share_supply + VIRTUAL_SHARES, false, value), ARITHMETIC);
    return 0;
}

/* Cash becomes shares, at the price of those who come: floor(amount * (S + 1_000) / (V + 1)). Emits STAKED. */
static KEEP u64 put_stake(struct vault* v, struct stake* s, const struct address* owner, u64 amount, u64 slot) {
    u64 shares;
    REQUIRE(v->share_supply <= ~0ULL - VIRTUAL_SHARES && vault_value(v) < ~0ULL, ARITHMETIC);
    REQUIRE(mul_div(amount, v->share_supply + VIRTUAL_SHARES, vault_value(v) + 1, false, &shares), ARITHMETIC);
    REQUIRE(shares, ZERO_AMOUNT);
    REQUIRE(add_to(&v->cash, amount) && add_to(&v->share_supply, shares) && add_to(&s->shares, shares), ARITHMETIC);
    struct event_staked e;
    head_vault(&e.head, EVENT_STAKED, v, slot);
    e.owner = *owner;
    e.amount = amount;
    e.shares = shares;
    e.share_supply = v->share_supply;
    e.vault_value = vault_value(v);
    return emit(&e, sizeof e);
}

/* Ask for shares to be paid out, in place of an earlier request; zero takes that back. Emits UNSTAKE_REQUESTED. */
static KEEP u64 put_request(struct vault* v, struct stake* s, const struct address* owner, u64 shares, u64 slot) {
    REQUIRE(shares <= s->shares, NOT_ENOUGH_STAKE);
    TRY(stake_value(v, shares, slot, &s->request_value));
    v->locked_shares += shares - s->requested_shares; /* a sum of parts of the supply */
    s->requested_shares = shares;
    s->request_slot = slot;
    struct event_unstake_requested e;
    head_vault(&e.head, EVENT_UNSTAKE_REQUESTED, v, slot);
    e.owner = *owner;
    e.shares = shares;
    e.value = s->request_value;
    e.locked_shares = v->locked_shares;
    return emit(&e, sizeof e);
}

/* Shares cease, requested ones first; what the rest of a request may pay falls with it, rounded down. */
static KEEP u64 burn_stake(struct vault* v, struct stake* s, u64 shares) {
    REQUIRE(shares <= s->shares && shares <= v->share_supply, ARITHMETIC);
    u64 requested = shares < s->requested_shares ? shares : s->requested_shares;
    u64 left = s->requested_shares - requested;
    if (requested) REQUIRE(mul_div(s->request_value, left, s->requested_shares, false, &s->request_value), ARITHMETIC);
    s->requested_shares = left;
    v->locked_shares -= requested;
    s->shares -= shares;
    v->share_supply -= shares;
    return 0;
}

/* Burn what pays `most`, at a value of all these shares together: the shares are rounded up, `paid` is exact. */
static KEEP u64 burn_for(struct vault* v, struct stake* s, u64 shares, u64 value, u64* paid) {
    if (*paid > value) *paid = value;
    if (*paid < value) REQUIRE(mul_div(shares, *paid, value, true, &shares), ARITHMETIC);
    return burn_stake(v, s, shares);
}

/* A pledged stake repays up to *repaid of a debt at the price of those who leave: no cash moves, the caller ends the
 * loan. *repaid becomes what it did repay. Emits nothing. */
static KEEP u64 seize_stake(struct vault* v, struct stake* s, u64 slot, u64* repaid) {
    u64 value;
    TRY(stake_value(v, s->shares, slot, &value));
    return burn_for(v, s, s->shares, value, repaid);
}

/* What the bucket still lets out: a fifth of cash and loans, less what was paid out and has not melted since. */
static KEEP u64 withdrawable(struct vault* v, u64 slot) {
    u64 cap = vault_equity(v) / WITHDRAWAL_DIVISOR, gone = melted(cap, slot - v->withdraw_slot, UNSTAKE_SLOTS);
    v->withdrawn = v->withdrawn > gone ? v->withdrawn - gone : 0;
    v->withdraw_slot = slot;
    u64 room = cap > v->withdrawn ? cap - v->withdrawn : 0;
    return room < v->cash ? room : v->cash;
}

/* Pay a request, at the lower of the prices then and now, as far as the bucket and the cash reach: the caller moves
 * *amount out of the vault's tokens. Shares that are worth nothing cease for nothing. Emits UNSTAKED. */
static KEEP u64 pay_request(struct vault* v, struct stake* s, const struct address* owner, u64 slot, u64* amount) {
    u64 before = s->shares, value;
    REQUIRE(s->requested_shares, NO_REQUEST);
    REQUIRE(slot - s->request_slot >= UNSTAKE_SLOTS, STAKE_LOCKED);
    TRY(stake_value(v, s->requested_shares, slot, &value));
    if (value > s->request_value) value = s->request_value;
    *amount = withdrawable(v, slot);
    REQUIRE(*amount || !value, WITHDRAWAL_LIMIT);
    TRY(burn_for(v, s, s->requested_shares, value, amount));
    v->cash -= *amount;
    v->withdrawn += *amount; /* at most a fifth of the vault */
    struct event_unstaked e;
    head_vault(&e.head, EVENT_UNSTAKED, v, slot);
    e.owner = *owner;
    e.shares = before - s->shares;
    e.amount = *amount;
    e.shares_left = s->requested_shares;
    e.share_supply = v->share_supply;
    e.vault_value = vault_value(v);
    return emit(&e, sizeof e);
}

#endif
