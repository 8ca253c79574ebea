/* open_chain: the owner escrows a deposit and the keepers' bounty into one account, which embeds all that its steps will
 * make, so that no later instruction creates anything. */
#include "chain.h"
#include "payments.h"

#define BOUNTY_PART_BPS 2

/* Run the steps on a whole: however large the deposit, the cash in hand must cover the debt after each of them. What
 * they really cost only rounds, and is checked again as they run. */
static KEEP u64 check_steps(const struct open_chain_data* d) {
    u64 working = 1000000000, debt = 0, leverage_e6 = 1000000, borrows = 0;
    REQUIRE(d->step_count >= 1 && d->step_count <= CHAIN_STEPS_MAX, BAD_CHAIN);
    for (u64 i = 0; i < d->step_count; i++) {
        const struct chain_step* s = &d->steps[i];
        REQUIRE(s->kind <= STEP_OPEN, BAD_CHAIN);
        if (s->kind == STEP_BORROW) {
            u64 loan = working / 2;
            working += loan;
            debt += loan;
            borrows++;
        }
        working -= step_budget(s->kind, working);
        leverage_e6 = leverage_e6 * step_multiplier_pct(s) / 100;
        REQUIRE(working >= debt, BAD_CHAIN);
        if (s->kind == STEP_OPEN) {
            REQUIRE(i + 1 == d->step_count && s->leverage && working > debt, BAD_CHAIN);
            REQUIRE(leverage_e6 <= CHAIN_LEVERAGE_MAX_E6, LEVERAGE_TOO_HIGH);
        }
    }
    REQUIRE(borrows <= 2, BAD_CHAIN);
    return 0;
}

/* What steps will make belongs to the chain's owner and market, as if it had an account of its own. */
static KEEP void write_embedded(struct chain* h) {
    write_owned((u8*)&h->maker, KIND_MAKER, &h->market, &h->owner);
    write_owned((u8*)&h->stake, KIND_STAKE, &h->market, &h->owner);
    h->maker.pool = h->pool;
    for (u8 i = 0; i < 3; i++) {
        struct position* s = &h->positions[i];
        write_owned((u8*)s, KIND_POSITION, &h->market, &h->owner);
        s->pool = h->pool;
        s->side = i ? i - 1 : h->side;
    }
}

static KEEP u64 emit_chain_opened(const struct open_chain_data* d, account chain, struct market* m, u64 slot) {
    const struct chain* h = data_of(chain);
    struct {
        struct event_chain_opened fixed;
        struct chain_step steps[CHAIN_STEPS_MAX];
    } e;
    head_market(&e.fixed.head, EVENT_CHAIN_OPENED, m, slot);
    e.fixed.chain = *key_of(chain);
    e.fixed.owner = h->owner;
    e.fixed.pool = h->pool;
    e.fixed.side = h->side;
    e.fixed.trigger_e6 = h->trigger_e6;
    e.fixed.is_above = h->is_above;
    e.fixed.deposit = h->deposit;
    e.fixed.bounty = h->bounty;
    e.fixed.expiry_slot = h->expiry_slot;
    e.fixed.step_count = h->step_count;
    for (u64 i = 0; i < CHAIN_STEPS_MAX; i++) e.steps[i] = d->steps[i];
    return emit(&e, sizeof e.fixed + h->step_count * sizeof(struct chain_step));
}

static KEEP u64 process_open_chain(const struct context* c) {
    const struct open_chain_data* d;
    const struct open_chain_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, OPEN_CHAIN, a, &in);
    struct market* m = in.market;
    REQUIRE(!in.global->halted, HALTED);
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(d->pool < m->pools, BAD_POOL);
    REQUIRE(d->side <= SIDE_NO && d->is_above <= 1, BAD_INSTRUCTION_DATA);
    REQUIRE(d->deposit, ZERO_AMOUNT);
    REQUIRE(d->deposit <= CHAIN_DEPOSIT_MAX, ARITHMETIC);
    REQUIRE(d->trigger_e6 >= 1000 && d->trigger_e6 <= 999000, PRICE_RANGE);
    REQUIRE(d->expiry_slot > in.slot, CHAIN_EXPIRED);
    TRY(check_steps(d));

    struct slice seeds[5] = {
        {"chain", 5}, {key_of(a->market), 32}, {key_of(a->owner), 32}, {&d->chain_id, 4}, {&d->bump, 1}};
    struct birth birth = {a->owner, a->chain, a->market, seeds, 5};
    TRY(create_state(c, KIND_CHAIN, &birth));
    struct chain* h = data_of(a->chain);
    h->pool = d->pool;
    h->side = d->side;
    h->step_count = d->step_count;
    h->chain_id = d->chain_id;
    h->trigger_e6 = d->trigger_e6;
    h->is_above = d->is_above;
    h->leverage_e6 = 1000000;
    h->opened_slot = in.slot;
    h->expiry_slot = d->expiry_slot;
    h->deposit = h->working = d->deposit;
    REQUIRE(mul_div(d->deposit, BOUNTY_PART_BPS, 10000, true, &h->bounty), ARITHMETIC);
    for (u64 i = 0; i < CHAIN_STEPS_MAX; i++) h->steps[i] = d->steps[i];
    write_embedded(h);

    u64 payment = d->deposit;
    REQUIRE(add_to(&payment, h->bounty) && add_to(&m->escrow, payment), ARITHMETIC);
    TRY(transfer_tokens(a->owner_tokens, a->market_tokens, a->owner, payment, 0));
    return emit_chain_opened(d, a->chain, m, in.slot);
}
