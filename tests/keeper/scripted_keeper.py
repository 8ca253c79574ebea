"""A keeper without its sockets, on a virtual clock over a scripted cluster: everything inside `follow_transactions` is real."""

from dataclasses import replace
from functools import partial
from pathlib import Path

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
from keeper.reload import Settings
from keeper.sandbox.config import SandboxConfig
from keeper.work import Work
from programs.accounts import Global
from programs.addresses import global_address
from state.errors import StateDiskFull
from state.in_loop import InLoopStore
from tests.fakes import FakeRpc, ScriptedCluster

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
        self.work_of_run = Work(
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
        return self.work_of_run

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
