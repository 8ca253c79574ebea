/* The season: how much MMT there is, and how much of it rewards may have used by a slot. */
#ifndef SEASON_H
#define SEASON_H

#include "sdk.h"

#define MMT_UNIT 1000000000ULL
#define TREASURY_MMT (10000000ULL * MMT_UNIT)
#define SINK_MMT (90000000ULL * MMT_UNIT)
#define SEASON_SLOTS 38880000ULL

/* floor(budget * slots of the season so far / all its slots): the whole budget once it is over. */
static inline u64 emitted_mmt(const struct global* g, u64 slot, u64* emitted) {
    u64 elapsed = slot - g->season_start_slot;
    if (elapsed > g->season_slots) elapsed = g->season_slots;
    return mul_div_or(TREASURY_MMT, elapsed, g->season_slots, false, emitted);
}

#endif
