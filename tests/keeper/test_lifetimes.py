"""keeper/lifetimes.py: the nurseries, on a virtual clock over a scripted cluster. Whole processes: tests/pipeline."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from scripted import (
    GENESIS,
    PAYER,
    PROGRAM,
    account_of,
    kit_over,
    market_row,
    position_row,
    put_platform,
    token_of,
)
from spl.token.instructions import get_associated_token_address
from structlog.testing import capture_logs

from keeper.cluster import ClusterFacts
from keeper.cluster_config import ClusterConfig
from keeper.config import Config, KeysConfig, LandingConfig, StateConfig
from keeper.interrupt import Orders
from keeper.lanes import open_lanes
from keeper.lifetimes import follow_transactions
from keeper.options import RunOptions
from keeper.payer import PayerFacts
from keeper.prices.board import PriceBoard
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import Price, PriceClass, Reason, Source
from keeper.rehearsal import LaneRehearsal, Rehearsal
from keeper.reload import Settings
from keeper.sandbox.config import SandboxConfig
from keeper.work import Work
from programs.accounts import Global
from programs.addresses import global_address
from state.errors import StateDiskFull
from state.in_loop import InLoopStore
from tests.fakes import SLOT_S, FakeRpc, ScriptedCluster, signed_batch

NOWHERE = "http://127.0.0.1:9"
CONFIG = Config(
    cluster=ClusterConfig(rpc_urls=(NOWHERE,), program_id=PROGRAM),
    keys=KeysConfig(keeper=Path("key")),
    state=StateConfig(folder=Path()),
    landing=LandingConfig(drain_s=20),
    sandbox=SandboxConfig(enabled=False),
)


def at_venue(port):
    """The configuration with its venue at a port."""
    url = f"http://127.0.0.1:{port}"
    venue = FeedConfig(clob_url=url, gamma_url=url, stream_url=f"ws://127.0.0.1:{port}")
    return replace(CONFIG, polymarket=venue)


async def tell_the_time(stream):
    """A venue that has a clock and nothing else."""
    async with stream:
        await stream.receive_some()
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n"
            b"connection: close\r\n\r\n1700000000"
        )


class FullDisk(InLoopStore):
    """A store whose disk is full from some moment on."""

    is_full = False

    async def transaction(self, work):
        if self.is_full:
            raise StateDiskFull(Path("keeper.db"))
        return await super().transaction(work)


class Keeper:
    """A keeper without its sockets: everything inside `follow_transactions` is real."""

    def __init__(self, *, is_oracle_authority=True):
        self.cluster = ScriptedCluster(trio.current_time)
        self.rpc, self.store = FakeRpc(self.cluster), FullDisk()
        self.kit = kit_over(self.rpc, self.store)
        self.orders = Orders()
        self.payer = PayerFacts(
            address=PAYER.pubkey(),
            balance_lamports=10**9,
            is_oracle_authority=is_oracle_authority,
        )
        slot = self.cluster.slot
        put_platform(
            self.rpc,
            markets=[market_row(0, slot=slot)],
            positions=[position_row(number) for number in range(3)],
        )
        bounties = get_associated_token_address(PAYER.pubkey(), self.kit.quote_mint)
        self.rpc.accounts[bounties] = account_of(b"")
        self.facts = ClusterFacts(
            slot=0,
            genesis_hash=GENESIS,
            program=PROGRAM,
            program_sha256="",
            upgrade_authority=None,
            parameters=Global.from_bytes(self.rpc.accounts[global_address(PROGRAM)[0]].data),
        )
        self.board = PriceBoard()
        self.board.publish(
            Price(
                token_id=token_of(0),
                price_e6=500_000,
                band_e6=0,
                price_class=PriceClass.VALID,
                source=Source.CLOB,
                received_at_s=trio.current_time(),
                content_time_ms=None,
                reason=Reason.OK,
            )
        )

    def made(self, options, config):
        """What the tasks have in common."""
        return Work(
            settings=Settings(config, CONFIG),
            options=options,
            kit=self.kit,
            lanes=open_lanes(self.kit, CONFIG.lanes, PAYER),
            facts=self.facts,
            payer=self.payer,
            board=self.board,
            orders=self.orders,
            store=self.store,
        )

    async def work(self, *, for_s=None):
        """Run, and return how long it took."""
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(
                partial(trio.serve_tcp, tell_the_time, 0, host="127.0.0.1")
            )
            port = listener.socket.getsockname()[1]
            before_s = trio.current_time()
            try:
                await follow_transactions(self.made(RunOptions(for_s=for_s), at_venue(port)))
            finally:
                self.took_s = trio.current_time() - before_s
            nursery.cancel_scope.cancel()

    def states(self):
        return self.store.db.conn.execute("SELECT lane, state FROM attempt").fetchall()


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
