/* How the numbers in the accounts change: coverage, fees, debts, shares. No I/O, no checks of callers. */
#ifndef LEDGER_H
#define LEDGER_H

#include "curve.h"
#include "events.h"
#include "risk.h"

#define EPOCH_SLOTS 9000
#define LEVERAGE_AGE_MAX_SLOTS 150 /* leveraged opens, liquidations */
#define SPOT_AGE_MAX_SLOTS 750     /* spot opens, a pool's first liquidity */

static inline bool add_to(u64* total, u64 amount) {
    u64 sum = *total + amount;
    /* Otherwise clang makes this an add with overflow, which here takes six instructions more. */
    __asm__("" : "+r"(sum));
    if (sum < amount) return false;
    *total = sum;
    return true;
}

/* What `a` has beyond `b`, or zero. */
static inline u64 excess(u64 a, u64 b) {
    u64 rest = a - b;
    __asm__("" : "+r"(rest)); /* as above: a saturating subtraction takes three instructions more */
    return a > b ? rest : 0;
}

/* Sums of 128 bits: a carry is a branch, for the machine has no flag to add. */
static KEEP u64 add_wide(struct wide* sum, u64 high, u64 low) {
    low += sum->low;
    if (low < sum->low) {
        high++;
        __asm__("" : "+r"(high));
    }
    sum->low = low;
    REQUIRE(add_to(&sum->high, high), ARITHMETIC);
    return 0;
}
static KEEP u64 subtract_wide(struct wide* sum, u64 high, u64 low) {
    if (sum->low < low) {
        high++;
        __asm__("" : "+r"(high));
    }
    REQUIRE(sum->high >= high, ARITHMETIC);
    sum->low -= low;
    sum->high -= high;
    return 0;
}

/* Everything that happens in a market, told in its series: `what` is the event's kind, and its bytes above 8 bits. */
static KEEP u64 emit_in(const struct loaded* in, void* event, u64 what) {
    return emit_market(event, what >> 8, (u8)what, in->market, in->slot);
}
#define EMIT(in, event, NAME) emit_in(in, &(event), EVENT_##NAME | sizeof(event) << 8)
/* The same in the vault's series. */
static KEEP u64 emit_in_vault(const struct loaded* in, void* event, u64 what) {
    return emit_vault(event, what >> 8, (u8)what, in->vault, in->slot);
}
#define EMIT_IN_VAULT(in, event, NAME) emit_in_vault(in, &(event), EVENT_##NAME | sizeof(event) << 8)

/* ---- what an instruction may do now ---- */

static KEEP u64 require_valid_price(const struct loaded* in) {
    REQUIRE(in->market->price_class == PRICE_VALID, PRICE_CLASS);
    REQUIRE(in->slot - in->market->publish_slot <= LEVERAGE_AGE_MAX_SLOTS, PRICE_STALE);
    return 0;
}

/* ---- pools ---- */

static inline struct curve curve_of(const struct pool* p) {
    return (struct curve){p->liquidity, (i64)(p->outstanding[SIDE_YES] - p->outstanding[SIDE_NO])};
}

static KEEP u64 side_price(const struct pool* p, u64 side) {
    return side == SIDE_YES ? p->price_e6 : PRICE_ONE_E6 - p->price_e6;
}

/* The most that a side may be worth: while the price is in doubt, the band above it; never more than a share can pay.
 */
static KEEP u64 highest_price(const struct market* m, const struct pool* p, u64 side) {
    u64 price = side_price(p, side);
    if (m->price_class == PRICE_DEGRADED) price += p->band_e6;
    return price < PRICE_ONE_E6 ? price : PRICE_ONE_E6;
}

_Static_assert((u64)CURVE_OVERFLOW == ERR_ARITHMETIC && (u64)CURVE_PRICE_RANGE == ERR_PRICE_RANGE &&
                   (u64)CURVE_NO_LIQUIDITY == ERR_NO_LIQUIDITY && (u64)CURVE_ZERO == ERR_ZERO_AMOUNT,
               "the curve's refusals");
static inline u64 curve_error(u64 status) { return status; }

/* Highest L of this and the previous epoch, brought up to date before L changes: L was constant since its last
 * change, so an epoch without one had this L throughout. */
static KEEP void roll_high(struct pool* p, const struct loaded* in) {
    u64 epoch = (in->slot - in->global->season_start_slot) / EPOCH_SLOTS + 1; /* 0: never rolled */
    if (epoch == p->high_epoch) return;
    p->high_previous = epoch == p->high_epoch + 1 ? p->high_this : p->liquidity;
    p->high_this = p->liquidity;
    p->high_epoch = epoch;
}

/* ---- fees: 70 % vault, 20 % makers, 10 % treasury; what rounding leaves goes to the vault ---- */

static KEEP u64 book_fee(struct market* m, struct pool* p, u64 fee) {
    u64 treasury = fee / 10, makers = fee / 5;
    if (!p->liquidity) makers = 0;
    if (makers) { /* fee_per_liquidity += makers * 2^64 / L; whole units first, so that 64-bit division serves */
        u64 whole = makers / p->liquidity, rest = makers % p->liquidity;
        TRY(add_wide(&p->fee_per_liquidity_q64, whole, udiv128_64(rest, 0, p->liquidity)));
    }
    REQUIRE(add_to(&m->fees_treasury, treasury) && add_to(&m->fees_makers, makers), ARITHMETIC);
    REQUIRE(add_to(&m->fees_vault, fee - treasury - makers), ARITHMETIC);
    return 0;
}

/* ---- the vault ---- */

static inline u64 vault_coverage_e6(const struct vault* v) {
    u128 debt = (u128)v->weighted_debt_e6.high << 64 | v->weighted_debt_e6.low;
    return coverage_e6(v->cash, &debt);
}
/* Cash and loans at book. Inventory counts for stakers (vault_value), not for how much may be lent. */
static inline u64 vault_equity(const struct vault* v) { return v->cash + v->loans; }
static KEEP u64 vault_value(const struct vault* v) { return v->cash + v->loans + v->inventory_cost; }

/* The vault's sum of weighted debt, more or less by a loan's. */
static KEEP u64 weigh(struct vault* v, const struct market* m, u64 amount, bool is_over) {
    struct wide* sum = &v->weighted_debt_e6;
    u64 tail = tail_loss_e6(m->outcomes), low = amount * tail, high = mul_high_shared(amount, tail);
    return is_over ? subtract_wide(sum, high, low) : add_wide(sum, high, low);
}

static KEEP u64 lend(struct vault* v, struct market* m, u64 amount) {
    REQUIRE(amount <= v->cash, VAULT_CASH);
    v->cash -= amount;
    REQUIRE(add_to(&v->loans, amount) && add_to(&m->debt, amount), ARITHMETIC);
    return weigh(v, m, amount, false);
}

/* A loan ends: repaid in cash, in inventory, or as bad debt. The caller books the other side. */
static KEEP u64 end_loan(struct vault* v, struct market* m, u64 amount) {
    REQUIRE(amount <= v->loans && amount <= m->debt, ARITHMETIC);
    v->loans -= amount;
    m->debt -= amount;
    return weigh(v, m, amount, true);
}

/* What nobody repays: the vault's loss, told in its own series. One event for what ends together. */
static KEEP u64 book_bad_debt(struct loaded* in, u64 amount, u64 positions) {
    if (!amount) return 0;
    struct event_bad_debt e;
    e.amount = amount;
    e.positions = positions;
    e.market_id = in->market->market_id;
    REQUIRE(add_to(&in->vault->bad_debt, amount), ARITHMETIC);
    e.total = in->vault->bad_debt;
    return EMIT_IN_VAULT(in, e, BAD_DEBT_BOOKED);
}

/* ---- positions ---- */

/* What an event says first: which account, and whose. */
static KEEP void tell_whose(struct address to[2], account which, const struct address* owner) {
    copy_key(&to[0], which);
    copy_address(&to[1], owner);
}

/* Shares that cease to be leveraged. */
static KEEP u64 unlever(struct pool* p, u64 side, u64 shares) {
    REQUIRE(p->leveraged[side] >= shares, ARITHMETIC);
    p->leveraged[side] -= shares;
    return 0;
}

/* What liquidations left to the owner joins what is paid now: tokens that exist, so the sum fits. */
static KEEP u64 pay_residual(struct market* m, struct position* s, u64* payout) {
    REQUIRE(s->residual <= m->residual, ARITHMETIC);
    m->residual -= s->residual;
    *payout += s->residual;
    s->residual = 0;
    return 0;
}

/* ---- trades against a pool ---- */

static KEEP u64 book_buy(struct pool* p, u8 side, u64 cash, u64 shares) {
    REQUIRE(add_to(&p->cash, cash) && add_to(&p->outstanding[side], shares), ARITHMETIC);
    return 0;
}

static KEEP u64 buy_for_cash(struct pool* p, u8 side, u64 cash, u64* shares) {
    struct curve curve = curve_of(p);
    u32 iterations;
    TRY(curve_error(curve_buy_cash(&curve, side, cash, shares, &iterations)));
    REQUIRE(*shares, ZERO_AMOUNT);
    return book_buy(p, side, cash, *shares);
}

static KEEP u64 sell_shares(struct pool* p, u8 side, u64 shares, u64* proceeds) {
    struct curve curve = curve_of(p);
    TRY(curve_error(curve_sell_shares(&curve, side, shares, proceeds)));
    REQUIRE(*proceeds <= p->cash && shares <= p->outstanding[side], ARITHMETIC);
    p->cash -= *proceeds;
    p->outstanding[side] -= shares;
    return 0;
}

/* Shares become what the resolution pays for them, rounded down. Of a resolved market only: `price_e6` is the payout.
 */
static KEEP u64 redeem_shares(struct pool* p, u8 side, u64 shares, u64* value) {
    TRY(mul_div_or(shares, side_price(p, side), PRICE_ONE_E6, false, value));
    REQUIRE(*value <= p->cash && shares <= p->outstanding[side], ARITHMETIC);
    p->cash -= *value;
    p->outstanding[side] -= shares;
    return 0;
}

static KEEP u64 pool_price_e6(const struct pool* p) {
    struct curve curve = curve_of(p);
    return curve_price_e6(curve_u(&curve));
}

/* The vault's inventory takes shares over for a debt, at the oracle's price: as many as the debt asks for, and at most
 * taken[0]. It becomes how many, and taken[1] what they count for. */
static KEEP u64 take_over(struct pool* p, u64 side, u64 debt, u64* taken) {
    u64 price = side_price(p, (u8)side), shares, credit;
    TRY(mul_div_or(debt, PRICE_ONE_E6, price, true, &shares));
    if (shares > taken[0]) shares = taken[0];
    credit = value_at(shares, price);
    if (credit > debt) credit = debt;
    taken[0] = shares;
    taken[1] = credit;
    p->inventory[side] += shares; /* parts of what is outstanding, and of what was lent */
    p->inventory_cost[side] += credit;
    return 0;
}

#endif
