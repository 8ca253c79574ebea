/* Marks for `keeper profile`: SECTION(name) at the head of a function counts what it uses to that section, but for what
 * sections inside it use. Only a build with -DPROFILE logs them; in the committed program a mark is not a byte. */
#ifndef SECTIONS_H
#define SECTIONS_H

#include "math.h"

/* S(name): as the profiler prints it. */
#define SECTIONS(S)   \
    S(calibration)    \
    S(accounts)       \
    S(addresses)      \
    S(creation)       \
    S(transfers)      \
    S(events)         \
    S(curve)          \
    S(coverage)       \
    S(fee)            \
    S(leverage)       \
    S(prices)         \
    S(hashing)        \
    S(step_borrow)    \
    S(step_liquidity) \
    S(step_stake)     \
    S(step_arbitrage) \
    S(step_open)

#ifdef PROFILE
enum section {
#define S(name) SECTION_##name,
    SECTIONS(S)
#undef S
        SECTION_END = 0xff
};
#define SECTION_MAGIC 0x5ec71075ULL /* tells a mark from what else a program may log */
extern u64 sol_remaining_compute_units(void);
extern void sol_log_64_(u64 magic, u64 section, u64 remaining, u64 unused, u64 unused_too);
static inline void mark_section(u64 section) {
    sol_log_64_(SECTION_MAGIC, section, sol_remaining_compute_units(), 0, 0);
}
static inline void end_section(const u8* unused) {
    (void)unused;
    mark_section(SECTION_END);
}
/* Ends with the block that it stands in, on every way out. */
#define SECTION(name)             \
    mark_section(SECTION_##name); \
    const u8 section_##name __attribute__((cleanup(end_section), unused)) = 0
#else
#define SECTION(name) ((void)0)
#endif

#endif
