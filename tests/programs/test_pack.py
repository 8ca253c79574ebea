from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from programs.localnet.locks import count_locks
from programs.lookup_tables import LookupTable, TableShelf
from programs.pack import BatchTemplate, Group, Limits, pack_groups, pack_targets
from programs.transaction import Budget, compile_message
from programs.units import TRANSACTION_LOG_BYTES_MAX
from programs.wire_size import length_bytes
from tests.programs.table_chain import OWNER, TableChain

KEYS = [Pubkey(bytes([7, n >> 8, n & 255]) + bytes(29)) for n in range(400)]
PAYER = Keypair.from_seed(bytes(32)).pubkey()
MARKETS = KEYS[:3]


@dataclass(frozen=True)
class Job:
    target: Pubkey
    market: Pubkey = MARKETS[0]

    @property
    def job_id(self):
        return f"liquidate:{self.target}"


def template(accounts=11, data=9, **fields):
    header = [AccountMeta(PAYER, is_signer=True, is_writable=True)]
    header += [
        AccountMeta(key, is_signer=False, is_writable=False) for key in KEYS[10 : 10 + accounts]
    ]
    figures = {
        "base_cu": 5_000,
        "cu_per_target": 8_000,
        "base_loaded_bytes": 100_000,
        "loaded_bytes_per_target": 400,
    }
    return BatchTemplate(
        program=KEYS[9], accounts=tuple(header), data=bytes(data), **(figures | fields)
    )


def serialized_bytes(batch):
    budget = Budget(cu_limit=1, cu_price_micro_lamports=1, loaded_bytes=1)
    tables = [table.account for table in batch.tables]
    message = compile_message(PAYER, batch.instructions, budget, Hash.default(), tables)
    assert len(message.address_table_lookups) == len(tables)
    signatures = [Signature.default()] * message.header.num_required_signatures
    assert count_locks(message) == batch.locks
    return len(bytes(VersionedTransaction.populate(message, signatures)))


tables = st.builds(
    LookupTable,
    st.sampled_from(KEYS[380:]),
    st.lists(st.sampled_from(KEYS[:300]), max_size=200).map(tuple),
)
shelves = st.lists(tables, max_size=4, unique_by=lambda table: table.address).map(
    lambda found: TableShelf(tuple(found))
)


@given(
    targets=st.lists(
        st.builds(Job, st.sampled_from(KEYS[100:]), st.sampled_from(MARKETS)),
        max_size=150,
        unique=True,
    ),
    accounts=st.integers(0, 30),
    data=st.integers(0, 400),
    cu_per_target=st.integers(1_000, 200_000),
    shelf=shelves,
)
def test_no_target_is_lost_each_transaction_is_in_order_and_no_limit_is_exceeded(
    targets, accounts, data, cu_per_target, shelf
):
    templates = dict.fromkeys(MARKETS, template(accounts, data, cu_per_target=cu_per_target))
    packing = pack_targets(targets, templates, PAYER, shelf=shelf)
    packed = [job for batch in packing.batches for job in batch.jobs]
    assert Counter(packed) + Counter(one.job for one in packing.refused) == Counter(targets)
    for batch in packing.batches:
        for market in MARKETS:
            ranks = [targets.index(job) for job in batch.jobs if job.market == market]
            assert ranks == sorted(ranks)
        assert serialized_bytes(batch) == batch.size_bytes <= 1_232
        assert batch.locks <= 64
        assert batch.cu <= 1_400_000
        extended = [
            meta.pubkey
            for one in batch.instructions
            for meta in one.accounts[len(templates[MARKETS[0]].accounts) :]
        ]
        assert extended == [job.target for job in batch.jobs]
    ranks = [min(targets.index(job) for job in batch.jobs) for batch in packing.batches]
    assert ranks == sorted(ranks)


def test_a_full_batch_of_twelve_shared_accounts_holds_exactly_the_positions_that_fit():
    jobs = [Job(key) for key in KEYS[100:150]]
    packing = pack_targets(jobs, {MARKETS[0]: template()}, PAYER)
    assert [len(batch.jobs) for batch in packing.batches] == [19, 19, 12]
    full = packing.batches[0]
    # One position more would take 33 bytes more.
    assert full.size_bytes == serialized_bytes(full) == 1_231


def test_a_batch_that_fits_to_the_byte_is_not_split():
    jobs = [Job(key) for key in KEYS[100:119]]
    exact = template(data=9 + 1)
    assert [b.size_bytes for b in pack_targets(jobs, {MARKETS[0]: exact}, PAYER).batches] == [1_232]
    over = template(data=9 + 2)
    assert len(pack_targets(jobs, {MARKETS[0]: over}, PAYER).batches) == 2


def test_a_batch_that_fits_to_the_compute_unit_is_not_split():
    jobs = [Job(key) for key in KEYS[100:110]]
    exact = template(base_cu=1_400_000 - 450 - 10 * 8_000)
    assert [batch.cu for batch in pack_targets(jobs, {MARKETS[0]: exact}, PAYER).batches] == [
        1_400_000
    ]
    over = template(base_cu=1_400_001 - 450 - 10 * 8_000)
    assert len(pack_targets(jobs, {MARKETS[0]: over}, PAYER).batches) == 2


@pytest.mark.parametrize(("locks", "batches"), [(64, 1), (63, 2)])
def test_a_batch_that_fits_to_the_lock_is_not_split(locks, batches):
    # Payer, budget program, program and 11 accounts: 14 locks, and 50 targets.
    jobs = [Job(key) for key in KEYS[100:150]]
    limits = Limits(size_bytes=9_999, locks=locks)
    assert len(pack_targets(jobs, {MARKETS[0]: template()}, PAYER, limits).batches) == batches


@pytest.mark.parametrize(("loaded", "batches"), [(104_000, 1), (103_999, 2)])
def test_a_batch_that_fits_to_the_loaded_byte_is_not_split(loaded, batches):
    jobs = [Job(key) for key in KEYS[100:110]]
    limits = Limits(loaded_bytes=loaded)
    assert len(pack_targets(jobs, {MARKETS[0]: template()}, PAYER, limits).batches) == batches


@pytest.mark.parametrize(("logged", "batches"), [(1_900, 1), (1_899, 2)])
def test_a_batch_whose_logs_fit_to_the_byte_is_not_split(logged, batches):
    jobs = [Job(key) for key in KEYS[100:110]]
    chatty = template(base_log_bytes=900, log_bytes_per_target=100)
    limits = Limits(log_bytes=logged)
    assert len(pack_targets(jobs, {MARKETS[0]: chatty}, PAYER, limits).batches) == batches


def test_all_markets_of_a_transaction_share_the_room_in_its_logs():
    jobs = [Job(KEYS[100 + n], MARKETS[n % 2]) for n in range(4)]
    chatty = dict.fromkeys(MARKETS, template(base_log_bytes=900, log_bytes_per_target=100))
    packed = [
        pack_targets(jobs, chatty, PAYER, Limits(log_bytes=logged)).batches
        for logged in (2_200, 2_199)
    ]
    assert [1, 2] == [len(batches) for batches in packed]


def test_a_target_whose_logs_alone_would_be_cut_is_refused():
    chatty = template(base_log_bytes=900, log_bytes_per_target=100)
    limits = Limits(log_bytes=999)
    packing = pack_targets([Job(KEYS[100])], {MARKETS[0]: chatty}, PAYER, limits)
    assert [Job(KEYS[100])] == [refused.job for refused in packing.refused]
    assert not packing.batches


def test_logs_leave_room_for_what_the_compute_budget_says():
    chain = TableChain()
    budget = Budget(cu_limit=2_000, cu_price_micro_lamports=1, loaded_bytes=1 << 16)
    payment = TransferParams(from_pubkey=OWNER.pubkey(), to_pubkey=KEYS[0], lamports=10**7)
    record, _ = chain.send([transfer(payment)], budget)
    said = [line for line in record.meta.logs() if "ComputeBudget" in line]
    assert 6 == len(said)
    assert TRANSACTION_LOG_BYTES_MAX - 1 == Limits().log_bytes + sum(map(len, said))


@pytest.mark.parametrize(
    ("jobs", "reason"),
    [
        ([Job(KEYS[100], market=KEYS[5])], "no batch template for market"),
        ([Job(KEYS[10])], "one of the batch's shared accounts"),
        ([Job(KEYS[100]), Job(KEYS[100])], "already in this packing"),
        ([Job(KEYS[100], market=MARKETS[1])], "not even one target fits"),
    ],
)
def test_a_target_that_fits_nowhere_is_refused_with_the_reason(jobs, reason):
    templates = {MARKETS[0]: template(), MARKETS[1]: template(data=1_200)}
    (refused,) = pack_targets(jobs, templates, PAYER).refused
    assert reason in refused.reason


metas = st.builds(AccountMeta, st.sampled_from(KEYS[:40]), st.booleans(), st.booleans())
instructions = st.builds(
    Instruction,
    st.sampled_from(KEYS[40:44]),
    st.binary(max_size=200),
    st.lists(metas, max_size=20),
)
groups = st.builds(
    Group,
    job_id=st.text(min_size=1, max_size=3),
    instructions=st.lists(instructions, min_size=1, max_size=3).map(tuple),
    cu=st.integers(1, 1_500_000),
    loaded_bytes=st.integers(0, 10 << 20),
)


@settings(max_examples=50)
@given(st.lists(groups, max_size=8), shelves)
def test_groups_are_neither_lost_nor_reordered_and_no_limit_is_exceeded(given_groups, shelf):
    packing = pack_groups(given_groups, PAYER, shelf=shelf)
    refused = [id(one.job) for one in packing.refused]
    packed = [group for batch in packing.batches for group in batch.jobs]
    assert [id(one) for one in packed] == [
        id(one) for one in given_groups if id(one) not in refused
    ]
    for batch in packing.batches:
        assert batch.jobs
        assert serialized_bytes(batch) == batch.size_bytes <= 1_232
        assert batch.cu <= 1_400_000
        assert batch.locks <= 64
        assert batch.loaded_bytes <= 64 << 20
    for first, second in pairwise(packing.batches):
        # The first group of the next batch did not fit the one before.
        together = pack_groups([*first.jobs, second.jobs[0]], PAYER, shelf=shelf)
        assert len(together.batches) == 2


def test_a_group_too_large_for_any_transaction_is_refused_and_the_others_go_on():
    def group(name, data):
        return Group(
            job_id=name, instructions=(Instruction(KEYS[0], bytes(data), []),), cu=1, loaded_bytes=0
        )

    packing = pack_groups([group("a", 10), group("b", 1_300), group("c", 10)], PAYER)
    assert [one.job_id for one in packing.batches[0].jobs] == ["a", "c"]
    assert "bytes, at most 1232 fit" in packing.refused[0].reason


def test_a_group_that_fits_to_the_byte_is_packed():
    def alone(data):
        instruction = Instruction(KEYS[0], bytes(data), [])
        return pack_groups(
            [Group(job_id="a", instructions=(instruction,), cu=1, loaded_bytes=0)], PAYER
        )

    size = alone(1_000).batches[0].size_bytes
    assert alone(1_000 + 1_232 - size).batches[0].size_bytes == 1_232
    assert alone(1_001 + 1_232 - size).refused


def test_the_rests_of_several_markets_share_transactions():
    jobs = [Job(key, MARKETS[n % 3]) for n, key in enumerate(KEYS[100:175])]
    packing = pack_targets(jobs, dict.fromkeys(MARKETS, template()), PAYER)
    # 19 fit beside one market's header; three rests of 6 beside one another's, 17 at most.
    assert [len(batch.jobs) for batch in packing.batches] == [19, 19, 19, 17, 1]


def test_a_target_that_is_an_account_of_the_transactions_other_market_goes_into_the_next_one():
    header = [AccountMeta(KEYS[n], is_signer=False, is_writable=True) for n in (50, 51)]
    templates = {
        MARKETS[0]: template(),
        MARKETS[1]: replace(template(), accounts=(*template().accounts, *header)),
    }
    jobs = [Job(KEYS[100], MARKETS[1]), Job(KEYS[50], MARKETS[0])]
    batches = pack_targets(jobs, templates, PAYER).batches
    assert [batch.jobs for batch in batches] == [(jobs[0],), (jobs[1],)]


def test_a_table_of_the_shared_accounts_makes_room_for_more_positions():
    jobs = [Job(key) for key in KEYS[100:150]]
    shelf = TableShelf((LookupTable(KEYS[399], tuple(KEYS[10:21])),))
    packing = pack_targets(jobs, {MARKETS[0]: template()}, PAYER, shelf=shelf)
    assert [len(batch.jobs) for batch in packing.batches] == [28, 22]
    assert all(serialized_bytes(batch) == batch.size_bytes for batch in packing.batches)


def test_positions_in_a_table_are_limited_by_locks_alone():
    jobs = [Job(key) for key in KEYS[100:200]]
    shelf = TableShelf((LookupTable(KEYS[399], tuple(KEYS[10:21] + KEYS[100:200])),))
    packing = pack_targets(jobs, {MARKETS[0]: template()}, PAYER, shelf=shelf)
    assert [batch.locks for batch in packing.batches] == [64, 64]


def test_a_table_of_which_one_key_is_used_is_left_out():
    shelf = TableShelf((LookupTable(KEYS[399], (KEYS[10], KEYS[300])),))
    (batch,) = pack_targets([Job(KEYS[100])], {MARKETS[0]: template()}, PAYER, shelf=shelf).batches
    assert batch.tables == ()


def test_the_data_of_every_table_used_counts_as_loaded():
    shelf = TableShelf((LookupTable(KEYS[399], tuple(KEYS[10:21])),))
    (batch,) = pack_targets([Job(KEYS[100])], {MARKETS[0]: template()}, PAYER, shelf=shelf).batches
    assert batch.loaded_bytes == 100_000 + 400 + 8_248


def test_lengths_grow_wider_where_the_wire_format_says_so():
    """Beyond 64 locks nothing is sent, but the arithmetic knows no such limit."""
    assert [length_bytes(n) for n in (0, 127, 128, 16_383, 16_384)] == [1, 1, 2, 2, 3]
    roomy = Limits(size_bytes=9_999, locks=400)
    shelf = TableShelf((LookupTable(KEYS[399], tuple(KEYS[100:380])[:256]),))
    jobs = [Job(key) for key in KEYS[100:330]]
    for tables in (shelf, TableShelf()):
        packing = pack_targets(jobs, {MARKETS[0]: template(cu_per_target=1)}, PAYER, roomy, tables)
        assert packing.batches[0].locks > 200
        for batch in packing.batches:
            assert serialized_bytes(batch) == batch.size_bytes <= 9_999


def test_groups_that_a_table_serves_take_its_addresses_from_there():
    listed = [AccountMeta(key, is_signer=False, is_writable=True) for key in KEYS[100:130]]
    group = Group(
        job_id="a", instructions=(Instruction(KEYS[0], b"", listed),), cu=1, loaded_bytes=1
    )
    shelf = TableShelf((LookupTable(KEYS[399], tuple(KEYS[100:130])),))
    assert len(pack_groups([group] * 3, PAYER, shelf=shelf).batches) == 1
    (batch,) = pack_groups([group], PAYER, shelf=shelf).batches
    assert serialized_bytes(batch) == batch.size_bytes < 400


def test_a_program_that_a_later_instruction_calls_leaves_its_table():
    """Until it is called it is an account like others; a table cannot stand for what is called."""
    read = [AccountMeta(key, is_signer=False, is_writable=False) for key in KEYS[100:104]]
    groups = [
        Group(job_id=job_id, instructions=(Instruction(program, b"", read),), cu=1, loaded_bytes=1)
        for job_id, program in (("a", KEYS[0]), ("b", KEYS[100]))
    ]
    shelf = TableShelf((LookupTable(KEYS[399], tuple(KEYS[100:104])),))
    (batch,) = pack_groups(groups, PAYER, shelf=shelf).batches
    assert serialized_bytes(batch) == batch.size_bytes


def test_a_table_that_a_market_needs_but_a_batch_hardly_does_is_left_out_of_that_batch():
    jobs = [Job(key) for key in KEYS[100:130]]
    shelf = TableShelf((LookupTable(KEYS[399], (KEYS[100], KEYS[128], KEYS[129])),))
    first, second = pack_targets(jobs, {MARKETS[0]: template()}, PAYER, shelf=shelf).batches
    assert (first.tables, second.tables) == ((), shelf.tables)
    assert serialized_bytes(first) == first.size_bytes
    assert serialized_bytes(second) == second.size_bytes
