/* Marks for `keeper profile`: from a mark on, until the next one, compute units count to its section. Only a build with
 * -DPROFILE logs them; in the committed program a mark is nothing, not a byte. */
#ifndef SECTIONS_H
#define SECTIONS_H

#include "math.h"

/* S(name): the words that the profiler prints. */
#define SECTIONS(S) \
    S(calibration)  \
    S(checks)       \
    S(leverage)     \
    S(risk)         \
    S(curve)        \
    S(books)        \
    S(creation)     \
    S(transfers)    \
    S(hashing)      \
    S(prices)       \
    S(event)

#ifdef PROFILE
enum section {
#define S(name) SECTION_##name,
    SECTIONS(S)
#undef S
};
#define SECTION_MAGIC 0x5ec71075ULL /* tells a mark from what else a program may log */
extern u64 sol_remaining_compute_units(void);
extern void sol_log_64_(u64 magic, u64 section, u64 remaining, u64 unused, u64 unused_too);
#define SECTION(name) sol_log_64_(SECTION_MAGIC, SECTION_##name, sol_remaining_compute_units(), 0, 0)
#else
#define SECTION(name) ((void)0)
#endif

#endif
