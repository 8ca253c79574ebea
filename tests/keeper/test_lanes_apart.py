"""A flood in one lane leaves the others' latency as it was: shown on a virtual clock, where only waiting takes time."""

import trio
from scripted import PAYER, open_world
from solders.pubkey import Pubkey

from keeper.execute import Shipment, job_refs, open_lane, ship
from keeper.fees import FeePolicy
from keeper.purse import Purse
from keeper.spend import Spend
from programs.outcomes import Landed
from tests.fakes import SLOT_S, job_instruction

FLOOD = 300
SEND_S = 0.4
"""Of one send: the flood alone keeps every place busy for seconds."""
FACTS_S = 0.3


def lane_of(world, name):
    policy = FeePolicy(loss_max_lamports=100_000)
    purse = Purse(policy=policy, spend=Spend(10**12), losses=Spend(10**12))
    return open_lane(world.kit, name, PAYER, purse)


def shipment(name, number):
    target = Pubkey(number.to_bytes(32, "little"))
    return Shipment(
        jobs=job_refs(name, [(target, "once")]),
        due_at_s=(),
        instructions=(job_instruction(f"{name} {number}"),),
        cu_limit=100_000,
        loaded_bytes=32 << 10,
    )


async def sparse_latency_s(*, flood):
    """How long a lane's transaction takes while another lane has so many on their way, and how many still wait then."""
    async with open_world() as world:
        world.rpc.faults["send_transaction"] = [SEND_S] * 10_000
        world.rpc.faults["get_transaction"] = [FACTS_S] * 10_000
        sparse, flooding = lane_of(world, "sparse"), lane_of(world, "flood")
        await ship(sparse, shipment("sparse", 0))
        for number in range(flood):
            world.nursery.start_soon(ship, flooding, shipment("flood", number))
        # The flood's first sends are on their way, and the rest of it waits.
        await trio.sleep(SEND_S / 2)
        began_s = trio.current_time()
        assert isinstance(await ship(sparse, shipment("sparse", 1)), Landed)
        taken_s = trio.current_time() - began_s
        waiting = flood - world.tally.landed["flood"]
        world.nursery.cancel_scope.cancel()
        return taken_s, waiting


async def test_a_flood_of_one_lane_delays_another_by_no_more_than_one_send(autojump_clock):
    quiet_s, _ = await sparse_latency_s(flood=0)
    beside_s, waiting = await sparse_latency_s(flood=FLOOD)

    assert waiting > FLOOD // 4, "the flood was over before the sample"
    # The place it waits for is the next that is free, and a status is read once a slot.
    assert beside_s <= quiet_s + SEND_S + SLOT_S
