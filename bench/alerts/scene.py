"""Where a cause is played on the virtual clock: the network, the venue, the whole keeper, and the monitor's rules over it.

Shell. Everything is a drill's; a script here may also break the network, the keys, and the keeper itself.
"""

import json
import logging
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.keypair import Keypair

from bench.alerts.cause import Clock, Course
from bench.alerts.settings import with_keys
from keeper.drills.alarms import DrillMonitor
from keeper.drills.chain_log import ChainLog
from keeper.drills.child import KeeperChild
from keeper.drills.keeper_task import KeeperTask
from keeper.drills.machine import KeeperUnderDrill, Machine, real_machine
from keeper.drills.memory_net import MemoryNet
from keeper.drills.model import PhaseName
from keeper.drills.platform import PROGRAM
from keeper.drills.repeatable import make_repeatable
from keeper.drills.scenario import Settings
from keeper.drills.stage import WorldStage
from keeper.drills.virtual_clock import VirtualClock, pass_time
from keeper.drills.virtual_machine import virtual_machine
from keeper.drills.world import World, keeper_toml, run_world
from keeper.monitor.view import INCENTIVES, KEEPER
from keeper.sandbox.cast import Cast, cast_of
from keeper.sandbox.wallet import Deed, land_all, wait_confirmed
from keeper.snapshot import take_markets
from programs.localnet.bank import Bank
from programs.rpc import Rpc
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from state.in_loop import InLoopStores
from state.metrics import Metric

SEED: Final = 1
SETTLES_WITHIN_S: Final = 120.0
CALM_S: Final = 20.0
"""Played before anything is wrong."""
_PATIENCE_S: Final = 900.0
"""Virtual: a rule that has not fired or ended by then never will."""
_QUIET_WITHIN_S: Final = 1_800.0


@dataclass(slots=True, kw_only=True)
class Scene:
    """One cause while it is played."""

    rule: str
    world: World
    stage: WorldStage
    monitor: DrillMonitor
    keeper: KeeperUnderDrill
    rpc: Rpc
    """Of everybody else: an endpoint that nothing goes wrong with."""
    nursery: trio.Nursery
    """Ends with the scene."""
    folder: Path
    cast: Cast = field(default_factory=lambda: cast_of(SEED))
    caused_s: float = float("inf")
    mended_s: float = float("inf")

    @property
    def task(self) -> KeeperTask:
        """The keeper, where it is a task of this loop."""
        assert isinstance(self.keeper, KeeperTask), "asked for on the virtual clock only"
        return self.keeper

    @property
    def child(self) -> KeeperChild:
        """The keeper, where it is a process."""
        assert isinstance(self.keeper, KeeperChild), "asked for on this machine's clock only"
        return self.keeper

    @property
    def bank(self) -> Bank:
        """The chain."""
        return self.world.localnet.bank

    @property
    def payer(self) -> Keypair:
        """The keeper's own key."""
        return self.world.platform.keeper

    def cause(self) -> None:
        """Say that it begins to be wrong now."""
        self.caused_s = self.monitor.now_s()

    def mend(self) -> None:
        """Say that it is right again from now on."""
        self.mended_s = self.monitor.now_s()

    def configure(self, section: str, **keys: int | str) -> None:
        """Let keeper.toml have other keys in a section, and the keeper read it again."""
        settings = with_keys(self.stage.settings, section, **keys)
        write_config(self.world, settings, self.folder)
        self.task.reread()

    def figure(self, metric: Metric, *labels: str) -> float:
        """Return what the keeper told last of a metric; 0 for nothing."""
        return self.monitor.figure(KEEPER, metric, *labels) or 0.0

    async def land(self, *deeds: Deed) -> None:
        """Let others than the keeper do something to the chain.

        Raises:
            SandboxError: the chain refused it.
        """
        await land_all(self.rpc, deeds)

    async def fires(self, rule: str = "", within_s: float = _PATIENCE_S) -> None:
        """Wait until the rule, or another one, fires; not for ever."""
        with trio.move_on_after(within_s):
            while not self.monitor.fired(rule or self.rule):  # noqa: ASYNC110 - an alert sets no event
                await trio.sleep(1.0)

    async def fires_while(self, disturb: Callable[[], Awaitable[None]]) -> None:
        """Let something go on until the rule fires, or never will."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(disturb)
            await self.fires()
            nursery.cancel_scope.cancel(reason="it fires")

    async def is_over(self, within_s: float = _PATIENCE_S) -> None:
        """Wait until the rule fires no more; not for ever."""
        with trio.move_on_after(within_s):
            while self.monitor.fires(self.rule):  # noqa: ASYNC110 - an alert sets no event
                await trio.sleep(1.0)


Script = Callable[[Scene], Awaitable[None]]
"""Begins when everything is calm: causes, waits, and mends."""
Preparation = Callable[[World, Path], None]
"""What is different before the keeper starts: accounts, and key files beside keeper.toml."""


def on_stage(
    rule: str,
    script: Script,
    settings: Settings,
    *,
    prepare: Preparation | None = None,
) -> Callable[[], Course]:
    """Return a cause's run: a world with these settings, a keeper in it, calm at first, then the script."""

    def run() -> Course:
        make_repeatable(SEED)
        _say_nothing()
        clock = VirtualClock()
        return trio.run(
            partial(_run_virtually, rule, script, settings, prepare, clock), clock=clock
        )

    return run


def on_machine(rule: str, script: Script, settings: Settings) -> Callable[[], Course]:
    """Return a cause's run for real: a keeper that is a process, on this machine's sockets, disk and clock."""

    def run() -> Course:
        _say_nothing()
        return trio.run(_run, rule, script, settings, None, real_machine())

    return run


def _say_nothing() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


async def _run_virtually(
    rule: str,
    script: Script,
    settings: Settings,
    prepare: Preparation | None,
    clock: VirtualClock,
) -> Course:
    stores = InLoopStores()
    with MemoryNet().plugged_in():
        async with trio.open_nursery() as passing:
            await passing.start(pass_time, clock)
            machine = virtual_machine(SEED, stores)
            course = await _run(rule, script, settings, prepare, machine)
            passing.cancel_scope.cancel(reason="the cause is over")
    stores.close()
    return course


async def _run(
    rule: str,
    script: Script,
    settings: Settings,
    prepare: Preparation | None,
    machine: Machine,
) -> Course:
    async with _open_scene(rule, settings, prepare, machine) as scene:
        await scene.stage.settle(within_s=SETTLES_WITHIN_S)
        await scene.stage.hold(CALM_S)
        await script(scene)
        await scene.is_over()
        if machine.is_virtual:
            with trio.move_on_after(_QUIET_WITHIN_S):
                await scene.monitor.wait_quiet()
    return Course(
        clock=Clock.VIRTUAL if machine.is_virtual else Clock.REAL,
        caused_s=scene.caused_s,
        mended_s=scene.mended_s,
        alarms=tuple(scene.monitor.alarms),
    )


@asynccontextmanager
async def _open_scene(
    rule: str,
    settings: Settings,
    prepare: Preparation | None,
    machine: Machine,
) -> AsyncGenerator[Scene]:
    with tempfile.TemporaryDirectory(prefix="alert-cause-") as name:
        folder = Path(name)
        async with trio.open_nursery() as nursery:
            world: World = await nursery.start(run_world, settings, machine, folder)
            if prepare is not None:
                prepare(world, folder)
                async with open_rpc([world.localnet.quiet.url], RpcSettings()) as rpc:
                    await wait_confirmed(rpc)
            started_s = trio.current_time()
            monitor = DrillMonitor(
                slot_s=settings.slot_s,
                now_s=lambda: trio.current_time() - started_s,
                wall_ms=machine.wall_ms,
                services=(KEEPER, INCENTIVES),
            )
            keeper = machine.make_keeper(
                config=write_config(world, settings, folder),
                recording=folder / "recording.jsonl",
                monitor=monitor,
            )
            stage = _stage(world, settings, keeper, nursery)
            await nursery.start(keeper.live)
            nursery.start_soon(stage.watch)
            nursery.start_soon(monitor.watch)
            if not machine.is_virtual:
                nursery.start_soon(monitor.listen, folder / "state")
            async with open_rpc([world.localnet.quiet.url], RpcSettings()) as rpc:
                yield Scene(
                    rule=rule,
                    world=world,
                    stage=stage,
                    monitor=monitor,
                    keeper=keeper,
                    rpc=rpc,
                    nursery=nursery,
                    folder=folder,
                )
                await keeper.end()
            nursery.cancel_scope.cancel(reason="the cause is over")


def _stage(
    world: World, settings: Settings, keeper: KeeperUnderDrill, nursery: trio.Nursery
) -> WorldStage:
    bank = world.localnet.bank
    found = [(bytes(address), each.data) for address, each in bank.program_accounts(PROGRAM)]
    markets, _ = take_markets(found)

    async def restart(down_s: float) -> None:
        await keeper.kill()
        await trio.sleep(down_s)
        await nursery.start(keeper.live)

    stage = WorldStage(
        settings=settings,
        house=world.house,
        doors=world.doors,
        bank=bank,
        places=world.platform.places,
        chain=ChainLog(program=PROGRAM, markets={each: markets[each] for each in markets}),
        payer=world.platform.keeper.pubkey(),
        restart=restart,
    )
    stage.begin(PhaseName.BEFORE)
    return stage


def write_config(world: World, settings: Settings, folder: Path) -> Path:
    """Write the keeper's configuration and its key."""
    keypair = folder / "keeper.json"
    write_key(keypair, world.platform.keeper)
    path = folder / "keeper.toml"
    path.write_text(keeper_toml(world, settings, keypair, folder / "state"))
    return path


def write_key(path: Path, key: Keypair) -> None:
    """Write a keypair file."""
    path.write_text(json.dumps(list(bytes(key))))
    path.chmod(0o600)
