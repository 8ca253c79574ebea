/* What a chain's steps may spend, and what they multiply. */
#ifndef CHAIN_H
#define CHAIN_H

#include "ledger.h"

#define CHAIN_STEPS_MAX 5
/* Of OPEN, the highest of any tier: so no five steps multiply to the 500 that a chain's effective leverage may reach.
 */
#define CHAIN_LEVERAGE_MAX 100
#define CHAIN_DEPOSIT_MAX 100000000000000000ULL /* so that a percentage of what steps make of it fits */

/* Percent of the working cash that a step may spend, and percent that it multiplies the effective leverage by. OPEN's
 * own leverage takes the place of both. */
static const u8 STEP_BUDGET_PCT[] = {
    [STEP_BORROW] = 0, [STEP_LIQUIDITY] = 20, [STEP_STAKE] = 10, [STEP_ARBITRAGE] = 5, [STEP_OPEN] = 0};
static const u8 STEP_MULTIPLIER_PCT[] = {
    [STEP_BORROW] = 150, [STEP_LIQUIDITY] = 120, [STEP_STAKE] = 110, [STEP_ARBITRAGE] = 105};

/* Rounded down. */
static KEEP u64 step_budget(u8 kind, u64 working) { return working * STEP_BUDGET_PCT[kind] / 100; }

#endif
