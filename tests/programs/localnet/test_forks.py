"""Blocks that are taken back, and what is left of them: nothing."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from solders.sysvar import CLOCK

from programs.localnet.admission import TransactionRefused
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.gaps import Gaps
from programs.localnet.methods import METHODS
from programs.localnet.node import Node
from programs.localnet.params import Params
from programs.localnet.rpc_errors import RpcError
from programs.localnet.subscriptions import Subscriptions
from programs.localnet.window import BlockhashWindow

CONFIRMED = {"commitment": "confirmed", "encoding": "base64"}


def test_a_fork_takes_back_accounts_statuses_and_fees(bank, payer, pay):
    bank.advance_slot(5)
    to, before = Pubkey.new_unique(), bank.account(payer.pubkey())
    kept = bank.execute(pay(bank, to, 2_000_000))
    bank.advance_slot()
    lost = bank.execute(pay(bank, to, 3_000_000))
    landed, tip = bank.ledger.landed_count, bank.block_at("processed")
    assert [record.signature for record in bank.fork(1)] == [lost.signature]
    assert bank.account(to).lamports == 2_000_000
    assert bank.account(payer.pubkey()).lamports == before.lamports - 2_005_000
    assert bank.status(lost.signature) is None
    assert bank.status(kept.signature) is kept
    assert list(bank.ledger.newest_first(to)) == [kept]
    assert bank.ledger.landed_count == landed - 1
    assert tip.slot not in dict(bank.recent_fees.floor([]))
    assert not bank.is_blockhash_valid(tip.blockhash)


def test_an_account_made_by_a_block_taken_back_is_gone(bank, pay):
    bank.advance_slot(4)
    to = Pubkey.new_unique()
    bank.execute(pay(bank, to))
    bank.fork(1)
    assert bank.account(to) is None


def test_what_was_taken_back_may_land_again_and_then_only_once(bank, pay):
    bank.advance_slot(4)
    transaction = pay(bank, Pubkey.new_unique())
    bank.advance_slot()
    bank.execute(transaction)
    bank.advance_slot()
    assert len(bank.fork(2)) == 1
    again = bank.execute(transaction)
    assert (again.slot, again.error) == (bank.slot, None)
    with pytest.raises(TransactionRefused, match="already landed"):
        bank.execute(transaction)


def test_heights_fall_back_while_slots_go_on_and_finality_stays(bank):
    bank.advance_slot(10)
    slot, height = bank.slot, bank.height_at("processed")
    confirmed, finalized = bank.slot_at("confirmed"), bank.slot_at("finalized")
    bank.fork(3)
    block = bank.block_at("processed")
    assert (block.slot, block.parent, block.height) == (slot + 1, slot - 3, height - 2)
    assert bank.slot_at("confirmed") == slot - 3 < confirmed
    assert bank.slot_at("finalized") == finalized
    bank.advance_slot(2)
    assert bank.slot_at("finalized") == finalized == bank.slot - 6
    bank.advance_slot()
    assert bank.slot_at("finalized") == slot + 1


def test_what_is_finalized_is_never_taken_back(bank):
    bank.advance_slot(10)
    with pytest.raises(ValueError, match="cannot take 4 blocks back"):
        bank.fork(4)
    bank.fork(3)
    with pytest.raises(ValueError, match="is finalized"):
        bank.fork(2)
    with pytest.raises(ValueError, match="cannot take 0 blocks back"):
        bank.fork(0)


def test_a_transaction_signed_on_a_block_taken_back_never_lands(bank, pay):
    bank.advance_slot(5)
    orphan = pay(bank, Pubkey.new_unique())
    bank.fork(1)
    with pytest.raises(TransactionRefused) as refused:
        bank.execute(orphan)
    assert refused.value.error == "BlockhashNotFound"


def test_a_duplicate_is_recognised_after_a_fork_also_at_the_end_of_its_blockhash():
    window = BlockhashWindow(0)
    old = window.tip.blockhash
    window.spend("signature")
    for _ in range(150):
        window.open_block()
    window.unwind(20)
    for _ in range(19):
        window.open_block()
    assert window.is_valid(old)
    assert window.is_spent("signature")


def test_slots_passed_over_have_no_block(bank, node):
    bank.advance_slot(10)
    gone = bank.slot
    bank.fork(2)
    bank.advance_slot(4)
    ask = lambda method, *params: METHODS[method](node, Params(list(params)))  # noqa: E731 - two words
    assert ask("getBlocks", gone - 2, gone + 2) == [gone - 2, gone + 1, gone + 2]
    block = ask("getBlock", gone + 1, CONFIRMED)
    assert (block["parentSlot"], block["blockHeight"]) == (gone - 2, gone - 1)
    assert block["previousBlockhash"] == ask("getBlock", gone - 2, CONFIRMED)["blockhash"]
    for method in ("getBlock", "getBlockTime"):
        with pytest.raises(RpcError, match=f"Slot {gone} was skipped") as skipped:
            ask(method, gone)
        assert skipped.value.code == -32007
    assert ask("getBlockHeight", CONFIRMED) == ask("getSlot", CONFIRMED) - 2
    info = ask("getEpochInfo", CONFIRMED)
    assert info["absoluteSlot"] - info["blockHeight"] == 2


def test_subscribers_hear_what_was_told_and_then_that_it_was_reverted(bank, node, pay):
    bank.advance_slot(5)
    subscriptions, to = Subscriptions(node), Pubkey.new_unique()
    for level in ("processed", "confirmed"):
        config = {"commitment": level, "encoding": "base64"}
        subscriptions.answer("accountSubscribe", Params([str(to), config]))

    def close(step):
        told = [
            (x["params"]["subscription"], x["params"]["result"]["value"]["lamports"])
            for x in json.loads(json.dumps(subscriptions.due()))
        ]
        node.mark_told()
        step()
        return told

    bank.execute(pay(bank, to, 2_000_000))
    assert close(bank.advance_slot) == [(0, 2_000_000)]
    bank.execute(pay(bank, to, 1_000_000))
    assert close(lambda: bank.fork(1)) == [(0, 3_000_000), (1, 2_000_000)]
    assert close(bank.advance_slot) == [(0, 2_000_000)]
    # The second payment was never confirmed, so there is nothing to take back.
    assert close(bank.advance_slot) == []


def test_every_block_is_told_once_at_each_commitment_whatever_forks(bank, node):
    bank.advance_slot(5)
    told = []
    for step in (1, 1, 2, 1, 3, 1, 1, 1, 1, 1):
        told += node.arriving("confirmed")
        node.mark_told()
        bank.advance_slot() if step == 1 else bank.fork(step - 1)
    assert told == sorted(set(told))


def test_the_clock_jumps_when_told_to_and_blocks_before_keep_their_time(bank):
    bank.advance_slot(3)
    before = bank.unix_time_s(bank.slot)
    bank.jump_clock(3_600)
    assert bank.unix_time_s(bank.slot) == before
    bank.advance_slot()
    unix_s = struct.unpack("<QqQQq", bank.account(CLOCK).data)[4]
    assert unix_s == bank.unix_time_s(bank.slot) >= before + 3_600


def test_a_shortened_window_says_so_and_keeps_to_it(pay):
    bank = Bank(BankConfig(blockhash_blocks=3))
    bank.airdrop(pay(bank, Pubkey.new_unique()).message.account_keys[0], 10**12)
    block = bank.block_at("processed")
    assert block.last_valid_height == block.height + 3
    bank.advance_slot(3)
    assert bank.is_blockhash_valid(block.blockhash)
    bank.advance_slot()
    assert not bank.is_blockhash_valid(block.blockhash)


@pytest.mark.parametrize(
    "wrong", [{"blockhash_blocks": 0}, {"blockhash_blocks": 151}, {"past_blocks": -1}]
)
def test_a_window_or_a_past_that_no_chain_has_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BankConfig(**wrong)


def test_a_lagging_node_tells_the_truth_about_an_earlier_moment(pay):
    bank = Bank(BankConfig(confirmed_slots=1, finality_slots=3, past_blocks=4))
    payer = pay(bank, Pubkey.new_unique()).message.account_keys[0]
    bank.airdrop(payer, 10**12)
    bank.advance_slot(10)
    behind = Node(bank, lag_blocks=4)
    to = Pubkey.new_unique()
    record = bank.execute(pay(bank, to, 5_000_000))
    fresh = bank.block_at("processed").blockhash
    assert behind.slot_at("confirmed") == bank.slot_at("confirmed") - 4
    assert behind.account_at(to, behind.slot) is None
    assert behind.status(record.signature) is None
    assert list(behind.newest_first(to)) == []
    assert behind.landed_count == bank.ledger.landed_count - 1
    assert not behind.is_blockhash_valid(fresh)
    assert behind.simulate(pay(bank, to)).error == "BlockhashNotFound"
    assert Node(bank).simulate(pay(bank, to)).error is None
    assert behind.fee_floor([])[-1][0] == behind.slot
    bank.advance_slot(4)
    assert behind.status(record.signature) is record
    assert behind.is_blockhash_valid(fresh)
    behind.lag_blocks = 0
    assert behind.arriving("processed")[-1] == bank.slot
    with pytest.raises(ValueError, match="keeps 4 to lag behind"):
        behind.lag_blocks = 5


@given(st.lists(st.integers(0, 4), max_size=40))
def test_heights_and_slots_agree_with_a_list_of_blocks(steps):
    """0 opens a block; more take so many back first."""
    gaps, blocks, tip = Gaps(), [0], 0
    for step in steps:
        tip += 1
        back = min(step, len(blocks) - 1)
        if back:
            del blocks[-back:]
            gaps.add(blocks[-1] + 1, tip)
        blocks.append(tip)
    for height, slot in enumerate(blocks):
        assert gaps.slot_of(height) == slot
        assert gaps.height_of(slot) == height
    for slot in range(tip + 1):
        assert gaps.has(slot) == (slot not in blocks)
        assert gaps.height_of(slot) == sum(block <= slot for block in blocks) - 1
