/* post_epoch and pay_rewards: the root of a tree of leaves (wallet, amount), and batches of them paid under it.
 *
 * leaf = sha256(0 "betting reward leaf", epoch u64, index of the root u32, number of the leaf u32, wallet, amount u64)
 * node = sha256(1, left, right); 32 zero bytes fill the last level up to a power of two.
 * No leaf is read as a node nor a node as a leaf, and a leaf counts under its own number of its own root alone. */
#include "ledger.h"
#include "payments.h"
#include "season.h"

#define LEAVES_MAX 65536
#define BATCH_HEIGHT_MAX 3
#define BATCH_LEAVES_MAX (1 << BATCH_HEIGHT_MAX)

static KEEP void copy_words(void* to, const void* from, u64 words) {
    for (u64 i = 0; i < words; i++) ((u64*)to)[i] = ((const u64*)from)[i];
}
extern u64 sol_sha256(const void* slices, u64 n, void* out);

static inline void head_rewards(struct event* e, u8 kind, struct epoch* t, u64 slot) {
    *e = (struct event){EVENT_VERSION, kind, 0, REWARDS_SERIES + t->root_number, ++t->event_sequence, slot};
}

static KEEP u64 process_post_epoch(const struct context* c) {
    const struct post_epoch_data* d;
    const struct post_epoch_accounts* a;
    struct loaded in;
    READ_DATA(c, d);
    LOAD(c, POST_EPOCH, a, &in);
    struct global* g = in.global;
    REQUIRE(same(key_of(a->authority), &g->incentives_authority), WRONG_AUTHORITY);
    REQUIRE(d->leaf_count && d->leaf_count <= LEAVES_MAX && d->total, BAD_EPOCH);
    REQUIRE(d->epoch <= (in.slot - g->season_start_slot) / EPOCH_SLOTS, BAD_EPOCH);
    struct event_epoch_posted e;
    TRY(emitted_mmt(g, in.slot, &e.emitted_mmt));
    REQUIRE(add_to(&g->posted_mmt, d->total) && g->posted_mmt <= e.emitted_mmt, EMISSION_EXCEEDED);

    struct slice seeds[3] = {{"epoch", 5}, {&d->epoch, 12}, {&d->bump, 1}}; /* the index lies behind the epoch */
    TRY(require_first_address(c, a->epoch, seeds, 2, d->bump));             /* one bitmap a root */
    struct signer signer = {seeds, 3};
    struct creation creation = {a->authority, a->epoch, c->program, EPOCH_BYTES(d->leaf_count), &signer};
    TRY(create_account(&creation));
    struct epoch* t = data_of(a->epoch);
    t->kind = KIND_EPOCH;
    t->version = LAYOUT_VERSION;
    t->bump = d->bump;
    t->root_number = g->root_count++;
    copy_words(&t->epoch, &d->epoch, 7); /* to the root */
    copy_words(&e.epoch, &d->epoch, 7);

    head_rewards(&e.head, EVENT_EPOCH_POSTED, t, in.slot);
    copy_words(&e.account, key_of(a->epoch), 4);
    e.posted_mmt = g->posted_mmt;
    return emit(&e, sizeof e);
}

static KEEP void hash_node(const void* left, const void* right, struct address* out) {
    struct slice parts[3] = {{"\1", 1}, {left, 32}, {right, 32}};
    sol_sha256(parts, 3, out);
}

static KEEP u64 require_mmt(account a, const struct global* g) {
    REQUIRE(same(owner_of(a), &TOKEN_PROGRAM_ID) && length_of(a) == TOKEN_ACCOUNT_BYTES, WRONG_TOKEN_ACCOUNT);
    REQUIRE(same(data_of(a), &g->mmt_mint), WRONG_TOKEN_ACCOUNT);
    return 0;
}

struct payments {
    struct event_rewards_paid fixed;
    struct paid_leaf leaves[BATCH_LEAVES_MAX];
};

/* List the leaves to pay, with the wallets that own the token accounts, and show that the whole batch leads to the root.
 */
static KEEP u64 prove(const struct context* c, const struct loaded* in, struct payments* out) {
    const struct pay_rewards_data* d = (const void*)c->data;
    const struct epoch* t = in->epoch;
    u64 n = 1ULL << d->height, depth = d->height, words = 1 + 4 * n, listed = 0;
    REQUIRE(d->height <= BATCH_HEIGHT_MAX && !(d->paid_mask >> n), BAD_INSTRUCTION_DATA);
    for (u64 mask = d->paid_mask; mask; mask &= mask - 1) listed++;
    for (; 1ULL << depth < t->leaf_count; depth++) words += 4;
    REQUIRE(c->data_length == 8 * (words - 3 * listed), BAD_INSTRUCTION_DATA);
    REQUIRE(c->count >= sizeof PAY_REWARDS_RULES + listed, NOT_ENOUGH_ACCOUNTS);
    REQUIRE(d->first_leaf % n == 0 && d->first_leaf < t->leaf_count, BAD_PROOF);

    struct address tree[2 * BATCH_LEAVES_MAX]; /* node i over 2i and 2i + 1, the leaves from n on */
    struct paid_leaf* leaf = out->leaves;
    const account* to = c->accounts + sizeof PAY_REWARDS_RULES;
    const u64* at = (const u64*)(d + 1);
    for (u64 i = 0; i < n; i++) {
        if (!(d->paid_mask >> i & 1)) {
            copy_words(&tree[n + i], at, 4);
            at += 4;
            continue;
        }
        leaf->index = t->index;
        leaf->leaf = d->first_leaf + (u32)i;
        REQUIRE(leaf->leaf < t->leaf_count, BAD_PROOF);
        TRY(require_mmt(*to, in->global));
        copy_words(&leaf->wallet, (u8*)data_of(*to++) + 32, 4);
        leaf->amount = *at++;
        struct slice preimage[3] = {{"\0betting reward leaf", 20}, {&t->epoch, 8}, {leaf++, sizeof *leaf}};
        sol_sha256(preimage, 3, &tree[n + i]);
    }
    for (u64 i = n - 1; i; i--) hash_node(&tree[2 * i], &tree[2 * i + 1], &tree[i]);
    struct address *node = &tree[1], *next = &tree[0]; /* climbs the path in these two by turns */
    for (u64 place = d->first_leaf >> d->height, level = d->height; level < depth; level++, place >>= 1, at += 4) {
        hash_node(place & 1 ? at : node->word, place & 1 ? node->word : at, next);
        struct address* done = node;
        node = next;
        next = done;
    }
    REQUIRE(same(node, &t->root), BAD_PROOF);
    out->fixed.count = (u32)listed;
    return 0;
}

/* Anyone may call it: what it pays, to whom and once is in the tree and the bitmap. */
static KEEP u64 process_pay_rewards(const struct context* c) {
    const struct pay_rewards_accounts* a;
    struct loaded in;
    REQUIRE(c->data_length >= sizeof(struct pay_rewards_data), BAD_INSTRUCTION_DATA);
    LOAD(c, PAY_REWARDS, a, &in);
    struct epoch* t = in.epoch;
    TRY(require_mmt(a->treasury_tokens, in.global));
    TRY(require_tokens_of(a->treasury_tokens, key_of(a->global)));
    struct payments e;
    TRY(prove(c, &in, &e));

    struct slice seeds[2] = {{"global", 6}, {&in.global->bump, 1}};
    struct signer signer = {seeds, 2};
    struct paid_leaf *leaf = e.leaves, *paid = e.leaves; /* what is paid already drops out of the event */
    const account *to = c->accounts + sizeof PAY_REWARDS_RULES, *end = to + e.fixed.count;
    e.fixed.amount = 0;
    for (; to < end; to++, leaf++) {
        u8* bits = (u8*)(t + 1) + leaf->leaf / 8;
        u8 bit = (u8)(1 << leaf->leaf % 8);
        if (*bits & bit) continue;
        *bits |= bit;
        REQUIRE(leaf->amount <= t->total - t->paid, ROOT_EXHAUSTED);
        t->paid += leaf->amount;
        e.fixed.amount += leaf->amount;
        TRY(transfer_tokens(a->treasury_tokens, *to, a->global, leaf->amount, &signer));
        copy_words(paid++, leaf, sizeof *leaf / 8);
    }
    REQUIRE(paid != e.leaves, NOTHING_PAID);
    e.fixed.count = (u32)(paid - e.leaves);
    t->paid_count += e.fixed.count;
    e.fixed.epoch = t->epoch;
    e.fixed.index = t->index;
    head_rewards(&e.fixed.head, EVENT_REWARDS_PAID, t, in.slot);
    return emit(&e, (u64)((u8*)paid - (u8*)&e));
}
