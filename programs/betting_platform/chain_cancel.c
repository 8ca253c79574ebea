/* cancel_chain: whatever can be unwound now. The first call repays the debt, returns the cash and asks for the stake;
 * later ones pay the stake and take the liquidity, under the locks that any staker and maker waits for. */
#include "chain.h"
#include "payments.h"
#include "pledges.h"

/* As much liquidity as the lock and the leveraged shares of the pool let go: the rest comes with a later call. */
static KEEP u64 removable(const struct loaded* in) {
    const struct chain* h = in->chain;
    const struct pool* p = pool_of(in->market, h->pool);
    if (in->slot - h->maker.last_add_slot < LIQUIDITY_LOCK_SLOTS) return 0;
    if (in->market->status == MARKET_RESOLVED) return ~0ULL;
    u64 yes = p->leveraged[SIDE_YES], no = p->leveraged[SIDE_NO];
    u64 needed = (yes > no ? yes : no) * SIDE_CAP_DIVISOR; /* the pool's liquidity has been as much */
    return excess(p->liquidity, needed);
}

/* Debt first, then what is not locked: cash to the owner is told in `e`, but for what the vault pays for the stake. */
static KEEP u64 unwind(account chain, struct loaded* in, struct event_chain_cancelled* e, u64* unstaked) {
    struct chain* h = data_of(chain);
    struct stake* s = &h->stake;
    struct vault* v = in->vault;
    u64 moved = h->status ^ CHAIN_CANCELLED; /* anything at the first call */
    h->status = CHAIN_CANCELLED;
    e->debt_repaid = h->debt;
    e->bounty = h->bounty;
    e->cash = h->working - h->debt; /* no step leaves less */
    in->market->escrow -= h->working + h->bounty;
    v->cash += h->debt;
    TRY(end_loan(v, in->market, h->debt));
    h->working = h->debt = h->bounty = 0;

    e->shares_staked = s->shares;
    if (s->shares) {
        if (moved) TRY(put_request(in, s, &h->owner, s->shares));
        else if (pay_request(in, s, &h->owner, unstaked)) *unstaked = 0; /* locked, or the vault has to wait */
    }
    e->shares_staked -= s->shares;
    u64 most = removable(in);
    if (most && h->maker.liquidity) {
        struct provision x;
        TRY(take_pledge(chain, in, most, &x));
        e->cash += x.cash + x.fees;
        moved |= x.liquidity;
    }
    u64 left = h->maker.liquidity | s->shares | h->positions[0].residual;
    for (u64 i = 0; i < 3; i++) left |= h->positions[i].shares;
    e->is_closed = !left;
    REQUIRE(moved | e->shares_staked | e->is_closed, CHAIN_LOCKED);
    return 0;
}

static KEEP u64 process_cancel_chain(const struct context* c, struct loaded* in) {
    const struct cancel_chain_accounts* a = (const void*)c->accounts;
    const struct address* owner = &in->chain->owner;
    REQUIRE(
        same(key_of(a->caller), owner) || in->slot > in->chain->expiry_slot || in->market->status == MARKET_RESOLVED,
        NOT_CANCELLABLE);
    TRY(require_address(a->owner, owner));
    TRY(require_tokens_of(a->owner_tokens, owner));
    REQUIRE(!in->chain->positions[0].debt, CHAIN_IN_DEBT);

    struct event_chain_cancelled e;
    u64 unstaked = 0;
    TRY(unwind(a->chain, in, &e, &unstaked));
    TRY(pay_from_market(c, a->vault_tokens, e.debt_repaid));
    TRY(pay_from_market(c, a->owner_tokens, e.cash));
    TRY(pay_from_market(c, a->caller_tokens, e.bounty));
    TRY(transfer_as_vault(a->vault, a->vault_tokens, a->owner_tokens, unstaked));
    e.cash += unstaked;
    copy_key(&e.chain, a->chain);
    if (e.is_closed) close_account(a->chain, a->owner);
    return EMIT(in, e, CHAIN_CANCELLED);
}
