"""keeper/payer.py and the payers of keeper/lanes.py, on a virtual clock over a scripted cluster."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import trio
from scripted import PAYER, account_of, open_world
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from structlog.testing import capture_logs

from keeper.errors import ClusterError, KeypairError
from keeper.execute import Shipment, job_refs, ship
from keeper.lane_config import LaneConfig, LanesConfig
from keeper.lanes import count_spent, day_before, open_lanes, spend_json
from keeper.payer import check_payers, watch_balances
from programs.outcomes import Landed
from programs.rpc import RpcTimeout
from tests.fakes import job_instruction

OWN = Keypair.from_seed(bytes([2] * 32))
PARAMETERS = SimpleNamespace(oracle_authority=PAYER.pubkey())


def keypair_file(folder, keypair):
    path = folder / "own.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(list(bytes(keypair))))
    return path


def fund(world, keypair, lamports):
    world.rpc.accounts[keypair.pubkey()] = replace(account_of(b""), lamports=lamports)


def shipment(number):
    return Shipment(
        jobs=job_refs("do", [(Pubkey(bytes([number] * 32)), "x")]),
        due_at_s=(),
        instructions=(job_instruction(f"job {number}"),),
        cu_limit=100_000,
        loaded_bytes=32 << 10,
    )


async def test_lanes_with_one_key_share_its_funds_and_are_checked_as_one(autojump_clock, tmp_path):
    async with open_world() as world:
        config = LanesConfig(liquidations=LaneConfig(key=keypair_file(tmp_path, OWN)))
        lanes = open_lanes(world.kit, config, PAYER, tmp_path / "keeper.json")
        assert [PAYER.pubkey(), OWN.pubkey()] == [payer.address for payer in lanes.payers]
        assert ["prices", "chains", "payouts", "tables"] == lanes.payers[0].lanes
        fund(world, PAYER, 10**9)
        fund(world, OWN, 2_999_999)

        with pytest.raises(
            ClusterError, match=r"own\.json\), which pays for liquidations, has 0\.0"
        ):
            await check_payers(world.rpc, PAYER.pubkey(), lanes.payers, PARAMETERS)
        fund(world, OWN, 3_000_000)
        with capture_logs() as logs:
            facts = await check_payers(world.rpc, PAYER.pubkey(), lanes.payers, PARAMETERS)
        assert (10**9, True) == (facts.balance_lamports, facts.is_oracle_authority)
        assert [(3_000_000, ["liquidations"])] == [
            (line["balance_lamports"], line["lanes"])
            for line in logs
            if line["event"] == "payer.low"
        ]


async def test_roots_are_posted_from_the_payouts_lane_signed_by_the_authority_beside_its_payer(
    autojump_clock, tmp_path
):
    async with open_world() as world:
        lanes = open_lanes(world.kit, LanesConfig(), PAYER)
        assert ((), PAYER.pubkey()) == (lanes.posting.signers, lanes.posting.authority)
        own = keypair_file(tmp_path, OWN)
        lanes = open_lanes(world.kit, LanesConfig(), PAYER, incentives_authority=own)
        assert ((OWN,), OWN.pubkey()) == (lanes.posting.signers, lanes.posting.authority)
        assert () == lanes.payouts.signers
        assert lanes.posting.purse is lanes.payouts.purse
        assert lanes.posting.room is lanes.payouts.room
        with pytest.raises(KeypairError, match="nobody"):
            open_lanes(
                world.kit, LanesConfig(), PAYER, incentives_authority=tmp_path / "nobody.json"
            )


async def test_a_balance_that_cannot_be_read_stops_the_start_in_one_sentence(autojump_clock):
    async with open_world() as world:
        world.rpc.faults["get_balance"] = [RpcTimeout("no answer")]
        with pytest.raises(ClusterError, match="cannot be read: no answer"):
            await check_payers(world.rpc, PAYER.pubkey(), [], PARAMETERS)


async def test_balances_are_watched_through_silence_and_an_account_that_is_gone(autojump_clock):
    async with open_world() as world:
        lanes = open_lanes(world.kit, LanesConfig(), PAYER)
        (funds,) = lanes.payers
        world.rpc.faults["get_multiple_accounts"] = [RpcTimeout("silent")]
        fund(world, PAYER, 10**9)
        with capture_logs() as logs:
            world.nursery.start_soon(watch_balances, world.rpc, lanes.payers, 10.0)
            await trio.sleep(15)
            assert None is funds.balance_lamports
            await trio.sleep(10)
            assert 10**9 == funds.balance_lamports
            del world.rpc.accounts[PAYER.pubkey()]
            await trio.sleep(10)
            assert (0, False) == (funds.balance_lamports, funds.can_pay(5_000))
            fund(world, PAYER, 10**9)
            await trio.sleep(10)
            world.nursery.cancel_scope.cancel()
        told = [line["event"] for line in logs if line["event"].startswith("payer.")]
        assert ["payer.low", "payer.well_again"] == told


async def test_a_restart_counts_to_the_lamport_and_minute_what_the_last_process_would_have(
    autojump_clock,
):
    async with open_world() as world:
        kit = replace(world.kit, wall_ms=lambda: 1_800_000_000_000 + int(trio.current_time() * 1e3))
        config = LanesConfig()
        before = open_lanes(kit, config, PAYER)
        for number in range(12):
            lane = (before.prices, before.liquidations)[number % 2]
            assert isinstance(await ship(lane, shipment(number)), Landed)
            await trio.sleep(400)

        after = open_lanes(kit, config, PAYER)
        slot = world.cluster.slot
        minute, from_slot = day_before(slot, slot_ms=kit.slot_ms, wall_ms=kit.wall_ms)
        rows = await kit.attempts.spent(from_minute=minute, from_slot=from_slot)
        count_spent(after, rows, slot)
        for _ in range(30):
            for old, new in zip(before, after, strict=True):
                for period in ("hour", "day"):
                    spent = [
                        lane.purse.spend.spent_lamports(period, trio.current_time())
                        for lane in (old, new)
                    ]
                    # Two clocks round to the minute apart; the later start never counts less.
                    assert spent[0] <= spent[1] <= spent[0] + 6_000
            await trio.sleep(300)
        assert 0 == after.prices.purse.spend.spent_lamports("hour", trio.current_time())
        assert 36_000 == after.prices.purse.spend.spent_lamports("day", trio.current_time())


async def test_the_report_names_each_lanes_spend_caps_and_payer(autojump_clock):
    async with open_world() as world:
        lanes = open_lanes(world.kit, LanesConfig(), PAYER)
        lanes.payers[0].note_balance(10**9)
        await ship(lanes.chains, shipment(1))
        found = spend_json(lanes)
        assert ["prices", "liquidations", "chains", "payouts", "tables"] == list(found)
        assert {
            "hour_lamports": 6_000,
            "hour_max_lamports": 100_000_000,
            "day_lamports": 6_000,
            "day_max_lamports": 1_000_000_000,
            "hour_loss_lamports": 6_000,
            "bid_level_bps": 10_000,
            "payer": str(PAYER.pubkey()),
            "balance_lamports": 10**9,
        } == found["chains"]
