/* initialize: genesis, exactly once, in one instruction.
 *
 * The program's own keypair signs, so nobody else can be first on an immutable program; every address is the first of
 * its seeds, so that keypair cannot do it again under other bumps: one global account, one vault. All MMT is minted here and the
 * mint authority dropped, so that supply, sink and treasury are right from the first slot or not at all. */
#include "events.h"

#define MMT_UNIT 1000000000ULL
#define TREASURY_MMT (10000000ULL * MMT_UNIT)
#define SINK_MMT (90000000ULL * MMT_UNIT)
#define SEASON_SLOTS 38880000ULL

enum {
    INIT_PAYER,
    INIT_PROGRAM,
    INIT_GLOBAL,
    INIT_VAULT,
    INIT_VAULT_TOKENS,
    INIT_QUOTE_MINT,
    INIT_MMT_MINT,
    INIT_SINK_TOKENS,
    INIT_SINK_OWNER,
    INIT_TREASURY_TOKENS,
    INIT_TOKEN_PROGRAM,
    INIT_SYSTEM,
    INIT_COUNT
};

struct initialize_data {
    u8 tag, global_bump, vault_bump, vault_tokens_bump, sink_tokens_bump, sink_owner_bump, treasury_tokens_bump,
        padding;
    struct address market_authority, oracle_authority, incentives_authority, fee_treasury_owner, halt_authority;
};

/* SPL mint: authority option@0, authority@4, supply@36, decimals@44, initialized@45, freeze option@46. */
static u64 check_mint(account mint, u8 decimals, const struct address* authority) {
    REQUIRE(same(owner_of(mint), &TOKEN_PROGRAM) && length_of(mint) == 82, WRONG_MINT);
    const u8* data = data_of(mint);
    const struct address* held = (const struct address*)(data + 4); /* unaligned loads are fine on this machine */
    u64 supply = *(const u64*)(data + 36);
    REQUIRE(data[44] == decimals && data[45] == 1, WRONG_MINT);
    if (!authority) return 0; /* the quote token has an issuer of its own */
    REQUIRE(data[0] == 1 && same(held, authority) && supply == 0 && data[46] == 0, WRONG_MINT);
    return 0;
}

static u64 mint_mmt(const struct context* c, u64 to, u64 amount) {
    struct call_data data;
    data.words[0] = amount;
    struct slice bytes = tagged_u8(&data, 7, 1);
    struct call call;
    call.n = 0;
    call_with(&call, c->accounts[INIT_MMT_MINT], true, false);
    call_with(&call, c->accounts[to], true, false);
    call_with(&call, c->accounts[INIT_PAYER], false, true);
    return invoke(&call, &TOKEN_PROGRAM, &bytes, 0);
}

static u64 drop_mint_authority(const struct context* c) {
    static const u8 data[3] = {6, 0, 0}; /* SetAuthority, MintTokens, None */
    struct call call;
    call.n = 0;
    call_with(&call, c->accounts[INIT_MMT_MINT], true, false);
    call_with(&call, c->accounts[INIT_PAYER], false, true);
    struct slice bytes = {data, sizeof data};
    return invoke(&call, &TOKEN_PROGRAM, &bytes, 0);
}

struct named {
    const char* seed;
    u64 length;
    u8 bump;
};

static KEEP u64 create_named(const struct context* c, u64 index, const struct named* name, u64 bytes,
                             const struct address* token_owner) {
    struct slice seeds[2] = {{name->seed, name->length}, {&name->bump, 1}};
    TRY(require_first_address(c, c->accounts[index], seeds, 1, name->bump));
    struct signer signer = {seeds, 2};
    struct creation creation = {c->accounts[INIT_PAYER], c->accounts[index], token_owner ? &TOKEN_PROGRAM : c->program,
                                bytes, &signer};
    if (!token_owner) return create_account(&creation);
    account mint = c->accounts[index == INIT_VAULT_TOKENS ? INIT_QUOTE_MINT : INIT_MMT_MINT];
    return create_token_account(&creation, mint, token_owner);
}

static KEEP u64 process_initialize(const struct context* c) {
    const struct initialize_data* d;
    READ_DATA(c, d);
    TRY(require_accounts(c, INIT_COUNT));
    TRY(require_signer(c->accounts[INIT_PAYER]));
    TRY(require_signer(c->accounts[INIT_PROGRAM]));
    TRY(require_address(c->accounts[INIT_PROGRAM], c->program));
    TRY(require_token_program(c->accounts[INIT_TOKEN_PROGRAM]));
    const struct address* payer = key_of(c->accounts[INIT_PAYER]);
    TRY(check_mint(c->accounts[INIT_QUOTE_MINT], 6, 0));
    TRY(check_mint(c->accounts[INIT_MMT_MINT], 9, payer));

    struct named global_name = {"global", 6, d->global_bump}, vault_name = {"vault", 5, d->vault_bump};
    struct named vault_tokens_name = {"vault_tokens", 12, d->vault_tokens_bump};
    struct named sink_name = {"sink_tokens", 11, d->sink_tokens_bump},
                 treasury_name = {"treasury_tokens", 15, d->treasury_tokens_bump};
    TRY(create_named(c, INIT_GLOBAL, &global_name, sizeof(struct global), 0));
    TRY(create_named(c, INIT_VAULT, &vault_name, sizeof(struct vault), 0));
    const struct address* vault_key = key_of(c->accounts[INIT_VAULT]);
    TRY(create_named(c, INIT_VAULT_TOKENS, &vault_tokens_name, TOKEN_ACCOUNT_BYTES, vault_key));
    /* The sink's owner is an address that only this program could sign for, and no instruction ever does. The
     * treasury belongs to the global account, which signs for reward payments alone. */
    struct slice sink_owner_seed = {"entropy_sink", 12};
    TRY(require_first_address(c, c->accounts[INIT_SINK_OWNER], &sink_owner_seed, 1, d->sink_owner_bump));
    TRY(create_named(c, INIT_SINK_TOKENS, &sink_name, TOKEN_ACCOUNT_BYTES, key_of(c->accounts[INIT_SINK_OWNER])));
    TRY(create_named(c, INIT_TREASURY_TOKENS, &treasury_name, TOKEN_ACCOUNT_BYTES, key_of(c->accounts[INIT_GLOBAL])));
    TRY(mint_mmt(c, INIT_TREASURY_TOKENS, TREASURY_MMT));
    TRY(mint_mmt(c, INIT_SINK_TOKENS, SINK_MMT));
    TRY(drop_mint_authority(c));

    u64 slot;
    TRY(read_slot(&slot));
    struct global* g = data_of(c->accounts[INIT_GLOBAL]);
    g->kind = KIND_GLOBAL;
    g->version = LAYOUT_VERSION;
    g->bump = d->global_bump;
    g->season_start_slot = slot;
    g->season_slots = SEASON_SLOTS;
    g->market_authority = d->market_authority;
    g->oracle_authority = d->oracle_authority;
    g->incentives_authority = d->incentives_authority;
    g->fee_treasury_owner = d->fee_treasury_owner;
    g->halt_authority = d->halt_authority;
    g->quote_mint = *key_of(c->accounts[INIT_QUOTE_MINT]);
    g->mmt_mint = *key_of(c->accounts[INIT_MMT_MINT]);
    g->vault = *vault_key;
    struct vault* v = data_of(c->accounts[INIT_VAULT]);
    v->kind = KIND_VAULT;
    v->version = LAYOUT_VERSION;
    v->bump = d->vault_bump;
    v->tokens_bump = d->vault_tokens_bump;
    v->tokens = *key_of(c->accounts[INIT_VAULT_TOKENS]);

    struct event_initialized e;
    head_vault(&e.head, EVENT_INITIALIZED, v, slot);
    e.quote_mint = g->quote_mint;
    e.mmt_mint = g->mmt_mint;
    e.sink_tokens = *key_of(c->accounts[INIT_SINK_TOKENS]);
    e.treasury_tokens = *key_of(c->accounts[INIT_TREASURY_TOKENS]);
    e.season_start_slot = slot;
    e.season_slots = SEASON_SLOTS;
    e.treasury_mmt = TREASURY_MMT;
    e.sink_mmt = SINK_MMT;
    return emit(&e, sizeof e);
}
