/* initialize: genesis, exactly once, in one instruction.
 *
 * The program's own keypair signs, so nobody else can be first on an immutable program; every address is the first of
 * its seeds, so that keypair cannot do it again under other bumps: one global account, one vault. All MMT is minted
 * here and the mint authority dropped, so that supply, sink and treasury are right from the first slot or not at all.
 */
#include "events.h"
#include "payments.h"
#include "season.h"

/* SPL mint: authority option@0, authority@4, supply@36, decimals@44, initialized@45, freeze option@46. */
static u64 check_mint(account mint, u8 decimals, const struct address* authority) {
    TRY(require_same(owner_of(mint), &TOKEN_PROGRAM_ID, ERR_WRONG_MINT));
    REQUIRE(length_of(mint) == 82, WRONG_MINT);
    const u8* data = data_of(mint);
    const struct address* held = (const struct address*)(data + 4); /* unaligned loads are fine on this machine */
    u64 supply = *(const u64*)(data + 36);
    REQUIRE(data[44] == decimals && data[45] == 1, WRONG_MINT);
    if (!authority) return 0; /* the quote token has an issuer of its own */
    REQUIRE(data[0] == 1 && supply == 0 && data[46] == 0, WRONG_MINT);
    return require_same(held, authority, ERR_WRONG_MINT);
}

static u64 mint_mmt(const struct initialize_accounts* a, account to, u64 amount) {
    const account accounts[3] = {a->mmt_mint, to, a->payer};
    return move_tokens(accounts, 7, amount, 0);
}

static u64 drop_mint_authority(const struct initialize_accounts* a) {
    static const u8 data[3] = {6, 0, 0}; /* SetAuthority, MintTokens, None */
    struct call call;
    call.n = 0;
    call_with(&call, a->mmt_mint, true, false);
    call_with(&call, a->payer, false, true);
    return invoke(&call, &TOKEN_PROGRAM_ID, data, sizeof data, 0);
}

/* An address of the platform: its seed, and which accounts and bump of the instruction it is about. */
struct named {
    char seed[16];
    u8 seed_length, target, bump;
    u8 kind, mint, token_owner; /* an account of ours, or a token account */
    u16 bytes;                  /* zero: nothing is created there */
};
#define ACCOUNT(name) (__builtin_offsetof(struct initialize_accounts, name) / sizeof(account))
#define BUMP(name) __builtin_offsetof(struct initialize_data, name##_bump)
#define TOKENS(name, mint, owner) ACCOUNT(name), BUMP(name), 0, ACCOUNT(mint), ACCOUNT(owner), TOKEN_ACCOUNT_BYTES
/* The sink's owner is an address that only this program could sign for, and no instruction ever does. The treasury
 * belongs to the global account, which signs for reward payments alone. */
static const struct named NAMED[] = {
    {"global", 6, ACCOUNT(global), BUMP(global), KIND_GLOBAL, 0, 0, sizeof(struct global)},
    {"vault", 5, ACCOUNT(vault), BUMP(vault), KIND_VAULT, 0, 0, sizeof(struct vault)},
    {"vault_tokens", 12, TOKENS(vault_tokens, quote_mint, vault)},
    {"entropy_sink", 12, ACCOUNT(sink_owner), BUMP(sink_owner), 0, 0, 0, 0},
    {"sink_tokens", 11, TOKENS(sink_tokens, mmt_mint, sink_owner)},
    {"treasury_tokens", 15, TOKENS(treasury_tokens, mmt_mint, global)},
};

static KEEP u64 create_named(const struct context* c, const struct named* n) {
    struct slice seeds[2] = {{n->seed, n->seed_length}, {c->data + n->bump, 1}};
    struct first first = {
        c->accounts[n->target], seeds, 2, n->bytes, n->kind, c->accounts[n->mint], key_of(c->accounts[n->token_owner])};
    return create_first(c, &first);
}

static KEEP u64 process_initialize(const struct context* c, struct loaded* in) {
    const struct initialize_data* d = (const void*)c->data;
    const struct initialize_accounts* a = (const void*)c->accounts;
    TRY(require_address(a->program, c->program));
    TRY(check_mint(a->quote_mint, 6, 0));
    TRY(check_mint(a->mmt_mint, 9, key_of(a->payer)));
    for (u64 i = 0; i < sizeof NAMED / sizeof *NAMED; i++) TRY(create_named(c, &NAMED[i]));
    TRY(mint_mmt(a, a->treasury_tokens, TREASURY_MMT));
    TRY(mint_mmt(a, a->sink_tokens, SINK_MMT));
    TRY(drop_mint_authority(a));

    struct global* g = data_of(a->global);
    g->season_start_slot = in->slot;
    g->season_slots = SEASON_SLOTS;
    copy_words(&g->market_authority, &d->market_authority, 5 * 4);
    copy_key(&g->quote_mint, a->quote_mint);
    copy_key(&g->mmt_mint, a->mmt_mint);
    copy_key(&g->vault, a->vault);
    struct vault* v = data_of(a->vault);
    v->tokens_bump = d->vault_tokens_bump;
    copy_key(&v->tokens, a->vault_tokens);

    struct event_initialized e;
    copy_words(&e.quote_mint, &g->quote_mint, 2 * 4);
    copy_key(&e.sink_tokens, a->sink_tokens);
    copy_key(&e.treasury_tokens, a->treasury_tokens);
    e.season_start_slot = in->slot;
    e.season_slots = SEASON_SLOTS;
    e.treasury_mmt = TREASURY_MMT;
    e.sink_mmt = SINK_MMT;
    return emit_vault(&e, sizeof e, EVENT_INITIALIZED, v, in->slot);
}
