/* halt: no new exposure, for good. Once: the authority is gone with it. */
#include "events.h"

static KEEP u64 process_halt(const struct context* c) {
    const struct tag_data* d;
    const struct halt_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, HALT, a, &in);
    struct global* g = in.global;
    REQUIRE(same(key_of(a->authority), &g->halt_authority), WRONG_AUTHORITY);
    g->halted = 1;
    g->halt_authority = SYSTEM_PROGRAM_ID; /* zeros: nobody signs for it */

    struct event_halted e;
    head_vault(&e.head, EVENT_HALTED, in.vault, in.slot);
    e.authority = *key_of(a->authority);
    return emit(&e, sizeof e);
}
