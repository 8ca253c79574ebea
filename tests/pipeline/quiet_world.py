"""A founded platform without actors, on a network and behind sockets that a test can break.

The network and the venue run in a thread of the test's process, so that a test can plant accounts that no program would
write; the keeper under test is a process of its own and reaches them over sockets.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.prices.feed_config import FeedConfig
from keeper.sandbox.cast import PROGRAM_KEY, cast_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.founding import ADMIN_LAMPORTS, found_platform
from keeper.sandbox.listings import find_markets
from keeper.sandbox.venue.serve import serve_venue
from keeper.sandbox.venue.venue import VenueConfig
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

SLOT_MS = 50
PROGRAM = PROGRAM_KEY.pubkey()
SETTINGS = SandboxConfig(markets=2, active_markets_max=0, slot_ms=SLOT_MS, stake_usd=0)


@dataclass
class Gate:
    """A TCP port in front of another; `target` None refuses, as a dead endpoint does."""

    target: int | None
    port: int = 0
    cuts: bytes | None = None
    """A connection that carries these bytes is cut."""
    scopes: set[trio.CancelScope] = field(default_factory=set)

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._pass, listeners)

    async def _pass(self, client):
        if self.target is None:
            return
        with trio.CancelScope() as scope:
            self.scopes.add(scope)
            try:
                server = await trio.open_tcp_stream("127.0.0.1", self.target)
                async with client, server, trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump, client, server, scope)
                    nursery.start_soon(self._pump, server, client, scope)
            except OSError:
                pass
            finally:
                self.scopes.discard(scope)

    async def _pump(self, source, sink, scope):
        try:
            async for chunk in source:
                if self.cuts is not None and self.cuts in chunk:
                    break
                await sink.send_all(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

    def turn(self, target):
        """Point somewhere else, and cut what is open."""
        self.target = target
        for scope in self.scopes:
            scope.cancel()


@dataclass
class QuietWorld:
    """What a test gets hold of."""

    keeper: Keypair
    bank: Bank
    rpc_port: int
    venue_port: int
    gate: Gate
    """Before the network."""
    venue_gate: Gate
    token: trio.lowlevel.TrioToken

    def do(self, function, *arguments):
        """Call something of the world's in its own thread."""
        return trio.from_thread.run_sync(function, *arguments, trio_token=self.token)

    def set_account(self, address: Pubkey, account):
        self.do(self.bank.set_account, address, account)

    def account(self, address: Pubkey):
        return self.do(self.bank.account, address)


async def _run(boxed, ready, seed, is_founded):
    keeper = Keypair.from_seed(b"k" * 32)
    cast = cast_of(1)
    config = LocalnetConfig(
        port=0,
        bank=BankConfig(
            # Its own genesis: keepers of tests side by side must not find the payer taken.
            seed=seed + 1_000 * os.getpid(),
            slot_ms=SLOT_MS,
            confirmed_slots=1,
            finality_slots=4,
            genesis_unix_s=0,
        ),
        programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
        airdrops=((cast.admin.address, ADMIN_LAMPORTS),),
    )
    async with trio.open_nursery() as nursery:
        localnet = await nursery.start(serve, config)
        venue_url = await nursery.start(serve_venue, VenueConfig(markets=2, port=0))
        gate = Gate(localnet.port)
        venue_gate = Gate(int(venue_url.rpartition(":")[2]))
        await nursery.start(gate.serve)
        await nursery.start(venue_gate.serve)
        if is_founded:
            seeds = await find_markets(FeedConfig(clob_url=venue_url, gamma_url=venue_url), None)
            async with open_rpc([localnet.url], RpcSettings()) as rpc:
                await found_platform(rpc, SETTINGS, cast, keeper, seeds)
        boxed["world"] = QuietWorld(
            keeper=keeper,
            bank=localnet.bank,
            rpc_port=localnet.port,
            venue_port=int(venue_url.rpartition(":")[2]),
            gate=gate,
            venue_gate=venue_gate,
            token=trio.lowlevel.current_trio_token(),
        )
        boxed["scope"] = nursery.cancel_scope
        ready.set()


@contextmanager
def quiet_world(*, seed: int = 1, is_founded: bool = True) -> Iterator[QuietWorld]:
    """Run a world until the block ends."""
    boxed, ready = {}, Event()

    def main():
        try:
            trio.run(_run, boxed, ready, seed, is_founded)
        finally:
            ready.set()

    thread = Thread(target=main)
    thread.start()
    ready.wait()
    try:
        yield boxed["world"]
    finally:
        if "scope" in boxed:
            boxed["world"].do(boxed["scope"].cancel)
        thread.join()


def write_keypair(path, keypair, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(bytes(keypair))))
    path.chmod(mode)
    return path
