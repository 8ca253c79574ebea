/* One code per refusal, mirrored by programs/errors.py (a test compares both). Never renumber. */
#ifndef ERRORS_H
#define ERRORS_H

#define PROGRAM_ERRORS(E)                                                                            \
    E(100, UNKNOWN_INSTRUCTION, "the first data byte names no instruction")                          \
    E(101, BAD_INSTRUCTION_DATA, "instruction data has the wrong length or a value out of range")    \
    E(102, NOT_ENOUGH_ACCOUNTS, "the instruction needs more accounts")                               \
    E(103, TOO_MANY_ACCOUNTS, "more than 64 accounts")                                               \
    E(104, MISSING_SIGNATURE, "an account that must sign did not")                                   \
    E(105, NOT_WRITABLE, "an account that is written was passed read-only")                          \
    E(106, WRONG_OWNER, "an account belongs to another program")                                     \
    E(107, WRONG_ACCOUNT_KIND, "an account has another kind or layout version")                      \
    E(108, WRONG_ADDRESS, "an account is not the one its state names")                               \
    E(109, WRONG_AUTHORITY, "the signer is not the authority for this")                              \
    E(110, ALREADY_INITIALIZED, "the account exists already")                                        \
    E(111, WRONG_TOKEN_PROGRAM, "the token program must be SPL Token")                               \
    E(112, WRONG_MINT, "the mint has other decimals, supply or authorities than genesis requires")   \
    E(113, ARITHMETIC, "an amount overflows")                                                        \
    E(114, CROSS_PROGRAM_CALL, "a call of the system or token program failed")                       \
    E(120, HALTED, "the platform is halted for new exposure")                                        \
    E(121, MARKET_NOT_OPEN, "the market is resolved")                                                \
    E(122, BAD_OUTCOMES, "a market has 2 to 16 outcomes")                                            \
    E(123, PRICE_RANGE, "a price is outside 0.001 to 0.999")                                         \
    E(124, PRICE_SUM, "the prices of a multi-outcome market sum to more than 5 % off one")           \
    E(125, PRICE_CLASS, "the price class does not allow this")                                       \
    E(126, PRICE_STALE, "the oracle price is too old for this")                                      \
    E(127, PRICE_FROM_FUTURE, "the publish slot is ahead of the cluster's slot")                     \
    E(128, PRICE_OUT_OF_ORDER, "a newer price has been posted already")                              \
    E(129, BAD_POOL, "the market has no such pool")                                                  \
    E(130, NO_LIQUIDITY, "the pool has no liquidity")                                                \
    E(131, ZERO_AMOUNT, "the amount is zero or rounds to zero")                                      \
    E(132, SLIPPAGE, "the trade's price is worse than the worst price allowed")                      \
    E(140, COVERAGE_LOW, "vault coverage is below 0.5 before or after the trade")                    \
    E(141, LEVERAGE_TOO_HIGH, "leverage is above what coverage, tier and vault equity allow")        \
    E(142, VAULT_CASH, "the vault has too little unlent cash")                                       \
    E(143, MARKET_DEBT_CAP, "the market's debt would exceed 10 % of vault equity")                   \
    E(144, SIDE_CAP, "leveraged shares on this side would exceed an eighth of the pool's liquidity") \
    E(145, MARGIN_TOO_THIN, "equity right after the trade is below 1.25 times the requirement")      \
    E(146, SLIPPAGE_TOO_LARGE, "equity right after the trade is below 80 % of the margin")           \
    E(147, GLOBAL_NOT_WRITABLE, "one of the first 100 trades must pass the global account writable") \
    E(150, PROCEEDS_BELOW_DEBT, "the sale does not cover the position's debt")                       \
    E(151, NOT_ENOUGH_SHARES, "the position holds fewer shares")                                     \
    E(160, NOTHING_LIQUIDATED, "no position of the batch could be liquidated")

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
