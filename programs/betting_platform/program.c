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

/* What every instruction's data and accounts are checked for before it runs. */
struct shape {
    const u8* rules;
    u8 accounts, data_bytes, checks;
};
enum check {
    DATA_GOES_ON = 1,  /* the data is at least this long, else exactly */
    UNLESS_HALTED = 2, /* takes new exposure */
    WHILE_OPEN = 4     /* not once its market is resolved */
};
#define SHAPE(NAME, type, checks) \
    [INSTRUCTION_##NAME] = {NAME##_RULES, sizeof NAME##_RULES, sizeof(struct type), checks}
static const struct shape SHAPES[] = {
    SHAPE(INITIALIZE, initialize_data, 0),
    SHAPE(CREATE_MARKET, create_market_data, 0),
    SHAPE(UPDATE_PRICES, update_prices_data, DATA_GOES_ON | WHILE_OPEN),
    SHAPE(ADD_LIQUIDITY, add_liquidity_data, UNLESS_HALTED | WHILE_OPEN),
    SHAPE(STAKE, stake_data, UNLESS_HALTED),
    SHAPE(OPEN_POSITION, open_position_data, UNLESS_HALTED | WHILE_OPEN),
    SHAPE(CLOSE_POSITION, close_position_data, WHILE_OPEN),
    SHAPE(LIQUIDATE, tag_data, WHILE_OPEN),
    SHAPE(REMOVE_LIQUIDITY, remove_liquidity_data, 0),
    SHAPE(CLAIM_MAKER_FEES, tag_data, 0),
    SHAPE(WITHDRAW_FEES, tag_data, 0),
    SHAPE(SWEEP_FEES, tag_data, 0),
    SHAPE(REQUEST_UNSTAKE, request_unstake_data, 0),
    SHAPE(UNSTAKE, tag_data, 0),
    SHAPE(BUY_INVENTORY, buy_inventory_data, WHILE_OPEN),
    SHAPE(OPEN_CHAIN, open_chain_data, UNLESS_HALTED | WHILE_OPEN),
    SHAPE(CANCEL_CHAIN, tag_data, 0),
    SHAPE(EXECUTE_CHAIN, execute_chain_data, UNLESS_HALTED | WHILE_OPEN),
    SHAPE(POST_EPOCH, post_epoch_data, 0),
    SHAPE(PAY_REWARDS, pay_rewards_data, DATA_GOES_ON),
    SHAPE(RESOLVE_MARKET, resolve_market_data, DATA_GOES_ON | WHILE_OPEN),
    SHAPE(REDEEM, redeem_data, 0),
    SHAPE(HALT, tag_data, 0),
};

static KEEP u64 check_shape(const struct context* c, struct loaded* in) {
    u64 tag = c->data[0];
    REQUIRE(tag < sizeof SHAPES / sizeof *SHAPES, UNKNOWN_INSTRUCTION);
    const struct shape* s = &SHAPES[tag];
    REQUIRE(s->checks & DATA_GOES_ON ? c->data_length >= s->data_bytes : c->data_length == s->data_bytes,
            BAD_INSTRUCTION_DATA);
    TRY(load(c, s->rules, s->accounts, in));
    if (s->checks & UNLESS_HALTED) REQUIRE(!in->global->halted, HALTED);
    if (s->checks & WHILE_OPEN) REQUIRE(in->market->status == MARKET_OPEN, MARKET_NOT_OPEN);
    return 0;
}

static KEEP u64 run(const struct context* c, struct loaded* in) {
    switch (c->data[0]) {
        case INSTRUCTION_INITIALIZE: return process_initialize(c, in);
        case INSTRUCTION_CREATE_MARKET: return process_create_market(c, in);
        case INSTRUCTION_UPDATE_PRICES: return process_update_prices(c, in);
        case INSTRUCTION_ADD_LIQUIDITY: return process_add_liquidity(c, in);
        case INSTRUCTION_STAKE: return process_stake(c, in);
        case INSTRUCTION_OPEN_POSITION: return process_open_position(c, in);
        case INSTRUCTION_CLOSE_POSITION: return process_close_position(c, in);
        case INSTRUCTION_LIQUIDATE: return process_liquidate(c, in);
        case INSTRUCTION_REMOVE_LIQUIDITY: return process_remove_liquidity(c, in);
        case INSTRUCTION_CLAIM_MAKER_FEES: return process_claim_maker_fees(c, in);
        case INSTRUCTION_WITHDRAW_FEES: return process_withdraw_fees(c, in);
        case INSTRUCTION_SWEEP_FEES: return process_sweep_fees(c, in);
        case INSTRUCTION_REQUEST_UNSTAKE: return process_request_unstake(c, in);
        case INSTRUCTION_UNSTAKE: return process_unstake(c, in);
        case INSTRUCTION_BUY_INVENTORY: return process_buy_inventory(c, in);
        case INSTRUCTION_OPEN_CHAIN: return process_open_chain(c, in);
        case INSTRUCTION_CANCEL_CHAIN: return process_cancel_chain(c, in);
        case INSTRUCTION_EXECUTE_CHAIN: return process_execute_chain(c, in);
        case INSTRUCTION_POST_EPOCH: return process_post_epoch(c, in);
        case INSTRUCTION_PAY_REWARDS: return process_pay_rewards(c, in);
        case INSTRUCTION_RESOLVE_MARKET: return process_resolve_market(c, in);
        case INSTRUCTION_REDEEM: return process_redeem(c, in);
        case INSTRUCTION_HALT: return process_halt(c, in);
        default: return ERR_UNKNOWN_INSTRUCTION;
    }
}

u64 entrypoint(u8* input);

u64 entrypoint(u8* input) {
    struct context c;
    struct loaded in;
    TRY(parse(input, &c));
    { SECTION(calibration); }
    REQUIRE(c.data_length, UNKNOWN_INSTRUCTION);
    TRY(check_shape(&c, &in));
    return run(&c, &in);
}
