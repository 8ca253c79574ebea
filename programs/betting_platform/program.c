/* The entry point. One translation unit, so that the compiler sees everything and the linker stays small. */
#include "genesis.c"
#include "market.c"
#include "liquidity.c"
#include "vault.c"
#include "trade.c"
#include "liquidate.c"

u64 entrypoint(u8* input);

u64 entrypoint(u8* input) {
    struct context c;
    TRY(parse(input, &c));
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
        default: return ERR_UNKNOWN_INSTRUCTION;
    }
}
