"""pay_rewards: what the tree says, to whom it says, once."""

import hashlib
from dataclasses import replace

import pytest
import spl.token.instructions as spl
from harness import RuntimeRefusalError, keypair, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_desk import RewardDesk, deep_batch, wallet
from solders.account import Account
from solders.compute_budget import (
    set_compute_unit_limit,
    set_compute_unit_price,
    set_loaded_accounts_data_size_limit,
)
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction
from spl.token.models import MintToParams

from programs import addresses, errors, instructions
from programs.addresses import TOKEN_PROGRAM
from programs.errors import ProgramError
from programs.event_layout import REWARDS_SERIES
from programs.genesis import create_mint
from programs.merkle import PADDING, Reward, build_tree, hash_leaf, hash_node


@pytest.fixture
def desk(platform):
    platform.warp(1_000)
    return RewardDesk(platform)


def sent_to(desk, instruction):
    return desk.platform.send(instruction, [desk.platform.admin])


def built(desk, batch, token_accounts=None):
    """The instruction, to be spoiled."""
    accounts = token_accounts or [desk.tokens_of(owner) for owner in batch.wallets]
    return instructions.pay_rewards(desk.platform.program, batch, accounts)


def with_account(instruction, index, address):
    accounts = list(instruction.accounts)
    accounts[index] = AccountMeta(address, accounts[index].is_signer, accounts[index].is_writable)
    return Instruction(instruction.program_id, instruction.data, accounts)


def test_a_batch_pays_each_leaf_its_amount_from_the_treasury(desk):
    tree = desk.posted(*range(100, 110))
    before = desk.treasury()
    receipt = desk.pay(tree.batch(0, 3))
    assert [desk.balance(wallet(i)) for i in range(10)] == [*range(100, 108), 0, 0]
    assert before - desk.treasury() == sum(range(100, 108))
    (event,) = receipt.events
    assert (event.series, event.sequence) == (REWARDS_SERIES, 2)
    assert event.fields == {"epoch": 0, "index": 0, "count": 8, "amount": sum(range(100, 108))}
    assert event.records == tuple(
        {"index": 0, "leaf": i, "wallet": wallet(i), "amount": 100 + i} for i in range(8)
    )
    desk.pay(tree.batch(8, 1))
    epoch = desk.epoch(tree)
    assert (epoch.paid, epoch.total, epoch.paid_count) == (tree.total, tree.total, 10)
    assert all(epoch.is_paid(leaf) for leaf in range(10))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 17])
def test_a_tree_of_any_size_is_paid_whole(desk, count):
    tree = desk.posted(*range(1, count + 1))
    for batch in tree.batches():
        desk.pay(batch)
    assert [desk.balance(wallet(i)) for i in range(count)] == list(range(1, count + 1))
    assert desk.epoch(tree).paid == tree.total


def test_anyone_may_pay(desk):
    tree, stranger = desk.posted(5), desk.platform.user()
    desk.platform.send(built(desk, tree.batch(0, 0)), [stranger.key])
    assert desk.balance(wallet(0)) == 5


def test_a_leaf_that_is_paid_is_skipped_and_a_batch_of_such_is_refused(desk):
    tree = desk.posted(*[7] * 8)
    desk.pay(tree.batch(2, 1))
    receipt = desk.pay(tree.batch(0, 3))
    assert [record["leaf"] for record in receipt.events[0].records] == [0, 1, 4, 5, 6, 7]
    assert receipt.events[0].amount("amount") == 6 * 7
    for height in range(4):
        with refused("NOTHING_PAID"):
            desk.pay(tree.batch(0, height))
    assert [desk.balance(wallet(i)) for i in range(8)] == [7] * 8


def test_a_leaf_left_out_is_paid_later(desk):
    tree = desk.posted(*range(1, 9))
    receipt = desk.pay(tree.batch(0, 3, frozenset({0, 3, 7})))
    assert [record["leaf"] for record in receipt.events[0].records] == [1, 2, 4, 5, 6]
    desk.pay(tree.batch(0, 3, frozenset({0, 1, 2})))
    desk.pay(tree.batch(0, 0))
    assert desk.epoch(tree).paid == tree.total


def test_a_batch_that_leaves_everything_out_pays_nothing(desk):
    tree = desk.posted(*range(1, 9))
    with refused("NOTHING_PAID"):
        desk.pay(tree.batch(0, 3, frozenset(range(8))))


def test_a_wallet_with_several_leaves_is_paid_for_each_even_in_one_batch(desk):
    rewards = [Reward(wallet=wallet(0), amount=amount) for amount in (3, 5, 3, 9)]
    tree = build_tree(0, 0, rewards)
    desk.post(tree)
    desk.pay(tree.batch(0, 2))
    assert desk.balance(wallet(0)) == 20


def test_a_leaf_of_nothing_counts_as_paid(desk):
    tree = desk.posted(0, 4)
    desk.pay(tree.batch(0, 1))
    assert desk.epoch(tree).is_paid(0)
    with refused("NOTHING_PAID"):
        desk.pay(tree.batch(0, 0))


def test_any_token_account_of_the_wallet_will_do(desk):
    platform, tree = desk.platform, desk.posted(6)
    extra = keypair("another account")
    mint = platform.mmt_mint.pubkey()
    platform.svm.set_account(
        extra.pubkey(),
        Account(
            10**9,
            bytes(mint) + bytes(wallet(0)) + bytes(8) + bytes(36) + b"\1" + bytes(56),
            TOKEN_PROGRAM,
        ),
    )
    desk.pay(tree.batch(0, 0), [extra.pubkey()])
    assert platform.tokens(extra.pubkey()) == 6


# -- what must not be paid --


def test_another_amount_wallet_number_or_path_is_no_proof(desk):
    tree = desk.posted(*range(1, 10))
    good = tree.batch(0, 3)
    wrong = {
        "amount": replace(good, entries=(2, *good.entries[1:])),
        "order": replace(good, entries=good.entries[::-1]),
        "path": replace(good, path=(bytes(32),)),
        "place": replace(good, first_leaf=8),
        "hash": replace(tree.batch(0, 3, frozenset({1})), entries=(1, PADDING, *good.entries[2:])),
    }
    for name, batch in wrong.items():
        accounts = [desk.tokens_of(owner) for owner in batch.wallets]
        accounts = accounts[:7] if name == "hash" else accounts
        with refused("BAD_PROOF"):
            desk.pay(batch, accounts)
    for i in range(8):
        accounts = [desk.tokens_of(owner) for owner in good.wallets]
        accounts[i] = desk.tokens_of(wallet("thief"))
        with refused("BAD_PROOF"):
            desk.pay(good, accounts)
    desk.pay(good)


def test_every_bit_of_the_data_counts(desk):
    tree = desk.posted(*range(1, 10))
    good = built(desk, tree.batch(0, 1))
    data = bytes(good.data)
    for at in range(1, len(data)):
        if at == 3:
            continue  # padding
        for bit in (0, 7):
            spoiled = bytearray(data)
            spoiled[at] ^= 1 << bit
            with pytest.raises(ProgramError) as caught:
                sent_to(desk, Instruction(good.program_id, bytes(spoiled), good.accounts))
            codes = {errors.BY_NAME["BAD_PROOF"].code}
            if at < 4:
                codes.add(errors.BY_NAME["BAD_INSTRUCTION_DATA"].code)
            assert caught.value.code in codes
    assert desk.epoch(tree).paid == 0


def test_a_subtree_that_is_not_aligned_is_refused(desk):
    tree = desk.posted(*range(1, 17))
    for first_leaf in (1, 2, 4, 7, 9):
        with refused("BAD_PROOF"):
            desk.pay(tree.batch(0, 3), first_leaf=first_leaf)


def test_a_leaf_beyond_the_count_is_refused_even_when_the_tree_has_it(desk):
    # An authority that hides leaves behind a smaller count would have bits written beyond the account.
    tree = desk.tree(*range(1, 9))
    desk.post(tree, leaf_count=5)
    for batch in (tree.batch(0, 3), tree.batch(4, 2), tree.batch(4, 1), tree.batch(6, 1)):
        with refused("BAD_PROOF"):
            desk.pay(batch)
    desk.pay(tree.batch(0, 3, frozenset({5, 6, 7})))
    assert desk.epoch(tree).paid_count == 5


@pytest.mark.parametrize("first_leaf", [65_536, 2**31, 2**32 - 8])
def test_a_first_leaf_outside_the_tree_is_refused(desk, first_leaf):
    tree = desk.posted(*range(1, 17))
    with refused("BAD_PROOF"):
        desk.pay(tree.batch(0, 3), first_leaf=first_leaf)


def test_padding_is_never_paid(desk):
    tree = desk.posted(*range(1, 6))  # leaves 5, 6 and 7 are zeros
    good = tree.batch(4, 2)
    for amount in (0, 1, 2**64 - 1):
        with refused("BAD_PROOF"):
            desk.pay(
                replace(good, entries=(5, amount, *good.entries[2:])),
                [desk.tokens_of(wallet(4)), desk.tokens_of(wallet("thief"))],
            )
    desk.pay(good)


def test_a_node_is_not_taken_for_a_leaf_nor_a_leaf_for_a_node(desk):
    tree = desk.posted(*range(1, 17))
    # The children of a node, shown as a leaf's bytes: 64 bytes of hashes cannot be a leaf's 75.
    node_height_one = tree.hash_at(1, 0)
    shorter = replace(
        tree.batch(0, 0), entries=(1,), path=(node_height_one, *tree.path(0)[2:], bytes(32))
    )
    with refused("BAD_PROOF"):
        desk.pay(shorter)
    # A tree of half the depth over the nodes of level one has the same root.
    half = replace(
        tree.batch(0, 3),
        entries=(1, *(tree.hash_at(1, i) for i in range(1, 8))),
        path=(),
    )
    with refused("BAD_INSTRUCTION_DATA"):
        desk.pay(half, [desk.tokens_of(wallet(0))])
    # A leaf's own bytes, hashed as nodes are, lead nowhere.
    leaf = hash_leaf(0, 0, 0, tree.rewards[0])
    assert hash_node(leaf, tree.hash_at(0, 1)) == node_height_one
    assert hashlib.sha256(leaf + tree.hash_at(0, 1)).digest() != node_height_one


def test_a_tree_posted_with_another_count_has_another_depth(desk):
    tree = desk.tree(*range(1, 17))
    desk.post(tree, leaf_count=8)
    with refused("BAD_INSTRUCTION_DATA"):
        desk.pay(tree.batch(0, 3))
    for entries in (tree.batch(0, 3).entries, tuple(tree.hash_at(1, i) for i in range(8))):
        batch = replace(tree.batch(0, 3), entries=entries, path=())
        accounts = [desk.tokens_of(o) for o in batch.wallets] if entries[0] == 1 else []
        with refused("BAD_PROOF" if accounts else "NOTHING_PAID"):
            desk.pay(batch, accounts)


def test_a_leaf_counts_under_its_own_root_only(desk):
    first = desk.posted(*range(1, 17))
    twin = desk.tree(*range(1, 17))
    desk.post(twin)
    later = desk.tree(*range(1, 17))
    desk.platform.warp(9_000)
    later = build_tree(1, first.index, later.rewards)
    desk.post(later)
    for tree in (first, twin, later):
        for other in (first, twin, later):
            if tree is not other:
                with refused("BAD_PROOF"):
                    desk.pay(tree.batch(0, 3), epoch=other.epoch, index=other.index)
    for tree in (first, twin, later):
        desk.pay(tree.batch(0, 3))
    assert desk.balance(wallet(7)) == 3 * 8


def test_the_same_root_posted_twice_pays_once(desk):
    tree = desk.posted(*range(1, 9))
    desk.post(tree, index=9)
    desk.pay(tree.batch(0, 3))
    with refused("BAD_PROOF"):
        desk.pay(tree.batch(0, 3), index=9)


def test_no_more_than_the_total_is_paid(desk):
    tree = desk.tree(10, 20, 30)
    desk.post(tree, total=59)
    with refused("ROOT_EXHAUSTED"):
        desk.pay(tree.batch(0, 2))
    desk.pay(tree.batch(0, 1))
    with refused("ROOT_EXHAUSTED"):
        desk.pay(tree.batch(2, 0))
    assert desk.epoch(tree).paid == 30


def test_amounts_that_overflow_are_refused(desk):
    tree = build_tree(
        0, 0, [Reward(wallet=wallet(0), amount=1), Reward(wallet=wallet(1), amount=2**64 - 2)]
    )
    desk.post(tree, total=1)
    with refused("ROOT_EXHAUSTED"):
        desk.pay(tree.batch(0, 1))


# -- wrong accounts --


def token_account(desk, name, mint, owner, program=TOKEN_PROGRAM, size=165):
    address = keypair(name).pubkey()
    data = bytes(mint) + bytes(owner) + bytes(8) + bytes(36) + b"\1" + bytes(56)
    desk.platform.svm.set_account(address, Account(10**9, data.ljust(size, b"\0"), program))
    return address


def test_only_an_mmt_account_of_spl_token_is_paid(desk):
    tree, platform = desk.posted(5), desk.platform
    mmt, quote = platform.mmt_mint.pubkey(), platform.quote_mint.pubkey()
    token_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
    wrong = [
        token_account(desk, "quote", quote, wallet(0)),
        token_account(desk, "2022", mmt, wallet(0), program=token_2022),
        token_account(desk, "ours", mmt, wallet(0), program=platform.program),
        token_account(desk, "long", mmt, wallet(0), size=166),
        token_account(desk, "multisig", mmt, wallet(0), size=355),
        mmt,
        wallet(0),
        TOKEN_PROGRAM,
    ]
    for address in wrong:
        with refused("WRONG_TOKEN_ACCOUNT"):
            desk.pay(tree.batch(0, 0), [address])


def test_a_token_account_that_is_not_writable_is_refused_by_the_runtime(desk):
    good = built(desk, desk.posted(5).batch(0, 0))
    accounts = [
        *good.accounts[:-1],
        AccountMeta(good.accounts[-1].pubkey, is_signer=False, is_writable=False),
    ]
    with pytest.raises(RuntimeRefusalError):
        sent_to(desk, Instruction(good.program_id, good.data, accounts))


def test_only_a_treasury_of_the_platform_pays(desk):
    platform, tree = desk.platform, desk.posted(5)
    good = built(desk, tree.batch(0, 0))
    admin, mmt = platform.admin.pubkey(), platform.mmt_mint.pubkey()
    other_mint = keypair("other mint")
    rent = platform.svm.minimum_balance_for_rent_exemption(82)
    platform.send(
        create_mint(admin, other_mint.pubkey(), admin, 9, rent), [platform.admin, other_mint]
    )
    ours = spl.create_associated_token_account(admin, platform.global_address, other_mint.pubkey())
    fake = spl.get_associated_token_address(platform.global_address, other_mint.pubkey())
    mint = spl.mint_to(
        MintToParams(
            program_id=TOKEN_PROGRAM,
            mint=other_mint.pubkey(),
            dest=fake,
            mint_authority=admin,
            amount=10**9,
        )
    )
    platform.send([ours, mint], [platform.admin])
    sink = addresses.sink_tokens_address(platform.program)[0]
    for address in (
        fake,
        sink,
        desk.tokens_of(admin),
        addresses.vault_tokens_address(platform.program)[0],
    ):
        with refused("WRONG_TOKEN_ACCOUNT"):
            sent_to(desk, with_account(good, 2, address))
    # Another MMT account of the global account's is a gift: what it pays is no less real.
    empty = token_account(desk, "gift", mmt, platform.global_address)
    with pytest.raises(RuntimeRefusalError):
        sent_to(desk, with_account(good, 2, empty))
    sent_to(desk, good)


def test_an_account_that_is_missing_is_noticed(desk):
    tree = desk.posted(*range(1, 9))
    good = built(desk, tree.batch(0, 3))
    for count in range(len(good.accounts)):
        with refused("NOT_ENOUGH_ACCOUNTS"):
            sent_to(desk, Instruction(good.program_id, good.data, good.accounts[:count]))


def test_data_of_another_length_height_or_mask_is_refused(desk):
    tree = desk.posted(*range(1, 17))
    good = built(desk, tree.batch(0, 3))
    data = bytes(good.data)
    wrong = [data[:length] for length in (1, 7, 8, 16, len(data) - 32, len(data) - 1)]
    wrong += [data + bytes(1), data + bytes(8), data + bytes(32)]
    wrong += [data[:1] + bytes([height]) + data[2:] for height in (0, 1, 2, 4, 63, 64, 67, 255)]
    wrong += [data[:2] + bytes([mask]) + data[3:] for mask in (0, 1, 0x7F)]
    for spoiled in wrong:
        with refused("BAD_INSTRUCTION_DATA"):
            sent_to(desk, Instruction(good.program_id, spoiled, good.accounts))
    small = built(desk, tree.batch(0, 1))
    data = bytes(small.data)
    for mask in (0x83, 7, 0xFF):
        with refused("BAD_INSTRUCTION_DATA"):
            spoiled = data[:2] + bytes([mask]) + data[3:]
            sent_to(desk, Instruction(small.program_id, spoiled, small.accounts))


def test_a_subtree_higher_than_its_tree_is_refused(desk):
    tree = desk.posted(1, 2)
    batch = tree.batch(0, 1)
    with refused("BAD_PROOF"):
        desk.pay(replace(batch, entries=(*batch.entries, PADDING, PADDING)))


def test_paying_goes_on_after_a_halt_and_after_the_season(desk):
    tree = desk.posted(*range(1, 9))
    desk.platform.halt()
    desk.pay(tree.batch(0, 2))
    desk.platform.warp(50_000_000)
    desk.pay(tree.batch(0, 3))
    assert desk.epoch(tree).paid == tree.total


# -- properties --


@pytest.fixture(scope="module")
def shared():
    """One platform for all examples of a property: each posts a root of its own."""
    from harness import Platform  # noqa: PLC0415  # the fixture named platform is per test

    platform = Platform()
    platform.initialize()
    platform.warp(1_000_000)
    return RewardDesk(platform)


@given(data=st.data())
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_batches_overlap_a_leaf_is_paid_once(shared, data):
    """Random heights, places and masks over the same leaves, repeated; the books refuse a leaf paid twice."""
    desk = shared
    count = data.draw(st.integers(1, 20))
    amounts = data.draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count))
    amounts[0] += 1
    tree = desk.posted(*amounts)
    before = [desk.balance(wallet(i)) for i in range(count)]
    paid = set()
    for _ in range(data.draw(st.integers(1, 8))):
        height = data.draw(st.integers(0, min(3, tree.depth)))
        first = data.draw(st.integers(0, (count - 1) >> height)) << height
        left_out = data.draw(st.frozensets(st.integers(0, count - 1), max_size=6))
        here = set(range(first, min(first + (1 << height), count))) - left_out
        if here <= paid:
            with refused("NOTHING_PAID"):
                desk.pay(tree.batch(first, height, left_out))
        else:
            desk.pay(tree.batch(first, height, left_out))
            paid |= here
        gained = [desk.balance(wallet(i)) - before[i] for i in range(count)]
        assert gained == [amounts[i] if i in paid else 0 for i in range(count)]
    for batch in tree.batches(frozenset(paid)):
        desk.pay(batch)
    assert [desk.balance(wallet(i)) - before[i] for i in range(count)] == amounts
    for batch in tree.batches():
        with refused("NOTHING_PAID"):
            desk.pay(batch)


@given(noise=st.binary(min_size=0, max_size=700), keep=st.integers(0, 24))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_random_data_pays_nobody(shared, noise, keep):
    tree = shared.tree(*[10**6] * 9)
    shared.post(tree)
    good = built(shared, tree.batch(0, 3))
    data = bytes(good.data[: keep + 1]) + noise
    if data == bytes(good.data):
        return
    with pytest.raises(ProgramError):
        sent_to(shared, Instruction(good.program_id, data, good.accounts))
    assert shared.epoch(tree).paid == 0


# -- size and cost --


def full_batch(desk, depth=16):
    rewards = [Reward(wallet=wallet(i), amount=10**9 + i) for i in range(8)]
    batch, root = deep_batch(0, 0, rewards, depth)
    desk.post_terms(epoch=0, index=0, root=root, leaf_count=1 << depth, total=10 * 10**9)
    return built(desk, batch)


@pytest.mark.parametrize("version", ["legacy", 0])
def test_eight_leaves_of_65_536_fit_a_transaction_without_a_lookup_table(desk, version):
    payer = desk.platform.admin
    ixs = [
        set_compute_unit_limit(40_000),
        set_compute_unit_price(1_000),
        set_loaded_accounts_data_size_limit(1 << 20),
        full_batch(desk),
    ]
    if version == "legacy":
        message = Message(ixs, payer.pubkey())
        size = len(bytes(Transaction([payer], message, message.recent_blockhash)))
    else:
        message = MessageV0.try_compile(payer.pubkey(), ixs, [], Hash.default())
        size = len(bytes(VersionedTransaction(message, [payer])))
    assert size <= 1_232, size


def test_a_leaf_costs_at_most_2_500_compute_units_in_a_batch_of_eight_at_depth_16(desk):
    instruction = full_batch(desk)
    cu = desk.platform.send(instruction, [desk.platform.admin]).cu - 150
    assert cu <= 8 * 2_500, cu
