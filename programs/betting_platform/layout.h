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
    KIND_STAKE = 6
};
enum market_status { MARKET_OPEN = 0, MARKET_RESOLVED = 1 };
enum price_class { PRICE_VALID = 0, PRICE_DEGRADED = 1 };
enum side { SIDE_YES = 0, SIDE_NO = 1 };

struct address {
    u64 word[4];
};

struct wide { /* u128 */
    u64 low, high;
};

/* PDA ["global"]. Parameters fixed at genesis; only the two counters ever change. */
struct global {
    u8 kind, version, bump, halted;
    u32 market_count;
    u64 trade_count; /* stops at 100, so that later trades leave this account unwritten */
    u64 season_start_slot, season_slots;
    struct address market_authority, oracle_authority, incentives_authority, fee_treasury_owner, halt_authority;
    struct address quote_mint, mmt_mint, vault;
    u64 reserved[4];
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
    u64 reserved[6];
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
    u64 reserved[2];
};

/* One binary pool: its reserves are x = cash - outstanding_yes and y = cash - outstanding_no, so
 * q = y - x = outstanding_yes - outstanding_no. */
struct pool {
    u64 liquidity;                            /* L of the pm-AMM */
    u64 cash;                                 /* complete sets minted */
    u64 outstanding[2];                       /* shares held outside the pool, by side */
    u32 price_e6, band_e6;                    /* the oracle's YES price */
    u64 leveraged[2];                         /* shares in positions with debt, by side */
    u64 inventory[2];                         /* shares taken over by the vault, by side */
    struct wide fee_per_liquidity_q64;        /* makers' share of the fees per unit of L so far */
    u64 high_epoch, high_this, high_previous; /* highest L of this and the previous epoch */
    u64 reserved[6];
};

/* PDA ["position", market, owner, position id]: long one side of one pool. */
struct position {
    u8 kind, version, bump, side;
    u8 pool, padding;
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

_Static_assert(sizeof(struct global) == 320, "global");
_Static_assert(sizeof(struct vault) == 176, "vault");
_Static_assert(sizeof(struct market) == 256, "market");
_Static_assert(sizeof(struct pool) == 160, "pool");
_Static_assert(sizeof(struct position) == 160, "position");
_Static_assert(sizeof(struct maker) == 144, "maker");
_Static_assert(sizeof(struct stake) == 104, "stake");

#define MARKET_BYTES(pools) (sizeof(struct market) + (pools) * sizeof(struct pool))
#define TOKEN_ACCOUNT_BYTES 165

#endif
