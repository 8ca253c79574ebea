/* What the runtime gives a program: accounts, sysvars, calls of other programs. */
#ifndef SDK_H
#define SDK_H

#include "errors.h"
#include "instructions.h"
#include "layout.h"
#include "sections.h"

#define ACCOUNTS_MAX 64
#define KEEP __attribute__((noinline, unused)) /* one copy in the program: bytes on chain cost rent */

extern u64 sol_get_sysvar(const void* id, void* out, u64 offset, u64 length);
extern u64 sol_invoke_signed_c(const void* instruction, const void* infos, u64 n_infos, const void* signers,
                               u64 n_signers);
extern u64 sol_try_find_program_address(const void* seeds, u64 n_seeds, const void* program, void* out, u8* bump);
extern u64 sol_log_data(const void* slices, u64 n);

struct slice {
    const void* start;
    u64 length;
};

/* An account is a pointer to its serialized form: flags, key@8, owner@40, lamports@72, length@80, data@88. */

static inline bool is_signer(account a) { return a[1]; }
static inline bool is_writable(account a) { return a[2]; }
static inline struct address* key_of(account a) { return (struct address*)(a + 8); }
static inline struct address* owner_of(account a) { return (struct address*)(a + 40); }
static inline u64* lamports_of(account a) { return (u64*)(a + 72); }
/* Read anew each time: a cross-program call may change it. */
static inline u64 length_of(account a) { return *(volatile u64*)(a + 80); }
static inline void* data_of(account a) { return a + 88; }

/* The error when the two differ, else 0. */
static KEEP u64 require_same(const struct address* a, const struct address* b, u64 error) {
    if (a->word[0] != b->word[0] || a->word[1] != b->word[1]) return error;
    return a->word[2] == b->word[2] && a->word[3] == b->word[3] ? 0 : error;
}
static inline bool same(const struct address* a, const struct address* b) { return !require_same(a, b, 1); }
/* In a call: inline it takes eight instructions. */
static KEEP void copy_address(struct address* to, const struct address* from) { *to = *from; }
static KEEP void copy_key(struct address* to, account from) { *to = *key_of(from); }
/* Neighbours in two structs, in the same order. */
static KEEP void copy_words(void* to, const void* from, u64 words) {
    for (u64 i = 0; i < words; i++) ((u64*)to)[i] = ((const u64*)from)[i];
}

struct context {
    const u8* data;
    u64 data_length;
    const struct address* program;
    u64 count;
    account accounts[ACCOUNTS_MAX];
};

static inline u64 parse(u8* input, struct context* out) {
    u64 count = *(u64*)input;
    REQUIRE(count <= ACCOUNTS_MAX, TOO_MANY_ACCOUNTS);
    u8* at = input + 8;
    for (u64 i = 0; i < count; i++) {
        if (*at == 0xff) {
            out->accounts[i] = at;
            at += 88 + ((length_of(at) + 7) & ~7ULL) + 10240 + 8;
        } else { /* a duplicate names the index of the first */
            out->accounts[i] = out->accounts[*at];
            at += 8;
        }
    }
    out->count = count;
    out->data_length = *(u64*)at;
    out->data = at + 8;
    out->program = (const struct address*)(at + 8 + out->data_length);
    return 0;
}

/* ---- well-known addresses ---- */

static const struct address SYSTEM_PROGRAM_ID = {{0, 0, 0, 0}};
static const struct address TOKEN_PROGRAM_ID = {
    {0x93a165d7e1f6dd06, 0xac79ebce46e1cbd9, 0x91375b5fed85b41c, 0xa900ff7e85f58c3a}};
static const struct address CLOCK_SYSVAR = {
    {0xc974c71817d5a706, 0xb65e1d6998635628, 0x5c6d4b9ba3b85e8b, 0x00000000215b5573}};
static const struct address RENT_SYSVAR = {
    {0x515c2c1917d5a706, 0x7ff14a3d4cc98c21, 0x44fda19b08eeda58, 0x000000008ad9dbe3}};

static inline u64 read_slot(u64* slot) { return sol_get_sysvar(&CLOCK_SYSVAR, slot, 0, 8); }

/* Lamports that exempt an account from rent. The threshold is a double, 2.0 on today's clusters and 1.0 once
 * SIMD-0194 folds it into the rate; compared as bits, since programs have no floats. */
static KEEP u64 rent_exempt_lamports(u64 bytes, u64* lamports) {
    struct {
        u64 per_byte, threshold_bits;
    } rent;
    TRY(sol_get_sysvar(&RENT_SYSVAR, &rent, 0, sizeof rent));
    *lamports = (128 + bytes) * rent.per_byte * (rent.threshold_bits == 0x4000000000000000 ? 2 : 1);
    return 0;
}

/* ---- checks ---- */

static inline u64 require_writable(account a) {
    REQUIRE(is_writable(a), NOT_WRITABLE);
    return 0;
}
static inline u64 require_address(account a, const struct address* expected) {
    return require_same(key_of(a), expected, ERR_WRONG_ADDRESS);
}
/* A state account: ours, of this kind and version, at least this long. */
static KEEP u64 require_state(const struct context* c, account a, u64 kind, u64 bytes) {
    TRY(require_same(owner_of(a), c->program, ERR_WRONG_OWNER));
    const u8* data = data_of(a);
    REQUIRE(length_of(a) >= bytes && data[0] == kind && data[1] == LAYOUT_VERSION, WRONG_ACCOUNT_KIND);
    return 0;
}
/* What an instruction works on, found by its rules: account kinds in the order of their numbers, after the slot. */
struct loaded {
    u64 slot;
    struct global* global;
    struct vault* vault;
    struct market* market;
    struct position* position;
    struct maker* maker;
    struct stake* stake;
    struct chain* chain;
    struct epoch* epoch;
};

struct kind_layout {
    u16 bytes, market, owner; /* offsets of the addresses of its market and owner; zero: it has none */
};
static const struct kind_layout KINDS[] = {
    [KIND_GLOBAL] = {sizeof(struct global), 0, 0},
    [KIND_VAULT] = {sizeof(struct vault), 0, 0},
    [KIND_MARKET] = {sizeof(struct market), 0, 0},
    [KIND_POSITION] = {sizeof(struct position), __builtin_offsetof(struct position, market),
                       __builtin_offsetof(struct position, owner)},
    [KIND_MAKER] = {sizeof(struct maker), __builtin_offsetof(struct maker, market),
                    __builtin_offsetof(struct maker, owner)},
    [KIND_STAKE] = {sizeof(struct stake), 0, __builtin_offsetof(struct stake, owner)},
    [KIND_CHAIN] = {sizeof(struct chain), __builtin_offsetof(struct chain, market),
                    __builtin_offsetof(struct chain, owner)},
    [KIND_EPOCH] = {sizeof(struct epoch), 0, 0},
};

static KEEP u64 load_state(const struct context* c, account a, u8 rule, account market, struct loaded* out) {
    u64 kind = rule & RULE_MASK;
    const struct kind_layout* layout = &KINDS[kind];
    TRY(require_state(c, a, kind, layout->bytes));
    const u8* data = data_of(a);
    if (layout->market) TRY(require_address(market, (const void*)(data + layout->market)));
    if (rule & OWNED) {
        TRY(require_same((const void*)(data + layout->owner), key_of(c->accounts[0]), ERR_WRONG_AUTHORITY));
    }
    ((void**)out)[kind] = data_of(a);
    return 0;
}

/* Check every account that the rules name, in order, and read the slot. */
static KEEP u64 load(const struct context* c, const u8* rules, u64 n, struct loaded* out) {
    SECTION(accounts);
    REQUIRE(c->count >= n, NOT_ENOUGH_ACCOUNTS);
    account market = 0;
    for (u64 i = 0; i < n; i++) {
        account a = c->accounts[i];
        u8 rule = rules[i];
        const struct address* expected = 0;
        if (rule & SIGNS) REQUIRE(is_signer(a), MISSING_SIGNATURE);
        if (rule & WRITES) REQUIRE(is_writable(a), NOT_WRITABLE);
        switch (rule & RULE_MASK) {
            case ANY: continue;
            case MARKET_TOKENS: expected = &out->market->tokens; break;
            case VAULT_TOKENS: expected = &out->vault->tokens; break;
            case QUOTE_MINT: expected = &out->global->quote_mint; break;
            case TOKEN_PROGRAM: TRY(require_same(key_of(a), &TOKEN_PROGRAM_ID, ERR_WRONG_TOKEN_PROGRAM)); continue;
            case MARKET: market = a; /* fall through */
            default: TRY(load_state(c, a, rule, market, out)); continue;
        }
        TRY(require_address(a, expected));
    }
    return read_slot(&out->slot);
}
/* A token account of this owner: where somebody else's instruction pays to. Its mint is the token program's to check.
 */
static KEEP u64 require_tokens_of(account a, const struct address* owner) {
    REQUIRE(length_of(a) == TOKEN_ACCOUNT_BYTES, WRONG_TOKEN_ACCOUNT);
    TRY(require_same(owner_of(a), &TOKEN_PROGRAM_ID, ERR_WRONG_TOKEN_ACCOUNT));
    return require_same((const struct address*)((u8*)data_of(a) + 32), owner, ERR_WRONG_TOKEN_ACCOUNT);
}
static inline struct pool* pool_of(struct market* m, u64 index) { return (struct pool*)(m + 1) + index; }

/* ---- cross-program calls ---- */

struct meta {
    const struct address* key;
    u8 writable, signer, padding[6];
};
struct instruction {
    const struct address* program;
    const struct meta* metas;
    u64 n_metas;
    const u8* data;
    u64 data_length;
};
struct info {
    const struct address* key;
    u64* lamports;
    u64 length;
    u8* data;
    const struct address* owner;
    u64 rent_epoch;
    u8 signer, writable, executable, padding[5];
};
struct signer {
    const struct slice* seeds;
    u64 n_seeds;
};
_Static_assert(sizeof(struct meta) == 16 && sizeof(struct info) == 56 && sizeof(struct instruction) == 40,
               "runtime ABI");

struct call {
    struct meta metas[4];
    struct info infos[4];
    struct instruction instruction;
    u64 n;
};

static KEEP void call_with(struct call* call, account a, bool writable, bool signer) {
    struct meta* meta = &call->metas[call->n];
    struct info* info = &call->infos[call->n++];
    meta->key = info->key = key_of(a);
    meta->writable = writable;
    meta->signer = signer;
    info->lamports = lamports_of(a);
    info->length = length_of(a);
    info->data = data_of(a);
    info->owner = owner_of(a);
    info->rent_epoch = 0;                 /* the runtime no longer reads it */
    *(u32*)&info->signer = *(u32*)a >> 8; /* signer, writable, executable lie in the same order */
}

static KEEP u64 invoke(struct call* call, const struct address* program, const void* data, u64 data_length,
                       const struct signer* signer) {
    call->instruction = (struct instruction){program, call->metas, call->n, data, data_length};
    return sol_invoke_signed_c(&call->instruction, call->infos, call->n, signer, signer ? 1 : 0)
               ? ERR_CROSS_PROGRAM_CALL
               : 0;
}

/* Data of a call: the callee's tag ends where the aligned words begin, so that nothing is written byte by byte. */
struct call_data {
    u64 tag;
    u64 words[6];
};

/* Call SPL Token: a tag of one byte, then words. */
static KEEP u64 invoke_token(struct call* call, struct call_data* d, u8 tag, u64 words, const struct signer* signer) {
    ((u8*)d)[7] = tag;
    return invoke(call, &TOKEN_PROGRAM_ID, (u8*)d + 7, 1 + words * 8, signer);
}

/* An amount of tokens from `from` to `to`, which `authority` signs for: transferred, or minted. */
static KEEP u64 move_tokens(const account accounts[3], u8 tag, u64 amount, const struct signer* signer) {
    if (!amount) return 0;
    struct call_data data;
    data.words[0] = amount;
    struct call call;
    call.n = 0;
    for (u64 i = 0; i < 3; i++) call_with(&call, accounts[i], i < 2, i == 2);
    return invoke_token(&call, &data, tag, 1, signer);
}

/* Move tokens; `signer` is null when the authority signed the transaction. */
static KEEP u64 transfer_tokens(account from, account to, account authority, u64 amount, const struct signer* signer) {
    SECTION(transfers);
    const account accounts[3] = {from, to, authority};
    return move_tokens(accounts, 3, amount, signer);
}

struct creation {
    account payer, target;
    const struct address* owner;
    u64 bytes;
    const struct signer* signer;
};

enum system_tag { CREATE_ACCOUNT = 0, ASSIGN = 1, TRANSFER = 2, ALLOCATE = 8 };

/* Call the system program: a tag of four bytes, then words. The payer signs what moves lamports. */
static KEEP u64 system_call(const struct creation* c, struct call_data* d, u64 tag, u64 words) {
    struct call call;
    call.n = 0;
    if (tag == CREATE_ACCOUNT || tag == TRANSFER) call_with(&call, c->payer, true, true);
    call_with(&call, c->target, true, tag != TRANSFER);
    ((u32*)d)[1] = (u32)tag;
    return invoke(&call, &SYSTEM_PROGRAM_ID, (u8*)d + 4, 4 + words * 8, c->signer);
}

/* Seeds name up to 256 addresses, one a bump. Where a second account of the same seeds must not exist, only the first
 * address counts, the one that clients derive. Costs 1_500 CU a bump tried: for what is created rarely. */
static KEEP u64 require_first_address(const struct context* c, account a, const struct slice* seeds, u64 n_seeds,
                                      u8 bump) {
    SECTION(addresses);
    struct address found;
    u8 first;
    REQUIRE(sol_try_find_program_address(seeds, n_seeds, c->program, &found, &first) == 0, WRONG_ADDRESS);
    REQUIRE(first == bump, WRONG_ADDRESS);
    return require_address(a, &found);
}

/* Create a program-derived account. The seeds prove the address: with wrong ones the call lacks a signature, unless the
 * account signed the transaction itself, as a wallet can, and no derived address ever does.
 * Anyone may send lamports to the address beforehand, and CreateAccount refuses a funded one: then it is topped up,
 * allocated and assigned instead. */
static KEEP u64 create_account(const struct creation* c) {
    SECTION(creation);
    REQUIRE(same(owner_of(c->target), &SYSTEM_PROGRAM_ID) && length_of(c->target) == 0, ALREADY_INITIALIZED);
    TRY(require_writable(c->target));
    REQUIRE(!is_signer(c->target), WRONG_ADDRESS);
    u64 rent;
    TRY(rent_exempt_lamports(c->bytes, &rent));
    u64 held = *lamports_of(c->target);
    struct call_data data;
    data.words[0] = rent;
    data.words[1] = c->bytes;
    copy_words(&data.words[2], c->owner, 4);
    if (!held) return system_call(c, &data, CREATE_ACCOUNT, 6);
    if (held < rent) {
        data.words[0] = rent - held;
        TRY(system_call(c, &data, TRANSFER, 1));
    }
    data.words[0] = c->bytes;
    TRY(system_call(c, &data, ALLOCATE, 1));
    copy_words(&data.words[0], c->owner, 4);
    return system_call(c, &data, ASSIGN, 4);
}

/* Create a token account at a program-derived address. */
static KEEP u64 create_token_account(const struct creation* c, account mint, const struct address* authority) {
    TRY(create_account(c));
    struct call_data data;
    copy_words(&data.words[0], authority, 4);
    struct call call;
    call.n = 0;
    call_with(&call, c->target, true, false);
    call_with(&call, mint, false, false);
    return invoke_token(&call, &data, 18, 4, 0); /* InitializeAccount3 */
}

/* Give an account's lamports back and leave it to the system program; the runtime zeroes what is left. */
static KEEP void close_account(account a, account to) {
    *lamports_of(to) += *lamports_of(a);
    *lamports_of(a) = 0;
    *(u64*)(a + 80) = 0;
    *owner_of(a) = SYSTEM_PROGRAM_ID;
}

#endif
