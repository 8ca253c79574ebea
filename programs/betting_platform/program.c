/* The entry point. One translation unit, so that the compiler sees everything and the linker stays small. */
#include "sections.h"
#include "genesis.c"
#include "market.c"
#include "liquidity.c"
#include "vault.c"
#include "trade.c"
#include "liquidate.c"
#include "rewards.c"
#include "resolve.c"
#include "halt.c"
#include "chain_open.c"
#include "chain_steps.c"
#include "chain_cancel.c"
#include "fees.c"
#include "inventory.c"

u64 entrypoint(u8* input);

u64 entrypoint(u8* input) {
    struct context c;
    TRY(parse(input, &c));
    { SECTION(calibration); }
    REQUIRE(c.data_length, UNKNOWN_INSTRUCTION);
    switch (c.data[0]) {
        case INSTRUCTION_INITIALIZE: return process_initialize(&c);
        case INSTRUCTION_CREATE_MARKET: return process_create_market(&c);
        case INSTRUCTION_UPDATE_PRICES: return process_update_prices(&c);
        case INSTRUCTION_ADD_LIQUIDITY: return process_add_liquidity(&c);
        case INSTRUCTION_STAKE: return process_stake(&c);
        case INSTRUCTION_OPEN_POSITION: return process_open_position(&c);
        case INSTRUCTION_CLOSE_POSITION: return process_close_position(&c);
        case INSTRUCTION_LIQUIDATE: return process_liquidate(&c);
        case INSTRUCTION_POST_EPOCH: return process_post_epoch(&c);
        case INSTRUCTION_PAY_REWARDS: return process_pay_rewards(&c);
        case INSTRUCTION_RESOLVE_MARKET: return process_resolve_market(&c);
        case INSTRUCTION_REDEEM: return process_redeem(&c);
        case INSTRUCTION_HALT: return process_halt(&c);
        case INSTRUCTION_REMOVE_LIQUIDITY: return process_remove_liquidity(&c);
        case INSTRUCTION_CLAIM_MAKER_FEES: return process_claim_maker_fees(&c);
        case INSTRUCTION_WITHDRAW_FEES: return process_withdraw_fees(&c);
        case INSTRUCTION_SWEEP_FEES: return process_sweep_fees(&c);
        case INSTRUCTION_REQUEST_UNSTAKE: return process_request_unstake(&c);
        case INSTRUCTION_UNSTAKE: return process_unstake(&c);
        case INSTRUCTION_OPEN_CHAIN: return process_open_chain(&c);
        case INSTRUCTION_CANCEL_CHAIN: return process_cancel_chain(&c);
        case INSTRUCTION_EXECUTE_CHAIN: return process_execute_chain(&c);
        case INSTRUCTION_BUY_INVENTORY: return process_buy_inventory(&c);
        default: return ERR_UNKNOWN_INSTRUCTION;
    }
}
