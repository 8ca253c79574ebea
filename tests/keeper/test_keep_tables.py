"""keeper/tables.py, kept by a lane on a virtual clock: from what the chain shows to a step that landed and was paid for."""

import struct
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from scripted import PAYER, PROGRAM, account_of, lane_of, market_address, market_row, open_world
from solders.sysvar import RENT
from structlog.testing import capture_logs

from keeper.batching import Desk
from keeper.fees import NoBid
from keeper.lane_config import LaneConfig
from keeper.tables import keep_tables, send_step
from programs.outcomes import Landed
from programs.rpc import ProgramAccounts
from programs.table_plan import SLOT_HASHES, plan_tables
from tests.fakes import FakeRpc
from tests.programs.table_chain import RENT as RENT_RATE
from tests.programs.table_chain import group, wanted

CAP = 10**9
RENT_DATA = struct.pack("<QdB", 3_480, 2.0, 50)
HASHES = (1).to_bytes(8, "little") + (9).to_bytes(8, "little") + bytes(32)
REFUSAL = {"InstructionError": [3, "InvalidArgument"]}


class NoTables(FakeRpc):
    """A node on which nobody has tables."""

    async def get_program_accounts(self, _program, _commitment, *, filters):
        await self._turn("get_program_accounts")
        assert filters[0]["memcmp"]["bytes"] == str(PAYER.pubkey())
        return ProgramAccounts(slot=self.cluster.slot, accounts=[], skipped=0)


@asynccontextmanager
async def keeping(*, has_rent=True):
    """A lane keeps tables until the block ends."""
    async with open_world() as world:
        node = NoTables(world.cluster)
        node.accounts[SLOT_HASHES] = account_of(HASHES)
        if has_rent:
            node.accounts[RENT] = account_of(RENT_DATA)
        lane = lane_of(replace(world.kit, rpc=node), "tables", LaneConfig(concurrency=2))
        desk = Desk(program=PROGRAM, payer=PAYER.pubkey(), quote_mint=world.kit.quote_mint)
        async with trio.open_nursery() as tending:
            tending.start_soon(keep_tables, lane, desk, world.chain, CAP)
            yield world, node, lane
            tending.cancel_scope.cancel(reason="the test is over")


def lend(world, *numbers):
    """A scan in which these markets, and no other, have lent."""
    world.scan(markets=[market_row(n, slot=world.cluster.slot, debt=5) for n in numbers])


def steps(world):
    """The steps that were signed, and how they ended."""
    return world.rows(
        "SELECT lane, kind, state FROM attempt JOIN attempt_job ON attempt_id = id ORDER BY id"
    )


async def test_a_market_that_lends_gets_its_table_from_the_lanes_own_payer(autojump_clock):
    async with keeping() as (world, _, lane):
        lend(world, 0)
        await world.slots(4)
        assert [("tables", "table_create", "landed")] == steps(world)
        (transaction,) = world.cluster.received.values()
        assert PAYER.pubkey() == transaction.message.account_keys[0]
        data = bytes(transaction.message.instructions[-1].data)
        assert bytes(market_address(0)) in data
        # What the table locks is spent like a fee.
        assert lane.purse.spend.left_lamports(trio.current_time()) < (
            LaneConfig().hourly_spend_max_lamports - 1_000_000
        )


async def test_a_platform_that_lends_nothing_yet_is_looked_at_again_soon(autojump_clock):
    async with keeping() as (world, node, _):
        world.scan(markets=[market_row(0, slot=1)])
        await trio.sleep(1)
        lend(world, 0)
        await trio.sleep(3)
        assert (0, []) == (node.calls["get_program_accounts"], steps(world))
        await trio.sleep(3)
        assert [("tables", "table_create", "landed")] == steps(world)


async def test_wants_change_once_a_minute_however_often_the_chain_is_read(autojump_clock):
    async with keeping() as (world, node, _):
        world.cluster.judge = lambda *_: REFUSAL
        lend(world, 0)
        await trio.sleep(1)
        for number in range(1, 5):
            lend(world, 0, number)
            await trio.sleep(1)
        # A step that was refused is tried again in five seconds, not at every scan.
        assert 1 == node.calls["get_program_accounts"]
        await trio.sleep(4)
        assert 2 == node.calls["get_program_accounts"]


async def test_until_the_rent_is_known_nothing_is_planned(autojump_clock):
    with capture_logs() as logs:
        async with keeping(has_rent=False) as (world, node, _):
            lend(world, 0)
            await trio.sleep(11)
            assert 3 == node.calls["get_account"]
            assert (0, []) == (node.calls["get_program_accounts"], steps(world))
            node.accounts[RENT] = account_of(RENT_DATA)
            await trio.sleep(6)
            assert [("tables", "table_create", "landed")] == steps(world)
    # Of the failures in a row the first and the second are told.
    told = [entry["event"] for entry in logs if entry["event"].startswith("rent.")]
    assert ["rent.unread", "rent.unread", "rent.recovered"] == told


@pytest.mark.parametrize("is_refused", [False, True])
async def test_a_step_is_sent_unless_its_simulation_refuses_it(autojump_clock, is_refused):
    async with open_world() as world:
        lane = lane_of(world.kit, "tables")
        (step,) = plan_tables(wanted(group(0)), [], [9], PAYER.pubkey(), RENT_RATE).steps
        if is_refused:
            world.cluster.judge = lambda *_: REFUSAL
        outcome = await send_step(lane, trio.CapacityLimiter(1), step)
        if is_refused:
            assert isinstance(outcome, NoBid)
            assert "InvalidArgument" in outcome.reason
            assert not world.cluster.sends
        else:
            assert isinstance(outcome, Landed)
            assert 1 == len(world.cluster.sends)


async def test_no_more_steps_are_under_way_than_the_lane_has_places(autojump_clock):
    async with open_world() as world:
        lane = lane_of(world.kit, "tables")
        many = plan_tables(
            wanted(*(group(number, 20) for number in range(40))),
            [],
            [9, 8, 7],
            PAYER.pubkey(),
            RENT_RATE,
        ).steps
        assert 3 <= len(many)
        world.rpc.faults["simulate_transaction"] = [1.0] * len(many)
        places = trio.CapacityLimiter(2)
        async with trio.open_nursery() as nursery:
            for step in many:
                nursery.start_soon(send_step, lane, places, step)
            await trio.sleep(0.5)
            assert 2 == world.rpc.calls["simulate_transaction"]
        assert len(many) == len(steps(world))
