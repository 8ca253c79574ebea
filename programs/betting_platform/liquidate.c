/* liquidate: one market's positions in a batch. Healthy or foreign accounts are skipped, so one that was closed or
 * topped up a slot ago fails nobody else.
 *
 * Two passes. The first judges every position and adds up what must be sold on each side of each pool; then each side
 * sells, once for those whose debt exceeds their value and once for the others. The second hands out what was sold in
 * the batch's order, and the proceeds pro rata: all who sell together get one price, wherever in the batch they stand.
 * The last also gets what rounding leaves, less than two base units for each of the others.
 *
 * Floors. A pool can be pushed by whoever gains from it, so no sale goes under a price that repays: not under the
 * oracle's for those under water, and for the others not under what their debt and the bounty need a share, nor five
 * points under the oracle. What the pool does not take, the vault's inventory takes at the oracle's price, as far as
 * the debt needs it; only a partial sale waits instead. */
#include "holdings.h"
#include "ledger.h"
#include "payments.h"
#include "pledges.h"

#define GAP_POINTS_E6 50000
#define SMALL_POSITION 10000000ULL /* $10: outside the partial cap */
#define BOUNTY_BPS 5
#define BOUNTY_UNDERWATER_BPS 2

/* Targets that sell in one trade. */
struct group {
    u64 want, floor_e6;
    u64 unsold, undivided; /* what is left of the sale to hand out: shares, cash */
    u64 rate_q64;          /* cash a share */
};
/* One side of one pool: under water, and not. */
struct side_sales {
    struct group groups[2];
    u64 is_done;
};

/* A position that must go, in whole or in part. Equity is value - debt, zero when negative: it is under water. */
struct target {
    struct position* position;
    account account;
    struct side_sales* sales;
    struct group* group;
    u64 want, judged_e6, equity, required;
    u64 is_capped;
};

/* Too much for a frame of the stack: it lies on the heap, which the runtime hands out zeroed. */
struct liquidation {
    const struct context* context;
    struct loaded* in;
    u64 count, reserved;                            /* targets; value that they take of the slot's cap */
    u64 credit, bad_debt, ruined, residual, seized; /* ruined: positions that left bad debt; seized: cash of pledges */
    struct event_positions_liquidated e;            /* with its records, as they are logged */
    struct liquidated records[ACCOUNTS_MAX];
    struct target targets[ACCOUNTS_MAX];
    struct side_sales sales[2 * OUTCOMES_MAX];
};
#define HEAP ((struct liquidation*)0x300000000ULL)
_Static_assert(sizeof(struct liquidation) <= 32 * 1024, "the heap");

/* Value of all leveraged shares at the oracle's price; the base of the cap, taken at a slot's first liquidation. */
static KEEP void start_slot(struct market* m, u64 slot) {
    if (m->cap_slot == slot) return;
    u64 interest = 0; /* of shares that were paid for: it fits */
    for (u64 i = 0; i < 2ULL * m->pools; i++) {
        const struct pool* p = pool_of(m, i / 2);
        interest += value_at(p->leveraged[i % 2], side_price(p, i % 2));
    }
    m->cap_slot = slot;
    m->cap_used = 0;
    m->cap_amount = liquidation_cap(interest, m->sigma_e6);
}

/* Decide how many shares must go. Zero: healthy, or the slot's cap is used up. */
static KEEP u64 judge(struct liquidation* l, const struct position* s, struct target* t) {
    struct market* m = l->in->market;
    const struct pool* p = pool_of(m, s->pool);
    u64 price = highest_price(m, p, s->side), shares = s->shares; /* unhealthy even in the trader's favour */
    u64 value = value_at(shares, price);
    t->judged_e6 = price;
    t->required = required_margin(s->margin, shares, s->margin_bps);
    t->want = shares;
    t->is_capped = false;
    t->equity = excess(value, s->debt);
    if (!t->equity || t->equity < gap_reserve(shares)) return 0;
    if (t->equity >= t->required) {
        t->want = 0;
        return 0;
    }
    if (value < SMALL_POSITION) return 0;
    start_slot(m, l->in->slot);
    u64 used = m->cap_used + l->reserved;
    TRY(mul_div_or(excess(m->cap_amount, used), PRICE_ONE_E6, price, false, &t->want));
    if (t->want > shares) t->want = shares;
    t->is_capped = true;
    l->reserved += value_at_up(t->want, price);
    return 0;
}

/* First pass: a target, unless the account is none of ours, read-only, healthy, or in the batch already. */
static KEEP u64 consider(struct liquidation* l, account a) {
    struct position* s;
    const struct liquidate_accounts* listed = (const void*)l->context->accounts;
    if (!is_writable(a) || holding_of(l->context, a, 0, listed->market, &s) || !s->debt || s->is_in_batch) return 0;
    struct target* t = &l->targets[l->count];
    TRY(judge(l, s, t));
    if (!t->want) return 0;
    l->count++;
    s->is_in_batch = true;
    t->position = s;
    t->account = a;
    t->sales = &l->sales[2 * s->pool + s->side];
    struct group* g = t->sales->groups;
    u64 least = side_price(pool_of(l->in->market, s->pool), s->side);
    if (t->equity) { /* ceil(debt / shares / (1 - bounty)) */
        g++;
        TRY(mul_div_or(s->debt, PRICE_ONE_E6 * BPS_ONE, s->shares, true, &least));
        least = (least + BPS_ONE - BOUNTY_BPS - 1) / (BPS_ONE - BOUNTY_BPS);
    }
    if (least > g->floor_e6) g->floor_e6 = least;
    t->group = g;
    g->want += t->want; /* no more than the pool has outstanding */
    return 0;
}

/* Sell what a group wants in one trade on the pool, down to its floor. */
static KEEP u64 sell_group(struct group* g, struct pool* p, u8 side) {
    if (!g->want || !p->liquidity) return 0;
    u64 oracle = side_price(p, side), floor_e6 = g->floor_e6, room;
    if (floor_e6 + GAP_POINTS_E6 < oracle) floor_e6 = oracle - GAP_POINTS_E6;
    struct curve curve = curve_of(p);
    TRY(curve_shares_to_price(&curve, side, (u32)floor_e6, &room));
    u64 sold = g->want < room ? g->want : room;
    if (!sold) return 0;
    TRY(sell_shares(p, side, sold, &g->undivided));
    REQUIRE(g->undivided < sold, ARITHMETIC); /* no price reaches one */
    g->rate_q64 = udiv128_64(g->undivided, 0, sold);
    g->unsold = sold;
    return 0;
}

/* A target's part of the sale, and what of the rest the vault's inventory takes. */
static KEEP u64 share(struct pool* p, const struct target* t, struct liquidated* r) {
    struct group* g = t->group;
    u64 sold = t->want < g->unsold ? t->want : g->unsold, rest = t->want - sold;
    u64 proceeds = sold < g->unsold ? mul_high_shared(sold, g->rate_q64) : g->undivided, debt = t->position->debt;
    u64 bps = t->equity ? BOUNTY_BPS : BOUNTY_UNDERWATER_BPS;
    u64 bounty = proceeds / BPS_ONE * bps + proceeds % BPS_ONE * bps / BPS_ONE; /* floor, without overflow */
    u64 cash = proceeds - bounty;
    r->shares_sold = sold;
    r->proceeds = proceeds;
    r->bounty = bounty;
    r->shares_to_inventory = r->inventory_credit = 0;
    r->debt_repaid = cash < debt ? cash : debt;
    g->unsold -= sold;
    g->undivided -= proceeds;
    if (t->is_capped || !rest || debt <= cash) return 0;
    debt -= cash;
    r->shares_to_inventory = rest;
    TRY(take_over(p, t->position->side, debt, &r->shares_to_inventory));
    r->debt_repaid += r->inventory_credit;
    return 0;
}

/* Second pass: what a target's record says, done. */
static KEEP u64 settle(struct liquidation* l, const struct target* t) {
    struct position* s = t->position;
    struct pool* p = pool_of(l->in->market, s->pool);
    struct liquidated* r = &l->records[l->e.positions];
    s->is_in_batch = false;
    if (!t->sales->is_done) { /* those under water first: only above the oracle's price, where the others may follow */
        t->sales->is_done = true;
        TRY(sell_group(&t->sales->groups[0], p, s->side));
        TRY(sell_group(&t->sales->groups[1], p, s->side));
    }
    TRY(share(p, t, r));
    u64 freed = r->shares_sold + r->shares_to_inventory;
    if (!freed) return 0; /* the pool is at the floor already, and a partial sale waits */
    /* Margin shrinks with the shares, rounded up: the requirement never falls faster than the position. */
    TRY(mul_div_or(s->margin, s->shares - freed, s->shares, true, &s->margin));
    s->shares -= freed;
    s->debt -= r->debt_repaid;
    r->bad_debt = 0;
    if (!s->shares) {
        if (is_embedded(s, t->account)) TRY(seize_pledges(t->account, l->in, &s->debt, &l->seized));
        r->bad_debt = s->debt;
        if (s->debt) l->ruined++;
        s->debt = 0;
    }
    if (!s->debt) freed += s->shares; /* without debt the rest is no longer leveraged */
    TRY(unlever(p, s->side, freed));
    if (t->is_capped) l->in->market->cap_used += value_at_up(r->shares_sold, t->judged_e6);
    /* Parts of sums that end_loan and the token accounts bound: they fit. */
    u64 in_cash = r->debt_repaid - r->inventory_credit, residual = r->proceeds - r->bounty - in_cash;
    s->residual += residual;
    l->residual += residual;
    l->credit += r->inventory_credit;
    l->bad_debt += r->bad_debt;
    l->e.to_vault += in_cash;
    l->e.to_keeper += r->bounty;
    l->e.positions++;
    copy_key(&r->position, t->account);
    r->pool = s->pool;
    r->side = s->side;
    r->debt_left = s->debt;
    r->equity_before = t->equity;
    r->required_before = t->required;
    return 0;
}

/* What the batch changes in the vault. A transaction's logs are cut at 10_000 bytes, so bad debt is one event too. */
static KEEP u64 book_batch(struct liquidation* l) {
    struct vault* v = l->in->vault;
    struct market* m = l->in->market;
    TRY(end_loan(v, m, l->e.to_vault + l->credit + l->bad_debt));
    REQUIRE(add_to(&v->cash, l->e.to_vault) && add_to(&v->inventory_cost, l->credit), ARITHMETIC);
    REQUIRE(add_to(&m->residual, l->residual), ARITHMETIC);
    u64 records = l->e.positions * sizeof(struct liquidated);
    TRY(emit_in(l->in, &l->e, EVENT_POSITIONS_LIQUIDATED | (sizeof l->e + records) << 8));
    return book_bad_debt(l->in, l->bad_debt, l->ruined);
}

static KEEP u64 process_liquidate(const struct context* c, struct loaded* in) {
    const struct liquidate_accounts* a = (const void*)c->accounts;
    struct liquidation* l = HEAP;
    __asm__("" : "+r"(l)); /* a base with offsets, not a constant for each field */
    l->context = c;
    l->in = in;
    REQUIRE(c->count > sizeof LIQUIDATE_RULES, NOT_ENOUGH_ACCOUNTS);
    REQUIRE(l->in->slot - l->in->market->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    for (u64 i = sizeof LIQUIDATE_RULES; i < c->count; i++) TRY(consider(l, c->accounts[i]));
    for (u64 i = 0; i < l->count; i++) TRY(settle(l, &l->targets[i]));
    REQUIRE(l->e.positions, NOTHING_LIQUIDATED);
    TRY(book_batch(l));
    TRY(pay_from_market(c, a->vault_tokens, l->e.to_vault + l->seized));
    return pay_from_market(c, a->keeper_tokens, l->e.to_keeper);
}
