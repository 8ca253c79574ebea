"""keeper/watch.py, on a virtual clock over a scripted cluster."""

import trio
from scripted import kit_over, market_row, position_row, put_platform

from keeper.newest import Newest
from keeper.watch import ScanPace, watch_chain
from programs.addresses import vault_address
from programs.rpc import RpcTimeout
from state.in_loop import InLoopStore
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster


class Watched:
    """A chain that is watched every two slots."""

    def __init__(self):
        self.cluster = ScriptedCluster(trio.current_time)
        self.rpc, self.store, self.chain = FakeRpc(self.cluster), InLoopStore(), Newest()
        self.kit = kit_over(self.rpc, self.store)
        slot = self.cluster.slot
        self.malformed = market_row(1, slot=slot)[0], b"\x03\x01"
        put_platform(
            self.rpc,
            markets=[market_row(0, slot=slot), self.malformed],
            positions=[position_row(number) for number in range(3)],
        )

    async def during(self, slots):
        with trio.move_on_after((slots - 0.5) * SLOT_S):
            kit = self.kit
            pace = ScanPace(interval_s=2 * kit.slot_s, calm_interval_s=25 * kit.slot_s)
            await watch_chain(kit.rpc, kit.program, kit.tally, pace, self.chain)
        self.store.close()
        return self.kit.tally


async def test_every_scan_is_published_and_counted(autojump_clock):
    watched = Watched()
    tally = await watched.during(6)

    assert 3 == watched.chain.sequence == tally.scans
    assert (3, 9, 1_004) == (tally.positions_now, tally.positions_scanned, tally.scan_slot)
    # The same broken account is one, however often it is seen.
    assert {"wrong_length": 1} == tally.accounts_skipped


async def test_an_unanswered_scan_is_tried_again_at_the_next_interval(autojump_clock):
    watched = Watched()
    watched.rpc.faults["get_program_accounts"] = [RpcTimeout("silent")] * 2
    tally = await watched.during(6)

    assert (1, 1) == (watched.chain.sequence, tally.scans)
    assert {"scan.unanswered": 2} == tally.refusals


async def test_a_node_without_the_platform_is_not_believed_and_not_fatal(autojump_clock):
    watched = Watched()
    del watched.rpc.accounts[vault_address(watched.kit.program)[0]]
    tally = await watched.during(4)

    assert {"scan.platform_missing": 2} == tally.refusals
    assert 0 == watched.chain.sequence


async def test_a_lagging_node_does_not_turn_the_clock_back(autojump_clock):
    watched = Watched()

    async def lag():
        await trio.sleep(1.5 * SLOT_S)
        watched.cluster.first_slot -= 10
        await trio.sleep(2 * SLOT_S)
        watched.cluster.first_slot += 10

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag)
        tally = await watched.during(6)

    assert {"scan.older_than_the_last": 1} == tally.refusals
    assert (2, 1_004) == (watched.chain.sequence, tally.scan_slot)


async def test_a_slow_scan_is_followed_by_one_at_once_and_not_by_all_it_missed(autojump_clock):
    watched = Watched()
    watched.rpc.faults["get_program_accounts"] = [5 * SLOT_S]
    tally = await watched.during(8)

    assert 3 == tally.scans  # ended after 5 slots, begun again then, and in step from there
