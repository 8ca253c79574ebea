"""keeper/lifetimes.py: the nurseries, on a virtual clock over a scripted cluster. Whole processes: tests/pipeline."""

from dataclasses import replace

import pytest
import trio
from scripted_keeper import CONFIG, Keeper
from structlog.testing import capture_logs

from keeper.interrupt import Orders
from keeper.options import RunOptions
from keeper.rehearsal import LaneRehearsal, Rehearsal
from state.errors import StateDiskFull
from tests.fakes import SLOT_S, signed_batch


async def test_a_run_of_fixed_length_ends_by_itself_and_leaves_nothing_open(autojump_clock):
    keeper = Keeper()
    await keeper.work(for_s=5.0)

    assert keeper.orders.stop.is_set()
    assert keeper.took_s < 5.0 + 6 * SLOT_S
    assert keeper.states()
    assert {"landed"} == {state for _, state in keeper.states()}
    assert 3 <= keeper.kit.tally.jobs_landed["liquidations"]
    keeper.store.close()


async def test_a_stop_drains_what_is_in_flight(autojump_clock):
    keeper = Keeper()
    keeper.cluster.drops = 2  # the first send is lost: it lands with the second or third
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.work)
        await keeper.orders.working.wait()
        await trio.sleep(3 * SLOT_S)
        assert {"open"} == {state for _, state in keeper.states()}
        keeper.orders.stop.set()

    assert {"landed"} == {state for _, state in keeper.states()}
    keeper.store.close()


async def test_the_drain_ends_at_its_deadline_and_what_is_open_stays_in_the_database(
    autojump_clock,
):
    keeper = Keeper()
    keeper.cluster.drops = 10_000
    with capture_logs() as logs:
        await keeper.work(for_s=5.0)

    (waits,) = [line for line in logs if line["event"] == "drain.waits"]
    assert (waits["at_most_s"], waits["jobs_in_flight"] > 0) == (20, True)
    assert pytest.approx(25.0, abs=3 * SLOT_S) == keeper.took_s
    assert {"open"} == {state for _, state in keeper.states()}
    keeper.store.close()


async def test_what_an_earlier_run_left_open_is_settled_before_any_new_work(autojump_clock):
    keeper = Keeper()
    left = signed_batch(keeper.cluster, "left")
    await keeper.kit.attempts.record_attempt(left)
    keeper.cluster.receive(left.wire)
    await keeper.work(for_s=5.0)

    assert 1 == keeper.kit.tally.settled_attempts
    first, *later = keeper.states()
    assert ("liquidations", "landed") == first
    assert later
    # Sent once by the earlier run: the chain had it, and was asked first.
    assert 1 == keeper.cluster.sends[left.transaction.signature]
    keeper.store.close()


async def test_a_full_disk_ends_the_run_whole_and_at_once(autojump_clock):
    keeper = Keeper()

    async def fill():
        await keeper.orders.working.wait()
        keeper.store.is_full = True

    with pytest.RaisesGroup(StateDiskFull, flatten_subgroups=True, allow_unwrapped=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fill)
            await keeper.work()
    assert keeper.took_s < 10 * SLOT_S
    # What could not be recorded was not sent.
    assert {} == keeper.cluster.received
    keeper.store.close()


@pytest.mark.parametrize(
    "method", ["get_program_accounts", "get_signature_statuses", "get_latest_blockhash"]
)
async def test_a_stage_that_breaks_ends_the_run_whole_and_at_once(autojump_clock, method):
    keeper = Keeper()

    class BrokenError(Exception):
        pass

    async def break_down():
        await keeper.orders.working.wait()
        keeper.rpc.faults[method] = [BrokenError()]

    with pytest.RaisesGroup(BrokenError, flatten_subgroups=True, allow_unwrapped=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(break_down)
            await keeper.work()
    assert keeper.took_s < 10 * SLOT_S
    keeper.store.close()


async def test_a_key_without_authority_posts_nothing_and_liquidates_all_the_same(autojump_clock):
    keeper = Keeper(is_oracle_authority=False)
    await keeper.work(for_s=15.0)

    assert {"liquidations"} == {lane for lane, _ in keeper.states()}
    assert 1 == keeper.kit.tally.refusals["prices.not_the_oracle_authority"]
    keeper.store.close()


async def test_a_run_that_sends_nothing_or_drains_is_marked_as_such(autojump_clock):
    keeper = Keeper()
    keeper.orders.stop.set()
    options = RunOptions(is_once=True)
    work = keeper.made(options, CONFIG)
    assert ["one round", "draining: 0 jobs in flight, for 20 s at most"] == [
        mark.partition(";")[0] for mark in work.marks()
    ]
    work = replace(work, kit=replace(work.kit, rehearsal=Rehearsal()), orders=Orders())
    work.kit.rehearsal.by_lane["prices"] = LaneRehearsal(transactions=2, jobs=9, simulated_badly=1)
    nothing = "nothing is sent; would have been: 2 transactions with 9 jobs, 1 simulated badly"
    assert [f"dry run: {nothing}", "one round"] == work.marks()
    keeper.store.close()
