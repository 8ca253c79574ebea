"""One test for each bug that keepers in use were found with, and for each thing their users ask for most.

The list is SOLANA.md section 5. Every test runs the engine's own lanes, landing and record over a scripted cluster, on a
virtual clock.
"""

import json
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
import trio
from scripted import (
    PAYER,
    lane_of,
    logs_of_liquidation,
    market_row,
    open_world,
    position_address,
    position_row,
)
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.keypair import Keypair
from solders.message import Message
from solders.signature import Signature
from structlog.testing import capture_logs

from keeper.execute import Shipment, job_refs, ship
from keeper.feedback import LEVEL_MAX, Feedback
from keeper.fees import NoBid
from keeper.keypair import create_keypair
from keeper.lane_config import LaneConfig, LanesConfig
from keeper.lanes import open_lanes
from keeper.liquidate import liquidate_positions
from keeper.post import post_prices
from keeper.posting import PostingRules
from keeper.prices.price import PriceClass
from keeper.watch import ScanPace, watch_chain
from programs.errors import BY_NAME
from programs.in_flight import InFlight, Pace
from programs.outcomes import Failed, Landed
from programs.rpc import RpcFailure, RpcTimeout
from programs.rpc_http import HttpRpc
from programs.rpc_settings import RpcSettings
from programs.settling import settle_open_attempts
from programs.submit import land
from tests.fakes import SLOT_S, WINDOW_BLOCKS, FakeRpc, accounts_of, job_instruction

GUILTY = {"InstructionError": [3, {"Custom": BY_NAME["NOT_ENOUGH_SHARES"].code}]}
CHANGE_E6 = 2_000
LAMPORTS_PER_QUOTE_UNIT = 5_000_000


def shipment(job="a", target=None, *, effect="1"):
    """One transaction whose only instruction names the job."""
    return Shipment(
        jobs=job_refs("do", [(target or PAYER.pubkey(), effect)]),
        due_at_s=(trio.current_time(),),
        instructions=(job_instruction(job),),
        cu_limit=100_000,
        loaded_bytes=32 << 10,
    )


def liquidate(world, **changes):
    """Start the liquidations lane."""
    world.cluster.logs_of = logs_of_liquidation
    world.nursery.start_soon(
        liquidate_positions,
        lane_of(world.kit, "liquidations", LaneConfig(**changes)),
        LAMPORTS_PER_QUOTE_UNIT,
        lambda: CHANGE_E6,
        world.board,
        world.chain,
        world.following,
        world.stop,
    )


def post(world, **changes):
    """Start the prices lane."""
    lane = lane_of(world.kit, "prices", LaneConfig(**changes))
    boards = (world.board, world.chain, world.following)
    world.nursery.start_soon(post_prices, lane, PostingRules, *boards, world.stop)


def look(world, numbers, *, market=0):
    """Scan a market as it is now, with these positions under water in it."""
    world.price(market)
    world.scan(
        markets=[market_row(market, slot=world.cluster.slot)],
        positions=[position_row(number, market=market) for number in numbers],
    )


@asynccontextmanager
async def drained(world):
    """Let the lanes end in order."""
    yield
    world.stop.set()
    world.cluster.drops = 0


# An inverted partition of expired and unexpired transactions: the live ones were signed again.


@pytest.mark.parametrize("lost", [5, 20, 10_000])
async def test_what_can_still_land_is_never_signed_again_and_what_expired_is(autojump_clock, lost):
    async with open_world() as world:
        liquidate(world)
        async with drained(world):
            world.cluster.drops = lost
            for _ in range(WINDOW_BLOCKS + 60):
                done = {at for batch in landed_batches(world) for at in batch}
                look(world, [] if position_address(1) in done else [1])
                await world.slots(1)
                assert live_attempts(world) <= 1
        attempts = world.rows("SELECT state, last_valid_block_height FROM attempt ORDER BY id")
        assert ("expired" in {state for state, _ in attempts}) == (lost == 10_000)
        assert len(attempts) == (2 if lost == 10_000 else 1)


def live_attempts(world):
    """How many signed transactions could still be executed for the first time."""
    height = world.cluster.height("processed")
    rows = world.rows("SELECT signature, last_valid_block_height FROM attempt")
    return sum(
        height < last_valid and Signature.from_string(signature) not in world.cluster.included
        for signature, last_valid in rows
    )


def landed_batches(world):
    return [
        accounts_of(world.cluster.received[signature])[8:]
        for signature, (slot, err) in world.cluster.included.items()
        if err is None and slot <= world.cluster.slot
    ]


# Blame that was off by one: the innocent task was dropped, the guilty one tried again.


@pytest.mark.parametrize("place", [0, 1, 3, 6])
async def test_the_guilty_job_alone_is_left_out_wherever_it_stands_in_the_batch(
    autojump_clock, place
):
    guilty = position_address(place)
    async with open_world() as world:
        liquidate(world)
        world.cluster.judge = lambda _, accounts: GUILTY if guilty in accounts[8:] else None
        for _ in range(40):
            done = {at for batch in landed_batches(world) for at in batch}
            look(world, [n for n in range(7) if position_address(n) not in done])
            await world.slots(1)
        world.stop.set()
        done = {at for batch in landed_batches(world) for at in batch}
        assert done == {position_address(n) for n in range(7) if n != place}


# Two SetComputeUnitLimit in one transaction, which the cluster refuses.


async def test_every_transaction_has_each_compute_budget_instruction_once(autojump_clock):
    async with open_world() as world:
        liquidate(world)
        post(world)
        world.price(0)
        world.price(1, 510_000)
        world.scan(
            markets=[market_row(number, slot=world.cluster.slot) for number in (0, 1)],
            positions=[position_row(number) for number in range(9)],
        )
        await world.slots(6)
        world.stop.set()
        assert len(world.cluster.received) >= 2
        for transaction in world.cluster.received.values():
            budget = budget_tags(transaction.message)
            assert len(budget) == len(set(budget)) == 3


def budget_tags(message):
    return [
        bytes(each.data)[0]
        for each in message.instructions
        if message.account_keys[each.program_id_index] == COMPUTE_BUDGET
    ]


# Confirmed, set without reading status.err.


async def test_a_confirmed_transaction_with_an_error_is_a_failure_and_does_no_job(autojump_clock):
    async with open_world() as world:
        world.cluster.failing[b"a"] = GUILTY
        outcome = await ship(lane_of(world.kit, "work"), shipment())
        assert isinstance(outcome, Failed)
        assert GUILTY == outcome.err
        assert (0, 0, 1) == (
            world.tally.landed["work"],
            world.tally.jobs_landed["work"],
            world.tally.failed["work"],
        )
        assert [("failed", GUILTY)] == [
            (state, json.loads(err)) for state, err in world.rows("SELECT state, err FROM attempt")
        ]


# The signature stored after sending: a crash in between pays twice.


class Witness(FakeRpc):
    """Looks into the record whenever bytes arrive, and may kill whoever sends them."""

    def __init__(self, cluster):
        super().__init__(cluster)
        self.recorded = lambda: ()
        self.on_send = lambda: None

    async def send_transaction(self, wire):
        signature = str(Signature.from_bytes(wire[1:65]))
        assert signature in self.recorded(), "bytes left before they were recorded"
        await super().send_transaction(wire)
        self.on_send()


async def test_a_crash_between_sending_and_hearing_of_it_does_not_send_another_transaction(
    autojump_clock,
):
    async with open_world() as world:
        rpc = Witness(world.cluster)
        rpc.recorded = lambda: {row[0] for row in world.rows("SELECT signature FROM attempt")}
        kit = replace(world.kit, rpc=rpc, in_flight=InFlight())
        pace = Pace(poll_interval_s=SLOT_S, resend_interval_s=4 * SLOT_S)
        async with trio.open_nursery() as life:
            rpc.on_send = life.cancel_scope.cancel  # killed with the first bytes on their way
            await life.start(land, rpc, kit.attempts, kit.in_flight, lambda: pace)
            await ship(lane_of(kit, "work"), shipment())
        assert [("open",)] == world.rows("SELECT state FROM attempt")

        rpc.on_send = lambda: None
        again = replace(kit, in_flight=InFlight())
        async with trio.open_nursery() as life:
            await life.start(land, rpc, again.attempts, again.in_flight, lambda: pace)
            await settle_open_attempts(again.attempts, again.in_flight, pace)
            life.cancel_scope.cancel()
        assert [("landed",)] == world.rows("SELECT state FROM attempt")
        assert 1 == len(world.cluster.received)
        assert 1 == world.cluster.executed[b"a"]


# A tip counter that was reset when it reached its peak: the most urgent bid became the lowest.


def test_a_bid_that_reached_its_peak_stays_there_until_landings_lower_it_step_by_step():
    feedback, levels = Feedback(), []
    for _ in range(40):
        feedback.note_expired(feedback.generation)
        levels.append(feedback.level_bps)
    assert levels == sorted(levels)
    assert LEVEL_MAX == levels[-1] == levels[-2]
    for _ in range(8):
        feedback.note_landed(feedback.generation, slots=1)
    assert LEVEL_MAX * 7 // 8 - 1 <= feedback.level_bps < LEVEL_MAX


# Bodies of 429 replies, parsed as data.


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(429, json={"result": 7}),
        httpx.Response(429, json={"jsonrpc": "2.0", "id": 1, "result": {"value": [None]}}),
        httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": {"code": 429}}),
        httpx.Response(200, text="<html>rate limited</html>"),
        httpx.Response(200, json=[429, "Too Many Requests"]),
    ],
    ids=["429 with a result", "429 as JSON-RPC", "200 with code 429", "200 with HTML", "an array"],
)
async def test_a_rate_limit_is_never_taken_for_an_answer(autojump_clock, nursery, reply):
    async def answer(_request):
        await trio.lowlevel.checkpoint()
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with client:
        rpc = HttpRpc.over([client], ["https://one.example"], RpcSettings(tries=2), nursery)
        with pytest.raises(RpcFailure):
            await rpc.get_block_height("finalized")
        with pytest.raises(RpcFailure):
            await rpc.get_signature_statuses([Signature.default()])
        with pytest.raises(RpcFailure):
            await rpc.get_settled_statuses([Signature.default()])


# One stale oracle, for which the whole round was skipped.


async def test_a_market_without_a_usable_price_holds_up_no_other(autojump_clock):
    async with open_world() as world:
        liquidate(world)
        post(world)
        rows = [market_row(number, slot=world.cluster.slot) for number in range(3)]
        world.price(0, 480_000)
        world.price(1, 480_000, PriceClass.STALE, age_s=1_000.0)
        world.price(2, 480_000)
        world.scan(
            markets=rows, positions=[position_row(number, market=number) for number in range(3)]
        )
        await world.slots(6)
        world.stop.set()
        assert {0, 2} == {number for batch in world.posts() for number, *_ in batch}
        world.scan(
            markets=[
                market_row(number, slot=world.cluster.slot, price_e6=480_000)
                for number in (0, 1, 2)
            ],
            positions=[position_row(number, market=number) for number in range(3)],
        )
        world.price(0, 480_000)
        world.price(2, 480_000)
    liquidated = {at for batch in world.batches() for at in batch}
    assert position_address(1) not in liquidated
    reasons = [
        name for name in world.tally.refusals if name.startswith(("prices.", "liquidations."))
    ]
    assert reasons, "what is withheld is counted under its reason"


# What users ask for: no duplicate sends.


async def test_the_same_job_is_never_in_two_transactions_at_once(autojump_clock):
    async with open_world() as world:
        liquidate(world, concurrency=8)
        world.cluster.drops = 4
        for _ in range(40):
            done = {at for batch in landed_batches(world) for at in batch}
            look(world, [n for n in range(6) if position_address(n) not in done])
            await world.slots(1)
        world.stop.set()
        effects = Counter(world.rows("SELECT job_id, effect FROM attempt_job"))
        assert 6 == len(effects)
        assert {1} == set(effects.values())
        assert {1} == set(world.cluster.executed.values())


# No stuck loops that look healthy.


async def test_a_cluster_that_stopped_answering_is_counted_and_told_at_every_turn(autojump_clock):
    async with open_world() as world:
        world.rpc.faults["get_program_accounts"] = [RpcTimeout("silent")] * 50
        with capture_logs() as logs:
            pace = ScanPace(interval_s=SLOT_S, calm_interval_s=SLOT_S)
            world.nursery.start_soon(
                watch_chain, world.rpc, world.kit.program, world.tally, pace, world.chain
            )
            await world.slots(20)
            world.nursery.cancel_scope.cancel()
    assert world.tally.refusals["scan.unanswered"] >= 10
    assert 0 == world.tally.scans
    assert [line for line in logs if line["log_level"] in {"warning", "error"}]


# No wasted SOL.


async def test_what_the_node_says_will_fail_is_not_paid_for(autojump_clock):
    async with open_world() as world:
        liquidate(world)
        world.cluster.judge = lambda _, __: GUILTY
        for _ in range(10):
            look(world, [1])
            await world.slots(1)
        world.stop.set()
        assert [] == list(world.cluster.received)
        assert 0 == sum(world.tally.fees_lamports.values())
        assert world.tally.refusals["liquidations.simulation_refused"] >= 1


async def test_what_would_cost_more_than_a_lane_may_lose_is_not_sent(autojump_clock):
    async with open_world() as world:
        config = LaneConfig()
        broke = replace(config, fees=replace(config.fees, loss_max_lamports=0))
        outcome = await ship(lane_of(world.kit, "work", broke), shipment())
        assert isinstance(outcome, NoBid)
        assert 0 == len(world.cluster.received)


# Critical work not queued behind bulk work.


async def test_a_liquidation_lands_as_soon_during_a_flood_of_other_work(autojump_clock):
    async def slots_to_land(flood):
        async with open_world() as world:
            bulk = lane_of(world.kit, "prices", LaneConfig(concurrency=16))
            for number in range(flood):
                job = shipment(f"bulk {number}", Keypair().pubkey())
                world.nursery.start_soon(ship, bulk, job)
            liquidate(world)
            look(world, [1])
            started_s = trio.current_time()
            while not world.tally.landed["liquidations"]:  # noqa: ASYNC110 - a tally has no event
                await trio.sleep(SLOT_S / 4)
            world.stop.set()
            return (trio.current_time() - started_s) / SLOT_S

    assert await slots_to_land(60) <= await slots_to_land(0) + 1


# One key per role.


async def test_each_lane_signs_with_its_own_key_and_no_other(autojump_clock, tmp_path):
    names = ("liquidations", "chains", "payouts", "tables")
    keys = {name: Keypair() for name in names}
    for name, key in keys.items():
        create_keypair(tmp_path / f"{name}.json", key)
    config = LanesConfig(
        **{name: LaneConfig(key=tmp_path / f"{name}.json") for name in names},
    )
    async with open_world() as world:
        lanes = open_lanes(world.kit, config, PAYER)
        payers = defaultdict(set)
        for lane in lanes:
            outcome = await ship(lane, shipment(lane.name, Keypair().pubkey()))
            assert isinstance(outcome, Landed)
            message = world.cluster.received[outcome.signature].message
            payers[lane.name].add(signers_of(message))
    assert payers == {name: {(key.pubkey(),)} for name, key in keys.items()} | {
        "prices": {(PAYER.pubkey(),)}
    }


def signers_of(message: Message):
    return tuple(message.account_keys[: message.header.num_required_signatures])
