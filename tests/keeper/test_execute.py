"""keeper/execute.py, on a virtual clock over a scripted cluster."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
import trio
from scripted import GENESIS, PAYER, open_world
from solders import compute_budget
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from structlog.testing import capture_logs

from keeper.errors import ClusterError
from keeper.execute import Shipment, job_refs, open_lane, ship, watch_blockhashes
from keeper.fees import FeePolicy, NoBid
from keeper.funds import RENT_EXEMPT_LAMPORTS, Funds
from keeper.lane_config import LaneConfig
from keeper.newest import Newest
from keeper.purse import Purse
from keeper.spend import Spend
from programs.outcomes import Failed, Landed
from programs.rpc import RpcTimeout
from programs.transaction import TransactionRefused
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
    return Purse(policy=policy, spend=Spend(cap_lamports), losses=Spend(10**9))


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
        assert 6_000 == spent
        # The bid is what the transaction itself says it pays, the units that make it unique included.
        assert [(6_000,)] == world.rows("SELECT fee_bid_lamports FROM attempt")


@pytest.mark.parametrize("told_lamports", [10**12, 0])
async def test_whatever_a_node_says_of_a_fee_a_cap_counts_the_bid(autojump_clock, told_lamports):
    async with open_world() as world:
        world.cluster.told_fee_lamports = told_lamports
        world.cluster.failing[b"bad"] = "AccountInUse"
        paying = purse()
        for number, job in enumerate(("good", "bad")):
            await ship(work(world, paying), numbered(shipment(job), number))
        assert 2 * 6_000 == paying.spend.spent_lamports("hour", trio.current_time())


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


async def test_fees_that_stay_unread_are_told_ever_more_rarely_and_their_return_once(
    autojump_clock,
):
    async with open_world() as world:
        world.rpc.faults["get_recent_prioritization_fees"] = [RpcTimeout("no answer")] * 20
        lane = work(world)
        with capture_logs() as logs:
            for number in range(22):
                await ship(lane, numbered(shipment(), number))
                await trio.sleep(5)

        told = [line for line in logs if line["event"].startswith("fees.")]
        assert [1, 2, 4, 8, 16] == [line["in_a_row"] for line in told[:-1]]
        assert ("fees.recovered", 20) == (told[-1]["event"], told[-1]["failures"])
        assert {"work"} == {line["lane"] for line in told}


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


def test_a_lanes_purse_has_the_lanes_policy_and_caps():
    made = LaneConfig(hourly_spend_max_lamports=7_000, daily_spend_max_lamports=9_000).purse()
    assert 7_000 == made.spend.left_lamports(0.0)
    assert [7_000, 9_000] == [window.max_lamports for _, window in made.spend]
    assert LaneConfig().fees == made.policy


async def test_a_cap_that_is_reached_is_told_once_counted_and_told_again_when_it_is_over(
    autojump_clock,
):
    async with open_world() as world:
        lane = work(world, purse(cap_lamports=6_000, loss_max_lamports=6_000))
        with capture_logs() as logs:
            for number in range(4):
                await ship(lane, numbered(shipment(), number))
            await trio.sleep(3_700)
            await ship(lane, numbered(shipment(), 5))

        assert {"work.hourly_spend_cap": 3} == world.tally.refusals
        told = [line for line in logs if line["event"].startswith("lane.")]
        assert ["lane.stopped_spending", "lane.spends_again"] == [line["event"] for line in told]
        assert "the hour's spend cap leaves 0 lamports" in told[0]["reason"]
        assert "free in 36" in told[0]["reason"]
        withheld = [line for line in logs if line["event"] == "batch.withheld"]
        assert ["debug"] * 3 == [line["log_level"] for line in withheld]


async def test_rent_counts_against_the_cap_if_it_lands_and_a_failure_gives_it_back(autojump_clock):
    async with open_world() as world:
        world.cluster.failing[b"bad"] = "AccountInUse"
        paying = purse(cap_lamports=3_000_000)
        lane = work(world, paying)
        made = replace(numbered(shipment(), 1), rent_lamports=2_000_000)
        bad = numbered(replace(shipment("bad"), rent_lamports=2_000_000), 2)

        assert isinstance(await ship(lane, bad), Failed)
        assert 6_000 == paying.spend.spent_lamports("hour", trio.current_time())
        assert isinstance(await ship(lane, made), Landed)
        assert 2_012_000 == paying.spend.spent_lamports("hour", trio.current_time())
        assert [(2_000_000,)] * 2 == world.rows("SELECT rent_lamports FROM attempt")
        assert "hourly_spend_cap" == (await ship(lane, replace(made, jobs=bad.jobs))).kind


async def test_a_payer_that_cannot_pay_stops_its_lane_and_not_the_chain(autojump_clock):
    async with open_world() as world:
        funds = Funds(PAYER.pubkey(), balance_lamports=RENT_EXEMPT_LAMPORTS + 7_000)
        poor = open_lane(world.kit, "work", PAYER, purse(), funds=funds)

        assert isinstance(await ship(poor, numbered(shipment(), 1)), Landed)
        withheld = await ship(poor, numbered(shipment(), 2))
        assert ("payer_short", 1) == (withheld.kind, world.tally.refusals["work.payer_short"])
        assert "can pay 1000 lamports, 6000 are needed: fund it" in withheld.reason
        funds.note_balance(10**9)
        assert isinstance(await ship(poor, numbered(shipment(), 3)), Landed)


async def test_work_that_is_not_critical_is_never_sent_at_a_loss(autojump_clock):
    async with open_world() as world:
        lane = work(world)
        # The odds of a fresh lane are eight landings of nine inclusions: 5_625 are worth 5_000.
        assert isinstance(
            await ship(lane, replace(shipment(value_lamports=5_624), is_critical=False)), NoBid
        )
        assert isinstance(
            await ship(lane, replace(shipment(value_lamports=5_625), is_critical=False)), Landed
        )


async def test_critical_work_stops_when_the_hours_loss_is_lost(autojump_clock):
    async with open_world() as world:
        paying = Purse(
            policy=FeePolicy(loss_max_lamports=10_000), spend=Spend(10**9), losses=Spend(14_000)
        )
        lane = work(world, paying)
        found = [await ship(lane, numbered(shipment(), number)) for number in range(4)]

        assert [Landed, Landed, NoBid, NoBid] == [type(each) for each in found]
        assert "2000 are left to lose this hour" in found[2].reason
        assert 2 == world.tally.refusals["work.loss_budget"]
        # What pays for itself goes on.
        paid = replace(numbered(shipment(value_lamports=100_000), 9), is_critical=False)
        assert isinstance(await ship(lane, paid), Landed)


async def test_what_expires_raises_the_next_bid_and_prompt_landings_lower_it_again(autojump_clock):
    async with open_world() as world:
        lane = work(world)
        world.cluster.drops = 10_000
        await ship(lane, numbered(shipment(), 0))
        world.cluster.drops = 0
        for number in range(1, 18):
            await ship(lane, numbered(shipment(), number))

        prices = [row[0] for row in world.rows("SELECT cu_price_micro_lamports FROM attempt")]
        assert [10_000, *[20_000] * 8, *[18_750] * 8, 17_656] == prices


async def test_each_transaction_has_exactly_one_set_compute_unit_limit(autojump_clock):
    # A bug of other keepers: two SetComputeUnitLimit in one transaction, which the cluster refuses whole.
    async with open_world() as world:
        await ship(work(world), shipment())
        (sent,) = world.cluster.received.values()
        budgets = [
            bytes(instruction.data)[0]
            for instruction in sent.message.instructions
            if sent.message.account_keys[instruction.program_id_index] == compute_budget.ID
        ]
        assert [2, 3, 4] == budgets
        twice = replace(
            shipment("b"), instructions=(set_compute_unit_limit(1), job_instruction("b"))
        )
        with pytest.raises(TransactionRefused, match="exactly once each"):
            await ship(work(world), twice)


async def test_a_floor_that_is_not_told_in_time_holds_no_work_up(autojump_clock):
    async with open_world() as world:
        world.rpc.faults["get_recent_prioritization_fees"] = [60.0]
        before_s = trio.current_time()
        await ship(work(world), shipment())
        assert trio.current_time() - before_s < 0.5 + 5 * SLOT_S
