"""The life of our tables, on a chain in process."""

import random
from itertools import pairwise

import pytest

from programs.lookup_tables import TABLE_ADDRESSES_MAX, create_table, extend_table, table_address
from programs.table_plan import addresses_per_step, decode_slot_hashes
from programs.transaction import Budget
from programs.units import TRANSACTION_BYTES_MAX
from tests.programs.table_chain import (
    KEYS,
    MARKER,
    OWNER,
    PLENTY,
    SHARED,
    TableChain,
    group,
    wanted,
)

CORE = {MARKER, *SHARED}
BUDGET = Budget(cu_limit=200_000, cu_price_micro_lamports=1, loaded_bytes=1 << 20)


@pytest.fixture
def chain():
    return TableChain()


def locks_lamports(plan):
    """What the steps lock, less what they return."""
    return sum(step.rent_lamports for step in plan.steps)


def kinds(plan):
    return [step.kind for step in plan.steps]


def assert_homes(chain, groups):
    active = [set(table.addresses) for table in chain.found() if table.deactivated_slot is None]
    for one in groups:
        assert any(CORE | set(one) <= held for held in active)


def test_every_group_gets_a_home_beside_the_shared_accounts_in_one_table(chain):
    groups = [group(n) for n in range(30)]
    chain.settle(wanted(*groups))
    assert len(chain.found()) == 1
    assert_homes(chain, groups)
    (table,) = chain.found()
    assert len(table.addresses) == len(set(table.addresses)) == len(CORE) + 60


def test_more_groups_than_one_table_holds_get_another_with_the_shared_accounts_again(chain):
    groups = [group(n) for n in range(200)]
    chain.settle(wanted(*groups))
    assert len(chain.found()) == 2
    assert_homes(chain, groups)
    assert max(len(table.addresses) for table in chain.found()) == TABLE_ADDRESSES_MAX


def test_every_step_fits_a_packet_to_the_last_address_and_stays_within_its_compute_units(chain):
    chain.settle(wanted(*(group(n) for n in range(100))))
    chain.settle(wanted())
    chain.bank.advance_slot(520)
    chain.settle(wanted())
    assert {step.kind for step, _, _ in chain.landed} == {
        "create",
        "extend",
        "deactivate",
        "close",
    }
    for step, cu, _ in chain.landed:
        assert cu <= step.cu_limit <= 2 * cu
    for kind in ("create", "extend"):
        full = max(size for step, _, size in chain.landed if step.kind == kind)
        assert TRANSACTION_BYTES_MAX - 32 < full <= TRANSACTION_BYTES_MAX
    added = {kind: addresses_per_step(creates=kind == "create") for kind in ("create", "extend")}
    assert added == {
        kind: max(len(step.added) for step, _, _ in chain.landed if step.kind == kind)
        for kind in added
    }


def test_a_table_that_nothing_wants_is_deactivated_then_closed_and_its_rent_returns(chain):
    before = chain.balance()
    chain.settle(wanted(group(0)))
    locked = chain.plan(wanted(group(0))).rent_lamports
    assert locked == chain.bank.account(chain.found()[0].address).lamports
    chain.settle(wanted())
    assert kinds(chain.plan(wanted())) == []
    chain.bank.advance_slot(505)
    assert kinds(chain.plan(wanted())) == [], "it has not cooled down"
    chain.bank.advance_slot(10)
    (close,) = chain.plan(wanted()).steps
    assert (close.kind, close.rent_lamports) == ("close", -locked)
    chain.land(close)
    assert chain.found() == []
    fees = sum(step.budget(1).fee_lamports() for step, _, _ in chain.landed)
    assert chain.balance() == before - fees


def test_a_plan_says_what_it_locks(chain):
    want = wanted(*(group(n) for n in range(40)))
    for _ in range(2):
        plan = chain.plan(want)
        before = chain.balance()
        for step in plan.steps:
            chain.land(step)
        fees = sum(step.budget(1).fee_lamports() for step in plan.steps)
        assert chain.balance() == before - fees - locks_lamports(plan)
        chain.bank.advance_slot()


def test_a_table_of_the_same_authority_without_the_marker_is_left_alone(chain):
    slot = chain.slots()[3]
    foreign = table_address(OWNER.pubkey(), slot)
    build = [
        create_table(OWNER.pubkey(), slot),
        extend_table(foreign, OWNER.pubkey(), [KEYS[50], MARKER]),
    ]
    assert chain.send(build, BUDGET)[0].error is None
    assert kinds(chain.plan(wanted())) == []
    chain.settle(wanted(group(0)))
    assert foreign in {table.address for table in chain.found()}
    assert len(chain.found()) == 2


def test_a_slot_that_made_a_table_makes_no_second_one(chain):
    slot = chain.slots()[0]
    assert chain.send([create_table(OWNER.pubkey(), slot)], BUDGET)[0].error is None
    (create,) = chain.plan(wanted(group(0))).steps
    assert create.table != table_address(OWNER.pubkey(), slot)


def test_of_two_tables_that_hold_the_same_one_is_retired(chain):
    """A creation that a crash made us forget may land beside its repetition."""
    want = wanted(*(group(n) for n in range(4)))
    first = chain.plan(want).steps
    chain.bank.advance_slot(5)
    second = chain.plan(want).steps
    for step in (*first, *second):
        chain.land(step)
    chain.bank.advance_slot()
    assert len(chain.found()) == 2
    chain.settle(want)
    assert [table.deactivated_slot is None for table in chain.found()].count(True) == 1
    assert_homes(chain, want.groups)


def test_a_table_of_mostly_dead_addresses_is_retired_only_after_its_live_ones_moved(chain):
    chain.settle(wanted(*(group(n) for n in range(60))))
    (old,) = chain.found()
    left = wanted(*(group(n) for n in range(3)))
    assert kinds(chain.plan(left)) == ["create"]
    chain.land(chain.plan(left).steps[0])
    chain.bank.advance_slot()
    (retire,) = chain.plan(left).steps
    assert (retire.kind, retire.table) == ("deactivate", old.address)
    chain.land(retire)
    assert_homes(chain, left.groups)
    assert kinds(chain.plan(left)) == []


def test_the_rent_cap_is_kept_and_what_it_leaves_out_is_said(chain):
    cap = locks_lamports(chain.plan(wanted(group(0))))
    plan = chain.plan(wanted(group(0), group(1), cap=cap))
    assert locks_lamports(plan) == cap
    (left_out,) = plan.unplaced
    assert left_out.group == group(1)
    assert "would pass the cap" in left_out.reason


def test_a_group_larger_than_a_table_is_refused_with_the_count(chain):
    (left_out,) = chain.plan(wanted(tuple(KEYS[100:360]))).unplaced
    assert "266 addresses" in left_out.reason


def test_without_a_fresh_slot_no_table_is_created_and_the_next_round_tries_again(chain):
    slots = chain.slots()
    chain.slots = lambda: slots[:1]
    assert chain.send([create_table(OWNER.pubkey(), slots[0])], BUDGET)[0].error is None
    assert chain.plan(wanted(group(0))).steps == ()


@pytest.mark.parametrize("seed", range(6))
def test_wants_that_change_and_steps_that_are_lost_always_come_to_rest_in_order(seed):
    """Each round a new process: some of the steps land, twice now and then, some are lost."""
    chance, chain = random.Random(seed), TableChain()
    for _ in range(12):
        want = wanted(*(group(n) for n in chance.sample(range(120), chance.randrange(60))))
        for _ in range(chance.randrange(3)):
            for step in chain.plan(want).steps:
                if chance.random() < 0.6:
                    chain.land(step)
            chain.bank.advance_slot(chance.choice([0, 1, 200]))
    chain.settle(want)
    assert_homes(chain, want.groups)
    chain.settle(wanted())
    chain.bank.advance_slot(520)
    chain.settle(wanted())
    assert chain.found() == []
    fees = sum(step.budget(1).fee_lamports() for step, _, _ in chain.landed)
    assert chain.balance() + fees == TableChain().balance()


def test_slot_hashes_are_read_newest_first_and_refused_when_cut_short(chain):
    slots = chain.slots()
    assert all(newer > older for newer, older in pairwise(slots))
    assert slots[0] == chain.bank.slot - 1
    for broken in (b"", bytes(8), (2).to_bytes(8, "little") + bytes(40)):
        with pytest.raises(ValueError, match="SlotHashes"):
            decode_slot_hashes(broken)


def test_the_order_of_reading_changes_no_plan(chain):
    chain.settle(wanted(*(group(n) for n in range(200))))
    want = wanted(*(group(n) for n in range(150, 260)), cap=PLENTY)
    plan = chain.plan(want)
    found = chain.found()
    chain.found = lambda: found[::-1]
    assert chain.plan(want) == plan
