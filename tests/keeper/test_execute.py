"""keeper/execute.py, on a virtual clock over a scripted cluster."""

from collections import Counter
from dataclasses import replace

import pytest
import trio
from scripted import GENESIS, PAYER, lane_of, open_world
from solders.hash import Hash
from structlog.testing import capture_logs

from keeper.config import LaneConfig
from keeper.errors import ClusterError
from keeper.execute import Purse, Shipment, job_refs, open_lane, ship, watch_blockhashes
from keeper.fees import FeePolicy, NoBid
from keeper.newest import Newest
from keeper.spend import HourlySpend
from programs.outcomes import Failed, Landed
from programs.rpc import RpcTimeout
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster, job_instruction


def shipment(job="a", *, count=1, value_lamports=0):
    return Shipment(
        jobs=job_refs("do", [(PAYER.pubkey(), f"{job}{number}") for number in range(count)]),
        due_at_s=(trio.current_time(),) * count,
        instructions=(job_instruction(job),),
        cu_limit=100_000,
        loaded_bytes=32 << 10,
        value_lamports=value_lamports,
    )


def purse(cap_lamports=1_000_000, loss_max_lamports=100_000):
    policy = FeePolicy(loss_max_lamports=loss_max_lamports)
    return Purse(policy=policy, spend=HourlySpend(cap_lamports))


def work(world, paying=None):
    return open_lane(world.kit, "work", PAYER, paying or purse())


async def test_what_landed_is_tallied_with_its_fee_and_its_latency(autojump_clock):
    async with open_world() as world:
        paying = purse()
        outcome = await ship(work(world, paying), shipment())

        assert isinstance(outcome, Landed)
        tally = world.tally
        assert (tally.landed["work"], tally.jobs_landed["work"]) == (1, 1)
        assert outcome.fee_lamports == tally.fees_lamports["work"]
        assert 0 == tally.jobs_in_flight["work"]
        (latency_ms,) = tally.latencies_ms(["work"])
        assert SLOT_S * 1_000 <= latency_ms <= 5 * SLOT_S * 1_000
        spent = 1_000_000 - paying.spend.left_lamports(trio.current_time())
        # The bid is what the transaction itself says it pays, the units that make it unique included.
        assert [(spent,)] == world.rows("SELECT fee_bid_lamports FROM attempt")


async def test_a_failure_on_chain_costs_its_fee_and_is_no_landing(autojump_clock):
    async with open_world() as world:
        world.cluster.failing[b"a"] = "AccountInUse"
        paying = purse()
        outcome = await ship(work(world, paying), shipment())

        assert isinstance(outcome, Failed)
        assert (0, 1) == (world.tally.landed["work"], world.tally.failed["work"])
        assert 5_000 == world.tally.fees_lamports["work"]
        assert [] == world.tally.latencies_ms()
        assert paying.spend.left_lamports(trio.current_time()) < 1_000_000


async def test_what_expired_gives_back_what_was_reserved_for_it(autojump_clock):
    async with open_world() as world:
        world.cluster.drops = 10_000
        paying = purse()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ship, work(world, paying), shipment())
            await world.slots(2)
            assert 1 == world.tally.jobs_in_flight["work"]
            assert paying.spend.left_lamports(trio.current_time()) < 1_000_000

        assert (1, 0) == (world.tally.expired["work"], world.tally.fees_lamports["work"])
        assert 0 == world.tally.jobs_in_flight["work"]
        assert 1_000_000 == paying.spend.left_lamports(trio.current_time())
        assert [("expired",)] == world.rows("SELECT state FROM attempt")


async def test_what_is_not_worth_sending_leaves_no_trace_but_its_reason(autojump_clock):
    async with open_world() as world:
        outcome = await ship(work(world, purse(loss_max_lamports=0)), shipment(count=3))

        assert isinstance(outcome, NoBid)
        assert {"work.not_worth_sending": 3} == world.tally.refusals
        assert [(0,)] == world.rows("SELECT count(*) FROM attempt")
        assert Counter() == world.cluster.sends


async def test_a_burst_of_bids_never_passes_the_hourly_cap(autojump_clock):
    async with open_world() as world:
        paying = purse(cap_lamports=30_000, loss_max_lamports=6_000)
        found = []

        async def one(number):
            found.append(await ship(work(world, paying), numbered(shipment(str(number)), number)))

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(one, number)

        landed = [each for each in found if isinstance(each, Landed)]
        assert len(landed) == 5
        bids = world.rows("SELECT sum(fee_bid_lamports) FROM attempt")
        assert 25_000 <= bids[0][0] <= 30_000


def numbered(made, number):
    """The same work as another job."""
    return replace(made, jobs=(replace(made.jobs[0], job_id=f"do:{number}"),))


async def test_the_same_work_under_one_blockhash_is_another_transaction_each_time(autojump_clock):
    async with open_world() as world:
        for number in range(3):
            await ship(work(world), numbered(shipment(), number))
        async with trio.open_nursery() as nursery:
            for number in range(3, 23):
                nursery.start_soon(ship, work(world), numbered(shipment(), number))

        assert 23 == len(world.cluster.sends) == world.tally.landed["work"]
        assert 23 == world.cluster.executed[b"a"]


async def test_an_unread_floor_bids_the_least_the_policy_allows(autojump_clock):
    async with open_world() as world:
        world.rpc.faults["get_recent_prioritization_fees"] = [RpcTimeout("no answer")]
        with capture_logs() as logs:
            await ship(work(world), shipment())

        assert [(1_000,)] == world.rows("SELECT cu_price_micro_lamports FROM attempt")
        assert ["fees.unread"] == [line["event"] for line in logs if "fees" in line["event"]]


async def test_the_floor_is_read_anew_only_when_it_may_have_changed(autojump_clock):
    async with open_world() as world:
        paying = purse()
        first_s = trio.current_time()
        numbers = itertools.count()
        while trio.current_time() < first_s + 1.9:
            await ship(work(world, paying), numbered(shipment(), next(numbers)))
        assert 1 == world.rpc.calls["get_recent_prioritization_fees"]
        await ship(work(world, paying), numbered(shipment(), next(numbers)))
        await ship(work(world, paying), numbered(shipment(), next(numbers)))
        assert 2 == world.rpc.calls["get_recent_prioritization_fees"]
        assert {(10_000,)} == set(world.rows("SELECT cu_price_micro_lamports FROM attempt"))


async def test_blockhashes_survive_a_silent_node_and_start_only_when_there_is_one(autojump_clock):
    rpc, blockhashes = FakeRpc(ScriptedCluster(trio.current_time)), Newest()
    rpc.faults["get_latest_blockhash"] = [RpcTimeout("silent")] * 3
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_blockhashes, rpc, blockhashes, 1.0, GENESIS)
        assert pytest.approx(3.0) == trio.current_time() - rpc.cluster.started_at
        rpc.faults["get_latest_blockhash"] = [RpcTimeout("silent")] * 2
        await trio.sleep(3.5)
        assert 2 == blockhashes.sequence
        nursery.cancel_scope.cancel()


async def test_another_cluster_behind_the_same_address_ends_the_keeper_before_it_signs(
    autojump_clock,
):
    rpc, blockhashes = FakeRpc(ScriptedCluster(trio.current_time)), Newest()
    with pytest.RaisesGroup(pytest.RaisesExc(ClusterError, match="changed while the keeper ran")):
        async with trio.open_nursery() as nursery:
            await nursery.start(watch_blockhashes, rpc, blockhashes, 1.0, GENESIS)
            rpc.genesis_hash = Hash(bytes([1] * 32))
    assert 1 == blockhashes.sequence


def test_a_lanes_purse_has_the_lanes_policy_and_cap():
    made = LaneConfig(hourly_spend_max_lamports=7_000).purse()
    assert 7_000 == made.spend.left_lamports(0.0)
    assert LaneConfig().fees == made.policy


async def test_what_an_earlier_process_spent_counts_against_the_hour(autojump_clock):
    config = LaneConfig(hourly_spend_max_lamports=7_000)
    async with open_world() as world:
        kit = replace(world.kit, spent_lamports={"prices": 6_000})
        spent = lane_of(kit, "prices", config).purse
        fresh = lane_of(kit, "liquidations", config).purse

    assert 1_000 == spent.spend.left_lamports(trio.current_time())
    assert 7_000 == fresh.spend.left_lamports(trio.current_time())
    assert 7_000 == spent.spend.left_lamports(trio.current_time() + 3_600)
