/* What a program would do to check that a root of sums counts a position: one leaf, and as many nodes as the tree is deep.
 *
 * Instruction data: index u64, depth u64, top node, sums of the leaf, address and data of the position, siblings. A node is a hash
 * and three sums of eight bytes. No account is read: where the root comes from is the business of whoever uses this. */
typedef unsigned char u8;
typedef unsigned long long u64;

struct slice {
    const void* start;
    u64 length;
};
struct node {
    u64 hash[4], sums[3];
};
struct proof {
    u64 index, depth;
    struct node top;
    u64 sums[3];
    u8 account[32 + 160];
    struct node siblings[];
};

extern u64 sol_sha256(const void* slices, u64 n, void* out);

u64 entrypoint(const u8* input) {
    const struct proof* p = (const void*)(input + 16); /* after no accounts, and the length of the data */
    struct node node;
    struct slice leaf[3] = {{"\0betting account", 16}, {p->sums, 24}, {p->account, sizeof p->account}};
    sol_sha256(leaf, 3, node.hash);
    u64 debt = p->sums[0], liquidity = p->sums[1], rewards = p->sums[2], index = p->index;
    struct slice parts[3] = {{"\1", 1}, {0, sizeof node}, {0, sizeof node}};
    const struct node *other = p->siblings, *end = other + p->depth;
    for (; other != end; other++, index >>= 1) {
        node.sums[0] = debt;
        node.sums[1] = liquidity;
        node.sums[2] = rewards;
        parts[1].start = index & 1 ? other : &node;
        parts[2].start = index & 1 ? &node : other;
        sol_sha256(parts, 3, node.hash); /* read whole before it is written */
        if ((debt += other->sums[0]) < other->sums[0]) return 1;
        if ((liquidity += other->sums[1]) < other->sums[1]) return 1;
        if ((rewards += other->sums[2]) < other->sums[2]) return 1;
    }
    const u64 *found = node.hash, *top = p->top.hash;
    if (found[0] != top[0] || found[1] != top[1] || found[2] != top[2] || found[3] != top[3]) return 2;
    if (debt != p->top.sums[0] || liquidity != p->top.sums[1] || rewards != p->top.sums[2]) return 3;
    return 0;
}
