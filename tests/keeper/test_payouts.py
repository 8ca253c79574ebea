"""keeper/payouts.py, and what paying costs, against the committed program."""

import pytest
from harness import Platform
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_desk import RewardDesk, deep_batch, wallet
from solders.message import Message
from solders.transaction import Transaction

from keeper.costs import epoch_rent_lamports, pay_rewards_cu, pay_rewards_log_bytes, post_epoch_cu
from keeper.payouts import tight_batch, unpaid_subtrees, why_not
from programs.accounts import Epoch
from programs.addresses import epoch_address
from programs.instructions import pay_rewards
from programs.merkle import Reward, build_tree, verify

LIMIT_INSTRUCTION_CU = 150


def tree_of(count, *, amount=100):
    return build_tree(2, 1, [Reward(wallet=wallet(i), amount=amount) for i in range(count)])


def posted(tree, paid=frozenset(), **changes):
    bitmap = bytearray((len(tree.rewards) + 63) // 64 * 8)
    for leaf in paid:
        bitmap[leaf // 8] |= 1 << leaf % 8
    fields = {
        "root_number": 0,
        "epoch": tree.epoch,
        "index": tree.index,
        "leaf_count": len(tree.rewards),
        "total": tree.total,
        "root": tree.root,
        "paid": 0,
        "paid_count": len(paid),
        "event_sequence": 0,
        "bitmap": bytes(bitmap),
    }
    return Epoch(**fields | changes)


def test_only_the_tree_that_was_posted_is_paid():
    tree = tree_of(9)
    assert None is why_not(tree, posted(tree))
    assert "on chain stands" in why_not(tree, posted(tree_of(9, amount=101)))
    assert "9 leaves, on chain are 10" in why_not(tree, posted(tree, leaf_count=10))
    assert "sum to 900 base units, on chain are 899" in why_not(tree, posted(tree, total=899))


@settings(deadline=None)  # of a busy machine
@given(st.integers(1, 70), st.data())
def test_the_unpaid_subtrees_hold_every_unpaid_leaf_once_in_order(count, data):
    paid = data.draw(st.frozensets(st.integers(0, count - 1)))
    found = list(unpaid_subtrees(posted(tree_of(count), paid)))
    assert [leaf for leaf in range(count) if leaf not in paid] == [
        leaf for subtree in found for leaf in subtree.unpaid
    ]
    assert all({leaf // 8} == {subtree.number} for subtree in found for leaf in subtree.unpaid)
    assert all(
        subtree.marks == sum(1 << leaf % 8 for leaf in paid if leaf // 8 == subtree.number)
        for subtree in found
    )


@settings(deadline=None)  # of a busy machine
@given(st.integers(1, 40), st.data())
def test_a_batch_pays_exactly_the_payable_leaves_and_proves_them(count, data):
    tree = tree_of(count)
    first = data.draw(st.integers(0, count - 1)) // 8 * 8
    leaves = range(first, min(first + 8, count))
    payable = sorted(data.draw(st.frozensets(st.sampled_from(leaves), min_size=1)))
    batch = tight_batch(tree, payable)
    assert batch.wallets == tuple(tree.rewards[leaf].wallet for leaf in payable)
    paid = [batch.first_leaf + i for i in range(8) if batch.paid_mask >> i & 1]
    assert payable == paid
    assert batch.height <= 3
    assert verify(tree.root, tree.hash_at(0, paid[0]), paid[0], tree.path(paid[0]))


def test_a_single_leaf_needs_no_hashes_of_its_neighbours():
    assert (0, 5) == ((batch := tight_batch(tree_of(20), [5])).height, batch.first_leaf)
    assert (2, 4) == ((batch := tight_batch(tree_of(20), [5, 6])).height, batch.first_leaf)


def logs_of(platform, desk, batch):
    accounts = [desk.tokens_of(owner) for owner in batch.wallets]
    instruction = pay_rewards(platform.program, batch, accounts)
    message = Message([instruction], platform.admin.pubkey())
    transaction = Transaction([platform.admin], message, platform.svm.latest_blockhash())
    return sum(map(len, platform.svm.simulate_transaction(transaction).meta().logs()))


@pytest.mark.parametrize("depth", [3, 16])
def test_a_payments_bound_holds_and_wastes_less_than_half(depth):
    platform = Platform()
    platform.initialize()
    platform.warp(5_000)
    desk = RewardDesk(platform)
    for index, count in enumerate((1, 2, 8)):
        rewards = [Reward(wallet=wallet(i), amount=1_000) for i in range(count)]
        batch, root = deep_batch(0, index, rewards, depth)
        desk.post_terms(epoch=0, index=index, root=root, leaf_count=1 << depth, total=1_000 * count)
        logged = logs_of(platform, desk, batch)
        assert logged <= pay_rewards_log_bytes(batch) <= logged * 3 / 2, (count, logged)
        used = desk.pay(batch).cu - LIMIT_INSTRUCTION_CU
        assert used <= pay_rewards_cu(batch) <= used * 3 / 2, (count, used)


def test_a_posts_bounds_hold_and_waste_little_wherever_its_address_lies():
    platform = Platform()
    platform.initialize()
    platform.warp(5_000)
    desk = RewardDesk(platform)
    bumps = set()
    for index, leaf_count in enumerate((1, 240, 65_536, 7, 9)):
        terms = {"root": bytes(32), "leaf_count": leaf_count, "total": 1}
        used = desk.post_terms(epoch=0, index=index, **terms).cu - LIMIT_INSTRUCTION_CU
        address, bump = epoch_address(platform.program, 0, index)
        bumps.add(bump)
        assert used <= post_epoch_cu(bump) <= used + 400, (used, bump)
        account = platform.svm.get_account(address)
        assert epoch_rent_lamports(leaf_count) == account.lamports
    assert len(bumps) > 1
