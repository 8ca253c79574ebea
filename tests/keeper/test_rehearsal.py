"""keeper/rehearsal.py and keeper/shadow.py, on a virtual clock over a scripted cluster."""

import json
from dataclasses import replace

import pytest
import trio
from scripted import PAYER, PROGRAM, lane_of, open_world
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.execute import Shipment, job_refs, ship
from keeper.rehearsal import REST_SLOTS, Rehearsal, Rehearsed
from keeper.shadow import Shadow, open_shadow, watch_landings
from keeper.shadow_report import MalformedShadowError, compare
from programs.outcomes import Landed
from programs.rpc import RpcTimeout
from tests.fakes import SLOT_S

TARGETS = [Pubkey(bytes([number] * 32)) for number in (1, 2, 3)]


def shipment(targets, effect="shares=1", tag=b"\x07"):
    """Work on some targets, as the program would be asked for it."""
    metas = [AccountMeta(each, is_signer=False, is_writable=True) for each in targets]
    return Shipment(
        jobs=job_refs("do", [(each, effect) for each in targets]),
        due_at_s=(trio.current_time(),) * len(targets),
        instructions=(Instruction(PROGRAM, tag, metas),),
        cu_limit=100_000,
        loaded_bytes=32 << 10,
    )


def rehearsing(world, witness=None):
    """A lane that sends nothing, of the same keeper as the world's."""
    return lane_of(replace(world.kit, rehearsal=Rehearsal(witness=witness)), "prices")


async def test_nothing_is_sent_or_recorded_and_what_would_be_is_counted(autojump_clock):
    async with open_world() as world:
        lane = rehearsing(world)
        ended = await ship(lane, shipment(TARGETS))

        assert isinstance(ended, Rehearsed)
        assert {} == world.cluster.received
        assert [(0,)] == world.rows("SELECT count(*) FROM attempt")
        counts = lane.kit.rehearsal.by_lane["prices"]
        assert (1, 3, 1) == (counts.transactions, counts.jobs, counts.simulated_well)
        assert counts.fees_lamports > 5_000
        # The caps count it, the payer's balance does not.
        assert counts.fees_lamports == lane.purse.spend.spent_lamports("hour", trio.current_time())


async def test_the_same_need_is_rehearsed_once_and_a_changed_one_after_its_rest(autojump_clock):
    async with open_world() as world:
        lane = rehearsing(world)
        counts = lane.kit.rehearsal.by_lane
        for _ in range(3):
            await ship(lane, shipment(TARGETS))
        await ship(lane, shipment(TARGETS, effect="shares=2"))
        assert 1 == counts["prices"].transactions
        await trio.sleep((REST_SLOTS + 3) * SLOT_S)
        await ship(lane, shipment(TARGETS))
        assert 1 == counts["prices"].transactions
        await ship(lane, shipment(TARGETS, effect="shares=2"))
        assert (2, 6) == (counts["prices"].transactions, counts["prices"].jobs)


async def test_how_a_simulation_ended_is_told(autojump_clock):
    async with open_world() as world:
        lane = rehearsing(world)
        world.cluster.judge = lambda _data, _accounts: {"InstructionError": [3, {"Custom": 6}]}
        await ship(lane, shipment(TARGETS[:1]))
        world.rpc.faults["simulate_transaction"] = [RpcTimeout("late")]
        await ship(lane, shipment(TARGETS[1:2]))
        counts = lane.kit.rehearsal.by_lane["prices"]
        assert (0, 1, 1) == (counts.simulated_well, counts.simulated_badly, counts.unsimulated)


async def shadowed(world, path):
    """Decide on every target; let the keeper at work land one, a stranger one, and our key a fourth."""
    shadow = Shadow(open_shadow(path), PROGRAM)
    lane = rehearsing(world, shadow)
    await ship(lane, shipment(TARGETS))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_landings, world.rpc, shadow, [PAYER.pubkey()], 0, 10 * SLOT_S)
        working = lane_of(world.kit, "prices")
        assert isinstance(await ship(working, shipment(TARGETS[:1])), Landed)
        assert isinstance(await ship(working, shipment([Pubkey(bytes([9] * 32))])), Landed)
        stranger = lane_of(world.kit, "prices", payer=Keypair.from_seed(bytes([6] * 32)))
        assert isinstance(await ship(stranger, shipment(TARGETS[1:2])), Landed)
        await trio.sleep(60 * SLOT_S)
        nursery.cancel_scope.cancel()
    shadow.file.close()
    return path.read_text().splitlines()


async def test_a_shadow_is_compared_with_what_landed(autojump_clock, tmp_path):
    async with open_world() as world:
        lines = await shadowed(world, tmp_path / "shadow.jsonl")
    decision = json.loads(lines[0])
    found = compare(lines)

    assert [str(each) for each in TARGETS] == [job["target"] for job in decision["jobs"]]
    assert 7 == decision["tag"]
    lane = found.lanes["prices"]
    assert (3, 1, 1, 1) == (lane.jobs, lane.met_by_our_key, lane.met_by_others, lane.unmet)
    assert 0 <= lane.slots_later_p50 <= lane.slots_later_p99 < 20
    # The keeper at work landed what the shadow never thought of.
    assert 1 == found.missed_count
    json.dumps(found.as_json())


async def test_a_file_cut_short_loses_its_last_line_only_and_another_file_is_refused(
    autojump_clock, tmp_path
):
    async with open_world() as world:
        lines = await shadowed(world, tmp_path / "shadow.jsonl")
    found = compare([*lines, lines[-1][:40]])
    assert 1 == found.lines_unread
    assert 3 == found.lanes["prices"].jobs
    with pytest.raises(MalformedShadowError, match="line 1 is 'run_s'"):
        compare(["run_s"])


def test_a_full_disk_or_a_full_share_of_it_ends_the_file_and_nothing_else(tmp_path):
    file = open_shadow(tmp_path / "shadow.jsonl", bytes_max=30)
    for number in range(5):
        file.write({"kind": "would_send", "number": number})
    assert [] == (tmp_path / "shadow.jsonl").read_text().splitlines()[1:]
    full = open_shadow("/dev/full")
    full.write({"kind": "would_send"})
    full.write({"kind": "would_send"})
