/* open_chain: the owner escrows a deposit and the keepers' bounty into one account, which embeds all that its steps
 * will make, so that no later instruction creates anything. */
#include "chain.h"
#include "opening.h"
#include "payments.h"

#define BOUNTY_PART_BPS 2

/* Run the steps on a whole: however large the deposit, the cash in hand must cover the debt after each of them. What
 * they really cost only rounds, and is checked again as they run. */
static KEEP u64 check_steps(const struct open_chain_data* d) {
    u64 working = 1000000000, debt = 0, borrows = 0, count = d->step_count;
    REQUIRE(count - 1 < CHAIN_STEPS_MAX, BAD_CHAIN);
    for (u64 i = 0; i < count; i++) {
        const struct chain_step* s = &d->steps[i];
        u64 kind = s->kind;
        if (kind == STEP_BORROW) {
            debt += working / 2;
            working += working / 2;
            borrows++;
        }
        bool ends = kind == STEP_OPEN; /* it leaves a margin, and nothing for a step after it */
        REQUIRE(kind <= STEP_OPEN && borrows <= 2 && (!ends || i + 1 == count), BAD_CHAIN);
        REQUIRE(!ends || (u64)s->leverage - 1 < CHAIN_LEVERAGE_MAX, BAD_CHAIN);
        working -= step_budget(s->kind, working);
        REQUIRE(working >= debt + ends, BAD_CHAIN);
    }
    return 0;
}

static KEEP u64 emit_chain_opened(const struct chain* h, account chain, const struct loaded* in) {
    struct {
        struct event_chain_opened fixed;
        struct chain_step steps[CHAIN_STEPS_MAX];
    } e;
    copy_key(&e.fixed.chain, chain);
    copy_words(&e.fixed.kind, h, (__builtin_offsetof(struct chain, opened_slot)) / 8);
    u64 bytes = sizeof e.fixed + h->step_count * sizeof(struct chain_step);
    return emit_in(in, &e, EVENT_CHAIN_OPENED | bytes << 8);
}

static KEEP u64 process_open_chain(const struct context* c, struct loaded* in) {
    const struct open_chain_data* d = (const void*)c->data;
    const struct open_chain_accounts* a = (const void*)c->accounts;
    struct market* m = in->market;
    u64 deposit = d->deposit;
    REQUIRE(d->pool < m->pools, BAD_POOL);
    REQUIRE(d->side <= SIDE_NO && d->is_above <= 1, BAD_INSTRUCTION_DATA);
    REQUIRE(deposit, ZERO_AMOUNT);
    REQUIRE(deposit <= CHAIN_DEPOSIT_MAX, ARITHMETIC);
    REQUIRE(d->trigger_e6 - 1000 <= 998000, PRICE_RANGE);
    REQUIRE(d->expiry_slot > in->slot, CHAIN_EXPIRED);
    TRY(check_steps(d));

    TRY(create_owned(c, KIND_CHAIN, a->market, a->chain, d->chain_id | (u64)d->bump << 32));
    struct chain* h = data_of(a->chain);
    h->pool = h->maker.pool = d->pool;
    h->side = d->side;
    h->step_count = d->step_count;
    copy_words(&h->chain_id, &d->chain_id, 9);
    h->leverage_e6 = 1000000;
    h->opened_slot = in->slot;
    h->working = deposit;
    h->bounty = (deposit * BOUNTY_PART_BPS + 9999) / 10000;
    struct position* s = h->positions; /* as if they had accounts of their own */
    write_owned((u8*)s, KIND_POSITION, &h->market, &h->owner);
    s->pool = d->pool;
    copy_words(s + 1, s, 9);
    copy_words(s + 2, s, 9);
    s[0].side = d->side;
    s[2].side = SIDE_NO;
    deposit += h->bounty;
    m->escrow += deposit; /* of the tokens that exist */
    TRY(take_from_owner(c, deposit));
    return emit_chain_opened(h, a->chain, in);
}
