/* Events: one per state change (a batch of liquidations is one), through sol_log_data. Every field is an integer or an
 * address; programs/events.py mirrors the structs. Numbers run per market, with one more series for the vault. */
#ifndef EVENTS_H
#define EVENTS_H

#include "sdk.h"

#define EVENT_VERSION 1
#define VAULT_SERIES 0xffffffffu
#define REWARDS_SERIES 0x80000000u /* plus the number of the root: each root counts its own events */

enum event_kind {
    EVENT_INITIALIZED = 1,
    EVENT_MARKET_CREATED = 2,
    EVENT_PRICES_UPDATED = 3,
    EVENT_LIQUIDITY_ADDED = 4,
    EVENT_STAKED = 5,
    EVENT_POSITION_OPENED = 6,
    EVENT_POSITION_CLOSED = 7,
    EVENT_POSITIONS_LIQUIDATED = 8,
    EVENT_BAD_DEBT_BOOKED = 9,
    EVENT_LIQUIDITY_REMOVED = 10,
    EVENT_MAKER_FEES_CLAIMED = 11,
    EVENT_FEES_WITHDRAWN = 12,
    EVENT_FEES_SWEPT = 13,
    EVENT_UNSTAKE_REQUESTED = 14,
    EVENT_UNSTAKED = 15,
    EVENT_INVENTORY_BOUGHT = 16,
    EVENT_CHAIN_OPENED = 17,
    EVENT_CHAIN_STEPPED = 18,
    EVENT_CHAIN_CANCELLED = 19,
    EVENT_PLEDGES_SEIZED = 20,
    EVENT_EPOCH_POSTED = 21,
    EVENT_REWARDS_PAID = 22,
    EVENT_MARKET_RESOLVED = 23,
    EVENT_POSITION_REDEEMED = 24,
    EVENT_HALTED = 25,
};

struct event {
    u8 version, kind;
    u16 padding;
    u32 series; /* market id, or VAULT_SERIES */
    u64 sequence, slot;
};

struct event_initialized {
    struct event head;
    struct address quote_mint, mmt_mint, sink_tokens, treasury_tokens;
    u64 season_start_slot, season_slots, treasury_mmt, sink_mmt;
};
struct event_market_created {
    struct event head;
    struct address market, condition_id;
    u64 outcomes, pools;
};
struct event_prices_updated { /* followed by `pools` struct reading: after the clamp */
    struct event head;
    u32 price_class, pools;
    u64 publish_slot;
};
struct event_liquidity_added {
    struct event head;
    struct address owner, position; /* where the surplus went; zero without one */
    u32 pool, price_e6;
    u64 liquidity_added, liquidity_before, liquidity_high, liquidity_after; /* high: of this and the last epoch */
    u64 cash, surplus_yes, surplus_no, value, improvement_bps;
};
struct event_staked {
    struct event head;
    struct address owner;
    u64 amount, shares, share_supply, vault_value; /* after */
};
struct event_position_opened {
    struct event head;
    struct address position, owner;
    u16 pool, holding; /* which of a chain's positions; zero for a position account */
    u32 side, leverage, margin_bps;
    u64 margin, notional, shares, debt, fee, fee_rate_ubp, coverage_e6;
    u32 oracle_e6, pool_price_e6; /* YES, after */
    u64 trade_number;
};
struct event_position_closed {
    struct event head;
    struct address position, owner;
    u16 pool, holding; /* which of a chain's positions; zero for a position account */
    u32 side;
    u64 shares, shares_left, proceeds, fee, debt_repaid, payout;
};
struct event_positions_liquidated { /* of one batch; followed by `positions` struct liquidated */
    struct event head;
    u64 positions, to_vault, to_keeper; /* cash: loans repaid; bounties */
};
struct liquidated { /* proceeds - bounty - (debt repaid - inventory credit) stays with the position, for its owner */
    struct address position; /* or the chain that holds it */
    u32 pool, side;
    u64 shares_sold, proceeds, shares_to_inventory, inventory_credit;
    u64 debt_repaid, debt_left, bounty, bad_debt;
    u64 equity_before, required_before; /* at the judged price; equity 0 when negative */
};
struct event_bad_debt { /* of one batch; each position's record has its part */
    struct event head;
    u64 amount, positions, market_id, total;
};

struct event_liquidity_removed {
    struct event head;
    struct address owner, position; /* where the rest went; zero without one */
    u32 pool, price_e6;
    u64 liquidity_removed, liquidity_after, cash, shares_yes, shares_no, fees_paid;
};
struct event_maker_fees_claimed {
    struct event head;
    struct address owner;
    u64 pool, amount;
};
struct event_fees_withdrawn {
    struct event head;
    u64 amount;
};
struct event_fees_swept { /* once resolved, the vault's inventory redeems too */
    struct event head;
    u64 fees, inventory_cash, inventory_cost;
};
struct event_unstake_requested {
    struct event head;
    struct address owner;
    u64 shares, value, locked_shares;
};
struct event_unstaked {
    struct event head;
    struct address owner;
    u64 shares, amount, shares_left, share_supply, vault_value; /* left: still requested */
};
struct event_inventory_bought {
    struct event head;
    struct address position, owner;
    u32 pool, side;
    u64 shares, cash, inventory_cost;
};
struct event_chain_opened { /* the account up to its steps, followed by `step_count` struct chain_step */
    struct event head;
    struct address chain;
    u8 kind, version, bump, status, pool, side, step_count, next_step;
    struct address market, owner;
    u32 chain_id, trigger_e6, is_above, leverage_e6;
    u64 expiry_slot, deposit; /* the bounty is 2 bp of the deposit, rounded up */
};
struct event_chain_stepped { /* what a step bought, added or staked has an event of its own before this one */
    struct event head;
    struct address chain;
    u32 step, kind;
    u64 amount, shares; /* of this step: cash, and what it became; amount 0: a recorded no-op */
    u64 working, debt, bounty; /* after */
    u64 leverage_e6;
};
struct event_chain_cancelled { /* the stake's and the liquidity's ends have events of their own before this one */
    struct event head;
    struct address chain;
    u64 debt_repaid, bounty, cash, shares_staked, is_closed; /* cash: all that the owner gets; shares: that ended */
};
struct event_pledges_seized {
    struct event head;
    struct address chain;
    u64 debt_repaid, stake_shares, cash, inventory_shares, inventory_credit; /* cash: of what the liquidity gave */
};
struct event_epoch_posted {
    struct event head;
    u64 epoch;
    u32 index, leaf_count;
    u64 total;
    struct address root, account;
    u64 posted_mmt, emitted_mmt;
};
struct event_rewards_paid { /* followed by `count` struct paid_leaf */
    struct event head;
    u64 epoch;
    u32 index, count;
    u64 amount;
};
struct paid_leaf { /* as it is hashed */
    u32 index, leaf;
    struct address wallet;
    u64 amount;
};
struct event_market_resolved { /* followed by `pools` u64 payout_e6: what one YES share pays */
    struct event head;
    u64 pools;
};
struct event_position_redeemed {
    struct event head;
    struct address position, owner;
    u32 pool, side, payout_e6, holding;
    u64 shares, value, debt_repaid, bad_debt, payout;
};
struct event_halted {
    struct event head;
    struct address authority;
};

static KEEP u64 emit(void* event, u64 bytes) {
    SECTION(events);
    struct slice slice = {event, bytes};
    sol_log_data(&slice, 1);
    return 0;
}

static KEEP void head_market(struct event* e, u8 kind, struct market* m, u64 slot) {
    *e = (struct event){EVENT_VERSION, kind, 0, m->market_id, ++m->event_sequence, slot};
}
static KEEP void head_vault(struct event* e, u8 kind, struct vault* v, u64 slot) {
    *e = (struct event){EVENT_VERSION, kind, 0, VAULT_SERIES, ++v->event_sequence, slot};
}
/* Both at once. */
static KEEP u64 emit_market(void* event, u64 bytes, u8 kind, struct market* m, u64 slot) {
    head_market(event, kind, m, slot);
    return emit(event, bytes);
}
static KEEP u64 emit_vault(void* event, u64 bytes, u8 kind, struct vault* v, u64 slot) {
    head_vault(event, kind, v, slot);
    return emit(event, bytes);
}

#endif
