"""A scene of platform life: a drill's world on the virtual clock, both services in it, the monitor's rules over them.

Shell.
"""

import math
import os
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from bench.alerts.scene import write_config
from bench.life.ledger import RULES, Follower
from incentives.telemetry import SERVICE
from keeper.drills.alarms import DrillMonitor
from keeper.drills.keeper_task import KeeperTask
from keeper.drills.machine import Machine
from keeper.drills.memory_net import MemoryNet
from keeper.drills.model import Notice
from keeper.drills.repeatable import make_repeatable
from keeper.drills.scenario import Settings
from keeper.drills.virtual_clock import VirtualClock, pass_time
from keeper.drills.virtual_machine import virtual_machine
from keeper.drills.world import World, run_world
from keeper.monitor.view import KEEPER
from programs.rpc import Rpc
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from state.in_loop import InLoopStores

SEED = 1
"""Of the drill's cast."""
FINAL_SLOTS = 20
"""After which the founding is finalized: the ledger believes nothing else."""


@dataclass(slots=True, kw_only=True)
class Life:
    """One platform while it lives."""

    machine: Machine
    world: World
    monitor: DrillMonitor
    keeper: KeeperTask
    follower: Follower
    stores: InLoopStores
    rpc: Rpc
    """Of everybody else."""
    nursery: trio.Nursery
    """Ends with the scene."""
    folder: Path


def live_virtually(
    settings: Settings, script, *, seed: int, epoch_slots: int, are_files: bool = False
):
    """Run `script(life)` in a world of these settings, in a loop of its own; return what it returned.

    `are_files` keeps the services' databases in files, so that their sizes can be told; else they are in memory.
    """
    make_repeatable(seed)
    clock = VirtualClock()
    return trio.run(
        partial(_run, settings, script, seed, epoch_slots, are_files, clock), clock=clock
    )


async def _run(settings, script, seed, epoch_slots, are_files, clock):
    stores = InLoopStores(are_files=are_files)
    with MemoryNet().plugged_in():
        async with trio.open_nursery() as passing:
            await passing.start(pass_time, clock)
            async with open_life(settings, seed, epoch_slots, stores, are_files=are_files) as life:
                result = await script(life)
            passing.cancel_scope.cancel(reason="it is over")
    stores.close()
    return result


@asynccontextmanager
async def open_life(
    settings: Settings,
    seed: int,
    epoch_slots: int,
    stores: InLoopStores,
    *,
    are_files: bool = False,
) -> AsyncGenerator[Life]:
    """Found the platform, and let both services begin to keep it; they end in order with the scene."""
    machine = virtual_machine(seed, stores)
    with tempfile.TemporaryDirectory(prefix="platform-life-") as name:
        folder = Path(name)
        async with trio.open_nursery() as nursery:
            world: World = await nursery.start(run_world, settings, machine, folder)
            await trio.sleep(settings.slots_s(FINAL_SLOTS))
            config = write_config(world, settings, folder)
            with config.open("a") as file:
                file.write(RULES.format(epoch_slots=epoch_slots))
            started_s = trio.current_time()
            monitor = DrillMonitor(
                slot_s=settings.slot_s,
                now_s=lambda: trio.current_time() - started_s,
                wall_ms=machine.wall_ms,
                services=(KEEPER, SERVICE),
            )
            keeper = KeeperTask(
                config=config,
                recording=Path(os.devnull) if are_files else folder / "recording.jsonl",
                monitor=monitor,
                wall_ms=machine.wall_ms,
                stores=stores,
            )
            ledger = folder / "ledger" / "incentives.db" if are_files else None
            follower = Follower(config, monitor, machine.wall_ms, ledger)
            async with (
                open_rpc([world.localnet.quiet.url], RpcSettings()) as rpc,
                trio.open_nursery() as services,
            ):
                services.start_soon(follower.live)
                await services.start(keeper.live)
                nursery.start_soon(monitor.watch)
                yield Life(
                    machine=machine,
                    world=world,
                    monitor=monitor,
                    keeper=keeper,
                    follower=follower,
                    stores=stores,
                    rpc=rpc,
                    nursery=nursery,
                    folder=folder,
                )
                await keeper.end()
                follower.watch.stopping.set()
            nursery.cancel_scope.cancel(reason="it is over")


def said(notices: list[Notice]) -> dict[str, int]:
    """Count warnings and errors that an operator would have read, by event."""
    return dict(
        Counter(f"{notice.level} {notice.event}" for notice in notices if notice.level != "info")
    )


def reflected(position: float, low: float, high: float) -> float:
    """Fold a walk back into its range, as off a mirror at either end."""
    width = high - low
    away = math.fmod(abs(position - low), 2 * width)
    return low + (away if away <= width else 2 * width - away)
