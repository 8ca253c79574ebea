/* What a chain's steps cost and multiply, and what happens to its pledges. */
#ifndef CHAIN_H
#define CHAIN_H

#include "ledger.h"

#define CHAIN_STEPS_MAX 5
#define CHAIN_LEVERAGE_MAX_E6 500000000ULL /* effective leverage, never reached under the other rules */

/* Percent of the working cash that a step may spend, and percent that it multiplies the effective leverage by. OPEN's
 * own leverage takes the place of both. */
static const u8 STEP_BUDGET_PCT[] = {
    [STEP_BORROW] = 0, [STEP_LIQUIDITY] = 20, [STEP_STAKE] = 10, [STEP_ARBITRAGE] = 5, [STEP_OPEN] = 0};
static const u8 STEP_MULTIPLIER_PCT[] = {
    [STEP_BORROW] = 150, [STEP_LIQUIDITY] = 120, [STEP_STAKE] = 110, [STEP_ARBITRAGE] = 105};

#define CHAIN_DEPOSIT_MAX 100000000000000000ULL /* so that a percentage of what steps make of it fits */

/* Rounded down. */
static inline u64 step_budget(u8 kind, u64 working) { return working * STEP_BUDGET_PCT[kind] / 100; }
static inline u64 step_multiplier_pct(const struct chain_step* s) {
    return s->kind == STEP_OPEN ? s->leverage * 100ULL : STEP_MULTIPLIER_PCT[s->kind];
}

#endif
