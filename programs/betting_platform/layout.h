/* Account layouts, written once. programs/layout.py mirrors them; a test compares every offset.
 *
 * All integers are little-endian and naturally aligned; u128 values are two u64, low first, because account data
 * is only 8-byte aligned. Amounts are base units of the quote token (1e-6) unless a name says otherwise; prices are
 * e6; shares are 1e-6. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "math.h"

#define LAYOUT_VERSION 1

enum account_kind {
    KIND_GLOBAL = 1,
    KIND_VAULT = 2,
    KIND_MARKET = 3,
    KIND_POSITION = 4,
    KIND_MAKER = 5,
    KIND_STAKE = 6,
    KIND_CHAIN = 7,
    KIND_EPOCH = 8
};
enum market_status { MARKET_OPEN = 0, MARKET_RESOLVED = 1 };
enum price_class { PRICE_VALID = 0, PRICE_DEGRADED = 1 };
enum side { SIDE_YES = 0, SIDE_NO = 1 };
enum chain_status {
    CHAIN_RUNNING = 0,
    CHAIN_DONE = 1,     /* every step has run */
    CHAIN_CANCELLED = 2 /* being unwound; no step runs any more */
};
enum step_kind { STEP_BORROW = 0, STEP_LIQUIDITY = 1, STEP_STAKE = 2, STEP_ARBITRAGE = 3, STEP_OPEN = 4 };

struct address {
    u64 word[4];
};

struct wide { /* u128 */
    u64 low, high;
};

/* PDA ["global"]. Parameters fixed at genesis; only the counters, and the halt, ever change them. */
struct global {
    u8 kind, version, bump, halted;
    u32 market_count;
    u64 trade_count; /* stops at 100, so that later trades leave this account unwritten */
    u64 season_start_slot, season_slots;
    struct address market_authority, oracle_authority, incentives_authority, fee_treasury_owner, halt_authority;
    struct address quote_mint, mmt_mint, vault;
    u64 posted_mmt; /* total of all posted reward roots, MMT base units; at most what the season has emitted */
    u32 root_count, padding;
    u64 reserved[2];
};

/* PDA ["vault"]. What finances leverage. */
struct vault {
    u8 kind, version, bump, tokens_bump;
    u32 padding;
    u64 event_sequence;           /* running number of the vault's event series */
    u64 cash, loans;              /* unlent; outstanding, at book */
    struct wide weighted_debt_e6; /* sum of tail_loss_e6(N) * debt over markets */
    u64 share_supply;
    u64 bad_debt;                 /* booked so far */
    u64 inventory_cost;           /* what the shares taken over in liquidations were credited at */
    u64 locked_shares;            /* in unstake requests */
    u64 withdraw_slot, withdrawn; /* leaky bucket */
    struct address tokens;        /* PDA ["vault_tokens"] */
    u64 unvested, vest_slot;      /* part of cash that those who leave do not share yet: see vault.h */
    u64 reserved[4];
};

/* PDA ["market", condition id], followed by `pools` struct pool. */
struct market {
    u8 kind, version, bump, tokens_bump;
    u8 outcomes, pools, status, price_class;
    u32 market_id, sigma_e6;                              /* EWMA of absolute oracle moves per update */
    u64 event_sequence;                                   /* running number of this market's event series */
    u64 publish_slot, price_update_slot;                  /* of the oracle's reading; of its landing */
    u64 debt;                                             /* loans outstanding in this market */
    u64 fees_vault, fees_treasury, fees_makers, residual; /* held in `tokens` beside the pools' cash */
    u64 cap_slot, cap_amount, cap_used; /* what this slot may liquidate under the partial cap, and has */
    u64 created_slot;
    struct address condition_id, yes_token_or_hash, no_token;
    struct address tokens; /* PDA ["market_tokens", market] */
    u64 escrow;            /* of chains: working cash and bounties, held in `tokens` too */
    u64 reserved[1];
};

/* One binary pool: its reserves are x = cash - outstanding_yes and y = cash - outstanding_no, so
 * q = y - x = outstanding_yes - outstanding_no. */
struct pool {
    u64 liquidity;                            /* L of the pm-AMM */
    u64 cash;                                 /* complete sets minted */
    u64 outstanding[2];                       /* shares held outside the pool, by side */
    u32 price_e6, band_e6;                    /* the oracle's YES price; once resolved, what one YES share pays */
    u64 leveraged[2];                         /* shares in positions with debt, by side */
    u64 inventory[2];                         /* shares taken over by the vault, by side */
    struct wide fee_per_liquidity_q64;        /* makers' share of the fees per unit of L so far */
    u64 high_epoch, high_this, high_previous; /* highest L of this and the previous epoch */
    u64 inventory_cost[2];                    /* this pool's part of the vault's, by side */
    u64 reserved[4];
};

/* PDA ["position", market, owner, position id]: long one side of one pool. */
struct position {
    u8 kind, version, bump, side;
    u8 pool, is_in_batch; /* of the liquidation that runs; zero at rest */
    u16 margin_bps; /* maintenance margin, fixed at the open */
    struct address market, owner;
    u64 shares, margin, debt;
    u64 residual; /* cash that liquidations left to the owner */
    u64 notional, opened_slot;
    u32 position_id, trade_number; /* 1 ... 100, 0 for every other position */
    u64 reserved[4];
};

/* PDA ["maker", market, pool, owner]. */
struct maker {
    u8 kind, version, bump, pool;
    u32 padding;
    struct address market, owner;
    u64 liquidity;
    struct wide fee_per_liquidity_paid_q64;
    u64 fees_owed, last_add_slot;
    u64 reserved[4];
};

/* PDA ["stake", owner]. */
struct stake {
    u8 kind, version, bump, padding[5];
    struct address owner;
    u64 shares;
    u64 requested_shares, request_slot, request_value; /* a pending unstake */
    u64 reserved[4];
};

struct chain_step {
    u8 kind, padding;
    u16 leverage; /* OPEN only: whole multiples */
    u32 limit_e6; /* ARBITRAGE, OPEN: worst average price; LIQUIDITY: how far the pool may be from the oracle */
};

/* PDA ["chain", market, owner, chain id]. Escrows into one account; embeds what its steps made. Up to the steps it is
 * what open_chain was given and CHAIN_OPENED tells. */
struct chain {
    u8 kind, version, bump, status;
    u8 pool, side, step_count, next_step;
    struct address market, owner;
    u32 chain_id, trigger_e6;
    u32 is_above;    /* due when the oracle's price of `side` is at or above the trigger, else at or below */
    u32 leverage_e6; /* product of the multipliers of the steps that ran */
    u64 expiry_slot, deposit;
    struct chain_step steps[5];
    u64 opened_slot;
    u64 working, debt, bounty; /* debt: borrowed by steps, until OPEN moves it into the position */
    struct maker maker;        /* pledged to the debt, like the stake */
    struct stake stake;
    struct position positions[3]; /* what OPEN bought; YES and NO shares bought or left over by the other steps */
};

/* PDA ["epoch", epoch u64, index u32], followed by a bitmap of `leaf_count` bits in whole u64 words. */
struct epoch {
    u8 kind, version, bump, padding;
    u32 root_number; /* also the event series, added to REWARDS_SERIES */
    u64 epoch;
    u32 index, leaf_count;
    u64 total; /* MMT base units */
    struct address root;
    u64 paid, paid_count, event_sequence;
    u64 reserved[2];
};

_Static_assert(sizeof(struct global) == 320, "global");
_Static_assert(sizeof(struct vault) == 176, "vault");
_Static_assert(sizeof(struct market) == 256, "market");
_Static_assert(sizeof(struct pool) == 160, "pool");
_Static_assert(sizeof(struct position) == 160, "position");
_Static_assert(sizeof(struct maker) == 144, "maker");
_Static_assert(sizeof(struct stake) == 104, "stake");
_Static_assert(sizeof(struct chain_step) == 8, "chain_step");
_Static_assert(sizeof(struct chain) == 904, "chain");
_Static_assert(sizeof(struct epoch) == 104, "epoch");

#define MARKET_BYTES(pools) (sizeof(struct market) + (pools) * sizeof(struct pool))
#define EPOCH_BYTES(leaves) (sizeof(struct epoch) + ((leaves) + 63ULL) / 64 * 8)
#define TOKEN_ACCOUNT_BYTES 165

#endif
