/* One code per refusal, mirrored by programs/errors.py (a test compares both). Never renumber. */
#ifndef ERRORS_H
#define ERRORS_H

#define PROGRAM_ERRORS(E)                                                                                     \
    E(100, UNKNOWN_INSTRUCTION, "the first data byte names no instruction")                                   \
    E(101, BAD_INSTRUCTION_DATA, "instruction data has the wrong length or a value out of range")             \
    E(102, NOT_ENOUGH_ACCOUNTS, "the instruction needs more accounts")                                        \
    E(103, TOO_MANY_ACCOUNTS, "more than 64 accounts")                                                        \
    E(104, MISSING_SIGNATURE, "an account that must sign did not")                                            \
    E(105, NOT_WRITABLE, "an account that is written was passed read-only")                                   \
    E(106, WRONG_OWNER, "an account belongs to another program")                                              \
    E(107, WRONG_ACCOUNT_KIND, "an account has another kind or layout version")                               \
    E(108, WRONG_ADDRESS, "an account is not the one its state names")                                        \
    E(109, WRONG_AUTHORITY, "the signer is not the authority for this")                                       \
    E(110, ALREADY_INITIALIZED, "the account exists already")                                                 \
    E(111, WRONG_TOKEN_PROGRAM, "the token program must be SPL Token")                                        \
    E(112, WRONG_MINT, "the mint has other decimals, supply or authorities than genesis requires")            \
    E(113, ARITHMETIC, "an amount overflows")                                                                 \
    E(114, CROSS_PROGRAM_CALL, "a call of the system or token program failed")                                \
    E(120, HALTED, "the platform is halted for new exposure")                                                 \
    E(121, MARKET_NOT_OPEN, "the market is resolved")                                                         \
    E(122, BAD_OUTCOMES, "a market has 2 to 16 outcomes")                                                     \
    E(123, PRICE_RANGE, "a price is outside 0.001 to 0.999")                                                  \
    E(124, PRICE_SUM, "the prices of a multi-outcome market sum to more than 5 % off one")                    \
    E(125, PRICE_CLASS, "the price class does not allow this")                                                \
    E(126, PRICE_STALE, "the oracle price is too old for this")                                               \
    E(127, PRICE_FROM_FUTURE, "the publish slot is ahead of the cluster's slot")                              \
    E(128, PRICE_OUT_OF_ORDER, "a newer price has been posted already")                                       \
    E(129, BAD_POOL, "the market has no such pool")                                                           \
    E(130, NO_LIQUIDITY, "the pool has no liquidity")                                                         \
    E(131, ZERO_AMOUNT, "the amount is zero or rounds to zero")                                               \
    E(132, SLIPPAGE, "the trade's price is worse than the worst price allowed")                               \
    E(133, LIQUIDITY_LOCKED, "liquidity stays for 150 slots after its maker last added some")                 \
    E(134, NOT_RESOLVED, "the market is not resolved yet")                                                    \
    E(135, PAYOUT_SUM, "the payouts of a resolved market must sum to one")                                    \
    E(136, NOT_ENOUGH_LIQUIDITY, "the maker has less liquidity in the pool")                                  \
    E(137, WRONG_TOKEN_ACCOUNT, "the token account does not belong to who is paid")                           \
    E(140, COVERAGE_LOW, "vault coverage is below 0.5 before or after the trade")                             \
    E(141, LEVERAGE_TOO_HIGH, "leverage is above what coverage, tier and vault equity allow")                 \
    E(142, VAULT_CASH, "the vault has too little unlent cash")                                                \
    E(143, MARKET_DEBT_CAP, "the market's debt would exceed 10 % of vault equity")                            \
    E(144, SIDE_CAP, "leveraged shares on this side would exceed an eighth of the pool's liquidity")          \
    E(145, MARGIN_TOO_THIN, "equity right after the trade is below 1.25 times the requirement")               \
    E(146, SLIPPAGE_TOO_LARGE, "equity right after the trade is below 80 % of the margin")                    \
    E(147, GLOBAL_NOT_WRITABLE, "one of the first 100 trades must pass the global account writable")          \
    E(150, PROCEEDS_BELOW_DEBT, "the sale does not cover the position's debt")                                \
    E(151, NOT_ENOUGH_SHARES, "the position holds fewer shares")                                              \
    E(152, NO_INVENTORY, "the vault holds fewer shares of this side")                                         \
    E(160, NOTHING_LIQUIDATED, "no position of the batch could be liquidated")                                \
    E(161, NOT_ENOUGH_STAKE, "the stake has fewer shares")                                                    \
    E(162, NO_REQUEST, "no unstake has been requested")                                                       \
    E(163, STAKE_LOCKED, "an unstake request waits for 150 slots")                                            \
    E(164, WITHDRAWAL_LIMIT,                                                                                  \
      "the vault has paid out a fifth of itself in the last 150 slots, or has no cash: ask again later")      \
    E(165, VAULT_TOO_SMALL, "the fees are more than the vault: they wait until more is staked")               \
    E(170, BAD_CHAIN, "a chain has 1 to 5 steps, at most 2 borrows, OPEN last, and always covers its debt")   \
    E(171, NOT_TRIGGERED, "the oracle's price has not crossed the chain's trigger")                           \
    E(172, CHAIN_EXPIRED, "the chain has expired")                                                            \
    E(173, CHAIN_NOT_RUNNING, "the chain is done or cancelled")                                               \
    E(174, STEP_OUT_OF_ORDER, "the chain stands at another step")                                             \
    E(175, NOT_CANCELLABLE, "only its owner cancels a chain before it expires or its market resolves")        \
    E(176, CHAIN_LOCKED, "what is left of the chain is locked for 150 slots, or waits for the vault")         \
    E(177, CHAIN_IN_DEBT, "the chain's position has debt: close it first")                                    \
    E(178, CHAIN_OVERDRAWN, "the chain's working cash would not cover its debt")                              \
    E(180, BAD_EPOCH, "an epoch root has 1 to 65536 leaves, a total above zero, and an epoch that has begun") \
    E(181, EMISSION_EXCEEDED, "the posted rewards would exceed what the season has emitted")                  \
    E(182, BAD_PROOF, "the leaves and the path do not lead to the root")                                      \
    E(183, NOTHING_PAID, "every leaf of the batch is paid already or was left out")                           \
    E(184, ROOT_EXHAUSTED, "the payments would exceed the root's total")

enum error {
#define E(code, name, text) ERR_##name = code,
    PROGRAM_ERRORS(E)
#undef E
};

#define TRY(expression)              \
    do {                             \
        u64 status_ = (expression);  \
        if (status_) return status_; \
    } while (0)
#define REQUIRE(condition, name)             \
    do {                                     \
        if (!(condition)) return ERR_##name; \
    } while (0)

#endif
