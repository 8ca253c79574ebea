/* create_market and update_prices. */
#include "curve.h"
#include "events.h"
#include "payments.h"
#include "risk.h"

#define PRICE_SUM_TOLERANCE_E6 50000
#define PRICE_STEP_E6 20000 /* the oracle price moves at most two points per slot */
#define PRICE_STEP_SLOTS_MAX 5
#define PUBLISH_AGE_MAX_SLOTS 150

static inline u64 pools_of(u64 outcomes) { return outcomes == 2 ? 1 : outcomes; }

static inline bool in_range(u32 price_e6) { return price_e6 >= 1000 && price_e6 <= 999000; }

static inline u64 check_sum(u64 pools, u64 sum_e6) {
    if (pools > 1)
        REQUIRE(sum_e6 + PRICE_SUM_TOLERANCE_E6 >= 1000000 && sum_e6 <= 1000000 + PRICE_SUM_TOLERANCE_E6, PRICE_SUM);
    return 0;
}

static KEEP u64 process_create_market(const struct context* c, struct loaded* in) {
    const struct create_market_data* d = (const void*)c->data;
    const struct create_market_accounts* a = (const void*)c->accounts;
    TRY(require_same(key_of(a->authority), &in->global->market_authority, ERR_WRONG_AUTHORITY));
    REQUIRE(d->outcomes >= 2 && d->outcomes <= OUTCOMES_MAX, BAD_OUTCOMES);
    u64 pools = pools_of(d->outcomes), sum = 0;
    for (u64 i = 0; i < pools; i++) {
        REQUIRE(in_range(d->price_e6[i]), PRICE_RANGE);
        sum += d->price_e6[i];
    }
    TRY(check_sum(pools, sum));

    struct slice market_seeds[3] = {{"market", 6}, {&d->condition_id, 32}, {&d->market_bump, 1}};
    struct first market = {a->market, market_seeds, 3, MARKET_BYTES(pools), KIND_MARKET, 0, 0};
    TRY(create_first(c, &market)); /* one market a condition */
    struct slice token_seeds[3] = {{"market_tokens", 13}, {key_of(a->market), 32}, {&d->tokens_bump, 1}};
    struct first tokens = {a->market_tokens, token_seeds, 3, TOKEN_ACCOUNT_BYTES, 0, a->quote_mint, key_of(a->market)};
    TRY(create_first(c, &tokens));

    struct market* m = data_of(a->market);
    m->tokens_bump = d->tokens_bump;
    m->outcomes = d->outcomes;
    m->pools = (u8)pools;
    m->status = MARKET_OPEN;
    m->price_class = PRICE_DEGRADED; /* leverage waits for the oracle's first reading */
    m->market_id = in->global->market_count++;
    m->publish_slot = m->price_update_slot = m->created_slot = in->slot;
    copy_words(&m->condition_id, &d->condition_id, 3 * 4); /* and the venue's two tokens */
    copy_key(&m->tokens, a->market_tokens);
    for (u64 i = 0; i < pools; i++) pool_of(m, i)->price_e6 = d->price_e6[i];

    struct event_market_created e;
    copy_key(&e.market, a->market);
    copy_address(&e.condition_id, &d->condition_id);
    e.outcomes = d->outcomes;
    e.pools = pools;
    return emit_market(&e, sizeof e, EVENT_MARKET_CREATED, m, in->slot);
}

static KEEP u64 process_update_prices(const struct context* c, struct loaded* in) {
    SECTION(prices);
    const struct update_prices_data* d = (const void*)c->data;
    const struct update_prices_accounts* a = (const void*)c->accounts;
    struct market* m = in->market;
    TRY(require_same(key_of(a->authority), &in->global->oracle_authority, ERR_WRONG_AUTHORITY));
    REQUIRE(d->pools == m->pools && c->data_length == sizeof *d + d->pools * sizeof(struct reading),
            BAD_INSTRUCTION_DATA);
    REQUIRE(d->price_class == PRICE_VALID || d->price_class == PRICE_DEGRADED, PRICE_CLASS);
    u64 slot = in->slot;
    REQUIRE(d->publish_slot <= slot, PRICE_FROM_FUTURE);
    REQUIRE(slot - d->publish_slot <= PUBLISH_AGE_MAX_SLOTS, PRICE_STALE);
    REQUIRE(d->publish_slot >= m->publish_slot, PRICE_OUT_OF_ORDER);

    u64 sum = 0, furthest = 0;
    const struct reading* readings = d->readings;
    for (u64 i = 0; i < d->pools; i++) {
        u32 now = pool_of(m, i)->price_e6, to = readings[i].price_e6;
        REQUIRE(in_range(to), PRICE_RANGE);
        REQUIRE(readings[i].band_e6 <= 1000000, BAD_INSTRUCTION_DATA);
        sum += to;
        u64 distance = to > now ? to - now : now - to;
        if (distance > furthest) furthest = distance;
    }
    TRY(check_sum(d->pools, sum));

    /* All outcomes move along one line, so that their sum moves with them: by t = step / furthest, rounded towards
     * the old price. */
    u64 slots = slot - m->price_update_slot;
    u64 step = PRICE_STEP_E6 * (slots > PRICE_STEP_SLOTS_MAX ? PRICE_STEP_SLOTS_MAX : slots);
    struct {
        struct event_prices_updated fixed;
        struct reading after[OUTCOMES_MAX];
    } e;
    u64 moved_most = 0;
    for (u64 i = 0; i < d->pools; i++) {
        struct pool* p = pool_of(m, i);
        u32 now = p->price_e6, to = readings[i].price_e6;
        u64 distance = to > now ? to - now : now - to;
        u64 move = furthest <= step ? distance : distance * step / furthest;
        p->price_e6 = to > now ? now + (u32)move : now - (u32)move;
        p->band_e6 = readings[i].band_e6;
        e.after[i] = (struct reading){p->price_e6, p->band_e6};
        if (move > moved_most) moved_most = move;
    }
    m->sigma_e6 = (u32)sigma_next_e6(m->sigma_e6, 0, (u32)moved_most);
    m->price_class = d->price_class;
    m->publish_slot = d->publish_slot;
    m->price_update_slot = slot;

    e.fixed.price_class = d->price_class;
    e.fixed.pools = d->pools;
    e.fixed.publish_slot = d->publish_slot;
    return emit_market(&e, sizeof e.fixed + d->pools * sizeof(struct reading), EVENT_PRICES_UPDATED, m, slot);
}
