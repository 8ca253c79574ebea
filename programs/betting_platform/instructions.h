/* Every instruction: its tag, its accounts in order with what each must be, and its data. The one source that the
 * dispatcher, the account checks (sdk.h), the IDL and the tests of wrong accounts read.
 *
 * A(name, rule): the rule is what the account must be, and whether it signs, is written, or must belong to the
 * instruction's first account. ANY: checked by the instruction itself, or by the program that it calls.
 *
 * programs/interface.py reads comments too: `PDA [seeds]`; `written ...`, in that case only; `then, CASE: NAME,
 * writable`, one more account in that case; `then, writable: ...`, any number of them; in a struct `then ...`, more
 * data. */
#ifndef INSTRUCTIONS_H
#define INSTRUCTIONS_H

#include "layout.h"

/* The first eight are account kinds: ours, of this kind and version, and of the market given before it. */
enum rule {
    GLOBAL = KIND_GLOBAL,
    VAULT = KIND_VAULT,
    MARKET = KIND_MARKET,
    POSITION = KIND_POSITION,
    MAKER = KIND_MAKER,
    STAKE = KIND_STAKE,
    CHAIN = KIND_CHAIN,
    EPOCH = KIND_EPOCH,
    ANY,
    MARKET_TOKENS, /* of the market given before it */
    VAULT_TOKENS,  /* of the vault given before it */
    QUOTE_MINT,    /* of the global account given before it */
    TOKEN_PROGRAM, /* SPL Token */
    RULE_MASK = 0x1f,
    OWNED = 0x20, /* its owner is the first account */
    WRITES = 0x40,
    SIGNS = 0x80
};

#define INITIALIZE_ACCOUNTS(A)                                     \
    A(payer, ANY | SIGNS) /* written by the system program */      \
    A(program, ANY | SIGNS)                                        \
    A(global, ANY | WRITES)                                        \
    A(vault, ANY | WRITES)                                         \
    A(vault_tokens, ANY | WRITES)                                  \
    A(quote_mint, ANY)                                             \
    A(mmt_mint, ANY | WRITES)                                      \
    A(sink_tokens, ANY | WRITES)     /* PDA ["sink_tokens"] */     \
    A(sink_owner, ANY)               /* PDA ["entropy_sink"] */    \
    A(treasury_tokens, ANY | WRITES) /* PDA ["treasury_tokens"] */ \
    A(token_program, TOKEN_PROGRAM)                                \
    A(system_program, ANY)
struct initialize_data {
    u8 tag, global_bump, vault_bump, vault_tokens_bump, sink_tokens_bump, sink_owner_bump, treasury_tokens_bump,
        padding;
    struct address market_authority, oracle_authority, incentives_authority, fee_treasury_owner, halt_authority;
};

#define CREATE_MARKET_ACCOUNTS(A)      \
    A(authority, ANY | SIGNS | WRITES) \
    A(global, GLOBAL | WRITES)         \
    A(market, ANY | WRITES)            \
    A(market_tokens, ANY | WRITES)     \
    A(quote_mint, QUOTE_MINT)          \
    A(token_program, TOKEN_PROGRAM)    \
    A(system_program, ANY)
struct create_market_data {
    u8 tag, outcomes, market_bump, tokens_bump;
    u32 padding;
    struct address condition_id, yes_token_or_hash, no_token;
    u32 price_e6[16]; /* unused ones are zero */
};

#define UPDATE_PRICES_ACCOUNTS(A) \
    A(authority, ANY | SIGNS)     \
    A(global, GLOBAL)             \
    A(market, MARKET | WRITES)
struct reading {
    u32 price_e6, band_e6;
};
struct update_prices_data {
    u8 tag, price_class, pools, padding[5];
    u64 publish_slot;
    struct reading readings[]; /* one a pool */
};

#define ADD_LIQUIDITY_ACCOUNTS(A)            \
    A(owner, ANY | SIGNS | WRITES)           \
    A(global, GLOBAL)                        \
    A(market, MARKET | WRITES)               \
    A(market_tokens, MARKET_TOKENS | WRITES) \
    A(owner_tokens, ANY | WRITES)            \
    A(maker, ANY | WRITES)                   \
    A(position, ANY | WRITES)                \
    A(token_program, TOKEN_PROGRAM)          \
    A(system_program, ANY)
struct add_liquidity_data {
    u8 tag, pool, maker_bump, position_bump;
    u32 position_id;
    u64 liquidity, cash_max;
    u32 price_min_e6, price_max_e6; /* of the pool; joining at a price that somebody pushed is a gift to them */
};

#define REMOVE_LIQUIDITY_ACCOUNTS(A)         \
    A(owner, ANY | SIGNS | WRITES)           \
    A(global, GLOBAL)                        \
    A(market, MARKET | WRITES)               \
    A(market_tokens, MARKET_TOKENS | WRITES) \
    A(owner_tokens, ANY | WRITES)            \
    A(maker, MAKER | WRITES | OWNED)         \
    A(position, ANY | WRITES)                \
    A(token_program, TOKEN_PROGRAM)          \
    A(system_program, ANY)
struct remove_liquidity_data {
    u8 tag, position_bump, padding[2];
    u32 position_id; /* of the side that does not merge to cash */
    u64 liquidity, cash_min;
    u32 price_min_e6, price_max_e6; /* of the pool */
};

#define CLAIM_MAKER_FEES_ACCOUNTS(A)         \
    A(owner, ANY | SIGNS)                    \
    A(market, MARKET | WRITES)               \
    A(market_tokens, MARKET_TOKENS | WRITES) \
    A(owner_tokens, ANY | WRITES)            \
    A(maker, MAKER | WRITES | OWNED)         \
    A(token_program, TOKEN_PROGRAM)
#define WITHDRAW_FEES_ACCOUNTS(A)            \
    A(authority, ANY | SIGNS)                \
    A(global, GLOBAL)                        \
    A(market, MARKET | WRITES)               \
    A(market_tokens, MARKET_TOKENS | WRITES) \
    A(authority_tokens, ANY | WRITES)        \
    A(token_program, TOKEN_PROGRAM)
#define SWEEP_FEES_ACCOUNTS(A)               \
    A(market, MARKET | WRITES)               \
    A(market_tokens, MARKET_TOKENS | WRITES) \
    A(vault, VAULT | WRITES)                 \
    A(vault_tokens, VAULT_TOKENS | WRITES)   \
    A(token_program, TOKEN_PROGRAM)
struct tag_data { /* claim_maker_fees, withdraw_fees, sweep_fees, unstake, liquidate, cancel_chain, halt */
    u8 tag;
};

#define STAKE_ACCOUNTS(A)                  \
    A(owner, ANY | SIGNS | WRITES)         \
    A(global, GLOBAL)                      \
    A(vault, VAULT | WRITES)               \
    A(vault_tokens, VAULT_TOKENS | WRITES) \
    A(owner_tokens, ANY | WRITES)          \
    A(stake, ANY | WRITES)                 \
    A(token_program, TOKEN_PROGRAM)        \
    A(system_program, ANY)
struct stake_data {
    u8 tag, bump, padding[6];
    u64 amount, shares_min;
};

#define REQUEST_UNSTAKE_ACCOUNTS(A) \
    A(owner, ANY | SIGNS)           \
    A(vault, VAULT | WRITES)        \
    A(stake, STAKE | WRITES | OWNED)
struct request_unstake_data {
    u8 tag, padding[7];
    u64 shares; /* in place of an earlier request; zero takes it back */
};
#define UNSTAKE_ACCOUNTS(A)                \
    A(owner, ANY | SIGNS | WRITES)         \
    A(vault, VAULT | WRITES)               \
    A(vault_tokens, VAULT_TOKENS | WRITES) \
    A(owner_tokens, ANY | WRITES)          \
    A(stake, STAKE | WRITES | OWNED)       \
    A(token_program, TOKEN_PROGRAM)

#define OPEN_POSITION_ACCOUNTS(A) /* then, with leverage: vault_tokens, writable */ \
    A(owner, ANY | SIGNS | WRITES)                                                  \
    A(global, GLOBAL) /* written by one of the first 100 trades */                  \
    A(market, MARKET | WRITES)                                                      \
    A(market_tokens, MARKET_TOKENS | WRITES)                                        \
    A(owner_tokens, ANY | WRITES)                                                   \
    A(position, ANY | WRITES)                                                       \
    A(vault, VAULT) /* written with leverage */                                     \
    A(token_program, TOKEN_PROGRAM)                                                 \
    A(system_program, ANY)
struct open_position_data {
    u8 tag, pool, side, bump;
    u32 position_id;
    u64 margin;
    u32 leverage, worst_price_e6; /* whole multiples; average cost per share before the fee */
};

#define CLOSE_POSITION_ACCOUNTS(A) /* then, with debt: vault_tokens, writable */ \
    A(owner, ANY | SIGNS | WRITES)                                               \
    A(global, GLOBAL)                                                            \
    A(market, MARKET | WRITES)                                                   \
    A(market_tokens, MARKET_TOKENS | WRITES)                                     \
    A(owner_tokens, ANY | WRITES)                                                \
    A(position, ANY | WRITES) /* or the chain that holds it */                   \
    A(vault, VAULT)           /* written with debt */                            \
    A(token_program, TOKEN_PROGRAM)
struct close_position_data {
    u8 tag, holding, padding[2]; /* which of a chain's positions; zero for a position account */
    u32 worst_price_e6;
    u64 shares; /* ~0, or how many to sell */
};

#define BUY_INVENTORY_ACCOUNTS(A)          \
    A(owner, ANY | SIGNS | WRITES)         \
    A(market, MARKET | WRITES)             \
    A(vault, VAULT | WRITES)               \
    A(vault_tokens, VAULT_TOKENS | WRITES) \
    A(owner_tokens, ANY | WRITES)          \
    A(position, ANY | WRITES)              \
    A(token_program, TOKEN_PROGRAM)        \
    A(system_program, ANY)
struct buy_inventory_data {
    u8 tag, pool, side, bump;
    u32 position_id;
    u64 shares, cost_max;
};

#define LIQUIDATE_ACCOUNTS(A) /* then, writable: positions, and chains that hold one, all of this market */ \
    A(keeper, ANY | SIGNS)                                                                                  \
    A(global, GLOBAL)                                                                                       \
    A(market, MARKET | WRITES)                                                                              \
    A(market_tokens, MARKET_TOKENS | WRITES)                                                                \
    A(vault, VAULT | WRITES)                                                                                \
    A(vault_tokens, VAULT_TOKENS | WRITES)                                                                  \
    A(keeper_tokens, ANY | WRITES)                                                                          \
    A(token_program, TOKEN_PROGRAM)

#define OPEN_CHAIN_ACCOUNTS(A)               \
    A(owner, ANY | SIGNS | WRITES)           \
    A(global, GLOBAL)                        \
    A(market, MARKET | WRITES)               \
    A(market_tokens, MARKET_TOKENS | WRITES) \
    A(owner_tokens, ANY | WRITES)            \
    A(chain, ANY | WRITES)                   \
    A(token_program, TOKEN_PROGRAM)          \
    A(system_program, ANY)
struct open_chain_data { /* from chain_id on as in the account */
    u8 tag, bump, padding[2], pool, side, step_count, more_padding;
    u32 chain_id, trigger_e6, is_above, still_more_padding;
    u64 expiry_slot, deposit;
    struct chain_step steps[5]; /* unused ones are zero */
};
#define CANCEL_CHAIN_ACCOUNTS(A)             \
    A(caller, ANY | SIGNS | WRITES)          \
    A(global, GLOBAL)                        \
    A(market, MARKET | WRITES)               \
    A(market_tokens, MARKET_TOKENS | WRITES) \
    A(vault, VAULT | WRITES)                 \
    A(vault_tokens, VAULT_TOKENS | WRITES)   \
    A(chain, CHAIN | WRITES)                 \
    A(owner, ANY | WRITES)                   \
    A(owner_tokens, ANY | WRITES)            \
    A(caller_tokens, ANY | WRITES)           \
    A(token_program, TOKEN_PROGRAM)
#define EXECUTE_CHAIN_ACCOUNTS(A)                                  \
    A(keeper, ANY | SIGNS)                                         \
    A(global, GLOBAL) /* written by one of the first 100 trades */ \
    A(market, MARKET | WRITES)                                     \
    A(market_tokens, MARKET_TOKENS | WRITES)                       \
    A(vault, VAULT | WRITES)                                       \
    A(vault_tokens, VAULT_TOKENS | WRITES)                         \
    A(keeper_tokens, ANY | WRITES)                                 \
    A(chain, CHAIN | WRITES)                                       \
    A(token_program, TOKEN_PROGRAM)
struct execute_chain_data {
    u8 tag, first_step, step_count, padding[5]; /* a repeat finds the chain at a later step and is refused */
};

#define POST_EPOCH_ACCOUNTS(A)         \
    A(authority, ANY | SIGNS | WRITES) \
    A(global, GLOBAL | WRITES)         \
    A(epoch, ANY | WRITES)             \
    A(system_program, ANY)
struct post_epoch_data {
    u8 tag, bump, padding[6];
    u64 epoch;
    u32 index; /* of this root among the epoch's */
    u32 leaf_count;
    u64 total;
    struct address root;
};
#define PAY_REWARDS_ACCOUNTS(A) /* then, writable: one MMT token account a leaf that is paid */ \
    A(global, GLOBAL)                                                                           \
    A(epoch, EPOCH | WRITES)                                                                    \
    A(treasury_tokens, ANY | WRITES)                                                            \
    A(token_program, TOKEN_PROGRAM)
struct pay_rewards_data {
    u8 tag, height, paid_mask, padding; /* 2^height leaves; bit i: leaf first + i is paid, from the next account */
    u32 first_leaf;                     /* a multiple of 2^height */
    /* then, leaf by leaf: u64 amount where it is paid, its 32-byte hash where not; then the path, 32 bytes a level */
};

#define RESOLVE_MARKET_ACCOUNTS(A) \
    A(authority, ANY | SIGNS)      \
    A(global, GLOBAL)              \
    A(market, MARKET | WRITES)
struct resolve_market_data {
    u8 tag, pools, padding[2];
    u32 payout_e6[]; /* what YES of each pool pays */
};
#define REDEEM_ACCOUNTS(A)                                     \
    A(caller, ANY | SIGNS)                                     \
    A(market, MARKET | WRITES)                                 \
    A(market_tokens, MARKET_TOKENS | WRITES)                   \
    A(vault, VAULT | WRITES)                                   \
    A(vault_tokens, VAULT_TOKENS | WRITES)                     \
    A(position, ANY | WRITES) /* or the chain that holds it */ \
    A(owner, ANY | WRITES)                                     \
    A(owner_tokens, ANY | WRITES)                              \
    A(token_program, TOKEN_PROGRAM)
struct redeem_data {
    u8 tag, holding; /* which of a chain's positions; zero for a position account */
};
#define HALT_ACCOUNTS(A)       \
    A(authority, ANY | SIGNS)  \
    A(global, GLOBAL | WRITES) \
    A(vault, VAULT | WRITES)

/* I(tag, NAME, name) */
#define INSTRUCTIONS(I)                      \
    I(0, INITIALIZE, initialize)             \
    I(1, CREATE_MARKET, create_market)       \
    I(2, UPDATE_PRICES, update_prices)       \
    I(3, ADD_LIQUIDITY, add_liquidity)       \
    I(4, STAKE, stake)                       \
    I(5, OPEN_POSITION, open_position)       \
    I(6, CLOSE_POSITION, close_position)     \
    I(7, LIQUIDATE, liquidate)               \
    I(8, REMOVE_LIQUIDITY, remove_liquidity) \
    I(9, CLAIM_MAKER_FEES, claim_maker_fees) \
    I(10, WITHDRAW_FEES, withdraw_fees)      \
    I(11, SWEEP_FEES, sweep_fees)            \
    I(12, REQUEST_UNSTAKE, request_unstake)  \
    I(13, UNSTAKE, unstake)                  \
    I(14, BUY_INVENTORY, buy_inventory)      \
    I(15, OPEN_CHAIN, open_chain)            \
    I(16, CANCEL_CHAIN, cancel_chain)        \
    I(17, EXECUTE_CHAIN, execute_chain)      \
    I(18, POST_EPOCH, post_epoch)            \
    I(19, PAY_REWARDS, pay_rewards)          \
    I(20, RESOLVE_MARKET, resolve_market)    \
    I(21, REDEEM, redeem)                    \
    I(22, HALT, halt)

enum instruction_tag {
#define I(tag, NAME, name) INSTRUCTION_##NAME = tag,
    INSTRUCTIONS(I)
#undef I
};

typedef u8* account; /* its serialized form: see sdk.h */

/* For each instruction: `struct NAME_accounts`, which lies over the accounts as they are passed, and NAME_RULES. */
#define FIELD(name, rule) account name;
#define RULE(name, rule) rule,
#define I(tag, NAME, name)     \
    struct name##_accounts {   \
        NAME##_ACCOUNTS(FIELD) \
    };                         \
    static const __attribute__((unused)) u8 NAME##_RULES[] = {NAME##_ACCOUNTS(RULE)};
INSTRUCTIONS(I)
#undef I
#undef RULE
#undef FIELD

#endif
