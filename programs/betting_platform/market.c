/* create_market and update_prices. */
#include "curve.h"
#include "events.h"
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

static KEEP u64 process_create_market(const struct context* c) {
    const struct create_market_data* d;
    const struct create_market_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, CREATE_MARKET, a, &in);
    REQUIRE(same(key_of(a->authority), &in.global->market_authority), WRONG_AUTHORITY);
    REQUIRE(d->outcomes >= 2 && d->outcomes <= OUTCOMES_MAX, BAD_OUTCOMES);
    u64 pools = pools_of(d->outcomes), sum = 0;
    for (u64 i = 0; i < pools; i++) {
        REQUIRE(in_range(d->price_e6[i]), PRICE_RANGE);
        sum += d->price_e6[i];
    }
    TRY(check_sum(pools, sum));

    struct slice market_seeds[3] = {{"market", 6}, {&d->condition_id, 32}, {&d->market_bump, 1}};
    TRY(require_first_address(c, a->market, market_seeds, 2, d->market_bump)); /* one market a condition */
    struct signer market_signer = {market_seeds, 3};
    struct creation market_creation = {a->authority, a->market, c->program, MARKET_BYTES(pools), &market_signer};
    TRY(create_account(&market_creation));
    struct slice token_seeds[3] = {{"market_tokens", 13}, {key_of(a->market), 32}, {&d->tokens_bump, 1}};
    TRY(require_first_address(c, a->market_tokens, token_seeds, 2, d->tokens_bump));
    struct signer token_signer = {token_seeds, 3};
    struct creation token_creation = {a->authority, a->market_tokens, &TOKEN_PROGRAM_ID, TOKEN_ACCOUNT_BYTES,
                                      &token_signer};
    TRY(create_token_account(&token_creation, a->quote_mint, key_of(a->market)));

    struct market* m = data_of(a->market);
    m->kind = KIND_MARKET;
    m->version = LAYOUT_VERSION;
    m->bump = d->market_bump;
    m->tokens_bump = d->tokens_bump;
    m->outcomes = d->outcomes;
    m->pools = (u8)pools;
    m->status = MARKET_OPEN;
    m->price_class = PRICE_DEGRADED; /* leverage waits for the oracle's first reading */
    m->market_id = in.global->market_count++;
    m->publish_slot = m->price_update_slot = m->created_slot = in.slot;
    m->condition_id = d->condition_id;
    m->yes_token_or_hash = d->yes_token_or_hash;
    m->no_token = d->no_token;
    m->tokens = *key_of(a->market_tokens);
    for (u64 i = 0; i < pools; i++) pool_of(m, i)->price_e6 = d->price_e6[i];

    struct event_market_created e;
    head_market(&e.head, EVENT_MARKET_CREATED, m, in.slot);
    e.market = *key_of(a->market);
    e.condition_id = d->condition_id;
    e.outcomes = d->outcomes;
    e.pools = pools;
    return emit(&e, sizeof e);
}

static KEEP u64 process_update_prices(const struct context* c) {
    const struct update_prices_data* d = (const void*)c->data;
    const struct update_prices_accounts* a;
    struct loaded in;
    REQUIRE(c->data_length >= sizeof *d, BAD_INSTRUCTION_DATA);
    LOAD(c, UPDATE_PRICES, a, &in);
    struct market* m = in.market;
    REQUIRE(same(key_of(a->authority), &in.global->oracle_authority), WRONG_AUTHORITY);
    REQUIRE(m->status == MARKET_OPEN, MARKET_NOT_OPEN);
    REQUIRE(d->pools == m->pools && c->data_length == sizeof *d + d->pools * sizeof(struct reading),
            BAD_INSTRUCTION_DATA);
    REQUIRE(d->price_class == PRICE_VALID || d->price_class == PRICE_DEGRADED, PRICE_CLASS);
    u64 slot = in.slot;
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

    head_market(&e.fixed.head, EVENT_PRICES_UPDATED, m, slot);
    e.fixed.price_class = d->price_class;
    e.fixed.pools = d->pools;
    e.fixed.publish_slot = d->publish_slot;
    return emit(&e, sizeof e.fixed + d->pools * sizeof(struct reading));
}
