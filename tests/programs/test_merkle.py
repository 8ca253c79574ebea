"""The tree against a recursion that shares no line with it, and against bytes hashed by hand."""

import hashlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from programs import merkle
from programs.merkle import PADDING, Reward, build_tree, hash_leaf, hash_node, verify
from programs.units import U64_MAX

WALLET = Pubkey.from_bytes(bytes(range(32)))


def rewards_of(count):
    return [
        Reward(wallet=Pubkey.from_bytes(hashlib.sha256(bytes([i % 256])).digest()), amount=i + 1)
        for i in range(count)
    ]


def naive_root(epoch, index, rewards):
    """Split in two halves of the size a full tree would have, down to single leaves."""

    def little(value, size):
        return bytes(value >> 8 * i & 255 for i in range(size))

    def node(first, width):
        if width == 1:
            if first >= len(rewards):
                return bytes(32)
            content = b"\x00betting reward leaf" + little(epoch, 8) + little(index, 4)
            content += little(first, 4) + bytes(rewards[first].wallet)
            return hashlib.sha256(content + little(rewards[first].amount, 8)).digest()
        half = width // 2
        content = b"\x01" + node(first, half) + node(first + half, half)
        return hashlib.sha256(content).digest()

    width = 1
    while width < len(rewards):
        width *= 2
    return node(0, width)


@pytest.mark.parametrize("count", [*range(1, 18), 31, 33, 64, 100])
def test_the_root_is_the_one_of_a_plain_recursion(count):
    rewards = rewards_of(count)
    tree = build_tree(7, 3, rewards)
    assert tree.root == naive_root(7, 3, rewards)
    assert tree.total == count * (count + 1) // 2
    assert 1 << tree.depth >= count > (1 << tree.depth) // 2


def test_a_leaf_is_hashed_from_these_bytes():
    reward = Reward(wallet=WALLET, amount=0x0102030405060708)
    preimage = bytes.fromhex(
        "00" + b"betting reward leaf".hex() + "0900000000000000" + "05000000" + "02000100"
    )
    preimage += bytes(range(32)) + bytes.fromhex("0807060504030201")
    assert len(preimage) == 76
    assert hash_leaf(9, 5, 0x10002, reward) == hashlib.sha256(preimage).digest()


def test_a_node_is_hashed_from_a_one_and_its_children():
    left, right = bytes([7]) * 32, bytes([8]) * 32
    assert hash_node(left, right) == hashlib.sha256(b"\1" + left + right).digest()


@given(st.integers(1, 70), st.data())
@settings(max_examples=60, deadline=None)
def test_every_leaf_has_a_path_to_the_root_and_no_other_number_has_it(count, data):
    tree = build_tree(1, 2, rewards_of(count))
    leaf = data.draw(st.integers(0, count - 1))
    found = hash_leaf(1, 2, leaf, tree.rewards[leaf])
    assert verify(tree.root, found, leaf, tree.path(leaf))
    for other in range(1 << tree.depth):
        if other != leaf:
            assert not verify(tree.root, found, other, tree.path(other))


@given(st.integers(1, 70), st.data())
@settings(max_examples=60, deadline=None)
def test_a_batch_says_all_that_leads_to_the_root(count, data):
    tree = build_tree(1, 2, rewards_of(count))
    height = data.draw(st.integers(0, min(3, tree.depth)))
    first = data.draw(st.integers(0, (count - 1) >> height)) << height
    left_out = data.draw(st.frozensets(st.integers(0, count - 1)))
    batch = tree.batch(first, height, left_out)
    wallets, level = list(batch.wallets), []
    for i, entry in enumerate(batch.entries):
        if isinstance(entry, int):
            assert first + i not in left_out
            level.append(hash_leaf(1, 2, first + i, Reward(wallet=wallets.pop(0), amount=entry)))
        else:
            assert first + i in left_out or (first + i >= count and entry == PADDING)
            level.append(entry)
    assert wallets == []
    assert (batch.height, batch.first_leaf) == (height, first)
    assert batch.paid_mask == sum(
        1 << i for i, entry in enumerate(batch.entries) if isinstance(entry, int)
    )
    while len(level) > 1:
        level = [hash_node(*level[i : i + 2]) for i in range(0, len(level), 2)]
    assert verify(tree.root, level[0], first >> height, batch.path)


@given(st.integers(1, 70), st.data())
@settings(max_examples=60, deadline=None)
def test_all_batches_pay_every_leaf_once_but_those_left_out(count, data):
    tree = build_tree(1, 2, rewards_of(count))
    left_out = data.draw(st.frozensets(st.integers(0, count - 1)))
    paid = [
        batch.first_leaf + i
        for batch in tree.batches(left_out)
        for i, entry in enumerate(batch.entries)
        if isinstance(entry, int)
    ]
    assert paid == [leaf for leaf in range(count) if leaf not in left_out]


def test_a_tree_knows_its_root_and_index_by_their_hashes():
    rewards = rewards_of(4)
    roots = {build_tree(e, i, rewards).root for e in (0, 1) for i in (0, 1)}
    assert len(roots) == 4


def test_a_tree_of_all_leaves_is_built_in_seconds_at_most():
    started = time.perf_counter()
    tree = build_tree(0, 0, [Reward(wallet=WALLET, amount=1)] * merkle.LEAVES_MAX)
    assert time.perf_counter() - started < 5
    assert (tree.depth, len(tree.batch(65_528, 3).path)) == (16, 13)


@pytest.mark.parametrize(
    ("epoch", "index", "rewards", "said"),
    [
        (0, 0, [], "found 0 leaves, expected 1 to 65536"),
        (0, 0, [Reward(wallet=WALLET, amount=1)] * 65_537, "found 65537 leaves"),
        (-1, 0, rewards_of(1), "found epoch -1"),
        (U64_MAX + 1, 0, rewards_of(1), "found epoch"),
        (0, 2**32, rewards_of(1), "found index 4294967296, expected 0 to 4294967295"),
        (0, 0, [Reward(wallet=WALLET, amount=-1)], "found amounts from -1"),
        (0, 0, [Reward(wallet=WALLET, amount=U64_MAX)] * 2, "expected a u64"),
    ],
)
def test_a_tree_that_cannot_be_posted_is_refused(epoch, index, rewards, said):
    with pytest.raises(ValueError, match=said):
        build_tree(epoch, index, rewards)


@pytest.mark.parametrize(
    ("first_leaf", "height", "said"),
    [
        (0, 4, "found a subtree of height 4, expected 0 to 3"),
        (0, -1, "found a subtree of height -1"),
        (1, 1, "found first leaf 1, expected a multiple of 2 below 9"),
        (10, 0, "found first leaf 10"),
        (-8, 3, "found first leaf -8"),
    ],
)
def test_a_batch_outside_the_tree_is_refused(first_leaf, height, said):
    with pytest.raises(ValueError, match=said):
        build_tree(0, 0, rewards_of(9)).batch(first_leaf, height)


def test_a_batch_is_no_higher_than_its_tree():
    with pytest.raises(ValueError, match="expected 0 to 1"):
        build_tree(0, 0, rewards_of(2)).batch(0, 2)
