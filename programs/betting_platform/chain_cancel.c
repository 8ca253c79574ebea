/* cancel_chain: whatever can be unwound now. The first call repays the debt, returns the cash and asks for the stake;
 * later ones pay the stake and take the liquidity, under the locks that any staker and maker waits for. */
#include "chain.h"
#include "payments.h"
#include "pledges.h"

/* Pay the stake's request as far as it goes by now. */
static KEEP u64 unwind_stake(struct loaded* in, u64* paid) {
    struct chain* h = in->chain;
    *paid = 0;
    if (!h->stake.requested_shares) return 0;
    u64 status = pay_request(in->vault, &h->stake, &h->owner, in->slot, paid);
    if (!status) return 0;
    *paid = 0;
    return status == ERR_STAKE_LOCKED || status == ERR_WITHDRAWAL_LIMIT ? 0 : status;
}

/* As much liquidity as the lock and the leveraged shares of the pool let go: the rest comes with a later call. */
static KEEP u64 unwind_liquidity(struct provision* x, struct chain* h) {
    const struct pool* p = x->p;
    u64 most = ~0ULL;
    if (x->m->status == MARKET_OPEN) {
        u64 leveraged = p->leveraged[p->leveraged[SIDE_NO] > p->leveraged[SIDE_YES]];
        u64 needed = leveraged * SIDE_CAP_DIVISOR; /* at most what has been the pool's liquidity */
        most = p->liquidity > needed ? p->liquidity - needed : 0;
    }
    if (x->slot - h->maker.last_add_slot < LIQUIDITY_LOCK_SLOTS) return 0;
    return take_pledged_liquidity(h, x, most);
}

static KEEP bool is_empty(const struct chain* h) {
    u64 left = h->maker.liquidity | h->stake.shares;
    for (u64 i = 0; i < 3; i++) left |= h->positions[i].shares | h->positions[i].residual;
    return !left;
}

static KEEP u64 process_cancel_chain(const struct context* c) {
    const struct cancel_chain_accounts* a;
    struct loaded in;
    REQUIRE(c->data_length == sizeof(struct tag_data), BAD_INSTRUCTION_DATA);
    LOAD(c, CANCEL_CHAIN, a, &in);
    struct chain* h = in.chain;
    struct market* m = in.market;
    bool is_owner = same(key_of(a->caller), &h->owner);
    REQUIRE(is_owner || in.slot > h->expiry_slot || m->status == MARKET_RESOLVED, NOT_CANCELLABLE);
    REQUIRE(same(key_of(a->owner), &h->owner), WRONG_ADDRESS);
    TRY(require_tokens_of(a->owner_tokens, &h->owner));
    REQUIRE(!h->positions[0].debt, CHAIN_IN_DEBT);

    struct event_chain_cancelled e;
    bool is_first = h->status != CHAIN_CANCELLED;
    h->status = CHAIN_CANCELLED;
    e.debt_repaid = h->debt;
    e.bounty = h->bounty;
    e.cash = h->working - h->debt; /* no step leaves less */
    m->escrow -= h->working + h->bounty;
    TRY(end_loan(in.vault, m, h->debt));
    in.vault->cash += h->debt;
    h->working = h->debt = h->bounty = 0;

    u64 unstaked;
    e.shares_staked = h->stake.shares;
    TRY(unwind_stake(&in, &unstaked));
    if (is_first && h->stake.shares) TRY(put_request(in.vault, &h->stake, &h->owner, h->stake.shares, in.slot));
    e.shares_staked -= h->stake.shares;
    struct provision x;
    start_chain_provision(a->chain, &in, &x);
    if (h->maker.liquidity) TRY(unwind_liquidity(&x, h));
    e.is_closed = is_empty(h);
    REQUIRE(is_first || e.shares_staked || x.liquidity || e.is_closed, CHAIN_LOCKED);

    e.cash += x.cash + x.fees;
    TRY(transfer_as_market(a->market, a->market_tokens, a->vault_tokens, e.debt_repaid));
    TRY(transfer_as_market(a->market, a->market_tokens, a->owner_tokens, e.cash));
    TRY(transfer_as_market(a->market, a->market_tokens, is_owner ? a->owner_tokens : a->caller_tokens, e.bounty));
    TRY(transfer_as_vault(a->vault, a->vault_tokens, a->owner_tokens, unstaked));
    e.cash += unstaked;
    e.liquidity_removed = x.liquidity;
    e.shares_yes = x.shares[SIDE_YES];
    e.shares_no = x.shares[SIDE_NO];
    head_market(&e.head, EVENT_CHAIN_CANCELLED, m, in.slot);
    e.chain = *key_of(a->chain);
    e.owner = h->owner;
    if (e.is_closed) close_account(a->chain, a->owner);
    return emit(&e, sizeof e);
}
