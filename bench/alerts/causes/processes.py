"""What befalls the processes themselves: killed, wedged, without a disk, without anybody who hears them."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, Script, on_machine, on_stage
from bench.alerts.settings import BUSY, SLOW

_DEAD_S: Final = 20.0
_TASK: Final = "balances"
_MIB: Final = 1 << 20
_DISK_MIB: Final = 1_100
"""Enough to begin with: operators are told below 1,024."""
_STOPPED_S: Final = 1.6
_RUNNING_S: Final = 0.4
_LOCKED_S: Final = 0.15
_FREE_S: Final = 0.02


async def _kill(scene: Scene) -> None:
    scene.cause()
    await scene.keeper.kill()
    await scene.fires()
    await scene.stage.hold(_DEAD_S)
    scene.mend()
    await scene.nursery.start(scene.keeper.live)


async def _end_one_task(scene: Scene) -> None:
    scene.cause()
    scene.task.process.progress.cancel(_TASK)
    await scene.fires()
    scene.mend()
    await scene.stage.restart_keeper(down_s=1.0)


def _fills_the_disk(mib: int) -> Script:
    """A file takes so much of a small file system under the state, until it is removed. Needs to be root."""

    async def script(scene: Scene) -> None:
        folder = scene.folder / "state"
        folder.mkdir(exist_ok=True)
        with _small_disk(folder):
            await scene.stage.hold(5)
            scene.cause()
            big = folder / "big"
            big.write_bytes(bytes(mib * _MIB))
            await scene.fires()
            scene.mend()
            big.unlink()
            await scene.is_over()

    return script


@contextmanager
def _small_disk(folder: Path) -> Generator[None]:
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MIB}M", "tmpfs"]
    subprocess.run(["/usr/bin/mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", str(folder)], check=True)


async def _stop_and_go(scene: Scene) -> None:
    """Give the keeper's process a processor for a fifth of the time only."""
    scene.cause()
    while not scene.monitor.fires(scene.rule):
        os.kill(scene.child.pid, signal.SIGSTOP)
        await trio.sleep(_STOPPED_S)
        os.kill(scene.child.pid, signal.SIGCONT)
        await trio.sleep(_RUNNING_S)
    scene.mend()


async def _hold_the_lock(scene: Scene) -> None:
    """Let another process write to the keeper's database nearly all the time."""
    (path,) = (scene.folder / "state").glob("keeper-*.db")
    other = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    scene.cause()
    while not scene.monitor.fires(scene.rule):
        await trio.to_thread.run_sync(other.execute, "BEGIN IMMEDIATE")
        await trio.sleep(_LOCKED_S)
        other.execute("ROLLBACK")
        await trio.sleep(_FREE_S)
    scene.mend()
    other.close()


CAUSES: Final = (
    Cause(
        rule="service_failed",
        how="the keeper is killed, and started again",
        run=on_stage("service_failed", _kill, SLOW),
        is_quick=True,
    ),
    Cause(
        rule="task_ended",
        how="the task that reads balances ends alone; the keeper is started anew",
        run=on_stage("task_ended", _end_one_task, SLOW),
    ),
    Cause(
        rule="event_loop_late",
        how="the keeper's process has a processor for 0.4 s of every 2 s",
        run=on_machine("event_loop_late", _stop_and_go, SLOW),
    ),
    Cause(
        rule="commits_slow",
        how="another process holds the database's write lock nearly all the time",
        run=on_machine("commits_slow", _hold_the_lock, BUSY),
    ),
    Cause(
        rule="disk_low",
        how="200 MiB are written to a disk of 1,100, and removed",
        run=on_stage("disk_low", _fills_the_disk(200), SLOW),
    ),
    Cause(
        rule="disk_full",
        how="900 MiB are written to a disk of 1,100, and removed",
        run=on_stage("disk_full", _fills_the_disk(900), SLOW),
        also=frozenset({"disk_low"}),
    ),
)
