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

extern u64 sol_sha256(const void* slices, u64 n, void* out);

static KEEP u64 emit_rewards(void* event, u64 bytes, u8 kind, struct epoch* t, u64 slot) {
    *(struct event*)event =
        (struct event){EVENT_VERSION, kind, 0, REWARDS_SERIES + t->root_number, ++t->event_sequence, slot};
    return emit(event, bytes);
}

static KEEP u64 process_post_epoch(const struct context* c, struct loaded* in) {
    const struct post_epoch_data* d = (const void*)c->data;
    const struct post_epoch_accounts* a = (const void*)c->accounts;
    struct global* g = in->global;
    TRY(require_same(key_of(a->authority), &g->incentives_authority, ERR_WRONG_AUTHORITY));
    REQUIRE(d->leaf_count && d->leaf_count <= LEAVES_MAX && d->total, BAD_EPOCH);
    REQUIRE(d->epoch <= (in->slot - g->season_start_slot) / EPOCH_SLOTS, BAD_EPOCH);
    struct event_epoch_posted e;
    TRY(emitted_mmt(g, in->slot, &e.emitted_mmt));
    REQUIRE(add_to(&g->posted_mmt, d->total) && g->posted_mmt <= e.emitted_mmt, EMISSION_EXCEEDED);

    struct slice seeds[3] = {{"epoch", 5}, {&d->epoch, 12}, {&d->bump, 1}}; /* the index lies behind the epoch */
    struct first first = {a->epoch, seeds, 3, EPOCH_BYTES(d->leaf_count), KIND_EPOCH, 0, 0};
    TRY(create_first(c, &first)); /* one bitmap a root */
    struct epoch* t = data_of(a->epoch);
    t->root_number = g->root_count++;
    copy_words(&t->epoch, &d->epoch, 7); /* up to the root */
    copy_words(&e.epoch, &d->epoch, 7);
    copy_address(&e.account, key_of(a->epoch));
    e.posted_mmt = g->posted_mmt;
    return emit_rewards(&e, sizeof e, EVENT_EPOCH_POSTED, t, in->slot);
}

static KEEP void hash_node(const void* left, const void* right, struct address* out) {
    SECTION(hashing);
    struct slice parts[3] = {{"\1", 1}, {left, 32}, {right, 32}};
    struct address hash; /* `out` may be one of the two */
    sol_sha256(parts, 3, &hash);
    copy_address(out, &hash);
}

/* A token account of MMT, of this owner. */
static KEEP u64 require_mmt(account a, const struct loaded* in, const struct address* owner) {
    TRY(require_same(data_of(a), &in->global->mmt_mint, ERR_WRONG_TOKEN_ACCOUNT));
    return require_tokens_of(a, owner);
}

/* What is to be paid, and to which accounts. */
struct payments {
    struct loaded* in;
    account to[BATCH_LEAVES_MAX];
    struct event_rewards_paid fixed;
    struct paid_leaf leaves[BATCH_LEAVES_MAX];
};

/* Hash the leaf that would pay `amount` to the owner of `to`; list and mark it, unless it is paid already. */
static KEEP u64 list_leaf(struct payments* out, account to, u64 number, u64 amount, struct address* hash) {
    SECTION(hashing);
    struct epoch* t = out->in->epoch;
    struct paid_leaf* leaf = &out->leaves[out->fixed.count];
    REQUIRE(number < t->leaf_count, BAD_PROOF);
    leaf->index = t->index;
    leaf->leaf = (u32)number;
    leaf->amount = amount;
    copy_address(&leaf->wallet, (const void*)((u8*)data_of(to) + 32));
    TRY(require_mmt(to, out->in, &leaf->wallet));
    struct slice preimage[3] = {{"\0betting reward leaf", 20}, {&t->epoch, 8}, {leaf, sizeof *leaf}};
    sol_sha256(preimage, 3, hash);
    u8 *marks = (u8*)(t + 1) + number / 8, mark = (u8)(1 << number % 8);
    if (*marks & mark) return 0;
    *marks |= mark;
    out->to[out->fixed.count++] = to;
    return 0;
}

/* List the leaves to pay, and show that the whole batch leads to the root. */
static KEEP u64 prove(const struct context* c, struct payments* out) {
    const struct pay_rewards_data* d = (const void*)c->data;
    const struct epoch* t = out->in->epoch;
    REQUIRE(d->height <= BATCH_HEIGHT_MAX, BAD_INSTRUCTION_DATA);
    u64 n = 1ULL << d->height, first = d->first_leaf;
    REQUIRE(!(d->paid_mask >> n), BAD_INSTRUCTION_DATA);
    REQUIRE(first % n == 0 && first < t->leaf_count, BAD_PROOF);

    struct address tree[2 * BATCH_LEAVES_MAX]; /* node i over 2i and 2i + 1, the leaves from n on */
    /* Behind the data lies the program's address: reading one hash too far is harmless, and refused. */
    const u64 *at = (const u64*)(d + 1), *end = (const u64*)(c->data + c->data_length);
    u64 listed = sizeof PAY_REWARDS_RULES;
    for (u64 i = 0; i < n; i++) {
        REQUIRE(at <= end, BAD_INSTRUCTION_DATA);
        if (d->paid_mask >> i & 1) {
            REQUIRE(listed < c->count, NOT_ENOUGH_ACCOUNTS);
            TRY(list_leaf(out, c->accounts[listed++], first + i, *at++, &tree[n + i]));
        } else {
            copy_address(&tree[n + i], (const void*)at);
            at += 4;
        }
    }
    for (u64 i = n - 1; i; i--) hash_node(&tree[2 * i], &tree[2 * i + 1], &tree[i]);
    for (u64 width = n; width < t->leaf_count; width *= 2, at += 4) {
        REQUIRE(at <= end, BAD_INSTRUCTION_DATA);
        if (first & width) hash_node(at, &tree[1], &tree[1]);
        else hash_node(&tree[1], at, &tree[1]);
    }
    REQUIRE(at == end, BAD_INSTRUCTION_DATA);
    return require_same(&tree[1], &t->root, ERR_BAD_PROOF);
}

/* Anyone may call it: what it pays, to whom and once is in the tree and the bitmap. */
static KEEP u64 process_pay_rewards(const struct context* c, struct loaded* in) {
    const struct pay_rewards_accounts* a = (const void*)c->accounts;
    struct payments e;
    e.in = in;
    struct epoch* t = in->epoch;
    TRY(require_mmt(a->treasury_tokens, in, key_of(a->global)));
    e.fixed.count = 0;
    TRY(prove(c, &e));
    REQUIRE(e.fixed.count, NOTHING_PAID);

    struct slice seeds[2] = {{"global", 6}, {&in->global->bump, 1}};
    struct signer signer = {seeds, 2};
    e.fixed.amount = 0;
    for (u64 i = 0; i < e.fixed.count; i++) {
        u64 amount = e.leaves[i].amount;
        REQUIRE(amount <= t->total - t->paid, ROOT_EXHAUSTED);
        t->paid += amount;
        e.fixed.amount += amount;
        TRY(transfer_tokens(a->treasury_tokens, e.to[i], a->global, amount, &signer));
    }
    t->paid_count += e.fixed.count;
    e.fixed.epoch = t->epoch;
    e.fixed.index = t->index;
    return emit_rewards(&e.fixed, sizeof e.fixed + e.fixed.count * sizeof(struct paid_leaf), EVENT_REWARDS_PAID, t,
                        in->slot);
}
