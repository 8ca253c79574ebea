/* initialize: genesis, exactly once, in one instruction.
 *
 * The program's own keypair signs, so nobody else can be first on an immutable program; every address is the first of
 * its seeds, so that keypair cannot do it again under other bumps: one global account, one vault. All MMT is minted
 * here and the mint authority dropped, so that supply, sink and treasury are right from the first slot or not at all.
 */
#include "events.h"

#define MMT_UNIT 1000000000ULL
#define TREASURY_MMT (10000000ULL * MMT_UNIT)
#define SINK_MMT (90000000ULL * MMT_UNIT)
#define SEASON_SLOTS 38880000ULL

/* SPL mint: authority option@0, authority@4, supply@36, decimals@44, initialized@45, freeze option@46. */
static u64 check_mint(account mint, u8 decimals, const struct address* authority) {
    REQUIRE(same(owner_of(mint), &TOKEN_PROGRAM_ID) && length_of(mint) == 82, WRONG_MINT);
    const u8* data = data_of(mint);
    const struct address* held = (const struct address*)(data + 4); /* unaligned loads are fine on this machine */
    u64 supply = *(const u64*)(data + 36);
    REQUIRE(data[44] == decimals && data[45] == 1, WRONG_MINT);
    if (!authority) return 0; /* the quote token has an issuer of its own */
    REQUIRE(data[0] == 1 && same(held, authority) && supply == 0 && data[46] == 0, WRONG_MINT);
    return 0;
}

static KEEP u64 mint_mmt(const struct initialize_accounts* a, account to, u64 amount) {
    struct call_data data;
    data.words[0] = amount;
    struct slice bytes = tagged_u8(&data, 7, 1);
    struct call call;
    call.n = 0;
    call_with(&call, a->mmt_mint, true, false);
    call_with(&call, to, true, false);
    call_with(&call, a->payer, false, true);
    return invoke(&call, &TOKEN_PROGRAM_ID, &bytes, 0);
}

static u64 drop_mint_authority(const struct initialize_accounts* a) {
    static const u8 data[3] = {6, 0, 0}; /* SetAuthority, MintTokens, None */
    struct call call;
    call.n = 0;
    call_with(&call, a->mmt_mint, true, false);
    call_with(&call, a->payer, false, true);
    struct slice bytes = {data, sizeof data};
    return invoke(&call, &TOKEN_PROGRAM_ID, &bytes, 0);
}

struct named {
    const char* seed;
    u64 length;
    u8 bump;
    u64 bytes;
    account mint; /* of a token account; null for an account of ours */
    const struct address* token_owner;
};

static KEEP u64 create_named(const struct context* c, account target, const struct named* n) {
    const struct initialize_accounts* a = (const void*)c->accounts;
    struct slice seeds[2] = {{n->seed, n->length}, {&n->bump, 1}};
    TRY(require_first_address(c, target, seeds, 1, n->bump));
    struct signer signer = {seeds, 2};
    struct creation creation = {a->payer, target, n->mint ? &TOKEN_PROGRAM_ID : c->program, n->bytes, &signer};
    return n->mint ? create_token_account(&creation, n->mint, n->token_owner) : create_account(&creation);
}

static KEEP u64 process_initialize(const struct context* c) {
    const struct initialize_data* d;
    const struct initialize_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, INITIALIZE, a, &in);
    TRY(require_address(a->program, c->program));
    TRY(check_mint(a->quote_mint, 6, 0));
    TRY(check_mint(a->mmt_mint, 9, key_of(a->payer)));

    struct named global = {"global", 6, d->global_bump, sizeof(struct global), 0, 0};
    struct named vault = {"vault", 5, d->vault_bump, sizeof(struct vault), 0, 0};
    struct named vault_tokens = {"vault_tokens",  12, d->vault_tokens_bump, TOKEN_ACCOUNT_BYTES, a->quote_mint,
                                 key_of(a->vault)};
    /* The sink's owner is an address that only this program could sign for, and no instruction ever does. The
     * treasury belongs to the global account, which signs for reward payments alone. */
    struct named sink = {"sink_tokens",       11,          d->sink_tokens_bump,
                         TOKEN_ACCOUNT_BYTES, a->mmt_mint, key_of(a->sink_owner)};
    struct named treasury = {"treasury_tokens",   15,          d->treasury_tokens_bump,
                             TOKEN_ACCOUNT_BYTES, a->mmt_mint, key_of(a->global)};
    struct slice sink_owner_seed = {"entropy_sink", 12};
    TRY(create_named(c, a->global, &global));
    TRY(create_named(c, a->vault, &vault));
    TRY(create_named(c, a->vault_tokens, &vault_tokens));
    TRY(require_first_address(c, a->sink_owner, &sink_owner_seed, 1, d->sink_owner_bump));
    TRY(create_named(c, a->sink_tokens, &sink));
    TRY(create_named(c, a->treasury_tokens, &treasury));
    TRY(mint_mmt(a, a->treasury_tokens, TREASURY_MMT));
    TRY(mint_mmt(a, a->sink_tokens, SINK_MMT));
    TRY(drop_mint_authority(a));

    struct global* g = data_of(a->global);
    g->kind = KIND_GLOBAL;
    g->version = LAYOUT_VERSION;
    g->bump = d->global_bump;
    g->season_start_slot = in.slot;
    g->season_slots = SEASON_SLOTS;
    g->market_authority = d->market_authority;
    g->oracle_authority = d->oracle_authority;
    g->incentives_authority = d->incentives_authority;
    g->fee_treasury_owner = d->fee_treasury_owner;
    g->halt_authority = d->halt_authority;
    g->quote_mint = *key_of(a->quote_mint);
    g->mmt_mint = *key_of(a->mmt_mint);
    g->vault = *key_of(a->vault);
    struct vault* v = data_of(a->vault);
    v->kind = KIND_VAULT;
    v->version = LAYOUT_VERSION;
    v->bump = d->vault_bump;
    v->tokens_bump = d->vault_tokens_bump;
    v->tokens = *key_of(a->vault_tokens);

    struct event_initialized e;
    head_vault(&e.head, EVENT_INITIALIZED, v, in.slot);
    e.quote_mint = g->quote_mint;
    e.mmt_mint = g->mmt_mint;
    e.sink_tokens = *key_of(a->sink_tokens);
    e.treasury_tokens = *key_of(a->treasury_tokens);
    e.season_start_slot = in.slot;
    e.season_slots = SEASON_SLOTS;
    e.treasury_mmt = TREASURY_MMT;
    e.sink_mmt = SINK_MMT;
    return emit(&e, sizeof e);
}
