/* halt: no new exposure, for good. Once: the authority is gone with it. */
#include "events.h"

static KEEP u64 process_halt(const struct context* c, struct loaded* in) {
    const struct halt_accounts* a = (const void*)c->accounts;
    struct global* g = in->global;
    TRY(require_same(key_of(a->authority), &g->halt_authority, ERR_WRONG_AUTHORITY));
    g->halted = 1;
    struct event_halted e;
    copy_address(&e.authority, &g->halt_authority);
    copy_address(&g->halt_authority, &SYSTEM_PROGRAM_ID); /* zeros: nobody signs for it */
    return emit_vault(&e, sizeof e, EVENT_HALTED, in->vault, in->slot);
}
