"""Blocks with limits: who gets in, and who waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.compute_budget import (
    set_compute_unit_limit,
    set_compute_unit_price,
    set_loaded_accounts_data_size_limit,
)
from solders.pubkey import Pubkey

from programs.localnet.admission import TransactionRefused
from programs.localnet.faults import Congestion, FaultProfile
from programs.localnet.intake import Intake
from programs.localnet.scheduler import BlockLimits, Waiting, fill_block
from programs.localnet.trouble import Trouble
from programs.localnet.weights import Weight, read_budget, weigh

ROOMY = BlockLimits(block_cu=10_000_000, account_cu=10_000_000)


def _asking(pay, bank, limit_cu, price, *, to=None):
    budget = [
        set_compute_unit_limit(limit_cu),
        set_compute_unit_price(price),
        set_loaded_accounts_data_size_limit(64 * 1024),
    ]
    return pay(bank, to or Pubkey.new_unique(), extra=budget)


def test_a_transaction_weighs_what_it_asks_for_and_its_priority_is_fee_for_weight(bank, pay):
    message = _asking(pay, bank, 50_000, 2_000_000).message
    budget = read_budget(message)
    assert (budget.limit_cu, budget.price_micro_lamports) == (50_000, 2_000_000)
    assert budget.priority_lamports == 100_000
    weight = weigh(message, write_locks=2)
    data_bytes = 12 + 5 + 9 + 5
    cost = 50_000 + 720 + 2 * 300 + data_bytes // 4 + 8 * 2
    assert weight.cost_cu == cost
    assert weight.priority == (100_000 + 2_500) * 1_000_000 // (cost + 1)


def test_without_a_budget_it_weighs_the_defaults_and_loads_64_mib(bank, pay):
    budget = read_budget(pay(bank, Pubkey.new_unique()).message)
    assert (budget.limit_cu, budget.price_micro_lamports) == (3_000, 0)
    assert weigh(pay(bank, Pubkey.new_unique()).message, 0).cost_cu > 16_384


def _waiting(number, cost, priority, addresses=()):
    weight = Weight(cost_cu=cost, priority=priority)
    return Waiting(transaction=None, weight=weight, writable=addresses, number=number)


def test_a_full_account_leaves_room_for_others():
    hot, cold = Pubkey.new_unique(), Pubkey.new_unique()
    waiting = [_waiting(0, 60, 9, [hot]), _waiting(1, 60, 8, [hot]), _waiting(2, 30, 7, [cold])]
    chosen = fill_block(waiting, BlockLimits(block_cu=100, account_cu=100))
    assert [each.number for each in chosen] == [0, 2]


ADDRESSES = [Pubkey.new_unique() for _ in range(3)]


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(0, 5), st.sets(st.sampled_from(ADDRESSES))),
        max_size=20,
    )
)
def test_no_block_exceeds_a_limit_and_nothing_that_fits_is_left_out(items):
    limits = BlockLimits(block_cu=100, account_cu=70)
    waiting = sorted(
        (_waiting(n, cost, bid, list(keys)) for n, (cost, bid, keys) in enumerate(items)),
        key=lambda each: each.rank,
    )
    chosen = fill_block(waiting, limits)
    total = sum(each.weight.cost_cu for each in chosen)
    used = {
        address: sum(x.weight.cost_cu for x in chosen if address in x.writable)
        for address in ADDRESSES
    }
    assert total <= 100
    assert all(each <= 70 for each in used.values())
    for each in waiting:
        if each not in chosen:
            cost = each.weight.cost_cu
            assert total + cost > 100 or any(used[key] + cost > 70 for key in each.writable)


def test_the_best_paying_lands_first_and_the_rest_waits(bank, pay):
    intake = Intake(bank, BlockLimits(block_cu=110_000, account_cu=1_000_000))
    poor, rich, middle = (_asking(pay, bank, 50_000, price) for price in (0, 900_000, 1_000))
    for transaction in (poor, rich, middle):
        intake.arrive(transaction)
    assert bank.status(rich.signatures[0]) is None
    intake.close_slot()
    landed = [record.signature for record in bank.ledger.in_slot(bank.slot)][-2:]
    assert landed == [rich.signatures[0], middle.signatures[0]]
    assert intake.waiting_count == 1
    bank.advance_slot()
    intake.close_slot()
    assert bank.status(poor.signatures[0]).error is None


def test_what_waits_too_long_expires_and_what_comes_twice_waits_once(bank, pay):
    intake = Intake(bank, BlockLimits(block_cu=1, account_cu=1))
    transaction = pay(bank, Pubkey.new_unique())
    intake.arrive(transaction)
    intake.arrive(transaction)
    bank.advance_slot(151)
    intake.close_slot()
    assert intake.waiting_count == 0
    assert intake.dropped == {"waiting already": 1, "expired waiting": 1}


def test_the_worst_paying_has_to_go_when_too_many_wait(bank, pay):
    intake = Intake(bank, BlockLimits(block_cu=1, account_cu=1), waiting_max=1)
    poor, rich = (_asking(pay, bank, 50_000, price) for price in (0, 900_000))
    intake.arrive(poor)
    intake.arrive(rich)
    intake.close_slot()
    assert intake.waiting_count == 1
    assert intake.dropped == {"no room to wait": 1}
    intake.arrive(rich)
    assert intake.dropped["waiting already"] == 1


def test_what_travels_arrives_with_its_slot_and_a_refusal_is_counted(bank, pay):
    intake = Intake(bank)
    transaction = pay(bank, Pubkey.new_unique())
    for _ in range(2):
        intake.arrive_later(transaction, bank.slot + 2)
    bank.advance_slot()
    intake.open_slot()
    assert bank.status(transaction.signatures[0]) is None
    bank.advance_slot()
    intake.open_slot()
    assert bank.status(transaction.signatures[0]).slot == bank.slot
    assert intake.dropped == {"AlreadyProcessed": 1}
    with pytest.raises(TransactionRefused):
        intake.arrive(transaction)


def test_a_refusal_at_the_end_of_the_slot_is_counted(bank, pay, payer):
    intake = Intake(bank, ROOMY)
    transaction = pay(bank, Pubkey.new_unique())
    intake.arrive(transaction)
    bank.execute(transaction)
    intake.close_slot()
    assert intake.dropped == {"AlreadyProcessed": 1}


def test_ten_thousand_strangers_do_not_keep_out_who_outbids_them(bank, payer, pay):
    congestion = Congestion(block_cu=100_000_000, spam_price_max=1_000, spam_cu=1_400_000)
    trouble = Trouble(bank, FaultProfile(congestion=congestion), seed=4)
    bank.advance_slot(4)
    trouble.flood(10_000)
    rich, poor = _asking(pay, bank, 50_000, 5_000), _asking(pay, bank, 1_400_000, 0)
    (door,) = trouble.doors
    trouble.deliver(door, poor)
    trouble.deliver(door, rich)
    for _ in range(3):
        trouble.end_slot(lambda: None)
    assert bank.status(rich.signatures[0]).error is None
    assert bank.status(poor.signatures[0]) is None
    first = bank.ledger.in_slot(bank.slot - 1)
    costs = [weigh(each.transaction.message, len(each.locked.writable)).cost_cu for each in first]
    assert 95_000_000 < sum(costs) <= 100_000_000
    assert trouble.tally["spam.arrived"] == 10_000


def test_strangers_can_be_after_the_same_account_as_everyone(bank, pay):
    congestion = Congestion(spam_hot_bps=10_000)
    trouble = Trouble(bank, FaultProfile(congestion=congestion))
    trouble.flood(1)
    trouble.end_slot(lambda: None)
    to = Pubkey.new_unique()
    bank.execute(pay(bank, to))
    trouble.flood(5)
    trouble.end_slot(lambda: None)
    assert len(list(bank.ledger.newest_first(to))) == 6
